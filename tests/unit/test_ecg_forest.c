/*
 * The ECG example's random forests. Does a trained tree separate what it was trained on, the same way each
 * time? Does the graph of tasks answer what a walk through the text's nodes answers? Is the forest as good as
 * the reference, on synthetic and on real recordings?
 */
#include "ecg_support.h"

#include <math.h>
#include <stdlib.h>

#include "choice.h"
#include "confusion.h"
#include "ecg_random.h"
#include "feature_set.h"
#include "predict.h"
#include "synth.h"
#include "train.h"

enum { PATH_SIZE = 512 };

/* Rows whose class depends on two of the features, the others chance. */
static struct samples made_samples(uint32_t rows, uint32_t columns, uint64_t seed)
{
	struct random random = random_stream(seed, 0);
	float *values = malloc((size_t)rows * columns * sizeof(*values));
	uint8_t *classes = malloc(rows);
	assert_non_null(values);
	assert_non_null(classes);
	for (size_t i = 0; i < (size_t)rows * columns; i++)
		values[i] = (float)random_below(&random, 1000) / 100 - 5;
	for (uint32_t row = 0; row < rows; row++)
		classes[row] = (uint8_t)((values[row] > 0) + 2 * (values[rows + row] > 1));
	return (struct samples){.rows = rows, .columns = columns, .values = values, .classes = classes};
}

static void samples_done(struct samples *s)
{
	free((void *)(uintptr_t)s->values);
	free((void *)(uintptr_t)s->classes);
}

static const struct forest_node *walk(const struct forest_tree *tree, const float *row)
{
	uint32_t at = 0;
	while (tree->nodes[at].feature != LEAF) {
		const struct forest_node *node = &tree->nodes[at];
		at = (double)row[node->feature] <= node->threshold ? node->left : node->right;
	}
	return &tree->nodes[at];
}

static struct forest trained(const struct samples *s, uint32_t trees, uint64_t seed)
{
	struct failure why;
	struct forest forest;
	must_work(train_forest(s, trees, seed, &forest, &why), why);
	return forest;
}

/* ---- trees ---- */

static void test_tree_is_consistent(void **state)
{
	(void)state;
	struct samples s = made_samples(300, 9, 1);
	struct forest forest = trained(&s, 5, 3);
	for (uint32_t t = 0; t < forest.count; t++) {
		const struct forest_tree *tree = &forest.trees[t];
		uint64_t drawn = 0;
		for (int k = 0; k < CLASS_COUNT; k++)
			drawn += tree->nodes[0].counts[k];
		assert_int_equal(drawn, s.rows);
		for (uint32_t i = 0; i < tree->count; i++) {
			const struct forest_node *node = &tree->nodes[i];
			int present = 0;
			for (int k = 0; k < CLASS_COUNT; k++) {
				present += node->counts[k] > 0;
				if (node->feature != LEAF)
					assert_int_equal(node->counts[k],
					                 tree->nodes[node->left].counts[k] +
					                         tree->nodes[node->right].counts[k]);
			}
			assert_int_equal(present > 1, node->feature != LEAF);
			if (node->feature != LEAF) {
				assert_int_equal(node->left, i + 1);
				assert_true(node->right > node->left && node->right < tree->count);
			}
		}
	}
	forest_done(&forest);
	samples_done(&s);
}

static void test_forest_learns(void **state)
{
	(void)state;
	struct samples s = made_samples(400, 9, 2);
	struct forest forest = trained(&s, 20, 0);
	uint32_t right = 0;
	for (uint32_t row = 0; row < s.rows; row++) {
		float values[9];
		double votes[CLASS_COUNT] = {0};
		for (uint32_t k = 0; k < 9; k++)
			values[k] = s.values[k * s.rows + row];
		for (uint32_t t = 0; t < forest.count; t++) {
			const struct forest_node *leaf = walk(&forest.trees[t], values);
			for (int k = 0; k < CLASS_COUNT; k++)
				votes[k] += leaf->counts[k] > 0;
		}
		right += class_of_votes(votes) == s.classes[row];
	}
	assert_true(right >= s.rows * 99 / 100);
	forest_done(&forest);
	samples_done(&s);
}

static bool same_tree(const struct forest_tree *a, const struct forest_tree *b)
{
	bool same = a->count == b->count;
	for (uint32_t i = 0; same && i < a->count; i++) {
		const struct forest_node *x = &a->nodes[i];
		const struct forest_node *y = &b->nodes[i];
		same = x->feature == y->feature && x->threshold == y->threshold && x->left == y->left &&
		       x->right == y->right && memcmp(x->counts, y->counts, sizeof(x->counts)) == 0;
	}
	return same;
}

