/*
 * cella bench start: cells that begin from a snapshot, as executors begin them.
 *
 * Each case is a child process with a pool of secret memory and the executor's own handlers. The pool has
 * ended cells before, as an executor's has: what is measured takes memory that was touched.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cell/code.h"
#include "cell/instance.h"
#include "cell/snapshot/snapshot.h"
#include "cell/trap.h"
#include "cli/bench/apart.h"
#include "cli/bench/bench.h"

enum {
	MIB = 1 << 20,
	SPAWN_KEYS = 8 * MIB, /* of protected memory, for keys and OpenSSL */
	SPAWN_STACK = 1 * MIB,
	SPAWN_ROUNDS = 16, /* of each run; the first ends one that touches the pool */
};

static const struct spawn_case {
	const char *name;
	uint32_t content; /* bytes */
	bool sealed;
	size_t rounds;
} cases[] = {
	{"cell from a snapshot of 1 MiB", MIB, false, SPAWN_ROUNDS},
	{"cell from a snapshot of 100 MiB", 100 * MIB, false, 2},
	{"cell from a sealed snapshot of 100 MiB", 100 * MIB, true, 2},
};

/* Microseconds: until the cell can be called; its first touch of its content; the rest of it; its end. */
struct spawn_times {
	double ready[SPAWN_ROUNDS], first[SPAWN_ROUNDS], rest[SPAWN_ROUNDS], end[SPAWN_ROUNDS];
};

struct spawn_bench {
	const struct spawn_case *kind;
	const char *path; /* of the cell */
	struct mem_pool *pool;
	struct bundle bundle;
	struct instance_config cell;
	struct seal_session *session;
	struct snapshot_sealed sealed;
	uint8_t *sealed_bytes;
	struct snapshot *base;
};

static double microseconds_since(uint64_t start_ns)
{
	return (double)(clock_ns() - start_ns) * 1e-3;
}

static int start_pool(struct spawn_bench *s, struct error *err)
{
	static const uint8_t key[CRYPTO_KEY_SIZE] = {1};
	struct mem_pool *keys;
	size_t size = 4 * (size_t)s->kind->content + 64 * (size_t)MIB;
	int rc = mem_pool_new(MEM_SECRET, SPAWN_KEYS, &keys, err);
	if (rc < 0)
		return rc;
	mem_set_process_pool(keys);
	rc = crypto_init(keys, err);
	if (rc == 0)
		rc = mem_pool_new(MEM_SECRET, size, &s->pool, err);
	if (rc == 0)
		rc = trap_init(s->pool, err);
	return rc < 0 ? rc : seal_session_new(key, &s->session, err);
}

/* It was built just now. */
static bool is_own(const uint8_t builder[CRYPTO_ED25519_SIZE], void *context)
{
	(void)builder;
	(void)context;
	return true;
}

static int load(struct spawn_bench *s, struct error *err)
{
	const struct bundle_artifact *artifact;
	struct stat st;
	cleanup_close int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, CELLA_EIO, "cannot open %s", s->path);
	void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return error_errno(err, CELLA_EIO, "cannot map %s", s->path);
	s->cell = (struct instance_config){
		.pool = s->pool,
		.heap = 1ull << 30,
		.stack_size = SPAWN_STACK,
		.identity = s->bundle.identity,
	};
	int rc = bundle_parse(data, (size_t)st.st_size, &s->bundle, err);
	if (rc == 0)
		rc = bundle_choose(&s->bundle, is_own, NULL, &artifact, err);
	return rc < 0 ? rc : code_map(artifact, &s->cell.code, err);
}

static int call(struct instance *in, const char *name, const char *signature, uint32_t a, uint32_t b,
                struct error *err)
{
	struct trap_report report;
	union cell_value v[] = {{.i32 = a}, {.i32 = b}};
	int rc = instance_call(in, name, signature, v, 0, &report, err);
	return rc == 0 && strcmp(name, "fill") == 0 && !v[0].i32
	               ? error_set(err, CELLA_ENOMEM, "the cell has no memory for its content")
	               : rc;
}

static int seal_base(struct spawn_bench *s, struct error *err)
{
	s->sealed =
		(struct snapshot_sealed){.size = snapshot_sealed_size(s->base), .object = 1, .version = 1};
	s->sealed_bytes = malloc(s->sealed.size);
	s->sealed.in = s->sealed_bytes;
	int rc = s->sealed_bytes ? snapshot_seal(s->base, s->session, 1, 1, s->sealed_bytes, err)
	                         : error_set(err, CELLA_ENOMEM, "no memory for a sealed snapshot");
	snapshot_unref(s->base);
	s->base = NULL;
	return rc;
}

