/*
 * Is a volume at its last commit, or at the one that was asked for, whatever befalls it, over and over?
 * Random steps from a seed; now and then an operation of its disk or its keeper fails, its writer is killed,
 * the power goes, another writer takes over. It goes on from what is left: so the leavings of many mishaps
 * meet, of writers in all modes, with snapshots, compaction and new keys between. Each time it is opened all
 * that it holds is compared with a model, and its accounts of space with what its tree refers to.
 *
 * VOLUME_SEED=N and VOLUME_STEPS=N in the environment: other steps, and how many (for hours, by hand).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_disk.h"
#include "volume/tree_state.h"
#include "volume_script.h"

enum { MIB = 1 << 20, FAULT_WITHIN = 60, FILES = 12, DIRECTORIES = 4, SIZE_MAX_BYTES = 200000 };

static struct mem_pool *pool, *reader_pool;
static uint64_t seed, steps;

struct state {
	struct fake_world world;
	struct fake_disk *disk;
	struct fake_keeper keeper;
	struct volume_config config;
	uint8_t keys[2][CRYPTO_KEY_SIZE];
	struct pair pair;
	struct volume *snapshot;
	struct model *then; /* what the snapshot is of */
	struct volume_file *held; /* open through all that happens */
	uint64_t random, step;
	uint64_t faults, cuts, kills, takeovers, rekeys;
	char names[2][32];
};

static uint64_t up_to(struct state *s, uint64_t end)
{
	return fake_random(&s->random) % end;
}

static bool one_in(struct state *s, uint64_t count)
{
	return up_to(s, count) == 0;
}

#define lose(s, format, ...)                                                                               \
	fail_msg("seed %llu, step %llu: " format, (unsigned long long)seed, (unsigned long long)(s)->step, \
	         __VA_ARGS__)

/* ---- accounts of space */

struct census {
	struct volume *v;
	struct map live; /* blocks that the tree refers to, by segment */
};

static void count_live(struct census *c, uint32_t segment, uint32_t blocks)
{
	if (segment == SEGMENT_NONE)
		return;
	uintptr_t sum = (uintptr_t)map_get(&c->live, segment) + blocks;
	assert_int_equal(map_put(&c->live, segment, (void *)sum), 0);
}

static void count_node(struct census *c, const struct volume_pointer *at, unsigned level)
{
	struct error err;
	struct node *n;
	uint8_t bytes[VOLUME_NODE_SIZE];
	if (nodes_load(c->v, at, level, &n, &err) < 0)
		fail_msg("a census: %s", err.text);
	memcpy(bytes, n->bytes, sizeof(bytes)); /* it may leave memory meanwhile */
	nodes_trim(c->v);
	count_live(c, at->segment, VOLUME_NODE_BLOCKS);
	for (unsigned i = 0; i < node_count(bytes); i++) {
		const struct item item = node_item(bytes, i);
		struct volume_pointer to;
		for (size_t k = 0; (level || tree_item_is_group(&item)) && k + sizeof(to) <= item.value_size;
		     k += sizeof(to)) {
			memcpy(&to, item.value + k, sizeof(to));
			if (level)
				count_node(c, &to, level - 1);
			else
				count_live(c, to.segment, 1);
		}
	}
}

