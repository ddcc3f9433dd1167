/*
 * What the ECG example reads. Is every malformed recording, table, forest and command line refused with a
 * sentence that says where and why? Does one bad recording spoil only itself?
 */
#include "ecg_support.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "choice.h"
#include "classes.h"
#include "extract.h"
#include "forest.h"
#include "mat.h"
#include "options.h"
#include "tables.h"

enum { PATH_SIZE = 512 };

/* ---- recordings ---- */

#define HEADER(type, rows, count, imaginary, name_size) \
	type, 0, 0, 0, rows, 0, 0, 0, count, 0, 0, 0, imaginary, 0, 0, 0, name_size, 0, 0, 0
#define NAME 'v', 'a', 'l', 0

struct mat_case {
	const char *name;
	const char *expected; /* NULL: it is good */
	size_t size;
	uint8_t bytes[40];
};

static const struct mat_case mat_cases[] = {
	{"good", NULL, 28, {HEADER(30, 1, 2, 0, 4), NAME, 1, 0, 0xff, 0xff}},
	{"empty", "ends at byte 0", 0, {0}},
	{"cut in the header", "ends at byte 23", 23, {HEADER(30, 1, 2, 0, 4), 'v', 'a', 'l'}},
	{"big-endian", "byte 0: the type", 28, {0, 0, 0, 30}},
	{"double", "byte 0: the type (30: little-endian int16) is 0", 28, {HEADER(0, 1, 2, 0, 4), NAME}},
	{"two rows", "byte 4: the number of rows is 2", 28, {HEADER(30, 2, 1, 0, 4), NAME}},
	{"complex", "byte 12: the imaginary part is 1", 28, {HEADER(30, 1, 2, 1, 4), NAME}},
	{"long name", "byte 16: the size of the matrix's name is 5", 28, {HEADER(30, 1, 2, 0, 5), NAME}},
	{"other name", "byte 20: the matrix is not named", 28, {HEADER(30, 1, 2, 0, 4), 'v', 'a', 'x', 0}},
	{"name without end",
         "byte 20: the matrix is not named",
         28,
         {HEADER(30, 1, 2, 0, 4), 'v', 'a', 'l', 'l'}},
	{"no samples", "byte 8: the header names 0 samples", 24, {HEADER(30, 1, 0, 0, 4), NAME}},
	{"too many samples", "byte 8: the header names 4278190080 samples", 24, {30, 0, 0, 0, 1,    0, 0,
                                                                                 0,  0, 0, 0, 0xff, 0, 0,
                                                                                 0,  0, 4, 0, 0,    0, NAME}},
	{"cut in the samples", "byte 27: the file ends here", 27, {HEADER(30, 1, 2, 0, 4), NAME, 1, 0, 1}},
	{"goes on", "byte 28: the file goes on", 29, {HEADER(30, 1, 2, 0, 4), NAME, 1, 0, 1, 0, 9}},
};

static char *temporary_file(const void *bytes, size_t size)
{
	char *path = strdup("/tmp/test_ecg_XXXXXX");
	assert_non_null(path);
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
	return path;
}

static void check_mat(const struct mat_case *c, int rc, struct recording *recording,
                      const struct failure *why)
{
	if (c->expected) {
		assert_failed(rc, why, c->name, c->expected);
		assert_null(recording->samples);
		return;
	}
	must_work(rc, *why);
	assert_int_equal(recording->count, 2);
	assert_int_equal(recording->samples[0], 1);
	assert_int_equal(recording->samples[1], -1);
	recording_done(recording);
}

static void test_recordings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mat_cases) / sizeof(mat_cases[0]); i++) {
		const struct mat_case *c = &mat_cases[i];
		struct failure why;
		struct recording recording = {0};
		check_mat(c, mat_parse(c->bytes, c->size, "recording", &recording, &why), &recording, &why);
		char *path = temporary_file(c->bytes, c->size);
		check_mat(c, mat_read(path, &recording, &why), &recording, &why);
		unlink(path);
		free(path);
	}
}

