/* Do maps, errors, the log, the clock and what is shown of strangers' words keep what their headers
 * promise? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/map.h"
#include "base/printable.h"

/* Maps. */

/* A generator good enough to mix operations (Marsaglia's xorshift64). */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void a_map_agrees_with_an_array(void **state)
{
	(void)state;
	enum { KEYS = 512, ROUNDS = 200000 };
	static char *model[KEYS];
	static char values[16];
	struct map m = {0};
	uint64_t seed = 1;
	size_t count = 0;
	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t key = next_random(&seed) % KEYS;
		char *value = &values[next_random(&seed) % array_count(values)];
		if (next_random(&seed) % 2) {
			assert_int_equal(map_put(&m, key << 32, value), 0);
			count += !model[key];
			model[key] = value;
		} else {
			assert_ptr_equal(map_take(&m, key << 32), model[key]);
			count -= model[key] != NULL;
			model[key] = NULL;
		}
		assert_int_equal(m.count, count);
	}
	for (uint64_t key = 0; key < KEYS; key++)
		assert_ptr_equal(map_get(&m, key << 32), model[key]);
	map_done(&m);
}

static void map_next_visits_each_entry_once(void **state)
{
	(void)state;
	static bool seen[1000];
	static char value;
	struct map m = {0};
	for (uint64_t key = 0; key < array_count(seen); key++)
		assert_int_equal(map_put(&m, key, &value), 0);
	struct map_slot *slot;
	size_t visited = 0;
	for (size_t i = 0; (slot = map_next(&m, &i)); visited++) {
		assert_false(seen[slot->key]);
		seen[slot->key] = true;
	}
	assert_int_equal(visited, array_count(seen));
	map_done(&m);
}

static void an_empty_map_holds_nothing(void **state)
{
	(void)state;
	struct map m = {0};
	size_t at = 0;
	assert_null(map_get(&m, 1));
	assert_null(map_take(&m, 1));
	assert_null(map_next(&m, &at));
	map_done(&m);
}

/* Errors. */

static void an_error_keeps_code_and_sentence(void **state)
{
	(void)state;
	struct error err;
	assert_int_equal(error_set(&err, CELLA_EFORMAT, "section %d", 3), CELLA_EFORMAT);
	assert_int_equal(err.code, CELLA_EFORMAT);
	assert_string_equal(err.text, "section 3");
	assert_int_equal(error_prefix(&err, CELLA_EIO, "bundle %s: ", "a.cell"), CELLA_EIO);
	assert_int_equal(err.code, CELLA_EIO);
	assert_string_equal(err.text, "bundle a.cell: section 3");
	errno = ENOENT;
	assert_int_equal(error_errno(&err, CELLA_ENOENT, "cannot open %s", "x"), CELLA_ENOENT);
	assert_string_equal(err.text, "cannot open x: No such file or directory");
}

static void an_error_object_is_optional(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, CELLA_EBUG, "x"), CELLA_EBUG);
	assert_int_equal(error_errno(NULL, CELLA_EIO, "x"), CELLA_EIO);
	assert_int_equal(error_prefix(NULL, CELLA_EIO, "x"), CELLA_EIO);
}

static void a_long_error_is_cut_not_overrun(void **state)
{
	(void)state;
	struct error err;
	errno = EIO;
	error_errno(&err, CELLA_EIO, "%2000s", "end");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_set(&err, CELLA_EIO, "%990s", "tail");
	error_prefix(&err, CELLA_EIO, "%s", "a prefix of some length: ");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "a prefix of some length: ", 25);
	error_prefix(&err, CELLA_EIO, "%2000s", "x");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void every_code_has_a_name(void **state)
{
	(void)state;
	for (int code = 0; code >= CELLA_EFENCED; code--)
		assert_string_not_equal(cella_error_name(code), "unknown error");
	assert_string_equal(cella_error_name(CELLA_EFENCED - 1), "unknown error");
	assert_string_equal(cella_error_name(1), "unknown error");
}

/* The log. */

