#!/bin/bash
# as: root user
# no memlock: what it runs has ordinary memory
# Does what is preloaded into programs by the environment reach the launcher or an executor?
. "$(dirname "$0")/lib.sh"

cat >"$work/preload.c" <<'EOF'
#include <fcntl.h>
#include <unistd.h>
static void __attribute__((constructor)) spy(void)
{
	int fd = open(PLACE, O_WRONLY | O_CREAT | O_APPEND, 0666);
	char name[64];
	int from = open("/proc/self/comm", O_RDONLY);
	long size = read(from, name, sizeof(name));
	if (size > 0 && write(fd, name, (unsigned long)size) < 0)
		_exit(1);
	close(from);
	close(fd);
}
EOF
gcc -shared -fPIC -o "$work/preload.so" -DPLACE="\"$work/spied\"" "$work/preload.c"
cat >"$work/hello.c" <<'EOF'
#include <stdio.h>
int main(void)
{
	return puts("hello") < 0;
}
EOF
"$cella" cc "$work/hello.c" -o "$work/hello.cell"

LD_PRELOAD=$work/preload.so LD_LIBRARY_PATH=$work expect_status 0 "$cella" run --memory insecure-none "$work/hello.cell"
expect_match '^hello$' "$work/out"
# The owner's own programs are dynamic: there it works, so the test can fail.
expect_match '^cella$' "$work/spied"
expect_no_match '^cella-(las|cell|agent)$' "$work/spied"
