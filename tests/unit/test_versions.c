/*
 * What does each access of a task to a piece of data read, make and let go? One table per rule:
 * a row is one call, written "VERB piece", and what it must say.
 *
 * Effects are written: put N, merge N(base+parts), read base+parts, write N, turn N, then free N,...
 * A base that a membership made is written id:members.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/versions.h"

/* Where paths are kept. */
static size_t memory_used;
static bool memory_ends;

static void *take_memory(void *data, size_t size)
{
	(void)data;
	void *p = memory_ends ? NULL : malloc(size);
	memory_used += p != NULL;
	return p;
}

static void give_memory(void *data, void *p)
{
	(void)data;
	memory_used--;
	free(p);
}

static const struct version_memory memory = {NULL, take_memory, give_memory};

struct step {
	const char *call;
	const char *effect;
};

struct text {
	char s[1024];
	size_t size;
};

static void __attribute__((format(printf, 2, 3))) append(struct text *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(t->s + t->size, sizeof(t->s) - t->size, format, args);
	va_end(args);
	assert_true(n >= 0 && (size_t)n < sizeof(t->s) - t->size);
	t->size += (size_t)n;
}

static void append_source(struct text *t, const struct version_source *s)
{
	append(t, "%" PRIu64, s->base.id);
	if (s->base.members)
		append(t, ":%" PRIu64, s->base.members);
	for (size_t i = 0; i < s->part_count; i++)
		append(t, "+%" PRIu64, s->parts[i]);
}

static void append_effect(struct text *t, const struct version_effect *e)
{
	if (e->put)
		append(t, "put %" PRIu64 " ", e->put);
	if (e->merge) {
		append(t, "merge %" PRIu64 "(", e->merge);
		append_source(t, &e->merge_source);
		append(t, ") ");
	}
	if (e->source.base.id) {
		append(t, "read ");
		append_source(t, &e->source);
		append(t, " ");
	}
	if (e->output)
		append(t, "write %" PRIu64 " ", e->output);
	if (e->final)
		append(t, "turn %" PRIu64 " ", e->final);
}

static void append_releases(struct text *t, struct versions *v)
{
	const uint64_t *data;
	size_t count = versions_take_releases(v, &data);
	for (size_t i = 0; i < count; i++)
		append(t, i ? ",%" PRIu64 : "free %" PRIu64, data[i]);
}

/* Pieces: single letters, buffers of 100 bytes at 1000 * letter; ab is 150 bytes into b; a* is a
 * with another size; upper case is a file. */
static struct version_name name_of(const char *piece)
{
	static const char *const files[] = {"A", "B", "C"};
	if (piece[0] >= 'A' && piece[0] <= 'C')
		return (struct version_name){.path = files[piece[0] - 'A']};
	struct version_name name = {.address = 1000u * (uint64_t)(piece[0] - 'a' + 1), .size = 100};
	if (piece[1] == '*')
		name.size = 50;
	if (piece[1] == '<')
		name.address -= 50;
	if (piece[1] == '>')
		name.address += 50;
	if (piece[1] == '|')
		name.address += 100;
	return name;
}

static void run_wait(struct versions *v, const struct version_name *name, bool shared, struct text *t)
{
	struct version_source source;
	uint64_t size;
	bool resident;
	if (versions_current(v, name, &source, &size, &resident) < 0) {
		append(t, "own ");
		return;
	}
	assert_int_equal(size, name->size);
	append(t, resident ? "here " : "fetch ");
	append_source(t, &source);
	append(t, " ");
	versions_return(v, name, shared);
}

static void run_step(struct versions *v, const char *call, struct text *t)
{
	static const char *const accesses[] = {"in", "out", "inout", "conc", "comm"};
	char verb[16], piece[4];
	/* "& verb piece": the same task as the step before. */
	bool same = call[0] == '&';
	assert_int_equal(sscanf(call + (same ? 1 : 0), "%15s %3s", verb, piece), 2);
	struct version_name name = name_of(piece);
	if (strcmp(verb, "wait") == 0 || strcmp(verb, "look") == 0) {
		run_wait(v, &name, verb[0] == 'l', t);
		return;
	}
	if (strcmp(verb, "forget") == 0) {
		versions_forget(v, &name);
		return;
	}
	if (!same)
		versions_begin(v, (struct version_sum){.low = UINT64_MAX, .high = 1});
	for (size_t i = 0; i < 5; i++) {
		struct version_effect effect;
		struct error err = {0};
		if (strcmp(verb, accesses[i]) != 0)
			continue;
		if (versions_access(v, &name, (enum version_access)i, &effect, &err) == 0)
			append_effect(t, &effect);
		else
			append(t, "error %s",
			       strstr(err.text, "overlaps") ? "overlap"
			       : strstr(err.text, "twice")  ? "twice"
			                                    : "size");
		return;
	}
	fail_msg("unknown verb %s", verb);
}

