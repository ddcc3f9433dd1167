/* The users of a cell: there is one, number 0 (posix.c). */
#ifndef CELLA_PWD_H
#define CELLA_PWD_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct passwd {
	char *pw_name;
	char *pw_passwd;
	uid_t pw_uid;
	gid_t pw_gid;
	char *pw_gecos;
	char *pw_dir;
	char *pw_shell;
};

struct passwd *getpwnam(const char *);
struct passwd *getpwuid(uid_t);

#ifdef __cplusplus
}
#endif

#endif