static void test_recording_round_trip(void **state)
{
	(void)state;
	static const int16_t samples[] = {0, 1, -1, 32767, -32768};
	struct failure why;
	struct recording recording;
	char *path = temporary_file("", 0);
	must_work(mat_write(path, samples, 5, &why), why);
	must_work(mat_read(path, &recording, &why), why);
	assert_int_equal(recording.count, 5);
	assert_memory_equal(recording.samples, samples, sizeof(samples));
	recording_done(&recording);
	unlink(path);
	assert_failed(mat_read(path, &recording, &why), &why, "missing", "cannot open the recording");
	assert_int_equal(why.code, ENOENT);
	assert_failed(mat_read("/tmp", &recording, &why), &why, "a folder", "cannot read the recording");
	assert_failed(mat_write("/nowhere/x.mat", samples, 5, &why), &why, "no folder", "cannot create");
	free(path);
}

/* ---- lines ---- */

static void test_lines(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *text;
		size_t size;
		const char *lines[4];
		const char *expected; /* failure behind the lines */
	} cases[] = {
		{"nothing", "", 0, {0}, NULL},
		{"an empty line", "\n", 1, {""}, NULL},
		{"both ends", "a\nb\r\n", 5, {"a", "b"}, NULL},
		{"no end at the end", "a\nb", 3, {"a", "b"}, NULL},
		{"only CR", "a\rb\n", 4, {"a\rb"}, NULL},
		{"zero byte", "a\nb\0c\n", 6, {"a"}, "input: line 2: byte 2 is a zero byte"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct failure why;
		struct text t = text_of_bytes(cases[i].text, cases[i].size);
		char *line;
		for (size_t k = 0; k < 4 && cases[i].lines[k]; k++) {
			must_work(text_next(&t, &line, &why), why);
			assert_string_equal(line, cases[i].lines[k]);
		}
		int rc = text_next(&t, &line, &why);
		if (cases[i].expected)
			assert_failed(rc, &why, cases[i].name, cases[i].expected);
		else
			assert_null(line);
		text_close(&t);
	}
}

/* A line may have LINE_SIZE_MAX bytes and not one more, with and without an end. */
static void test_long_lines(void **state)
{
	(void)state;
	size_t size = (size_t)LINE_SIZE_MAX + 2;
	char *text = malloc(size);
	assert_non_null(text);
	for (int over = 0; over < 2; over++) {
		for (int with_end = 0; with_end < 2; with_end++) {
			struct failure why;
			char *line = NULL;
			size_t length = (size_t)LINE_SIZE_MAX + (size_t)over;
			memset(text, 'x', size);
			text[length] = with_end ? '\n' : 'x';
			struct text t = text_of_bytes(text, length + (size_t)with_end);
			int rc = text_next(&t, &line, &why);
			if (over)
				assert_failed(rc, &why, "long line", "line 1: the line has more than");
			else
				assert_int_equal(strlen(line), length);
			text_close(&t);
		}
	}
	free(text);
}

static void test_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *field;
		bool whole;
		bool real;
	} cases[] = {
		{"0", true, true},
		{"4294967295", true, true},
		{"4294967296", false, true},
		{"-1", false, true},
		{"1.5e-3", false, true},
		{"", false, false},
		{" 1", false, false},
		{"1 ", false, false},
		{"0x10", false, false},
		{"nan", false, false},
		{"inf", false, false},
		{"-", false, false},
		{"1e", false, false},
		{"1,5", false, false},
		{"1e999", false, false},
		{"+7", false, true},
		{"99999999999999999999", false, true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t whole;
		double real;
		if (text_u32(cases[i].field, &whole) != cases[i].whole ||
		    text_double(cases[i].field, &real) != cases[i].real)
			fail_msg("'%s' was read wrongly", cases[i].field);
	}
	float small;
	assert_false(text_float("1e39", &small));
	assert_true(text_float("1e38", &small));
}

/* ---- labels ---- */