static bool same_forest(const struct forest *a, const struct forest *b)
{
	bool same = a->count == b->count;
	for (uint32_t t = 0; same && t < a->count; t++)
		same = same_tree(&a->trees[t], &b->trees[t]);
	return same;
}

static void test_seed_decides(void **state)
{
	(void)state;
	struct samples s = made_samples(200, 9, 4);
	struct forest first = trained(&s, 6, 7);
	struct forest again = trained(&s, 6, 7);
	struct forest other = trained(&s, 6, 8);
	assert_true(same_forest(&first, &again));
	assert_false(same_forest(&first, &other));
	assert_false(same_tree(&first.trees[0], &first.trees[1]));
	forest_done(&first);
	forest_done(&again);
	forest_done(&other);
	samples_done(&s);
}

static void test_nothing_to_divide(void **state)
{
	(void)state;
	float values[30] = {0};
	uint8_t classes[30];
	struct {
		const char *name;
		int modulus;
	} cases[] = {{"one class", 1}, {"constant features", 4}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (uint32_t row = 0; row < 30; row++) {
			values[row] = cases[i].modulus == 1 ? (float)row : -0.0f;
			classes[row] = (uint8_t)(row % (uint32_t)cases[i].modulus);
		}
		values[3] = cases[i].modulus == 1 ? 3 : 0.0f; /* equal to -0 */
		struct samples s = {.rows = 30, .columns = 1, .values = values, .classes = classes};
		struct forest forest = trained(&s, 3, 0);
		for (uint32_t t = 0; t < 3; t++) {
			assert_int_equal(forest.trees[t].count, 1);
			assert_int_equal(forest.trees[t].nodes[0].feature, LEAF);
		}
		forest_done(&forest);
	}
}

/* Any floats may be features, neighbours and extremes too: a threshold lies between the two that it divides.
 * */
static void test_extreme_values(void **state)
{
	(void)state;
	float values[] = {-3.4028235e38f, -1, -1e-45f, 0, 1e-45f, 1, nextafterf(1, 2), 3.4028235e38f};
	uint8_t classes[] = {0, 1, 0, 1, 0, 1, 0, 1};
	struct samples s = {.rows = 8, .columns = 1, .values = values, .classes = classes};
	struct forest forest = trained(&s, 50, 0);
	for (uint32_t t = 0; t < forest.count; t++) {
		const struct forest_tree *tree = &forest.trees[t];
		for (uint32_t i = 0; i < tree->count; i++) {
			int present = 0;
			for (int k = 0; k < CLASS_COUNT; k++)
				present += tree->nodes[i].counts[k] > 0;
			assert_int_equal(present > 1, tree->nodes[i].feature != LEAF);
		}
	}
	forest_done(&forest);
}

/* ---- text and packed trees ---- */

static void test_text_round_trip(void **state)
{
	(void)state;
	struct failure why;
	struct samples s = made_samples(200, 111, 5);
	struct forest forest = trained(&s, 4, 1);
	struct forest copy;
	struct text t = text_of_file(tmpfile(), "forest");
	assert_non_null(t.file);
	forest_print(&forest, t.file);
	assert_int_equal(fseek(t.file, 0, SEEK_SET), 0);
	must_work(forest_parse(&t, &copy, &why), why);
	assert_int_equal(copy.columns, 111);
	assert_int_equal(copy.count, 4);
	assert_true(same_forest(&forest, &copy));
	text_close(&t);
	forest_done(&forest);
	forest_done(&copy);
	samples_done(&s);
}

