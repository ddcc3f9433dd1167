/*
 * cella bench volumes: sealed files against plain ones, and against gocryptfs.
 *
 * Each place for files goes through the same steps in a process of its own; the places take turns. What is
 * read "sealed" comes from ciphertext in the kernel's page cache: the place has just been opened.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/bench/apart.h"
#include "cli/bench/bench.h"
#include "cli/bench/store.h"
#include "cli/scratch.h"

enum {
	MIB = 1 << 20,
	BLOCK = 4096,
	SMALL_FILE = 1024,
	OPEN_SIZE = 8 * MIB, /* of a file whose blocks stay open */
	DURABLE_SIZE = 64 * MIB,
	POOL_SIZE = 512 * MIB,
	MANY_FILES = 1000000,
};

enum figure {
	WRITE,
	READ,
	RANDOM_NEW,
	RANDOM,
	OPEN_READ,
	OPEN_RANDOM,
	CREATE,
	LOOK,
	UNLINK,
	ONE,
	SOME,
	MANY,
	SPACE,
	FIGURES
};
static const struct figure_text {
	const char *name, *unit;
	bool per_time; /* more is better */
} figures[FIGURES] = {
	[WRITE] = {"write, synced", "GB/s", true},
	[READ] = {"read sealed", "GB/s", true},
	[RANDOM_NEW] = {"read sealed at random, in new memory", "1/s", true},
	[RANDOM] = {"read sealed at random, 4 KiB", "1/s", true},
	[OPEN_READ] = {"read again", "GB/s", true},
	[OPEN_RANDOM] = {"read again at random, 4 KiB", "1/s", true},
	[CREATE] = {"create, write 1 KiB, close", "1/s", true},
	[LOOK] = {"open, read 1 KiB, close", "1/s", true},
	[UNLINK] = {"unlink", "1/s", true},
	[ONE] = {"durable writes, batches of 1", "1/s", true},
	[SOME] = {"durable writes, batches of 32", "1/s", true},
	[MANY] = {"durable writes, batches of 1024", "1/s", true},
	[SPACE] = {"space beyond the plaintext", "%", false},
};

struct sizes {
	size_t large, reads, files;
	unsigned one, some, many; /* batches */
};
static const struct sizes whole = {256 * MIB, 20000, 20000, 100, 20, 4};
static const struct sizes quick = {16 * MIB, 1000, 500, 5, 2, 1};

struct measurement {
	struct store store;
	const struct sizes *sizes;
	uint8_t *buffer; /* MIB */
	uint64_t random;
	double values[FIGURES];
};

static uint64_t next_random(struct measurement *m)
{
	m->random = m->random * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
	return m->random >> 33;
}

static double seconds_since(uint64_t start)
{
	return (double)(clock_ns() - start) * 1e-9;
}

static int begin(struct measurement *m, struct error *err)
{
	return m->store.kind->begin(&m->store, err);
}

static int end(struct measurement *m, struct error *err)
{
	return m->store.kind->end(&m->store, err);
}

static int open_file(struct measurement *m, const char *path, bool create, struct store_file *ret,
                     struct error *err)
{
	return m->store.kind->open(&m->store, path, create, ret, err);
}

static int close_file(struct measurement *m, struct store_file *f, struct error *err)
{
	return m->store.kind->close(&m->store, f, err);
}

static int write_all(struct measurement *m, struct store_file *f, size_t size, struct error *err)
{
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < size; at += MIB)
		rc = m->store.kind->write(&m->store, f, at, m->buffer, MIB, err);
	return rc == 0 ? m->store.kind->commit(&m->store, f, err) : rc;
}

static int read_all(struct measurement *m, struct store_file *f, size_t size, struct error *err)
{
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < size; at += MIB)
		rc = m->store.kind->read(&m->store, f, at, m->buffer, MIB, err);
	return rc;
}

static int read_random(struct measurement *m, struct store_file *f, size_t size, size_t count,
                       struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = m->store.kind->read(&m->store, f, next_random(m) % (size / BLOCK) * BLOCK, m->buffer,
		                         BLOCK, err);
	return rc;
}