static int make_base(struct spawn_bench *s, struct error *err)
{
	struct instance *in;
	int rc = instance_new(&s->cell, &in, err);
	if (rc < 0)
		return rc;
	rc = call(in, "fill", "i:i", s->kind->content, 0, err);
	if (rc == 0)
		rc = instance_capture(in, NULL, &s->base, err);
	instance_free(in);
	return rc == 0 && s->kind->sealed ? seal_base(s, err) : rc;
}

static int spawn(struct spawn_bench *s, struct instance **ret_instance, struct error *err)
{
	struct snapshot *from = s->base ? snapshot_ref(s->base) : NULL;
	int rc = 0;
	if (s->kind->sealed)
		rc = snapshot_open(s->pool, s->session, &s->sealed, NULL, &from, err);
	if (rc == 0)
		rc = instance_spawn(&s->cell, from, ret_instance, err);
	snapshot_unref(from);
	return rc;
}

static int measure_one(struct spawn_bench *s, struct spawn_times *t, size_t i, struct error *err)
{
	struct instance *in;
	uint64_t start = clock_ns();
	int rc = spawn(s, &in, err);
	t->ready[i] = microseconds_since(start);
	if (rc < 0)
		return rc;
	start = clock_ns();
	rc = call(in, "touch", "ii:", s->kind->content / 2, s->kind->content / 2 + 4096, err);
	t->first[i] = microseconds_since(start);
	start = clock_ns();
	if (rc == 0)
		rc = call(in, "touch", "ii:", 0, s->kind->content, err);
	t->rest[i] = microseconds_since(start);
	start = clock_ns();
	instance_free(in);
	t->end[i] = microseconds_since(start);
	return rc;
}

/* In the child. */
static int measure(void *data, void *ret, struct error *err)
{
	struct spawn_bench *s = data;
	struct spawn_times unused;
	int rc = start_pool(s, err);
	if (rc == 0)
		rc = load(s, err);
	if (rc == 0)
		rc = make_base(s, err);
	if (rc == 0)
		rc = measure_one(s, &unused, 0, err);
	for (size_t i = 0; rc == 0 && i < s->kind->rounds; i++)
		rc = measure_one(s, ret, i, err);
	return rc;
}

struct spawn_series {
	struct bench_samples ready, first, all, end;
};

static void take_samples(const struct spawn_case *c, const struct spawn_times *t, struct spawn_series *ret)
{
	for (size_t i = 0; i < c->rounds && ret->all.count < BENCH_SAMPLES_MAX; i++) {
		bench_sample(&ret->ready, t->ready[i]);
		bench_sample(&ret->first, t->first[i]);
		bench_sample(&ret->all, (t->ready[i] + t->first[i] + t->rest[i]));
		bench_sample(&ret->end, t->end[i]);
	}
}

static int report(struct bench *b, const char *name, const struct spawn_series *s, struct error *err)
{
	int rc = bench_report(b, name, "ready", "us", &s->ready, err);
	if (rc == 0)
		rc = bench_report(b, name, "its first touch", "us", &s->first, err);
	if (rc == 0)
		rc = bench_report(b, name, "ready, and all of it touched", "us", &s->all, err);
	return rc < 0 ? rc : bench_report(b, name, "its end", "us", &s->end, err);
}

int bench_spawn(struct bench *b, struct error *err)
{
	char path[BENCH_PATH_MAX];
	int rc = bench_build(b, "bench/start/spawn.c", false, path, err);
	for (size_t i = 0; rc == 0 && i < array_count(cases); i++) {
		struct spawn_series series = {0};
		struct spawn_times times;
		struct error why;
		for (size_t run = 0; rc == 0 && run < b->runs; run++) {
			struct spawn_bench s = {.kind = &cases[i], .path = path};
			rc = bench_apart(measure, &s, &times, sizeof(times), &why);
			if (rc == 0)
				take_samples(&cases[i], &times, &series);
		}
		if (rc == CELLA_ECANCELED)
			return error_set(err, rc, "%s", why.text);
		rc = rc < 0 ? bench_cannot(b, cases[i].name, "ready", why.text, err)
		            : report(b, cases[i].name, &series, err);
	}
	return rc;
}