/* The packed tree decides as the text's threshold does for every float near it. */
static void test_packed_thresholds(void **state)
{
	(void)state;
	static const double thresholds[] = {0,
	                                    1,
	                                    -1,
	                                    0.1,
	                                    -0.1,
	                                    1.0000000001,
	                                    -1.0000000001,
	                                    1e-46,
	                                    -1e-46,
	                                    1e39,
	                                    -1e39,
	                                    3.4028234663852886e38,
	                                    0.25 + 1e-17};
	for (size_t i = 0; i < sizeof(thresholds) / sizeof(thresholds[0]); i++) {
		struct forest_node nodes[3] = {
			{.threshold = thresholds[i], .feature = 0, .left = 1, .right = 2, .counts = {1, 1}},
			{.feature = LEAF, .counts = {1}},
			{.feature = LEAF, .counts = {0, 1}},
		};
		const struct forest_tree tree = {.count = 3, .nodes = nodes};
		struct failure why;
		union tree_slot *slots;
		uint32_t count;
		must_work(forest_pack(&tree, &slots, &count, &why), why);
		assert_int_equal(count, 7);
		float x = thresholds[i] > 3.4e38    ? 3.4028235e38f
		          : thresholds[i] < -3.4e38 ? -3.4028235e38f
		                                    : (float)thresholds[i];
		for (int step = 0; step < 5; step++)
			x = nextafterf(x, -INFINITY);
		for (int step = 0; step < 10 && isfinite(x); step++) {
			double votes[CLASS_COUNT];
			tree_answer(slots, &x, votes);
			assert_true(votes[0] == ((double)x <= thresholds[i]));
			x = nextafterf(x, INFINITY);
		}
		free(slots);
	}
}

/* ---- the graph ---- */

static void test_graph_is_the_mean(void **state)
{
	(void)state;
	enum { ROWS = 30, COLUMNS = 7, TREES = 11 };
	struct failure why;
	struct samples s = made_samples(150, COLUMNS, 6);
	struct forest forest = trained(&s, TREES, 2);
	struct predictor predictor;
	struct requests requests;
	float rows[ROWS][COLUMNS];
	struct random random = random_stream(11, 0);
	must_work(predictor_init(&forest, &predictor, &why), why);
	must_work(requests_init(&predictor, 2, ROWS, &requests, &why), why);
	assert_int_equal(request_tasks(&predictor), 2 * TREES + 1);
	for (int repeat = 0; repeat < 3; repeat++) {
		for (uint32_t i = 0; i < ROWS * COLUMNS; i++)
			rows[i / COLUMNS][i % COLUMNS] = (float)random_below(&random, 1000) / 100 - 5;
		struct request *request = &requests.each[repeat % 2];
		request_submit(&predictor, request, rows[0], ROWS);
		must_work(request_wait(request, &why), why);
		for (uint32_t i = 0; i < ROWS; i++) {
			double sum[CLASS_COUNT] = {0};
			for (uint32_t t = 0; t < TREES; t++) {
				const struct forest_node *leaf = walk(&forest.trees[t], rows[i]);
				double all = leaf->counts[0] + leaf->counts[1] + leaf->counts[2] +
				             leaf->counts[3];
				for (int k = 0; k < CLASS_COUNT; k++)
					sum[k] += leaf->counts[k] / all;
			}
			for (int k = 0; k < CLASS_COUNT; k++)
				assert_true(request->votes[i][k] == sum[k] / (double)TREES);
		}
	}
	requests_done(&requests);
	predictor_done(&predictor);
	forest_done(&forest);
	samples_done(&s);
}

/* ---- judgement ---- */