static const struct {
	const char *name;
	const char *text;
	const char *expected;
} label_cases[] = {
	{"with split", "record,label,split\nA1,N,test\nA2,~,train\n", NULL},
	{"without header", "A1,N\nA2,A\n", NULL},
	{"without split", "record,label\nA1,N\n", NULL},
	{"nothing", "", "no record stands there"},
	{"only a header", "record,label,split\n", "no record stands there"},
	{"unknown label", "record,label,split\nA1,X,test\n", "line 2: the label is 'X'"},
	{"long label", "A1,NN\n", "line 1: the label is 'NN'"},
	{"unknown split", "record,label,split\nA1,N,test\nA2,N,tset\n", "line 3: the split is 'tset'"},
	{"too few fields", "record,label,split\nA1,N\n", "line 2: 2 fields"},
	{"too many fields", "A1,N\nA2,N,test,x\n", "line 2: 4 fields"},
	{"empty line", "A1,N\n\nA2,N\n", "line 2: 1 fields"},
	{"empty name", ",N\n", "line 1: '' cannot name a record"},
	{"blank in a name", "A 1,N\n", "cannot name a record"},
	{"long name", "A2345678901234567890123456789012,N\n", "cannot name a record"},
	{"twice", "A1,N\nA2,N\nA1,A\n", "record A1 stands there twice"},
};

static void test_labels(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(label_cases) / sizeof(label_cases[0]); i++) {
		struct failure why;
		struct labels labels = {0};
		struct text t = text_of_bytes(label_cases[i].text, strlen(label_cases[i].text));
		int rc = labels_parse(&t, &labels, &why);
		if (label_cases[i].expected)
			assert_failed(rc, &why, label_cases[i].name, label_cases[i].expected);
		else
			must_work(rc, why);
		labels_done(&labels);
		text_close(&t);
	}
}

static void test_find_label(void **state)
{
	(void)state;
	static const char rows[] = "B,N,test\nA,A,train\nC,~,test\n";
	struct failure why;
	struct labels labels;
	struct text t = text_of_bytes(rows, sizeof(rows) - 1);
	must_work(labels_parse(&t, &labels, &why), why);
	assert_int_equal(labels_find(&labels, "A")->class, CLASS_FIBRILLATION);
	assert_int_equal(labels_find(&labels, "C")->split, SPLIT_TEST);
	assert_null(labels_find(&labels, "D"));
	assert_null(labels_find(&labels, ""));
	labels_done(&labels);
	text_close(&t);
}

/* ---- features ---- */

/* "record[,label],dur_s,..." with the header's column `odd` renamed, and one row whose value `odd_value` is
 * `value`. */
static size_t make_table(char *to, size_t size, const char *first, uint32_t columns, uint32_t odd,
                         const char *row, uint32_t values, uint32_t odd_value, const char *value)
{
	size_t at = (size_t)snprintf(to, size, "%s", first);
	for (uint32_t i = 0; i < columns; i++) {
		char name[FEATURE_NAME_SIZE];
		feature_name(FEATURES_COMPACT, i % COMPACT_COLUMNS, name);
		at += (size_t)snprintf(to + at, size - at, ",%s", i == odd ? "odd" : name);
	}
	at += (size_t)snprintf(to + at, size - at, "\n%s", row);
	for (uint32_t i = 0; i < values; i++)
		at += (size_t)snprintf(to + at, size - at, ",%s", i == odd_value ? value : "1.5");
	at += (size_t)snprintf(to + at, size - at, "\n");
	return at;
}

