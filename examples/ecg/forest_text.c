#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ecg_limits.h"
#include "forest.h"

static const char classes_line[] = "classes N A O ~";

/* The next line, which has to be there. */
static int need_line(struct text *t, char **ret_line, const char *expected, struct failure *why)
{
	if (text_next(t, ret_line, why) < 0)
		return -1;
	if (!*ret_line)
		return failed(why, "%s: the file ends behind line %" PRIu64 ", expected %s", t->name, t->line,
		              expected);
	return 0;
}

/* A line "KEY number" with least <= number <= most. */
static int parse_setting(struct text *t, const char *key, uint32_t least, uint32_t most, uint32_t *ret,
                         struct failure *why)
{
	char *line;
	if (need_line(t, &line, key, why) < 0)
		return -1;
	const char *word = text_field(&line, ' ');
	if (strcmp(word, key) != 0 || !line)
		return text_failed(t, why, "expected '%s' and a number, found '%.40s'", key, word);
	uint32_t value;
	if (!text_u32(line, &value) || value < least || value > most)
		return text_failed(t, why, "%s is '%.40s', expected %" PRIu32 " to %" PRIu32, key, line,
		                   least, most);
	*ret = value;
	return 0;
}

static int parse_header(struct text *t, uint32_t *ret_trees, uint32_t *ret_columns, struct failure *why)
{
	uint32_t number;
	if (parse_setting(t, "forest", 1, 1, &number, why) < 0 ||
	    parse_setting(t, "n_trees", 1, FOREST_TREES_MAX, ret_trees, why) < 0 ||
	    parse_setting(t, "n_features", 1, COLUMNS_MAX, ret_columns, why) < 0 ||
	    parse_setting(t, "n_classes", CLASS_COUNT, CLASS_COUNT, &number, why) < 0)
		return -1;
	char *line;
	if (need_line(t, &line, classes_line, why) < 0)
		return -1;
	if (strcmp(line, classes_line) != 0)
		return text_failed(t, why, "expected '%s', found '%.40s'", classes_line, line);
	return 0;
}

static int parse_counts(const struct text *t, char *line, struct forest_node *node, struct failure *why)
{
	uint64_t sum = 0;
	for (int i = 0; i < CLASS_COUNT; i++) {
		const char *field = text_field(&line, ' ');
		if (!field || !text_u32(field, &node->counts[i]))
			return text_failed(t, why, "count %d is '%.40s', expected a whole number", i,
			                   field ? field : "");
		sum += node->counts[i];
	}
	if (line)
		return text_failed(t, why, "'%.40s' stands behind the last count", line);
	if (node->feature == LEAF && sum == 0)
		return text_failed(t, why, "a leaf without any training row: all counts are 0");
	return 0;
}

static int parse_child(const struct text *t, const char *field, uint32_t index, uint32_t count, uint32_t *ret,
                       struct failure *why)
{
	if (!field || !text_u32(field, ret) || *ret <= index || *ret >= count)
		return text_failed(t, why,
		                   "node %" PRIu32
		                   " has the child '%.40s', expected a node behind it, up to %" PRIu32,
		                   index, field ? field : "", count - 1);
	return 0;
}

static int parse_node(const struct text *t, char *line, uint32_t columns, uint32_t index, uint32_t count,
                      struct forest_node *node, struct failure *why)
{
	const char *feature = text_field(&line, ' ');
	const char *threshold = text_field(&line, ' ');
	const char *left = text_field(&line, ' ');
	const char *right = text_field(&line, ' ');
	uint32_t column = 0;
	if (strcmp(feature, "-1") == 0) {
		node->feature = LEAF;
		return parse_counts(t, line, node, why);
	}
	if (!text_u32(feature, &column) || column >= columns)
		return text_failed(t, why,
		                   "node %" PRIu32 " asks for feature '%.40s', expected -1 to %" PRIu32,
		                   index, feature, columns - 1);
	node->feature = (int32_t)column;
	if (!threshold || !text_double(threshold, &node->threshold))
		return text_failed(t, why, "node %" PRIu32 " has the threshold '%.40s', expected a number",
		                   index, threshold ? threshold : "");
	if (parse_child(t, left, index, count, &node->left, why) < 0 ||
	    parse_child(t, right, index, count, &node->right, why) < 0)
		return -1;
	return parse_counts(t, line, node, why);
}