static int measure_write(struct measurement *m, struct error *err)
{
	struct store_file f;
	int rc = begin(m, err);
	if (rc == 0)
		rc = open_file(m, "large", true, &f, err);
	if (rc < 0)
		return rc;
	uint64_t start = clock_ns();
	rc = write_all(m, &f, m->sizes->large, err);
	m->values[WRITE] = (double)m->sizes->large * 1e-9 / seconds_since(start);
	if (rc == 0 && m->store.volume) {
		struct volume_info info;
		rc = volume_info(m->store.volume, &info, err);
		if (rc < 0)
			return rc;
		double stored = (double)(info.stored - info.dead);
		m->values[SPACE] = 100 * (stored / (double)m->sizes->large - 1);
	}
	if (rc == 0)
		rc = close_file(m, &f, err);
	return rc == 0 ? end(m, err) : rc;
}

/* From ciphertext: in order, then, opened once more, at random, in memory that is touched for the first time
 * and in memory that is not. */
static int measure_sealed(struct measurement *m, struct error *err)
{
	int rc = 0;
	for (enum figure figure = READ; rc == 0 && figure <= RANDOM; figure++) {
		struct store_file f;
		rc = begin(m, err);
		if (rc == 0)
			rc = open_file(m, "large", false, &f, err);
		if (rc < 0)
			return rc;
		uint64_t start = clock_ns();
		rc = figure == READ ? read_all(m, &f, m->sizes->large, err)
		                    : read_random(m, &f, m->sizes->large, m->sizes->reads, err);
		double done = figure == READ ? (double)m->sizes->large * 1e-9 : (double)m->sizes->reads;
		m->values[figure] = done / seconds_since(start);
		if (rc == 0)
			rc = close_file(m, &f, err);
		if (rc == 0)
			rc = end(m, err);
	}
	return rc;
}

static int measure_open_blocks(struct measurement *m, struct store_file *f, struct error *err)
{
	enum { ROUNDS = 16 };
	int rc = write_all(m, f, OPEN_SIZE, err);
	if (rc == 0)
		rc = read_all(m, f, OPEN_SIZE, err);
	if (rc == 0)
		rc = read_all(m, f, OPEN_SIZE, err);
	uint64_t start = clock_ns();
	for (int i = 0; rc == 0 && i < ROUNDS; i++)
		rc = read_all(m, f, OPEN_SIZE, err);
	m->values[OPEN_READ] = (double)OPEN_SIZE * ROUNDS * 1e-9 / seconds_since(start);
	start = clock_ns();
	if (rc == 0)
		rc = read_random(m, f, OPEN_SIZE, 10 * m->sizes->reads, err);
	m->values[OPEN_RANDOM] = (double)(10 * m->sizes->reads) / seconds_since(start);
	return rc;
}

static int measure_durable(struct measurement *m, struct store_file *f, size_t batch, unsigned count,
                           enum figure figure, struct error *err)
{
	const struct store_kind *k = m->store.kind;
	int rc = 0;
	uint64_t start = clock_ns();
	for (unsigned i = 0; rc == 0 && i < count; i++) {
		for (size_t j = 0; rc == 0 && j < batch; j++)
			rc = k->write(&m->store, f, next_random(m) % (DURABLE_SIZE / BLOCK) * BLOCK,
			              m->buffer, BLOCK, err);
		if (rc == 0)
			rc = k->commit(&m->store, f, err);
	}
	m->values[figure] = (double)count / seconds_since(start);
	return rc;
}

static int measure_one_file(struct measurement *m, struct error *err)
{
	struct store_file open, durable;
	int rc = begin(m, err);
	if (rc == 0)
		rc = open_file(m, "open", true, &open, err);
	if (rc == 0)
		rc = measure_open_blocks(m, &open, err);
	if (rc == 0)
		rc = close_file(m, &open, err);
	if (rc == 0 && m->store.kind->durable) {
		rc = open_file(m, "durable", true, &durable, err);
		if (rc == 0)
			rc = write_all(m, &durable, DURABLE_SIZE, err);
		if (rc == 0)
			rc = measure_durable(m, &durable, 1, m->sizes->one, ONE, err);
		if (rc == 0)
			rc = measure_durable(m, &durable, 32, m->sizes->some, SOME, err);
		if (rc == 0)
			rc = measure_durable(m, &durable, 1024, m->sizes->many, MANY, err);
		if (rc == 0)
			rc = close_file(m, &durable, err);
	}
	return rc == 0 ? end(m, err) : rc;
}