/* What counts as dead is so: or a segment would be removed that is needed. */
static void check_accounts(struct state *s, struct volume *v)
{
	struct census c = {.v = v};
	struct tree_key key = tree_key(0, VOLUME_ITEM_DEAD);
	struct item item;
	struct error err;
	count_node(&c, &v->root.top, v->root.level);
	while (tree_next(v, &key, TREE_AFTER, &item, &err) == 0 && tree_item_is(&item, 0, VOLUME_ITEM_DEAD)) {
		uint32_t dead, segment = (uint32_t)tree_number_of(&item);
		struct fake_bytes file;
		char name[VOLUME_DISK_NAME_MAX];
		memcpy(&dead, item.value, sizeof(dead));
		key = tree_key_number(0, VOLUME_ITEM_DEAD, segment);
		snprintf(name, sizeof(name), VOLUME_FILE_SEGMENT, segment);
		uint64_t live = (uintptr_t)map_get(&c.live, segment);
		if (!fake_disk_find(s->disk, name, &file)) {
			if (live)
				lose(s, "segment %08x is gone, with %llu blocks in use", segment,
				     (unsigned long long)live);
			continue;
		}
		if (1 + dead + live > file.size / VOLUME_BLOCK_SIZE)
			lose(s, "segment %08x: %u dead and %llu live of %zu blocks", segment, dead,
			     (unsigned long long)live, file.size / VOLUME_BLOCK_SIZE);
	}
	map_done(&c.live);
}

/* ---- opening */

/* Now and then an operation is going to fail, or the last one that works. */
static void plan(struct state *s)
{
	static const enum fault faults[] = {FAULT_FAIL, FAULT_AFTER, FAULT_STOP, FAULT_STOP_BEFORE};
	s->world = (struct fake_world){0};
	if (one_in(s, 4))
		return;
	s->world.fault = faults[up_to(s, 4)];
	s->world.code = one_in(s, 2) ? CELLA_EIO : CELLA_ENOSPC;
	s->world.fault_at = 1 + up_to(s, FAULT_WITHIN);
}

static void attach(struct state *s)
{
	s->keeper.world = &s->world;
	s->config.disk = fake_disk_interface(s->disk);
	s->config.keeper = fake_keeper_interface(&s->keeper);
	s->config.mode = (enum volume_mode)up_to(s, 3);
	s->config.bound_commits = 1 + (uint32_t)up_to(s, 6);
}

static void close_volume(struct state *s)
{
	volume_file_close(s->held);
	volume_free(s->snapshot);
	model_free(s->then);
	volume_free(s->pair.v);
	s->held = NULL;
	s->snapshot = NULL;
	s->then = NULL;
	s->pair.v = NULL;
}

/* The disk as it may be found after a power cut. */
static void cut(struct state *s)
{
	struct fake_disk *left = fake_disk_crashed(s->disk, fake_random(&s->random), &s->world);
	fake_disk_free(s->disk);
	s->disk = left;
	s->cuts++;
}

/* Until it succeeds: mishaps may befall that, too. */
static void open_volume(struct state *s)
{
	struct error err;
	struct volume *v = NULL;
	close_volume(s);
	for (unsigned tries = 0; !v; tries++) {
		if (s->world.stopped && one_in(s, 2))
			cut(s);
		else
			s->kills += s->world.stopped;
		plan(s);
		if (tries > 2)
			s->world = (struct fake_world){0};
		attach(s);
		int rc = volume_open(&s->config, &v, &err);
		if (rc < 0 && tries > 2)
			lose(s, "cannot be opened: %s", err.text);
		s->faults += rc < 0;
	}
	const struct fake_world planned = s->world;
	if (!s->world.stopped) { /* it is only looked at */
		const char *found = pair_opened(&s->pair, v);
		if (found)
			lose(s, "%s", found);
		check_accounts(s, v);
	}
	s->world = planned;
	s->pair.v = v;
}

/* ---- steps */

static const char *name_in(struct state *s, unsigned which, const char *kind, uint64_t count)
{
	char *to = s->names[which];
	if (one_in(s, 2))
		snprintf(to, sizeof(s->names[0]), "%s%u", kind, (unsigned)up_to(s, count));
	else
		snprintf(to, sizeof(s->names[0]), "d%u/%s%u", (unsigned)up_to(s, DIRECTORIES), kind,
		         (unsigned)up_to(s, count));
	return to;
}