static void test_tables(void **state)
{
	(void)state;
	enum { NONE = 999 };
	static const struct {
		const char *name;
		const char *first;
		uint32_t columns;
		uint32_t odd;
		const char *row;
		uint32_t values;
		uint32_t odd_value;
		const char *value;
		const char *expected;
	} cases[] = {
		{"good", "record", 111, NONE, "A1", 111, NONE, "", NULL},
		{"with labels", "record,label", 111, NONE, "A1,~", 111, NONE, "", NULL},
		{"no header", "A1", 111, NONE, "A1", 111, NONE, "", "line 1: the first column is 'A1'"},
		{"too few columns", "record", 110, NONE, "A1", 110, NONE, "",
	         "line 1: 110 columns of features"},
		{"too many columns", "record", 112, NONE, "A1", 112, NONE, "",
	         "line 1: 112 columns of features"},
		{"other column", "record", 111, 4, "A1", 111, NONE, "",
	         "line 1: feature 5 is 'odd', expected 'rr_mean'"},
		{"too few values", "record", 111, NONE, "A1", 110, NONE, "",
	         "line 2: 111 fields, expected 112"},
		{"too many values", "record", 111, NONE, "A1", 112, NONE, "",
	         "line 2: 113 fields, expected 112"},
		{"no number", "record", 111, NONE, "A1", 111, 7, "x", "line 2: feature 8 is 'x'"},
		{"no value", "record", 111, NONE, "A1", 111, 110, "", "line 2: feature 111 is ''"},
		{"infinite", "record", 111, NONE, "A1", 111, 0, "1e40", "line 2: feature 1 is '1e40'"},
		{"unknown label", "record,label", 111, NONE, "A1,B", 111, NONE, "",
	         "line 2: the label is 'B'"},
		{"bad name", "record", 111, NONE, "\"A1\"", 111, NONE, "", "cannot name a record"},
	};
	static char text[1 << 14];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = make_table(text, sizeof(text), cases[i].first, cases[i].columns, cases[i].odd,
		                         cases[i].row, cases[i].values, cases[i].odd_value, cases[i].value);
		struct failure why;
		struct table table = {0};
		struct text t = text_of_bytes(text, size);
		int rc = table_parse(&t, &table, &why);
		if (cases[i].expected) {
			assert_failed(rc, &why, cases[i].name, cases[i].expected);
		} else {
			must_work(rc, why);
			assert_int_equal(table.count, 1);
			assert_string_equal(table.records[0], "A1");
			assert_int_equal(table.classes[0], table.has_labels ? CLASS_NOISE : -1);
			assert_true(table.values[110] == 1.5f);
		}
		table_done(&table);
		text_close(&t);
	}
}

static void test_empty_tables(void **state)
{
	(void)state;
	static char text[1 << 14];
	struct failure why;
	struct table table = {0};
	struct text t = text_of_bytes("", 0);
	assert_failed(table_parse(&t, &table, &why), &why, "empty", "the file is empty");
	text_close(&t);
	make_table(text, sizeof(text), "record", 111, 999, "", 0, 0, "");
	t = text_of_bytes(text, (size_t)(strchr(text, '\n') - text));
	assert_failed(table_parse(&t, &table, &why), &why, "only a header",
	              "no record stands behind the header");
	text_close(&t);
}

/* ---- the choice of records ---- */

static void test_choice(void **state)
{
	(void)state;
	static const char rows[] = "record,label,split\nA1,N,train\nA2,A,test\n";
	static char text[1 << 14];
	struct failure why;
	struct labels labels;
	struct table table;
	struct choice choice;
	struct text t = text_of_bytes(rows, sizeof(rows) - 1);
	must_work(labels_parse(&t, &labels, &why), why);
	text_close(&t);
	size_t size = make_table(text, sizeof(text), "record,label", 111, 999, "A3,O", 111, 0, "1");
	t = text_of_bytes(text, size);
	must_work(table_parse(&t, &table, &why), why);
	text_close(&t);

	must_work(choose_rows(&table, &labels, SPLIT_TRAIN, &choice, &why), why); /* unlisted: train */
	assert_int_equal(choice.count, 1);
	assert_int_equal(choice.classes[0], CLASS_OTHER);
	choice_done(&choice);
	int rc = choose_rows(&table, &labels, SPLIT_TEST, &choice, &why);
	assert_failed(rc, &why, "no test row",
	              "no row of the features is labelled and belongs to the test split");
	memcpy(table.records[0], "A2", 3);
	must_work(choose_rows(&table, &labels, SPLIT_TEST, &choice, &why),
	          why); /* the labels' class counts */
	assert_int_equal(choice.classes[0], CLASS_FIBRILLATION);
	choice_done(&choice);
	must_work(choose_rows(&table, NULL, SPLIT_TEST, &choice, &why), why);
	choice_done(&choice);
	table.has_labels = false;
	assert_failed(choose_rows(&table, NULL, SPLIT_TEST, &choice, &why), &why, "no labels",
	              "--labels FILE");

	must_work(choose_recordings(&labels, SPLIT_TEST, "d", &choice, &why), why);
	assert_int_equal(choice.count, 1);
	assert_string_equal(choice.paths[0], "d/A2.mat");
	choice_done(&choice);
	labels.rows[1].split = SPLIT_TRAIN;
	assert_failed(choose_recordings(&labels, SPLIT_TEST, "d", &choice, &why), &why, "none",
	              "the test split");
	table_done(&table);
	labels_done(&labels);
}