static void run_table(const struct step *steps, size_t count)
{
	uint64_t next = 1;
	struct versions *v;
	assert_int_equal(versions_new(&next, &memory, &v, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		struct text t = {0};
		run_step(v, steps[i].call, &t);
		append_releases(&t, v);
		if (t.size && t.s[t.size - 1] == ' ')
			t.s[t.size - 1] = '\0';
		if (strcmp(t.s, steps[i].effect) != 0)
			fail_msg("step %zu, %s: \"%s\", not \"%s\"", i, steps[i].call, t.s, steps[i].effect);
	}
	versions_free(v);
}

#define TABLE(rule, ...)                                            \
	static void rule(void **state)                              \
	{                                                           \
		(void)state;                                        \
		static const struct step steps[] = {__VA_ARGS__};   \
		run_table(steps, sizeof(steps) / sizeof(steps[0])); \
	}

TABLE(the_first_reader_takes_the_content_as_it_is, {"in a", "put 1 read 1"}, {"in a", "read 1"},
      {"in b", "put 2 read 2"})

TABLE(a_writer_renames_and_lets_the_old_version_go, {"out a", "write 1"}, {"in a", "read 1"},
      {"out a", "write 2 free 1"}, {"in a", "read 2"}, {"inout a", "read 2 write 3 free 2"},
      {"inout a", "read 3 write 4 free 3"})

TABLE(inout_of_an_own_buffer_puts_it_first, {"inout a", "put 1 read 1 write 2 free 1"}, {"in a", "read 2"})

TABLE(concurrent_parts_share_a_base, {"conc a", "put 1 read 1 write 2"}, {"conc a", "read 1 write 3"},
      {"conc a", "read 1 write 4"}, {"in a", "read 1+2+3+4"},
      {"inout a", "read 1+2+3+4 write 5 free 1,2,3,4"})

TABLE(one_concurrent_part_is_the_whole_content, {"conc a", "put 1 read 1 write 2"}, {"in a", "read 2 free 1"},
      {"conc a", "read 2 write 3"}, {"wait a", "fetch 3 free 2,3"})

TABLE(a_part_after_a_reader_starts_from_the_merged_content, {"conc a", "put 1 read 1 write 2"},
      {"conc a", "read 1 write 3"}, {"look a", "fetch 1+2+3"},
      {"conc a", "merge 4(1+2+3) read 4 write 5 free 2,3,1"}, {"out a", "write 6 free 4,5"})

TABLE(a_turn_after_parts_starts_from_the_merged_content, {"conc a", "put 1 read 1 write 2"},
      {"conc a", "read 1 write 3"}, {"comm a", "merge 4(1+2+3) read 4 turn 5 free 2,3,1"},
      {"comm a", "read 4 turn 5"}, {"in a", "read 5:2 free 4"})

TABLE(commutative_members_share_a_final_version, {"comm a", "put 1 read 1 turn 2"},
      {"comm a", "read 1 turn 2"}, {"comm a", "read 1 turn 2"}, {"in a", "read 2:3 free 1"},
      {"comm a", "read 2:3 turn 3"}, {"inout a", "read 3:1 write 4 free 2,3"}, {"in a", "read 4"})

TABLE(parts_on_a_commutative_base, {"comm a", "put 1 read 1 turn 2"}, {"conc a", "read 2:1 write 3 free 1"},
      {"conc a", "read 2:1 write 4"}, {"in a", "read 2:1+3+4"})

TABLE(an_overwritten_membership_is_let_go, {"comm a", "put 1 read 1 turn 2"}, {"out a", "write 3 free 1,2"})

TABLE(waiting_gives_the_buffer_back, {"wait a", "own"}, {"out a", "write 1"}, {"wait a", "fetch 1 free 1"},
      {"wait a", "own"}, {"in a", "put 2 read 2"}, {"wait a", "here 2 free 2"},
      {"comm a", "put 3 read 3 turn 4"}, {"comm a", "read 3 turn 4"}, {"wait a", "fetch 4:2 free 3,4"})

TABLE(waiting_unchanged_keeps_the_version, {"out a", "write 1"}, {"look a", "fetch 1"}, {"look a", "here 1"},
      {"in a", "read 1"}, {"wait a", "here 1 free 1"}, {"in a", "put 2 read 2"},
      {"inout a", "read 2 write 3 free 2"}, {"look a", "fetch 3"})

TABLE(forgetting_lets_everything_go, {"conc a", "put 1 read 1 write 2"}, {"conc a", "read 1 write 3"},
      {"forget a", "free 1,2,3"}, {"forget a", ""}, {"in a", "put 4 read 4"})

TABLE(pieces_must_not_overlap, {"in a", "put 1 read 1"}, {"in a|", "put 2 read 2"},
      {"in a>", "error overlap"}, {"out a<", "error overlap"}, {"in a*", "error size"}, {"wait a>", "own"},
      {"forget a", "free 1"}, {"in a<", "put 3 read 3"}, {"in a", "error overlap"})

TABLE(one_task_names_what_it_writes_once, {"in a", "put 1 read 1"}, {"& in a", "read 1"},
      {"& out a", "error twice"}, {"out b", "write 2"}, {"& in b", "error twice"},
      {"comm c", "put 3 read 3 turn 4"}, {"& comm c", "error twice"}, {"in b", "read 2"})

TABLE(files_are_pieces_by_path, {"out A", "write 1"}, {"in A", "read 1"}, {"in B", "put 2 read 2"},
      {"inout A", "read 1 write 3 free 1"}, {"& in B", "read 2"}, {"wait A", "fetch 3 free 3"},
      {"wait C", "own"})

static void a_piece_is_found_by_any_of_its_bytes(void **state)
{
	(void)state;
	uint64_t next = 1;
	struct versions *v;
	struct version_effect e;
	struct version_name b = name_of("b"), found;
	assert_int_equal(versions_new(&next, &memory, &v, NULL), 0);
	assert_int_equal(versions_access(v, &b, VERSION_OUT, &e, NULL), 0);
	static const struct {
		uint64_t address, size;
		bool overlaps;
	} ranges[] = {{2000, 100, true}, {0, 5000, true},    {2099, 1, true},
	              {1900, 101, true}, {1900, 100, false}, {2100, 50, false}};
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct version_name range = {.address = ranges[i].address, .size = ranges[i].size};
		assert_int_equal(versions_find(v, &range, &found), ranges[i].overlaps);
	}
	assert_int_equal(found.address, 2000);
	assert_false(versions_find(v, &(struct version_name){.path = "A"}, &found));
	versions_free(v);
}