/* A line "tree INDEX COUNT". */
static int parse_tree_line(struct text *t, uint32_t index, uint32_t *ret_count, struct failure *why)
{
	char *line;
	if (need_line(t, &line, "a tree", why) < 0)
		return -1;
	const char *word = text_field(&line, ' ');
	const char *number = text_field(&line, ' ');
	uint32_t found;
	if (strcmp(word, "tree") != 0 || !number || !text_u32(number, &found) || found != index)
		return text_failed(t, why,
		                   "expected 'tree %" PRIu32 "' and its number of nodes, found '%.40s %.40s'",
		                   index, word, number ? number : "");
	if (!line || !text_u32(line, ret_count) || *ret_count == 0 || *ret_count > FOREST_NODES_MAX)
		return text_failed(t, why, "tree %" PRIu32 " has '%.40s' nodes, expected 1 to %d", index,
		                   line ? line : "", FOREST_NODES_MAX);
	return 0;
}

/* The nodes' memory grows with the lines that are really there. */
static int parse_tree(struct text *t, uint32_t columns, uint32_t index, struct forest_tree *tree,
                      struct failure *why)
{
	uint32_t count;
	if (parse_tree_line(t, index, &count, why) < 0)
		return -1;
	uint32_t capacity = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (i == capacity) {
			capacity = capacity ? 2 * capacity : 512;
			capacity = capacity < count ? capacity : count;
			struct forest_node *nodes = realloc(tree->nodes, capacity * sizeof(*nodes));
			if (!nodes)
				return failed_memory(why, "a tree");
			tree->nodes = nodes;
		}
		tree->nodes[i] = (struct forest_node){0};
		char *line;
		if (need_line(t, &line, "a node", why) < 0 ||
		    parse_node(t, line, columns, i, count, &tree->nodes[i], why) < 0)
			return -1;
		tree->count = i + 1;
	}
	return 0;
}

static int parse_trees(struct text *t, struct forest *f, struct failure *why)
{
	for (uint32_t i = 0; i < f->count; i++) {
		if (parse_tree(t, f->columns, i, &f->trees[i], why) < 0)
			return -1;
	}
	char *line;
	if (text_next(t, &line, why) < 0)
		return -1;
	if (line)
		return text_failed(t, why, "'%.40s' stands behind the last tree", line);
	return 0;
}

int forest_parse(struct text *t, struct forest *ret, struct failure *why)
{
	uint32_t trees = 0;
	uint32_t columns = 0;
	struct forest f;
	if (parse_header(t, &trees, &columns, why) < 0 || forest_new(columns, trees, &f, why) < 0)
		return -1;
	if (parse_trees(t, &f, why) < 0) {
		forest_done(&f);
		return -1;
	}
	*ret = f;
	return 0;
}

int forest_read(const char *path, struct forest *ret, struct failure *why)
{
	cleanup_text struct text t = {0};
	if (text_open(path, &t, why) < 0)
		return -1;
	return forest_parse(&t, ret, why);
}

static void print_node(const struct forest_node *node, FILE *file)
{
	if (node->feature == LEAF)
		fprintf(file, "-1 0 -1 -1");
	else
		fprintf(file, "%" PRId32 " %.17g %" PRIu32 " %" PRIu32, node->feature, node->threshold,
		        node->left, node->right);
	for (int i = 0; i < CLASS_COUNT; i++)
		fprintf(file, " %" PRIu32, node->counts[i]);
	fputc('\n', file);
}

void forest_print(const struct forest *f, FILE *file)
{
	fprintf(file, "forest 1\nn_trees %" PRIu32 "\nn_features %" PRIu32 "\nn_classes %d\n%s\n", f->count,
	        f->columns, CLASS_COUNT, classes_line);
	for (uint32_t i = 0; i < f->count; i++) {
		const struct forest_tree *tree = &f->trees[i];
		fprintf(file, "tree %" PRIu32 " %" PRIu32 "\n", i, tree->count);
		for (uint32_t j = 0; j < tree->count; j++)
			print_node(&tree->nodes[j], file);
	}
}