/* ---- forests ---- */

#define FOREST_HEAD "forest 1\nn_trees 1\nn_features 5\nn_classes 4\nclasses N A O ~\n"
#define FOREST_LEAVES "-1 0 -1 -1 1 0 0 0\n-1 0 -1 -1 0 1 0 0\n"

static const struct {
	const char *name;
	const char *text;
	const char *expected;
} forest_cases[] = {
	{"good", FOREST_HEAD "tree 0 3\n4 -0.5 1 2 1 1 0 0\n" FOREST_LEAVES, NULL},
	{"one leaf", FOREST_HEAD "tree 0 1\n-1 0 -1 -1 1 0 0 0", NULL},
	{"shared leaf", FOREST_HEAD "tree 0 2\n0 1 1 1 1 0 0 0\n-1 0 -1 -1 1 0 0 0\n", NULL},
	{"nothing", "", "the file ends behind line 0, expected forest"},
	{"other file", "record,label\n", "line 1: expected 'forest' and a number, found 'record,label'"},
	{"other version", "forest 2\n", "line 1: forest is '2', expected 1 to 1"},
	{"no trees", "forest 1\nn_trees 0\n", "line 2: n_trees is '0', expected 1 to 10000"},
	{"too many trees", "forest 1\nn_trees 10001\n", "line 2: n_trees is '10001'"},
	{"no features", "forest 1\nn_trees 1\nn_features 0\n", "line 3: n_features is '0'"},
	{"other classes", "forest 1\nn_trees 1\nn_features 1\nn_classes 2\n", "line 4: n_classes is '2'"},
	{"other order", "forest 1\nn_trees 1\nn_features 1\nn_classes 4\nclasses A N O ~\n",
         "line 5: expected 'classes N A O ~'"},
	{"cut behind the header", FOREST_HEAD, "the file ends behind line 5, expected a tree"},
	{"other tree", FOREST_HEAD "tree 1 1\n", "line 6: expected 'tree 0'"},
	{"tree without nodes", FOREST_HEAD "tree 0 0\n", "line 6: tree 0 has '0' nodes"},
	{"tree without count", FOREST_HEAD "tree 0\n", "line 6: tree 0 has '' nodes"},
	{"too many nodes", FOREST_HEAD "tree 0 4194305\n", "line 6: tree 0 has '4194305' nodes"},
	{"cut in a tree", FOREST_HEAD "tree 0 3\n4 0 1 2 1 1 0 0\n",
         "the file ends behind line 7, expected a node"},
	{"feature too high", FOREST_HEAD "tree 0 3\n5 0 1 2 1 1 0 0\n" FOREST_LEAVES,
         "line 7: node 0 asks for feature '5', expected -1 to 4"},
	{"feature too low", FOREST_HEAD "tree 0 3\n-2 0 1 2 1 1 0 0\n" FOREST_LEAVES,
         "asks for feature '-2'"},
	{"threshold", FOREST_HEAD "tree 0 3\n4 nan 1 2 1 1 0 0\n" FOREST_LEAVES, "has the threshold 'nan'"},
	{"no threshold", FOREST_HEAD "tree 0 3\n4\n" FOREST_LEAVES, "has the threshold ''"},
	{"child is itself", FOREST_HEAD "tree 0 3\n4 0 0 2 1 1 0 0\n" FOREST_LEAVES,
         "node 0 has the child '0'"},
	{"child outside", FOREST_HEAD "tree 0 3\n4 0 1 3 1 1 0 0\n" FOREST_LEAVES,
         "node 0 has the child '3', expected a node behind it, up to 2"},
	{"negative child", FOREST_HEAD "tree 0 3\n4 0 -1 2 1 1 0 0\n" FOREST_LEAVES, "has the child '-1'"},
	{"child before", FOREST_HEAD "tree 0 3\n4 0 1 2 1 1 0 0\n4 0 0 2 1 1 0 0\n-1 0 -1 -1 1 0 0 0\n",
         "line 8: node 1 has the child '0'"},
	{"too few counts", FOREST_HEAD "tree 0 1\n-1 0 -1 -1 1 0 0\n", "line 7: count 3 is ''"},
	{"too many counts", FOREST_HEAD "tree 0 1\n-1 0 -1 -1 1 0 0 0 7\n",
         "line 7: '7' stands behind the last count"},
	{"negative count", FOREST_HEAD "tree 0 1\n-1 0 -1 -1 1 0 -3 0\n", "line 7: count 2 is '-3'"},
	{"empty leaf", FOREST_HEAD "tree 0 1\n-1 0 -1 -1 0 0 0 0\n",
         "line 7: a leaf without any training row"},
	{"goes on", FOREST_HEAD "tree 0 1\n-1 0 -1 -1 1 0 0 0\ntree 1 1\n",
         "line 8: 'tree 1 1' stands behind the last tree"},
};