static int small_file(struct measurement *m, size_t number, bool create, struct error *err)
{
	const struct store_kind *k = m->store.kind;
	struct store_file f;
	char path[32];
	snprintf(path, sizeof(path), "f%zu", number);
	int rc = open_file(m, path, create, &f, err);
	if (rc < 0)
		return rc;
	rc = create ? k->write(&m->store, &f, 0, m->buffer, SMALL_FILE, err)
	            : k->read(&m->store, &f, 0, m->buffer, SMALL_FILE, err);
	int closed = close_file(m, &f, rc == 0 ? err : NULL);
	return rc < 0 ? rc : closed;
}

/* A volume's end commits, which its figure for creating includes. */
static int measure_small_files(struct measurement *m, struct error *err)
{
	size_t count = m->sizes->files;
	uint64_t start = clock_ns();
	int rc = begin(m, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = small_file(m, i, true, err);
	if (rc == 0)
		rc = end(m, err);
	m->values[CREATE] = (double)count / seconds_since(start);
	if (rc == 0)
		rc = begin(m, err);
	start = clock_ns();
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = small_file(m, next_random(m) % count, false, err);
	m->values[LOOK] = (double)count / seconds_since(start);
	start = clock_ns();
	for (size_t i = 0; rc == 0 && i < count; i++) {
		char path[32];
		snprintf(path, sizeof(path), "f%zu", i);
		rc = m->store.kind->unlink(&m->store, path, err);
	}
	m->values[UNLINK] = (double)count / seconds_since(start);
	return rc == 0 ? end(m, err) : rc;
}

/* Keys and blocks in secret memory, where there is enough of it. */
static int make_pool(struct measurement *m, struct error *err)
{
	bool secret = mem_level_check(MEM_SECRET, POOL_SIZE, NULL) == 0;
	int rc = mem_pool_new(secret ? MEM_SECRET : MEM_INSECURE_NONE, POOL_SIZE, &m->store.pool, err);
	if (rc < 0)
		return rc;
	mem_set_process_pool(m->store.pool);
	return crypto_init(m->store.pool, err);
}

static int prepare(struct measurement *m, struct error *err)
{
	int rc = make_pool(m, err);
	m->buffer = malloc(MIB);
	if (rc == 0 && !m->buffer)
		rc = error_set(err, CELLA_ENOMEM, "no memory for a buffer");
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < MIB; i++)
		m->buffer[i] = (uint8_t)next_random(m);
	return m->store.kind->make(&m->store, err);
}

static int measure(void *data, void *result, struct error *err)
{
	struct measurement *m = data;
	int rc = prepare(m, err);
	if (rc == 0)
		rc = measure_write(m, err);
	if (rc == 0)
		rc = measure_sealed(m, err);
	if (rc == 0)
		rc = measure_one_file(m, err);
	if (rc == 0)
		rc = measure_small_files(m, err);
	memcpy(result, m->values, sizeof(m->values));
	return rc;
}

/* One place goes through all steps, in an empty directory that is removed again. */
static int run_store(struct bench *b, const struct store_kind *kind,
                     int (*step)(void *data, void *result, struct error *err), void *ret_values, size_t size,
                     struct error *err)
{
	struct measurement m = {.store = {.kind = kind},
	                        .sizes = b->quick ? &quick : &whole,
	                        .random = 0x9e3779b9};
	char beside[600];
	snprintf(m.store.directory, sizeof(m.store.directory), "%s/store", b->directory);
	if (mkdir(m.store.directory, 0700) < 0)
		return error_errno(err, CELLA_EIO, "cannot make %s", m.store.directory);
	int rc = bench_apart(step, &m, ret_values, size, err);
	if (rc < 0 && kind == &store_gocryptfs)
		(void)!kind->end(&m.store, NULL);
	scratch_remove_tree(m.store.directory);
	snprintf(beside, sizeof(beside), "%s.mount", m.store.directory);
	rmdir(beside);
	snprintf(beside, sizeof(beside), "%s.root", m.store.directory);
	unlink(beside);
	return rc;
}

enum { STORES = 4 };
static const struct store_kind *const stores[STORES] = {&store_volume, &store_volume_two, &store_plain,
                                                        &store_gocryptfs};