static struct step any_step(struct state *s)
{
	static const enum step_kind mix[] = {MKDIR,   RMDIR,  UNLINK,   UNLINK, RENAME, RENAME,  LINK,
	                                     SYMLINK, WRITE,  WRITE,    WRITE,  WRITE,  WRITE,   COMMIT,
	                                     COMMIT,  COMMIT, TRUNCATE, WRITE,  WRITE,  COMPACT, PUBLISH};
	struct step step = {.kind = mix[up_to(s, sizeof(mix) / sizeof(mix[0]))]};
	bool directory = step.kind == MKDIR || step.kind == RMDIR, link = step.kind == SYMLINK;
	step.path = name_in(s, 0, directory ? "d" : link ? "l" : "f", directory ? DIRECTORIES : FILES);
	step.other = link ? "f1" : name_in(s, 1, "f", FILES);
	step.at = one_in(s, 2) ? up_to(s, SIZE_MAX_BYTES) : up_to(s, 50) * VOLUME_BLOCK_SIZE;
	step.size = (size_t)up_to(s, one_in(s, 3) ? SIZE_MAX_BYTES : 5000) + 1;
	if (step.kind == COMPACT)
		step.at = up_to(s, 101);
	return step;
}

static bool is_mishap(int rc)
{
	return rc == CELLA_EIO || rc == CELLA_ENOSPC;
}

/* It is asked for again, or given up: after that it is opened again. */
static void perform(struct state *s, const struct step *step)
{
	struct error err;
	int rc = pair_step(&s->pair, step, &err);
	if (rc < 0 && !is_mishap(rc) && step->kind >= WRITE && step->kind != WRITE && step->kind != TRUNCATE)
		lose(s, "%s", err.text);
	if (!is_mishap(rc))
		return;
	s->faults++;
	if (!s->world.stopped && one_in(s, 2))
		rc = pair_step(&s->pair, step, &err);
	if (is_mishap(rc))
		open_volume(s);
}

static void snap(struct state *s)
{
	struct error err;
	if (s->snapshot) {
		const char *found = s->world.stopped ? NULL : model_difference(s->then, s->snapshot);
		if (found)
			lose(s, "a snapshot: %s", found);
		volume_free(s->snapshot);
		model_free(s->then);
		s->snapshot = NULL;
		s->then = NULL;
		return;
	}
	if (volume_snapshot(s->pair.v, reader_pool, &s->snapshot, &err) < 0)
		lose(s, "a snapshot: %s", err.text);
	s->then = model_copy(s->pair.committed);
}

/* A file that stays open, and may lose its name. */
static void hold(struct state *s)
{
	struct error err;
	volume_file_close(s->held);
	s->held = NULL;
	if (volume_file_open(s->pair.v, name_in(s, 0, "f", FILES), VOLUME_WRITE, 0, &s->held, &err) < 0)
		s->held = NULL;
}

/* Who reads beside the writer is at the last commit. */
static void read_beside(struct state *s)
{
	struct error err;
	struct volume *reader;
	struct volume_config reading = s->config;
	reading.writable = false;
	reading.pool = reader_pool;
	int rc = volume_open(&reading, &reader, &err);
	if (rc < 0 && s->world.stopped)
		return;
	if (rc < 0)
		lose(s, "for reading: %s", err.text);
	const char *found = model_difference(s->pair.committed, reader);
	if (found)
		lose(s, "for reading: %s", found);
	volume_free(reader);
}

/* Another writer commits something first; what this one does then comes to nothing. */
static void take_over(struct state *s)
{
	static const struct step first[] = {{.kind = WRITE, .path = "f0", .size = 3000}, {.kind = COMMIT}};
	struct volume *old = s->pair.v, *v;
	struct error err;
	struct volume_config config;
	s->world = (struct fake_world){0};
	attach(s);
	config = s->config;
	config.take_over = true;
	volume_file_close(s->held);
	s->held = NULL;
	if (s->snapshot)
		snap(s);
	if (volume_open(&config, &v, &err) < 0)
		lose(s, "another writer: %s", err.text);
	const char *found = pair_opened(&s->pair, v);
	if (found)
		lose(s, "another writer: %s", found);
	for (size_t i = 0; i < 2; i++)
		if (pair_step(&s->pair, &first[i], &err) < 0)
			lose(s, "another writer: %s", err.text);
	if (volume_mkdir(old, "fenced", 0755, &err) == 0)
		(void)!volume_commit(old, &err);
	volume_free(old);
	s->takeovers++;
}