static void test_confusion(void **state)
{
	(void)state;
	struct confusion c = {0};
	static const int pairs[][2] = {{0, 0}, {0, 0}, {0, 1}, {1, 1}, {1, 0}, {2, 2}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		confusion_add(&c, pairs[i][0], pairs[i][1]);
	assert_true(fabs(confusion_accuracy(&c) - 4.0 / 6) < 1e-15);
	assert_true(fabs(confusion_f1(&c, 0) - 2.0 / 3) < 1e-15);
	assert_true(fabs(confusion_f1(&c, 1) - 0.5) < 1e-15);
	assert_true(confusion_f1(&c, 2) == 1);
	assert_true(isnan(confusion_f1(&c, 3)));
}

static void test_most_votes(void **state)
{
	(void)state;
	static const struct {
		double votes[CLASS_COUNT];
		int expected;
	} cases[] = {
		{{1, 0, 0, 0}, 0},       {{0, 0, 0, 1}, 3},         {{0.25, 0.25, 0.25, 0.25}, 0},
		{{0.1, 0.4, 0.4, 0}, 1}, {{0.1, 0.1, 0.4, 0.4}, 2},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(class_of_votes(cases[i].votes), cases[i].expected);
}

/* Rows of the table in the split, column by column. */
static struct samples samples_of_rows(const struct table *table, const struct choice *choice)
{
	float *values = malloc((size_t)choice->count * table->columns * sizeof(*values));
	uint8_t *classes = malloc(choice->count);
	assert_non_null(values);
	assert_non_null(classes);
	for (uint32_t i = 0; i < choice->count; i++) {
		for (uint32_t k = 0; k < table->columns; k++)
			values[(size_t)k * choice->count + i] =
				table->values[(size_t)choice->rows[i] * table->columns + k];
		classes[i] = choice->classes[i];
	}
	return (struct samples){.rows = choice->count,
	                        .columns = table->columns,
	                        .values = values,
	                        .classes = classes};
}

/* Train on the train split, 40 trees, seed 0; the accuracy on the test split. */
static double accuracy_of_split(const struct table *table, const struct labels *labels)
{
	struct failure why;
	struct choice train;
	struct choice test;
	struct predictor predictor;
	struct requests requests;
	struct confusion confusion = {0};
	must_work(choose_rows(table, labels, SPLIT_TRAIN, &train, &why), why);
	must_work(choose_rows(table, labels, SPLIT_TEST, &test, &why), why);
	struct samples samples = samples_of_rows(table, &train);
	struct forest forest = trained(&samples, 40, 0);
	must_work(predictor_init(&forest, &predictor, &why), why);
	must_work(requests_init(&predictor, 1, 1, &requests, &why), why);
	for (uint32_t i = 0; i < test.count; i++) {
		request_submit(&predictor, &requests.each[0],
		               table->values + (size_t)test.rows[i] * table->columns, 1);
		must_work(request_wait(&requests.each[0], &why), why);
		confusion_add(&confusion, test.classes[i], class_of_votes(requests.each[0].votes[0]));
	}
	print_message("trained on %u, judged by %u, accuracy %.4f\n", train.count, test.count,
	              confusion_accuracy(&confusion));
	requests_done(&requests);
	predictor_done(&predictor);
	forest_done(&forest);
	samples_done(&samples);
	choice_done(&train);
	choice_done(&test);
	return confusion_accuracy(&confusion);
}

static void test_accuracy_on_synthetic(void **state)
{
	(void)state;
	enum { COUNT = 300 };
	struct failure why;
	struct table table = {.kind = FEATURES_COMPACT,
	                      .columns = COMPACT_COLUMNS,
	                      .count = COUNT,
	                      .has_labels = true};
	struct labels labels = {.count = COUNT, .has_split = true};
	struct extractor *extractor;
	struct synth *made = malloc(sizeof(*made));
	must_work(extractor_new(FEATURES_COMPACT, &extractor, &why), why);
	table.records = calloc(COUNT, sizeof(table.records[0]));
	table.classes = calloc(COUNT, sizeof(table.classes[0]));
	table.values = calloc(COUNT * COMPACT_COLUMNS, sizeof(table.values[0]));
	labels.rows = calloc(COUNT, sizeof(labels.rows[0]));
	labels.by_record = calloc(COUNT, sizeof(labels.by_record[0]));
	for (uint32_t i = 0; i < COUNT; i++) {
		synth_make(5, i + 1, made);
		const struct recording recording = {.samples = made->samples, .count = made->count};
		memcpy(table.records[i], made->label.record, sizeof(table.records[i]));
		table.classes[i] = made->label.class;
		labels.rows[i] = made->label;
		labels.by_record[i] = i;
		must_work(extractor_run(extractor, &recording, made->label.record,
		                        table.values + (size_t)i * COMPACT_COLUMNS, &why),
		          why);
	}
	assert_true(accuracy_of_split(&table, &labels) >= 0.8);
	extractor_free(extractor);
	table_done(&table);
	labels_done(&labels);
	free(made);
}

static void test_accuracy_on_real(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	struct failure why;
	struct table table;
	struct labels labels;
	must_work(table_read(real_path("features_compact.csv", path, sizeof(path)), &table, &why), why);
	must_work(labels_read(real_path("labels.csv", path, sizeof(path)), &labels, &why), why);
	assert_true(accuracy_of_split(&table, &labels) >= 0.80);
	table_done(&table);
	labels_done(&labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree_is_consistent),
		cmocka_unit_test(test_forest_learns),
		cmocka_unit_test(test_seed_decides),
		cmocka_unit_test(test_nothing_to_divide),
		cmocka_unit_test(test_extreme_values),
		cmocka_unit_test(test_text_round_trip),
		cmocka_unit_test(test_packed_thresholds),
		cmocka_unit_test(test_graph_is_the_mean),
		cmocka_unit_test(test_confusion),
		cmocka_unit_test(test_most_votes),
		cmocka_unit_test(test_accuracy_on_synthetic),
		cmocka_unit_test(test_accuracy_on_real),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