static void too_many_parts_are_merged_into_one(void **state)
{
	(void)state;
	uint64_t next = 1;
	struct versions *v;
	struct version_effect e;
	struct version_name a = name_of("a");
	assert_int_equal(versions_new(&next, &memory, &v, NULL), 0);
	for (unsigned i = 0; i < VERSIONS_PARTS_MAX; i++) {
		versions_begin(v, (struct version_sum){0});
		assert_int_equal(versions_access(v, &a, VERSION_CONCURRENT, &e, NULL), 0);
		assert_int_equal(e.output, i + 2);
		assert_int_equal(e.merge, 0);
	}
	versions_begin(v, (struct version_sum){0});
	assert_int_equal(versions_access(v, &a, VERSION_CONCURRENT, &e, NULL), 0);
	assert_int_equal(e.merge, VERSIONS_PARTS_MAX + 2);
	assert_int_equal(e.merge_source.base.id, 1);
	assert_int_equal(e.merge_source.part_count, VERSIONS_PARTS_MAX);
	assert_int_equal(e.merge_source.parts[0], 2);
	assert_int_equal(e.source.base.id, 1);
	versions_begin(v, (struct version_sum){0});
	assert_int_equal(versions_access(v, &a, VERSION_IN, &e, NULL), 0);
	assert_int_equal(e.source.base.id, 1);
	assert_int_equal(e.source.part_count, 2);
	assert_int_equal(e.source.parts[0], VERSIONS_PARTS_MAX + 2);
	assert_int_equal(e.source.parts[1], VERSIONS_PARTS_MAX + 3);
	versions_free(v);
}

