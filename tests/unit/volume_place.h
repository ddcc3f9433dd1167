/* A volume in a directory of its own, for tests: made before each, removed after it. */
#ifndef TESTS_UNIT_VOLUME_PLACE_H
#define TESTS_UNIT_VOLUME_PLACE_H

#include "volume/volume_state.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };

extern struct mem_pool *pool;
extern const uint8_t key[1][CRYPTO_KEY_SIZE];
extern struct error err; /* of the last call */

#define assert_ok(call)                                               \
	do {                                                          \
		int rc_ = (call);                                     \
		if (rc_ < 0)                                          \
			fail_msg("%s: %d: %s", #call, rc_, err.text); \
	} while (0)

struct place {
	char directory[64];
	char root[80]; /* file */
	struct volume_config config;
};

/* The pool and cryptography, for a test's main; 0, or its exit status. */
int place_init(void);
int set_up(void **state);
int tear_down(void **state);
#define in_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

void write_file(struct volume *v, const char *path, uint64_t offset, const void *bytes, size_t size);
void check_file(struct volume *v, const char *path, uint64_t offset, const void *bytes, size_t size);
/* One bit of a segment's file, changed. */
void flip(const struct place *p, unsigned segment, off_t at);

#endif
