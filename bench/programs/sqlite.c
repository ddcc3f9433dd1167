/*
 * SQLite runs its own benchmark, test/speedtest1.c, on a database in memory. Its only file system is one
 * without files: SQLite is compiled with SQLITE_OS_OTHER, natively too.
 */
#include <string.h>

#include "program.h"

#define main speedtest1_main /* the benchmark is a program */
#define SQLITE_SPEEDTEST1_WASM /* that may run more than once */
#include "speedtest1.c"
#undef main

static int cannot_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	(void)vfs, (void)name, (void)flags, (void)ret_flags;
	file->pMethods = NULL;
	return SQLITE_CANTOPEN;
}

static int cannot_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs, (void)name, (void)sync;
	return SQLITE_IOERR_DELETE;
}

static int no_file(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	(void)vfs, (void)name, (void)flags;
	*ret = 0;
	return SQLITE_OK;
}

static int same_name(sqlite3_vfs *vfs, const char *name, int capacity, char *ret)
{
	(void)vfs;
	sqlite3_snprintf(capacity, ret, "%s", name);
	return SQLITE_OK;
}

/* The same numbers each time, so that the same work is done everywhere. */
static int fixed_randomness(sqlite3_vfs *vfs, int size, char *ret)
{
	(void)vfs;
	for (int i = 0; i < size; i++)
		ret[i] = (char)(i * 7 + 1);
	return size;
}

static int no_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int fixed_day(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 2460000.5;
	return SQLITE_OK;
}

static int no_error(sqlite3_vfs *vfs, int capacity, char *ret)
{
	(void)vfs, (void)capacity, (void)ret;
	return 0;
}

int sqlite3_os_init(void)
{
	static sqlite3_vfs vfs = {
		.iVersion = 1,
		.szOsFile = sizeof(sqlite3_file),
		.mxPathname = 512,
		.zName = "none",
		.xOpen = cannot_open,
		.xDelete = cannot_delete,
		.xAccess = no_file,
		.xFullPathname = same_name,
		.xRandomness = fixed_randomness,
		.xSleep = no_sleep,
		.xCurrentTime = fixed_day,
		.xGetLastError = no_error,
	};
	return sqlite3_vfs_register(&vfs, 1);
}

int sqlite3_os_end(void)
{
	return SQLITE_OK;
}

/* The case "sqlite-cte" is the benchmark's test set "cte". */
void program_sqlite(struct trial *t)
{
	char set[16], size[] = SIZE("50", "2");
	sqlite3_snprintf(sizeof(set), set, "%s", strchr(trial_name(t), '-') + 1);
	char *words[] = {"speedtest1", "--memdb", "--verify", "--size", size, "--testset", set, NULL};
	trial_begin(t);
	speedtest1_main(7, words);
	trial_end(t);
	trial_result(t, g.hash.r, 24); /* of all that the queries gave */
}
