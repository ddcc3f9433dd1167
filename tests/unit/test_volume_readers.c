/*
 * May threads read snapshots while another commits, and a crew seals and opens for each? Every commit gives
 * all files the same number: a snapshot in which they differ is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "fake_disk.h"
#include "volume/volume.h"

enum { MIB = 1 << 20, READERS = 3, FILES = 5, ROUNDS = 100, WORDS_MAX = 50000, LEAST_READ = 3 };

static struct mem_pool *process_pool;
static const uint8_t key[1][CRYPTO_KEY_SIZE] = {{5}};
/* In the inode, a block, some, runs that pass the cache by. */
static const size_t words[FILES] = {10, 500, 3000, 30000, WORDS_MAX};

struct reader {
	pthread_t thread;
	struct volume *v;
	atomic_bool *done;
	atomic_uint read; /* snapshots */
	char failure[512];
};

static void name_file(unsigned file, char name[16])
{
	snprintf(name, 16, "file%u", file);
}

/* The number that all of a file consists of; UINT32_MAX and a failure otherwise. */
static uint32_t number_of(struct reader *r, struct volume *s, unsigned file, uint32_t *bytes)
{
	struct error err = {0};
	struct volume_file *f;
	char name[16];
	size_t got = 0, size = words[file] * sizeof(*bytes);
	name_file(file, name);
	int rc = volume_file_open(s, name, 0, 0, &f, &err);
	if (rc == 0) {
		rc = volume_file_read(f, 0, bytes, size, &got, &err);
		volume_file_close(f);
	}
	if (rc < 0 || got != size) {
		snprintf(r->failure, sizeof(r->failure), "%s: %zu bytes: %.400s", name, got, err.text);
		return UINT32_MAX;
	}
	for (size_t i = 1; i < words[file]; i++)
		if (bytes[i] != bytes[0]) {
			snprintf(r->failure, sizeof(r->failure), "%s: %u and %u", name, bytes[0], bytes[i]);
			return UINT32_MAX;
		}
	return bytes[0];
}

static uint32_t check_snapshot(struct reader *r, struct volume *s, uint32_t *bytes)
{
	uint32_t first = number_of(r, s, 0, bytes);
	for (unsigned file = 1; !r->failure[0] && file < FILES; file++) {
		uint32_t number = number_of(r, s, file, bytes);
		if (!r->failure[0] && number != first)
			snprintf(r->failure, sizeof(r->failure), "file %u is of commit %u, the first of %u",
			         file, number, first);
	}
	return first;
}

static void *reader_main(void *arg)
{
	struct reader *r = arg;
	struct mem_pool *pool;
	struct error err = {0};
	uint32_t last = 0, *bytes = malloc(WORDS_MAX * sizeof(*bytes));
	if (mem_pool_new(MEM_INSECURE_NONE, 64 * MIB, &pool, &err) < 0)
		snprintf(r->failure, sizeof(r->failure), "no pool: %.400s", err.text);
	while (!r->failure[0] && (!*r->done || r->read < LEAST_READ)) {
		struct volume *s;
		if (volume_snapshot(r->v, pool, &s, &err) < 0) {
			snprintf(r->failure, sizeof(r->failure), "snapshot: %.400s", err.text);
			break;
		}
		uint32_t number = check_snapshot(r, s, bytes);
		if (!r->failure[0] && number < last)
			snprintf(r->failure, sizeof(r->failure), "commit %u came after %u", number, last);
		last = number;
		volume_free(s);
		r->read++;
	}
	mem_pool_free(pool);
	free(bytes);
	return NULL;
}

static void write_round(struct volume *v, uint32_t number, uint32_t *bytes)
{
	struct error err = {0};
	for (size_t i = 0; i < WORDS_MAX; i++)
		bytes[i] = number;
	for (unsigned file = 0; file < FILES; file++) {
		struct volume_file *f;
		char name[16];
		name_file(file, name);
		int rc = volume_file_open(v, name, VOLUME_WRITE | VOLUME_CREATE, 0644, &f, &err);
		if (rc == 0) {
			rc = volume_file_write(f, 0, bytes, words[file] * sizeof(*bytes), &err);
			volume_file_close(f);
		}
		if (rc < 0)
			fail_msg("round %u: %s", number, err.text);
	}
	if (volume_commit(v, &err) < 0)
		fail_msg("round %u: %s", number, err.text);
}

static void snapshots_are_of_one_commit_whoever_writes(void **state)
{
	struct fake_world world = {0};
	struct fake_disk *disk = fake_disk_new(&world);
	struct fake_keeper keeper = {.world = &world};
	struct reader readers[READERS] = {0};
	struct volume_config config = {.keys = key,
	                               .key_count = 1,
	                               .cache = VOLUME_CACHE_LEAST,
	                               .workers = 3,
	                               .writable = true,
	                               .disk = fake_disk_interface(disk),
	                               .keeper = fake_keeper_interface(&keeper)};
	struct error err;
	struct volume *v;
	atomic_bool done = false;
	uint32_t *bytes = malloc(WORDS_MAX * sizeof(*bytes));
	(void)state;
	assert_int_equal(mem_pool_new(MEM_INSECURE_NONE, 64 * MIB, &config.pool, &err), 0);
	assert_int_equal(volume_create(&config, &err), 0);
	assert_int_equal(volume_open(&config, &v, &err), 0);
	write_round(v, 1, bytes);
	for (unsigned i = 0; i < READERS; i++) {
		readers[i].v = v;
		readers[i].done = &done;
		assert_int_equal(pthread_create(&readers[i].thread, NULL, reader_main, &readers[i]), 0);
	}
	for (uint32_t round = 2; round <= ROUNDS; round++)
		write_round(v, round, bytes);
	done = true;
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(readers[i].thread, NULL);
	for (unsigned i = 0; i < READERS; i++) {
		if (readers[i].failure[0])
			fail_msg("reader %u: %s", i, readers[i].failure);
		assert_true(readers[i].read >= LEAST_READ);
	}
	volume_free(v);
	mem_pool_free(config.pool);
	fake_disk_free(disk);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshots_are_of_one_commit_whoever_writes),
	};
	if (mem_pool_new(MEM_INSECURE_NONE, 64 * MIB, &process_pool, NULL) < 0 ||
	    crypto_init(process_pool, NULL) < 0)
		return 1;
	mem_set_process_pool(process_pool);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
