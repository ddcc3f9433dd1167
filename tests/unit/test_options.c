/*
 * Options of the command line. Does each way of writing an option reach its field, do units and
 * choices mean what they say, and does every mistake get an explanation instead of a guess?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"
#include "cli/verb.h"

struct values {
	bool quiet, debug;
	const char *output;
	uint64_t heap, count;
	int level, memory;
	struct option_list dirs, pass;
};

static const struct option table[] = {
	{"--quiet", "-q", OPTION_FLAG, NULL, "say nothing", option_field(values, quiet)},
	{"-g", NULL, OPTION_FLAG, NULL, "debug", option_field(values, debug)},
	{"--output", "-o", OPTION_TEXT, "FILE", "where to", option_field(values, output)},
	{"--heap", NULL, OPTION_SIZE, "SIZE", "how much", option_field(values, heap)},
	{"--count", NULL, OPTION_NUMBER, "N", "how many", option_field(values, count)},
	{"-O", NULL, OPTION_CHOICE, "0|1|s", "level", option_field(values, level)},
	{"--memory", NULL, OPTION_CHOICE, "secret|insecure-none", "level", option_field(values, memory)},
	{"--dir", NULL, OPTION_LIST, "DIR", "directories", option_field(values, dirs)},
	{"-I", NULL, OPTION_PASS, "DIR", "headers", option_field(values, pass)},
	{"-std=", NULL, OPTION_PASS, "STANDARD", "standard", option_field(values, pass)},
};

enum { WORDS_MAX = 12 };

static int parse(bool operands_end, const char *const *words, char **argv, struct values *v,
                 size_t *ret_operands, enum option_outcome *ret_outcome, struct error *err)
{
	struct option_table t = {table, array_count(table), operands_end};
	int argc = 1;
	argv[0] = "verb";
	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	argv[argc] = NULL;
	*ret_outcome = OPTION_PARSED;
	return options_parse(&t, argc, argv, v, ret_operands, ret_outcome, err);
}

static void done(struct values *v)
{
	option_list_done(&v->dirs);
	option_list_done(&v->pass);
}

/* Each way of writing, and the operands that are left. */
static void test_forms(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		struct values v;
		const char *operands[3];
	} cases[] = {
		{{NULL}, {0}, {NULL}},
		{{"a", "b", NULL}, {0}, {"a", "b"}},
		{{"--quiet", "a", NULL}, {.quiet = true}, {"a"}},
		{{"a", "-q", NULL}, {.quiet = true}, {"a"}},
		{{"-g", "-", NULL}, {.debug = true}, {"-"}},
		{{"--output", "x", NULL}, {.output = "x"}, {NULL}},
		{{"--output=x", NULL}, {.output = "x"}, {NULL}},
		{{"--output=", NULL}, {.output = ""}, {NULL}},
		{{"-o", "x", "a", NULL}, {.output = "x"}, {"a"}},
		{{"-ox", NULL}, {.output = "x"}, {NULL}},
		{{"-o", "-q", NULL}, {.output = "-q"}, {NULL}},
		{{"--heap", "8M", NULL}, {.heap = 8 << 20}, {NULL}},
		{{"--heap", "3K", NULL}, {.heap = 3072}, {NULL}},
		{{"--heap=2GiB", NULL}, {.heap = 2ull << 30}, {NULL}},
		{{"-q", "--quiet", NULL}, {.quiet = true}, {NULL}},
		{{"--count=18446744073709551615", NULL}, {.count = UINT64_MAX}, {NULL}},
		{{"-Os", NULL}, {.level = 2}, {NULL}},
		{{"-O", "1", NULL}, {.level = 1}, {NULL}},
		{{"--memory", "insecure-none", NULL}, {.memory = 1}, {NULL}},
		{{"--", "--quiet", "a", NULL}, {0}, {"--quiet", "a"}},
	};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		char *argv[WORDS_MAX + 2];
		struct values v = {0};
		struct error err;
		size_t operands;
		enum option_outcome outcome;
		if (parse(false, cases[i].words, argv, &v, &operands, &outcome, &err) < 0)
			fail_msg("case %zu: %s", i, err.text);
		assert_int_equal(outcome, OPTION_PARSED);
		assert_int_equal(v.quiet, cases[i].v.quiet);
		assert_int_equal(v.debug, cases[i].v.debug);
		assert_int_equal(v.heap, cases[i].v.heap);
		assert_int_equal(v.count, cases[i].v.count);
		assert_int_equal(v.level, cases[i].v.level);
		assert_int_equal(v.memory, cases[i].v.memory);
		assert_int_equal(v.output != NULL, cases[i].v.output != NULL);
		if (v.output)
			assert_string_equal(v.output, cases[i].v.output);
		for (size_t j = 0; j < operands; j++)
			assert_string_equal(argv[1 + j], cases[i].operands[j]);
		assert_null(argv[1 + operands]);
		assert_true(operands == array_count(cases[i].operands) || !cases[i].operands[operands]);
	}
}

