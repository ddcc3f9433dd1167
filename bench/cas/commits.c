/* Writes a block of /v/data and syncs it, so many times; prints the mean of the microseconds each took. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 256 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	static char block[BLOCK];
	int count = argc > 1 ? atoi(argv[1]) : 1;
	int fd = open("/v/data", O_RDWR | O_CREAT, 0600);
	double start = 0;
	for (int i = -1; fd >= 0 && i < count; i++) {
		if (i == 0) /* the first one makes the file */
			start = now();
		memset(block, i, sizeof(block));
		if (pwrite(fd, block, sizeof(block), (off_t)(i + 1) % BLOCKS * BLOCK) != BLOCK ||
		    fsync(fd) < 0)
			fd = -1;
	}
	if (fd < 0)
		return perror("/v/data"), 1;
	printf("%.3f\n", (now() - start) * 1e6 / count);
	return 0;
}