static void test_forests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forest_cases) / sizeof(forest_cases[0]); i++) {
		struct failure why;
		struct forest forest = {0};
		struct text t = text_of_bytes(forest_cases[i].text, strlen(forest_cases[i].text));
		int rc = forest_parse(&t, &forest, &why);
		if (forest_cases[i].expected) {
			assert_failed(rc, &why, forest_cases[i].name, forest_cases[i].expected);
			assert_null(forest.trees);
		} else {
			must_work(rc, why);
			assert_int_equal(forest.count, 1);
		}
		forest_done(&forest);
		text_close(&t);
	}
	struct failure why;
	struct forest forest;
	assert_failed(forest_read("/nowhere/forest.txt", &forest, &why), &why, "missing",
	              "/nowhere/forest.txt: cannot open");
}

/* ---- batches ---- */

struct seen {
	uint32_t next;
	uint32_t good;
	uint32_t missing;
	uint32_t bad;
};

static int count_batch(void *context, const struct batch *batch, struct failure *why)
{
	struct seen *seen = context;
	(void)why;
	assert_int_equal(batch->first, seen->next);
	seen->next += batch->count;
	for (uint32_t i = 0; i < batch->count; i++) {
		const float *row = batch->rows + (size_t)i * COMPACT_COLUMNS;
		seen->good += batch->outcomes[i].code == OUTCOME_GOOD;
		seen->missing += batch->outcomes[i].code == OUTCOME_MISSING;
		seen->bad += batch->outcomes[i].code == OUTCOME_BAD;
		assert_int_equal(row[0] > 0, batch->outcomes[i].code == OUTCOME_GOOD);
	}
	return 0;
}

/* Every seventh recording is malformed, every fifth missing: each fails by itself, in order, in every batch.
 * */
static void test_bad_recordings_among_good(void **state)
{
	(void)state;
	enum { COUNT = 200 };
	static const uint8_t junk[] = "no recording";
	static int16_t samples[600];
	struct failure why;
	char *good = temporary_file("", 0);
	char *bad = temporary_file(junk, sizeof(junk));
	must_work(mat_write(good, samples, 600, &why), why);
	const char *paths[COUNT];
	struct seen expected = {.next = COUNT};
	for (uint32_t i = 0; i < COUNT; i++) {
		paths[i] = i % 7 == 0 ? bad : i % 5 == 0 ? "/nowhere/x.mat" : good;
		expected.bad += i % 7 == 0;
		expected.missing += i % 7 != 0 && i % 5 == 0;
	}
	expected.good = COUNT - expected.bad - expected.missing;
	struct seen seen = {0};
	const struct batch_user user = {.finished = count_batch, .context = &seen};
	must_work(extract(FEATURES_COMPACT, paths, COUNT, &user, &why), why);
	assert_memory_equal(&seen, &expected, sizeof(seen));
	unlink(good);
	unlink(bad);
	free(good);
	free(bad);
}

