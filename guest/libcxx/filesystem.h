/* What std::filesystem wants of POSIX and the C library of cells does not have; before its sources. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>

#ifndef DT_SOCK
#define DT_SOCK 20
#endif

struct statvfs {
	unsigned long f_frsize;
	unsigned long long f_blocks, f_bfree, f_bavail;
};

static inline int statvfs(const char *, struct statvfs *)
{
	errno = ENOSYS;
	return -1;
}

static inline char *realpath(const char *, char *)
{
	errno = ENOSYS;
	return nullptr;
}
