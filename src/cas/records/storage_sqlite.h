/* A storage in one SQLite database (cas/records/storage.h). */
#ifndef CAS_STORAGE_SQLITE_H
#define CAS_STORAGE_SQLITE_H

#include "cas/records/storage.h"

enum {
	CAS_SQLITE_APPLICATION = 0x43434153, /* "CCAS" */
	CAS_SQLITE_VERSION = 1,
};

/* `quota`: bytes of the database at most, 0: no limit. CELLA_EEXIST where `create` finds a file. */
int cas_storage_sqlite(const char *path, bool create, uint64_t quota, struct cas_storage *ret_storage,
                       struct error *err) must_check;
/* The vault's bytes that a backup brings, taken out of it. CELLA_ENOENT: it is no backup. */
int cas_storage_sqlite_take_vault(struct cas_storage *storage, struct buf *ret_vault,
                                  struct error *err) must_check;

#endif
