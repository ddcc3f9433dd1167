/* A CAS's directory for a test, sealed by a key file, and what changes it. */
#ifndef CAS_SUPPORT_H
#define CAS_SUPPORT_H

#include "cas/records/records.h"

enum { CAS_PATH_MAX = 512 };

/* The process's cryptography, with secret memory where the machine has it. For cmocka's group setup. */
int cas_start(void **state);
/* The same in ordinary memory: a pool is not looked into by who looks for leaks. */
int cas_start_ordinary(void **state);

struct cas_test {
	char place[CAS_PATH_MAX];     /* a directory of its own */
	char directory[CAS_PATH_MAX]; /* the CAS's, in it */
	char key_file[CAS_PATH_MAX];  /* beside that */
	struct records_config config;
	struct records *r;
};
/* Made, and open. */
void cas_test_begin(struct cas_test *t);
void cas_test_open(struct cas_test *t);
void cas_test_close(struct cas_test *t);
/* Closes it, and removes all files. */
void cas_test_end(struct cas_test *t);

const char *cas_path(const struct cas_test *t, const char *name, char path[CAS_PATH_MAX]);
/* A whole file; the caller frees it. */
uint8_t *cas_read(const char *path, size_t *ret_size);
void cas_write(const char *path, const void *bytes, size_t size);
void cas_copy(const char *from, const char *to);
/* The CAS's directory, which is closed, copied to "PLACE/NAME" (removed before). */
void cas_copy_directory(const struct cas_test *t, const char *from, const char *to);

/* One change with an entry, committed. */
void cas_put_session(struct records *r, const char *name, const char *text, const char *before);
void cas_put_secret(struct records *r, const char *session, const char *name, const char *value);
/* The SHA-384 of a session's text. */
void cas_hash(const char *text, uint8_t ret_hash[CRYPTO_SHA384_SIZE]);

#endif
