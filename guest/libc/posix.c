/*
 * What programs expect of POSIX and WASI does not have: permissions, owners, users. In a cell files have
 * none and everything belongs to user 0, as fstat says, so changing them succeeds, once it is sure that
 * the file is there, and changes nothing. There is no shell, so system() has none to ask.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UMASK = 022 };

int fchmodat(int directory, const char *path, mode_t mode, int flags)
{
	struct stat ignored;
	return fstatat(directory, path, &ignored, flags);
}

int chmod(const char *path, mode_t mode)
{
	return fchmodat(AT_FDCWD, path, mode, 0);
}

int lchmod(const char *path, mode_t mode)
{
	return fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW);
}

int fchmod(int fd, mode_t mode)
{
	struct stat ignored;
	return fstat(fd, &ignored);
}

int fchownat(int directory, const char *path, uid_t user, gid_t group, int flags)
{
	return fchmodat(directory, path, 0, flags);
}

int chown(const char *path, uid_t user, gid_t group)
{
	return fchmodat(AT_FDCWD, path, 0, 0);
}

int lchown(const char *path, uid_t user, gid_t group)
{
	return fchmodat(AT_FDCWD, path, 0, AT_SYMLINK_NOFOLLOW);
}

int fchown(int fd, uid_t user, gid_t group)
{
	return fchmod(fd, 0);
}

mode_t umask(mode_t mask)
{
	return UMASK;
}

uid_t getuid(void)
{
	return 0;
}

uid_t geteuid(void)
{
	return 0;
}

gid_t getgid(void)
{
	return 0;
}

gid_t getegid(void)
{
	return 0;
}

/* The caller may write to it, as elsewhere; there is nothing to keep from whom. */
static struct passwd only_user = {"root", "", 0, 0, "", "/", ""};

struct passwd *getpwuid(uid_t user)
{
	return user == only_user.pw_uid ? &only_user : NULL;
}

struct passwd *getpwnam(const char *name)
{
	return strcmp(name, only_user.pw_name) == 0 ? &only_user : NULL;
}

int system(const char *command)
{
	if (!command)
		return 0;
	errno = ENOSYS;
	return -1;
}