/* A new key before the old one, then it alone, once all lies under it. */
static void rekey(struct state *s)
{
	const struct step all = {.kind = COMPACT, .at = 0};
	struct error err;
	if (s->config.key_count == 1) {
		memcpy(s->keys[1], s->keys[0], CRYPTO_KEY_SIZE);
		for (size_t i = 0; i < CRYPTO_KEY_SIZE; i++)
			s->keys[0][i] = (uint8_t)fake_random(&s->random);
		s->config.key_count = 2;
		open_volume(s);
	}
	if (one_in(s, 2))
		s->world.fault = FAULT_NONE;
	int rc = pair_step(&s->pair, &all, &err);
	if (rc == 0) {
		s->config.key_count = 1;
		s->rekeys++;
	}
	open_volume(s);
}

/* What is done now and then to the volume as a whole. */
static void on_volume(struct state *s)
{
	switch (up_to(s, 12)) {
	case 0: take_over(s); break;
	case 1: rekey(s); break;
	case 2:
	case 3: snap(s); break;
	case 4: hold(s); break;
	case 5:
	case 6: read_beside(s); break;
	case 7: s->world.stopped = true; break;
	default: open_volume(s);
	}
}

static void set_up(struct state *s)
{
	struct error err;
	*s = (struct state){.random = seed * 7919};
	s->config = (struct volume_config){.pool = pool,
	                                   .keys = (const uint8_t(*)[CRYPTO_KEY_SIZE])s->keys,
	                                   .key_count = 1,
	                                   .cache = VOLUME_CACHE_LEAST,
	                                   .writable = true,
	                                   .bound_s = 3600};
	s->disk = fake_disk_new(&s->world);
	attach(s);
	pair_begin(&s->pair, NULL);
	if (volume_create(&s->config, &err) < 0)
		fail_msg("%s", err.text);
	open_volume(s);
}

static void a_volume_survives_all_that_befalls_it(void **unused)
{
	static struct state s;
	(void)unused;
	set_up(&s);
	for (s.step = 0; s.step < steps; s.step++) {
		struct step step = any_step(&s);
		if (one_in(&s, 25))
			on_volume(&s);
		else
			perform(&s, &step);
		if (s.world.stopped)
			open_volume(&s);
		else if (s.world.operations > s.world.fault_at)
			plan(&s);
	}
	s.world = (struct fake_world){0};
	open_volume(&s);
	close_volume(&s);
	pair_done(&s.pair);
	fake_disk_free(s.disk);
	print_message("seed %llu: %llu faults, %llu power cuts, %llu kills, %llu take-overs, %llu new keys\n",
	              (unsigned long long)seed, (unsigned long long)s.faults, (unsigned long long)s.cuts,
	              (unsigned long long)s.kills, (unsigned long long)s.takeovers,
	              (unsigned long long)s.rekeys);
	assert_true(s.faults && s.cuts && s.kills && s.takeovers && s.rekeys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_volume_survives_all_that_befalls_it)};
	const char *other = getenv("VOLUME_SEED"), *more = getenv("VOLUME_STEPS");
	seed = other ? strtoull(other, NULL, 10) : 1;
	steps = more ? strtoull(more, NULL, 10) : 3000;
	if (mem_pool_new(MEM_INSECURE_NONE, 256 * MIB, &pool, NULL) < 0 ||
	    mem_pool_new(MEM_INSECURE_NONE, 256 * MIB, &reader_pool, NULL) < 0 || crypto_init(pool, NULL) < 0)
		return 1;
	mem_set_process_pool(pool);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