/* ---- names and options ---- */

static void test_names_of_records(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		const char *record; /* NULL: none */
	} cases[] = {
		{"A00001.mat", "A00001"},
		{"/data/x/A00001.mat", "A00001"},
		{"dir.mat/B", "B"},
		{"B.mat.mat", "B.mat"},
		{".mat", ".mat"},
		{"dir/", NULL},
		{"", NULL},
		{"a,b.mat", NULL},
		{"a b.mat", NULL},
		{"a\"b.mat", NULL},
		{"a\nb.mat", NULL},
		{"12345678901234567890123456789012.mat", NULL},
		{"1234567890123456789012345678901.mat", "1234567890123456789012345678901"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char record[RECORD_NAME_SIZE];
		struct failure why;
		int rc = record_of_path(cases[i].path, record, &why);
		if (cases[i].record) {
			must_work(rc, why);
			assert_string_equal(record, cases[i].record);
		} else {
			assert_failed(rc, &why, cases[i].path, "cannot name a record");
		}
	}
}

static void test_options(void **state)
{
	(void)state;
	static const struct {
		enum verb verb;
		const char *arguments[6];
		const char *expected; /* NULL: good */
	} cases[] = {
		{VERB_FEATURES, {"--kind", "spectrogram", "a", "b"}, NULL},
		{VERB_FEATURES, {"a", "--kind=compact", "--", "--kind"}, NULL},
		{VERB_FEATURES, {"-"}, NULL},
		{VERB_TRAIN, {"--trees=10000", "--seed", "4294967295"}, NULL},
		{VERB_FEATURES, {"--kind"}, "--kind needs a value"},
		{VERB_FEATURES, {"--kind", "big"}, "--kind is 'big', expected compact or spectrogram"},
		{VERB_FEATURES, {"--kin", "compact"}, "--kin is no option of this verb"},
		{VERB_FEATURES, {"--trees", "4"}, "--trees is no option of this verb"},
		{VERB_TRAIN, {"--trees", "0"}, "--trees is '0', expected 1 to 10000"},
		{VERB_TRAIN, {"--trees", "-3"}, "--trees is '-3'"},
		{VERB_TRAIN, {"--seed", "4294967296"}, "--seed is '4294967296'"},
		{VERB_TRAIN, {"--seed="}, "--seed is ''"},
		{VERB_TRAIN, {"-o"}, "-o needs a value"},
		{VERB_TRAIN, {"-x"}, "-x is no option of this verb"},
		{VERB_EVALUATE, {"--split", "both"}, "--split is 'both'"},
		{VERB_PREDICT, {"--repeat", "1000001"}, "--repeat is '1000001'"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *arguments[6];
		int count = 0;
		for (; count < 6 && cases[i].arguments[count]; count++)
			arguments[count] = (char *)(uintptr_t)cases[i].arguments[count];
		struct failure why;
		struct options options;
		int rc = options_parse(cases[i].verb, count, arguments, &options, &why);
		if (cases[i].expected)
			assert_failed(rc, &why, cases[i].arguments[0], cases[i].expected);
		else
			must_work(rc, why);
	}
	char *arguments[] = {"a", "--kind=spectrogram", "b", "--", "--c"};
	struct failure why;
	struct options options;
	must_work(options_parse(VERB_FEATURES, 5, arguments, &options, &why), why);
	assert_int_equal(options.kind, FEATURES_SPECTROGRAM);
	assert_int_equal(options.file_count, 3);
	assert_string_equal(options.files[1], "b");
	assert_string_equal(options.files[2], "--c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recording_round_trip),
		cmocka_unit_test(test_find_label),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_recordings),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_empty_tables),
		cmocka_unit_test(test_forests),
		cmocka_unit_test(test_bad_recordings_among_good),
		cmocka_unit_test(test_names_of_records),
		cmocka_unit_test(test_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
