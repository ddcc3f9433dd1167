#!/bin/bash
# Does `cella cc` behave as the compilers do that make, configure and CMake count on, and does the C library of
# cells have what programs expect: threads' locks and keys, thread-local storage, signals, permissions?
# as: root user
. "$(dirname "$0")/lib.sh"
export CELLA_BUILDER_KEY=$work/builder.key
cd "$work"
run() {
	"$cella" run --quiet --memory insecure-none "$@"
}

cat >main.c <<'C'
#include <stdio.h>
#include "part.h"
int main(void)
{
	printf("%s %d\n", PART_NAME, part());
	return 0;
}
C
cat >part.c <<'C'
int part(void) { return NUMBER; }
C
mkdir include
cat >include/part.h <<'C'
#define PART_NAME "part"
int part(void);
C

# Objects are WebAssembly; objects, archives and sources link together; an object alone names the cell by its output.
"$cella" cc -c main.c -Iinclude
"$cella" cc -DNUMBER=3 -c part.c -o part.o
expect_equal "$(head -c 4 main.o | od -An -tx1 | tr -d ' ')" 0061736d
"$cella" cc main.o part.o -o objects.cell
expect_equal "$(run objects.cell)" "part 3"
"$cella" inspect objects.cell >out
expect_match "^name +objects$" out
llvm-ar-19 rcs libpart.a part.o
"$cella" cc main.c -Iinclude -L. -lpart -o archive.cell
expect_equal "$(run archive.cell)" "part 3"
"$cella" cc main.o -Wl,--whole-archive libpart.a -Wl,--no-whole-archive -o whole.cell
expect_equal "$(run whole.cell)" "part 3"
"$cella" cc -Iinclude -D NUMBER=5 main.c part.c
expect_equal "$(run main.cell)" "part 5"

# The same program in one step and in several: the same bytes.
"$cella" cc -c -DNUMBER=5 part.c -o part5.o
"$cella" cc --name main main.o part5.o -o steps.cell
cmp main.cell steps.cell

# A response file, with quotes and backslashes; words of -x; standard input.
printf -- '-D "NUMBER=7" main.c\n-I'"'include'"' -o quoted\\ name.cell\n' >words
"$cella" cc @words part.c
expect_equal "$(run 'quoted name.cell')" "part 7"
printf '%s\n' "-D 'NUMBER=\\6' -Iinclude main.c -o 'it\\'s.cell'" >words
"$cella" cc @words part.c
expect_equal "$(run "it's.cell")" "part 6"
echo 'int main(void) { return 9; }' | "$cella" cc -x c - -o stdin.cell
expect_status 9 run stdin.cell
cp part.c part.txt
"$cella" cc -DNUMBER=8 -Iinclude -x c part.txt -x none main.o -o language.cell
expect_equal "$(run language.cell)" "part 8"

# Dependencies for make.
"$cella" cc -c -MMD -Iinclude main.c -o deps.o
expect_match "^deps.o: main.c include/part.h$" deps.d
"$cella" cc -MMD -Iinclude -DNUMBER=1 main.c part.c -o whole.cell
expect_match "^main.o: main.c include/part.h$" main.d
"$cella" cc -M -Iinclude main.c >out
expect_match "^main.o: main.c" out
# Nothing of the host's headers is seen.
expect_no_match "/usr/include" out
echo '#include <sys/epoll.h>' >host.c
expect_status 1 "$cella" cc -c host.c
expect_match "'sys/epoll.h' file not found" err

# What configure scripts ask.
expect_equal "$("$cella" cc -dumpmachine)" wasm32-unknown-wasi
"$cella" cc --version >out
expect_match "clang version" out
"$cella" cc -v 2>err
expect_match "clang version" err
echo __wasm__ | "$cella" cc -E -P - >out
expect_equal "$(cat out)" 1
[ -f "$("$cella" cc -print-file-name=libc.a)" ] || fail "no libc.a"
echo "int main(void) { return 0; }" >rpath.c
for word in "-Wl,-rpath -Wl,/nowhere" -Wl,-rpath,/nowhere -Wl,-rpath=/nowhere; do
	# shellcheck disable=SC2086 # two words
	"$cella" cc $word rpath.c -o rpath.cell
done
"$cella" cc -fPIC -pthread -c part.c -DNUMBER=1 -o pic.o 2>err
[ ! -s err ] || fail "it says: $(cat err)"
expect_status 1 "$cella" cc -c -DNUMBER=1 part.c -o nowhere/part.o
expect_match "nowhere/part.o" err
expect_status 1 "$cella" cc -fno-such-thing -c part.c
expect_match "unknown argument: '-fno-such-thing'" err
expect_status 1 "$cella" cc main.o -o x.cell
expect_match "undefined symbol: part" err
[ ! -e x.cell ] || fail "written all the same"
"$cella" cc -r main.o part.o -o both.o
"$cella" cc both.o -o both.cell
expect_equal "$(run both.cell)" "part 3"

# The C library.
"$cella" cc "$source_dir/tests/cells/library.c" -o library.cell
mkdir data
status=0
run --dir data:/ library.cell >out 2>err || status=$?
expect_equal "$status $(cat out)" "0 all is as it should be"
expect_match "pthread_create: a program in a cell has one thread" err
# It is ready for threads: everything in it has atomic operations, else the linker would refuse a shared memory.
"$cella" cc "$source_dir/tests/cells/library.c" -Wl,--shared-memory,--max-memory=1073741824 --keep shared -o shared.cell
wasm-objdump -x shared/cell.wasm >out
expect_match "memory\[0\] pages: .* shared" out
status=0
run --dir data:/ shared.cell >out 2>err || status=$?
expect_equal "$status $(cat out)" "0 all is as it should be"

# CMake: a library, a program, questions about the system, and ctest, which runs cells.
if command -v cmake >/dev/null; then
	mkdir project
	cat >project/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.18)
project(greet C)
include(CheckFunctionExists)
include(CheckCSourceRuns)
check_function_exists(strlcpy HAS_STRLCPY)
check_function_exists(fork HAS_FORK)
check_c_source_runs("int main(void) { return 0; }" RUNS)
add_library(greeting STATIC greeting.c)
add_executable(greet greet.c)
target_compile_definitions(greet PRIVATE FACTS="$<BOOL:${HAS_STRLCPY}>$<BOOL:${HAS_FORK}>$<BOOL:${RUNS}>")
target_link_libraries(greet greeting)
enable_testing()
add_test(NAME greet COMMAND greet)
set_tests_properties(greet PROPERTIES PASS_REGULAR_EXPRESSION "hello greet.c 101")
CMAKE
	echo 'const char *greeting(void) { return "hello"; }' >project/greeting.c
	cat >project/greet.c <<'C'
#include <stdio.h>
const char *greeting(void);
int main(void)
{
	printf("%s %s %s\n", greeting(), __FILE__, FACTS);
	return 0;
}
C
	cmake -S project -B cmake-build -DCMAKE_TOOLCHAIN_FILE="$build/share/cella/cella-toolchain.cmake" \
		-DCELLA_RUN_OPTIONS="--memory;insecure-none;--dir;.:/" >out 2>&1 || fail "cmake: $(cat out)"
	cmake --build cmake-build >out 2>&1 || fail "cmake --build: $(cat out)"
	(cd cmake-build && ctest) >out 2>&1 || fail "ctest: $(cat out)"
	expect_match "100% tests passed" out
	[ -f cmake-build/greet.cell ] || fail "no greet.cell"
else
	skip_part cmake "there is no program cmake"
fi