static void test_lists(void **state)
{
	static const char *const words[] = {"--dir", "a", "-Ix", "--dir=b", "-I", "y", "-std=c11", NULL};
	static const char *const passed[] = {"-Ix", "-I", "y", "-std=c11"};
	char *argv[WORDS_MAX + 2];
	struct values v = {0};
	size_t operands;
	enum option_outcome outcome;
	(void)state;
	assert_int_equal(parse(false, words, argv, &v, &operands, &outcome, NULL), 0);
	assert_int_equal(v.dirs.count, 2);
	assert_string_equal(v.dirs.items[1], "b");
	assert_int_equal(v.pass.count, array_count(passed));
	for (size_t i = 0; i < array_count(passed); i++)
		assert_string_equal(v.pass.items[i], passed[i]);
	done(&v);
}

static int take_any(void *values, const char *word, const char *next, bool *ret_took_next, struct error *err)
{
	struct values *v = values;
	(void)next;
	(void)ret_took_next;
	return option_list_add(&v->pass, word, err);
}

/* A compiler's last word counts. */
static void test_twice_for_others(void **state)
{
	const struct option_table t = {table, array_count(table), false, take_any};
	char *argv[] = {"verb", "-oa", "-x", "-o", "b", NULL};
	struct values v = {0};
	size_t operands;
	enum option_outcome outcome;
	(void)state;
	assert_int_equal(options_parse(&t, 5, argv, &v, &operands, &outcome, NULL), 0);
	assert_string_equal(v.output, "b");
	assert_string_equal(v.pass.items[0], "-x");
	done(&v);
}

/* Options behind the program belong to the program. */
static void test_operands_end_options(void **state)
{
	static const char *const words[] = {"-q", "prog", "-g", "--heap", "--", NULL};
	char *argv[WORDS_MAX + 2];
	struct values v = {0};
	size_t operands;
	enum option_outcome outcome;
	(void)state;
	assert_int_equal(parse(true, words, argv, &v, &operands, &outcome, NULL), 0);
	assert_true(v.quiet);
	assert_false(v.debug);
	assert_int_equal(operands, 4);
	assert_string_equal(argv[4], "--");
}

static void test_help(void **state)
{
	static const char *const cases[][3] = {{"--help"}, {"-h"}, {"-q", "--help"}};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		const char *words[4] = {cases[i][0], cases[i][1], cases[i][2], NULL};
		char *argv[WORDS_MAX + 2];
		struct values v = {0};
		size_t operands;
		enum option_outcome outcome;
		assert_int_equal(parse(false, words, argv, &v, &operands, &outcome, NULL), 0);
		assert_int_equal(outcome, OPTION_HELP);
	}
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *words[3];
		const char *text;
	} cases[] = {
		{{"--quite"}, "there is no option --quite; did you mean --quiet?"},
		{{"--head=5"}, "there is no option --head; did you mean --heap?"},
		{{"--xyzzy"}, "there is no option --xyzzy"},
		{{"-x"}, "there is no option -x"},
		{{"-qg"}, "there is no option -qg; did you mean -g?"},
		{{"--quiet=1"}, "--quiet takes no value"},
		{{"--output"}, "--output needs a value: FILE"},
		{{"-I"}, "-I needs a value: DIR"},
		{{"--heap", "much"}, "--heap: much is not a size, such as 4096, 8M or 2G"},
		{{"--heap=-1"}, "--heap: -1 is not a size, such as 4096, 8M or 2G"},
		{{"--heap=1X"}, "--heap: 1X is not a size, such as 4096, 8M or 2G"},
		{{"--heap=1Mi"}, "--heap: 1Mi is not a size, such as 4096, 8M or 2G"},
		{{"--heap="}, "--heap:  is not a size, such as 4096, 8M or 2G"},
		{{"--heap=99999999T"}, "--heap: 99999999T is larger than any memory"},
		{{"--heap=99999999999999999999"}, "--heap: 99999999999999999999 is larger than any memory"},
		{{"--count", "1.5"}, "--count: 1.5 is not a whole number"},
		{{"--count", "18446744073709551616"}, "--count: 18446744073709551616 is not a whole number"},
		{{"-O3"}, "-O: 3 is none of 0|1|s"},
		{{"--memory=sec"}, "--memory: sec is none of secret|insecure-none"},
		{{"--heap=1M", "--heap=2M"}, "--heap is given twice: it takes one SIZE"},
		{{"-oa", "--output=b"}, "--output is given twice: it takes one FILE"},
		{{"-O1", "-O1"}, "-O is given twice: it takes one 0|1|s"},
		{{"--memory="}, "--memory:  is none of secret|insecure-none"},
	};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		const char *words[4] = {cases[i].words[0], cases[i].words[1], cases[i].words[2], NULL};
		char *argv[WORDS_MAX + 2];
		struct values v = {0};
		struct error err = {0};
		size_t operands;
		enum option_outcome outcome;
		assert_int_equal(parse(false, words, argv, &v, &operands, &outcome, &err), CELLA_EINVAL);
		assert_string_equal(err.text, cases[i].text);
	}
}

/* An option as long as a line is refused, not copied anywhere. */
static void test_long_word(void **state)
{
	char word[5000], *argv[WORDS_MAX + 2];
	const char *words[] = {word, NULL};
	struct values v = {0};
	struct error err;
	size_t operands;
	enum option_outcome outcome;
	(void)state;
	memset(word, '-', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_int_equal(parse(false, words, argv, &v, &operands, &outcome, &err), CELLA_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_twice_for_others),
		cmocka_unit_test(test_operands_end_options),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_long_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