struct results {
	struct bench_samples values[STORES][FIGURES], ratios[STORES][FIGURES];
	bool measured[STORES];
};

/* Which figures of which place say something? */
static bool is_told(size_t store, enum figure figure)
{
	const struct store_kind *k = stores[store];
	if (k == &store_volume_two)
		return figure == WRITE || figure == READ;
	if (figure == SPACE || figure == RANDOM_NEW)
		return k == &store_volume;
	if (k == &store_gocryptfs && (figure == OPEN_READ || figure == OPEN_RANDOM))
		return false; /* plaintext in the kernel's page cache */
	return figure < ONE || k->durable;
}

static int report(struct bench *b, const struct results *r, struct error *err)
{
	int rc = 0;
	for (enum figure f = 0; rc == 0 && f < FIGURES; f++) {
		for (size_t s = 0; rc == 0 && s < STORES; s++) {
			char ratio[BENCH_NAME_MAX];
			if (!r->measured[s] || !is_told(s, f))
				continue;
			rc = bench_report(b, figures[f].name, stores[s]->name, figures[f].unit,
			                  &r->values[s][f], err);
			snprintf(ratio, sizeof(ratio), "volume/%s", stores[s]->name);
			if (rc == 0 && s > 1 && figures[f].per_time)
				rc = bench_report(b, figures[f].name, ratio, "ratio", &r->ratios[s][f], err);
		}
	}
	return rc;
}

/* The places in turn. */
static int run_turn(struct bench *b, struct results *r, struct error *err)
{
	double values[STORES][FIGURES] = {0};
	for (size_t s = 0; s < STORES; s++) {
		struct error why;
		if (!r->measured[s])
			continue;
		int rc = run_store(b, stores[s], measure, values[s], sizeof(values[s]), &why);
		if (rc < 0) {
			r->measured[s] = false;
			rc = bench_failed(b, stores[s]->name, "", rc, &why, err);
			if (rc < 0)
				return rc;
			continue;
		}
		for (enum figure f = 0; f < FIGURES; f++) {
			bench_sample(&r->values[s][f], values[s][f]);
			bench_sample(&r->ratios[s][f], values[0][f] / values[s][f]);
		}
	}
	return 0;
}

/* ---- opening a volume of very many files */

static int measure_opening(void *data, void *result, struct error *err)
{
	struct measurement *m = data;
	double *ret_ms = result;
	size_t count = m->sizes == &quick ? 1000 : MANY_FILES;
	int rc = prepare(m, err);
	if (rc == 0)
		rc = begin(m, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = small_file(m, i, true, err);
	if (rc == 0)
		rc = end(m, err);
	uint64_t start = clock_ns();
	if (rc == 0)
		rc = begin(m, err);
	if (rc == 0)
		rc = small_file(m, count / 2, false, err);
	*ret_ms = seconds_since(start) * 1e3;
	return rc == 0 ? end(m, err) : rc;
}

static int run_opening(struct bench *b, struct error *err)
{
	struct bench_samples samples = {.count = 0};
	struct error why;
	double ms;
	int rc = run_store(b, &store_volume, measure_opening, &ms, sizeof(ms), &why);
	if (rc < 0)
		return bench_failed(b, "open a million files' volume, read one", "volume", rc, &why, err);
	bench_sample(&samples, ms);
	return bench_report(b, "open a million files' volume, read one", "volume", "ms", &samples, err);
}

int bench_volumes(struct bench *b, struct error *err)
{
	struct results *r = calloc(1, sizeof(*r));
	int rc = r ? 0 : error_set(err, CELLA_ENOMEM, "no memory for results");
	for (size_t s = 0; rc == 0 && s < STORES; s++) {
		struct error why;
		bool peer = stores[s] == &store_gocryptfs;
		r->measured[s] = (!peer || b->peers) && store_check(stores[s], &why) == 0;
		if (peer && b->peers && !r->measured[s])
			rc = bench_cannot(b, "volumes", stores[s]->name, why.text, err);
	}
	for (size_t run = 0; rc == 0 && run < b->runs; run++)
		rc = run_turn(b, r, err);
	if (rc == 0)
		rc = report(b, r, err);
	free(r);
	return rc == 0 ? run_opening(b, err) : rc;
}