static void the_log_writes_one_line_up_to_its_level(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	log_open("test", ends[1], LOG_LEVEL_INFO);
	log_debug("left out");
	log_info("cell %d", 1);
	log_error("\x1b[2J\ntest: info: \xc3\xa9\xc3");
	log_error("%3000s", "x");
	log_open("test", -1, LOG_LEVEL_DEBUG);
	log_error("nowhere");
	close(ends[1]);
	char text[4096] = "";
	size_t size = 0;
	for (ssize_t n; (n = read(ends[0], text + size, sizeof(text) - size)) > 0;)
		size += (size_t)n;
	close(ends[0]);
	static const char first[] = "test: info: cell 1\ntest: error: ?[2J?test: info: \xc3\xa9?\n";
	const size_t at = strlen(first);
	assert_memory_equal(text, first, at);
	assert_memory_equal(text + at, "test: error:   ", 15);
	assert_in_range(size, 1000, 1400);
	assert_int_equal(text[size - 1], '\n');
	assert_ptr_equal(memchr(text + at, '\n', size - at), text + size - 1);
}

static void the_environment_names_the_level(void **state)
{
	(void)state;
	cleanup_close int saved = dup(STDERR_FILENO);
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	assert_return_code(dup2(ends[1], STDERR_FILENO), errno);
	close(ends[1]);
	setenv("CELLA_LOG", "error", 1);
	log_from_environment("test");
	log_warn("left out");
	setenv("CELLA_LOG", "no such level", 1);
	log_from_environment("test");
	log_warn("default");
	log_info("left out");
	unsetenv("CELLA_LOG");
	log_open("test", -1, LOG_LEVEL_WARN);
	assert_return_code(dup2(saved, STDERR_FILENO), errno);
	char text[100];
	ssize_t size = read(ends[0], text, sizeof(text));
	close(ends[0]);
	assert_int_equal(size, 20);
	assert_memory_equal(text, "test: warn: default\n", 20);
}

/* What strangers say. */

static void no_control_character_reaches_a_terminal(void **state)
{
	(void)state;
	static const struct {
		const char *said, *shown;
		bool lines;
	} cases[] = {
		{"", "", false},
		{"plain ~", "plain ~", false},
		{"\033[31mred\x7f\r", "?[31mred??", false},
		{"one\ntwo", "one?two", false},
		{"one\ntwo", "one\ntwo", true},
		{"Gr\xc3\xb6\xc3\x9f"
	         "e \xe2\x82\xac \xf0\x9f\x90\x9a",
	         "Gr\xc3\xb6\xc3\x9f"
	         "e \xe2\x82\xac \xf0\x9f\x90\x9a",
	         false},
		{"\xc2\xa0", "\xc2\xa0", false},
		{"raw \x9b"
	         "31m \x80\x9f",
	         "raw ?31m ??", false},
		{"CSI \xc2\x9b"
	         "31m",
	         "CSI ??31m", false},
		{"overlong \xc1\x9b \xe0\x82\x9b \xf0\x80\x82\x9b", "overlong ?? ??? ????", false},
		{"surrogate \xed\xa0\x80", "surrogate ???", false},
		{"beyond \xf4\x90\x80\x80 \xf8", "beyond ???? ?", false},
		{"cut \xe2\x82", "cut ??", false},
		{"cut \xe2\x82z", "cut ??z", false},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		char text[64];
		snprintf(text, sizeof(text), "%s", cases[i].said);
		printable(text, strlen(text), cases[i].lines);
		assert_string_equal(text, cases[i].shown);
	}
}

/* The clock. */

static void the_clock_does_not_go_back(void **state)
{
	(void)state;
	uint64_t last = clock_ns();
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_ns();
		assert_true(now >= last);
		last = now;
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_agrees_with_an_array),
		cmocka_unit_test(map_next_visits_each_entry_once),
		cmocka_unit_test(an_empty_map_holds_nothing),
		cmocka_unit_test(an_error_keeps_code_and_sentence),
		cmocka_unit_test(an_error_object_is_optional),
		cmocka_unit_test(a_long_error_is_cut_not_overrun),
		cmocka_unit_test(every_code_has_a_name),
		cmocka_unit_test(the_log_writes_one_line_up_to_its_level),
		cmocka_unit_test(the_environment_names_the_level),
		cmocka_unit_test(no_control_character_reaches_a_terminal),
		cmocka_unit_test(the_clock_does_not_go_back),
	};
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