static void members_numbers_add_up_with_carry(void **state)
{
	(void)state;
	uint64_t next = 1;
	struct versions *v;
	struct version_effect e;
	struct version_name a = name_of("a");
	assert_int_equal(versions_new(&next, &memory, &v, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		versions_begin(v, (struct version_sum){.low = UINT64_MAX, .high = 5});
		assert_int_equal(versions_access(v, &a, VERSION_COMMUTATIVE, &e, NULL), 0);
	}
	versions_begin(v, (struct version_sum){0});
	assert_int_equal(versions_access(v, &a, VERSION_IN, &e, NULL), 0);
	assert_int_equal(e.source.base.members, 3);
	assert_true(e.source.base.sum.low == UINT64_MAX - 2);
	assert_int_equal(e.source.base.sum.high, 17);
	versions_free(v);
}

static void the_end_lets_every_piece_go(void **state)
{
	(void)state;
	uint64_t next = 1;
	struct versions *v;
	struct version_effect e;
	assert_int_equal(versions_new(&next, &memory, &v, NULL), 0);
	for (uint64_t i = 0; i < 1000; i++) {
		struct version_name name = {.address = (i * 7919 % 1000) * 64 + 1, .size = 64};
		versions_begin(v, (struct version_sum){0});
		assert_int_equal(versions_access(v, &name, VERSION_OUT, &e, NULL), 0);
	}
	versions_begin(v, (struct version_sum){0});
	assert_int_equal(versions_access(v, &(struct version_name){.path = "file"}, VERSION_OUT, &e, NULL),
	                 0);
	versions_forget_all(v);
	const uint64_t *data;
	assert_int_equal(versions_take_releases(v, &data), 1001);
	assert_int_equal(versions_take_releases(v, &data), 0);
	versions_free(v);
	versions_free(NULL);
}

/* Paths lie where the caller says, all of them, and not longer than needed. */
static void paths_lie_in_the_callers_memory(void **state)
{
	static const char *const paths[] = {"/a", "/a/much/longer/path", "/b"};
	(void)state;
	uint64_t next = 1;
	struct versions *v;
	struct version_effect e;
	struct error err;
	memory_used = 0;
	assert_int_equal(versions_new(&next, &memory, &v, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		versions_begin(v, (struct version_sum){0});
		struct version_name name = {.path = paths[i]};
		assert_int_equal(versions_access(v, &name, VERSION_INOUT, &e, &err), 0);
		assert_int_equal(memory_used, i + 1);
	}
	struct version_name buffer = {.address = 16, .size = 8};
	assert_int_equal(versions_access(v, &buffer, VERSION_OUT, &e, &err), 0);
	assert_int_equal(memory_used, 3);
	struct version_name found, gone = {.path = "/b"}, kept = {.path = "/a"}, new = {.path = "/c"};
	versions_forget(v, &gone);
	assert_int_equal(memory_used, 2);
	assert_true(versions_find(v, &kept, &found));
	assert_ptr_not_equal(found.path, kept.path);
	memory_ends = true;
	assert_int_equal(versions_access(v, &new, VERSION_IN, &e, &err), CELLA_ENOMEM);
	memory_ends = false;
	versions_free(v);
	assert_int_equal(memory_used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_reader_takes_the_content_as_it_is),
		cmocka_unit_test(a_writer_renames_and_lets_the_old_version_go),
		cmocka_unit_test(inout_of_an_own_buffer_puts_it_first),
		cmocka_unit_test(concurrent_parts_share_a_base),
		cmocka_unit_test(one_concurrent_part_is_the_whole_content),
		cmocka_unit_test(a_part_after_a_reader_starts_from_the_merged_content),
		cmocka_unit_test(a_turn_after_parts_starts_from_the_merged_content),
		cmocka_unit_test(commutative_members_share_a_final_version),
		cmocka_unit_test(parts_on_a_commutative_base),
		cmocka_unit_test(an_overwritten_membership_is_let_go),
		cmocka_unit_test(waiting_gives_the_buffer_back),
		cmocka_unit_test(waiting_unchanged_keeps_the_version),
		cmocka_unit_test(forgetting_lets_everything_go),
		cmocka_unit_test(pieces_must_not_overlap),
		cmocka_unit_test(one_task_names_what_it_writes_once),
		cmocka_unit_test(files_are_pieces_by_path),
		cmocka_unit_test(a_piece_is_found_by_any_of_its_bytes),
		cmocka_unit_test(too_many_parts_are_merged_into_one),
		cmocka_unit_test(members_numbers_add_up_with_carry),
		cmocka_unit_test(the_end_lets_every_piece_go),
		cmocka_unit_test(paths_lie_in_the_callers_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
