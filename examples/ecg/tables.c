#include "tables.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"

enum { ROWS_AT_FIRST = 64 };

bool record_name_valid(const char *name)
{
	size_t size = strlen(name);
	if (size == 0 || size >= RECORD_NAME_SIZE)
		return false;
	for (const char *at = name; *at; at++) {
		if (*at == ',' || *at == '"' || (unsigned char)*at <= ' ' || *at == 0x7f)
			return false;
	}
	return true;
}

int record_of_path(const char *path, char ret_record[RECORD_NAME_SIZE], struct failure *why)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t size = strlen(base);
	if (size > 4 && strcmp(base + size - 4, ".mat") == 0)
		size -= 4;
	char record[RECORD_NAME_SIZE] = "";
	if (size < sizeof(record))
		snprintf(record, sizeof(record), "%.*s", (int)size, base);
	if (!record_name_valid(record))
		return failed(
			why,
			"%s: this cannot name a record: 1 to %d characters without comma, quote or blank",
			path, RECORD_NAME_SIZE - 1);
	memcpy(ret_record, record, sizeof(record));
	return 0;
}

/* The rows of `size` bytes with room for `count`, at a new place perhaps; NULL (and the old rows stay)
 * without memory. */
static void *resized(void *rows, uint32_t count, size_t size)
{
	size_t bytes;
	return __builtin_mul_overflow(count, size, &bytes) ? NULL : realloc(rows, bytes);
}

/* ---- labels ---- */

static int split_of(const char *field)
{
	if (strcmp(field, "train") == 0)
		return SPLIT_TRAIN;
	return strcmp(field, "test") == 0 ? SPLIT_TEST : -1;
}

static int label_parse(const struct text *t, char *line, bool has_split, struct label *ret,
                       struct failure *why)
{
	size_t fields = text_count_fields(line, ',');
	if (fields != (has_split ? 3 : 2))
		return text_failed(t, why, "%zu fields, expected record,label%s", fields,
		                   has_split ? ",split" : "");
	struct label label = {.split = SPLIT_NONE};
	const char *record = text_field(&line, ',');
	const char *class = text_field(&line, ',');
	if (!record_name_valid(record))
		return text_failed(t, why, "'%.40s' cannot name a record", record);
	label.class = (int8_t)class_of_label(class);
	if (label.class < 0)
		return text_failed(t, why, "the label is '%.40s', expected N, A, O or ~", class);
	if (has_split) {
		const char *split = text_field(&line, ',');
		label.split = (int8_t)split_of(split);
		if (label.split < 0)
			return text_failed(t, why, "the split is '%.40s', expected train or test", split);
	}
	memcpy(label.record, record, strlen(record));
	*ret = label;
	return 0;
}

static int labels_parse_rows(struct text *t, struct labels *l, struct failure *why)
{
	uint32_t capacity = 0;
	char *line;
	for (;;) {
		if (text_next(t, &line, why) < 0)
			return -1;
		if (!line)
			return 0;
		if (t->line == 1) {
			l->has_split = text_count_fields(line, ',') == 3;
			if (strcmp(line, l->has_split ? "record,label,split" : "record,label") == 0)
				continue;
		}
		if (l->count == TABLE_ROWS_MAX)
			return text_failed(t, why, "more than %d records", TABLE_ROWS_MAX);
		if (l->count == capacity) {
			capacity = capacity ? 2 * capacity : ROWS_AT_FIRST;
			struct label *rows = resized(l->rows, capacity, sizeof(*rows));
			if (!rows)
				return failed_memory(why, "the labels");
			l->rows = rows;
		}
		if (label_parse(t, line, l->has_split, &l->rows[l->count], why) < 0)
			return -1;
		l->count++;
	}
}

struct label_key {
	const char *record;
	uint32_t index;
};

static int compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct label_key *)a)->record, ((const struct label_key *)b)->record);
}

static int labels_order(struct labels *l, const char *name, struct failure *why)
{
	cleanup_free struct label_key *keys = malloc((l->count + 1) * sizeof(*keys));
	l->by_record = malloc((l->count + 1) * sizeof(*l->by_record));
	if (!keys || !l->by_record)
		return failed_memory(why, "the labels");
	for (uint32_t i = 0; i < l->count; i++)
		keys[i] = (struct label_key){l->rows[i].record, i};
	qsort(keys, l->count, sizeof(*keys), compare_keys);
	for (uint32_t i = 0; i < l->count; i++) {
		if (i > 0 && compare_keys(&keys[i - 1], &keys[i]) == 0)
			return failed(why, "%s: record %s stands there twice", name, keys[i].record);
		l->by_record[i] = keys[i].index;
	}
	return 0;
}

int labels_parse(struct text *t, struct labels *ret, struct failure *why)
{
	struct labels l = {0};
	int rc = labels_parse_rows(t, &l, why);
	if (rc == 0 && l.count == 0)
		rc = failed(why, "%s: no record stands there; expected lines record,label,split", t->name);
	if (rc == 0)
		rc = labels_order(&l, t->name, why);
	if (rc < 0) {
		labels_done(&l);
		return -1;
	}
	*ret = l;
	return 0;
}

int labels_read(const char *path, struct labels *ret, struct failure *why)
{
	cleanup_text struct text t = {0};
	if (text_open(path, &t, why) < 0)
		return -1;
	return labels_parse(&t, ret, why);
}

void labels_done(struct labels *l)
{
	free(l->rows);
	free(l->by_record);
	*l = (struct labels){0};
}

const struct label *labels_find(const struct labels *l, const char *record)
{
	uint32_t low = 0;
	uint32_t high = l->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct label *row = &l->rows[l->by_record[middle]];
		int order = strcmp(record, row->record);
		if (order == 0)
			return row;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* ---- features ---- */

static int table_parse_header(struct text *t, struct table *table, struct failure *why)
{
	char *line;
	if (text_next(t, &line, why) < 0)
		return -1;
	if (!line)
		return failed(why, "%s: the file is empty; expected a header record,label,... and rows",
		              t->name);
	size_t fields = text_count_fields(line, ',');
	const char *first = text_field(&line, ',');
	if (strcmp(first, "record") != 0)
		return text_failed(t, why,
		                   "the first column is '%.40s', expected a header that begins with 'record'",
		                   first);
	table->has_labels = line && strncmp(line, "label,", 6) == 0;
	if (table->has_labels)
		text_field(&line, ',');
	size_t columns = fields - (table->has_labels ? 2 : 1);
	table->kind = columns <= COLUMNS_MAX ? feature_kind_of_columns((uint32_t)columns) : FEATURE_KINDS;
	if (table->kind == FEATURE_KINDS)
		return text_failed(t, why,
		                   "%zu columns of features, expected %d (compact) or %d (spectrogram)",
		                   columns, COMPACT_COLUMNS, SPECTROGRAM_COLUMNS);
	table->columns = (uint32_t)columns;
	for (uint32_t i = 0; i < table->columns; i++) {
		char name[FEATURE_NAME_SIZE];
		feature_name(table->kind, i, name);
		const char *field = text_field(&line, ',');
		if (strcmp(field, name) != 0)
			return text_failed(t, why, "feature %" PRIu32 " is '%.40s', expected '%s'", i + 1,
			                   field, name);
	}
	return 0;
}

static int table_resize(struct table *table, uint32_t capacity)
{
	void *records = resized(table->records, capacity, sizeof(table->records[0]));
	table->records = records ? records : table->records;
	void *classes = resized(table->classes, capacity, sizeof(table->classes[0]));
	table->classes = classes ? classes : table->classes;
	void *values = resized(table->values, capacity, table->columns * sizeof(table->values[0]));
	table->values = values ? values : table->values;
	return records && classes && values ? 0 : -1;
}

static int table_parse_row(const struct text *t, char *line, struct table *table, struct failure *why)
{
	size_t fields = text_count_fields(line, ',');
	size_t expected = table->columns + (table->has_labels ? 2 : 1);
	if (fields != expected)
		return text_failed(t, why, "%zu fields, expected %zu as in the header", fields, expected);
	const char *record = text_field(&line, ',');
	if (!record_name_valid(record))
		return text_failed(t, why, "'%.40s' cannot name a record", record);
	int class = -1;
	if (table->has_labels) {
		const char *label = text_field(&line, ',');
		class = class_of_label(label);
		if (class < 0)
			return text_failed(t, why, "the label is '%.40s', expected N, A, O or ~", label);
	}
	float *row = table->values + (size_t)table->count * table->columns;
	for (uint32_t i = 0; i < table->columns; i++) {
		const char *field = text_field(&line, ',');
		if (!text_float(field, &row[i]))
			return text_failed(t, why, "feature %" PRIu32 " is '%.40s', expected a number", i + 1,
			                   field);
	}
	memset(table->records[table->count], 0, RECORD_NAME_SIZE);
	memcpy(table->records[table->count], record, strlen(record));
	table->classes[table->count] = (int8_t)class;
	table->count++;
	return 0;
}

static int table_parse_rows(struct text *t, struct table *table, struct failure *why)
{
	uint32_t capacity = 0;
	char *line;
	for (;;) {
		if (text_next(t, &line, why) < 0)
			return -1;
		if (!line)
			return 0;
		if (table->count == TABLE_ROWS_MAX)
			return text_failed(t, why, "more than %d records", TABLE_ROWS_MAX);
		if (table->count == capacity) {
			capacity = capacity ? 2 * capacity : ROWS_AT_FIRST;
			if (table_resize(table, capacity) < 0)
				return failed_memory(why, "the table of features");
		}
		if (table_parse_row(t, line, table, why) < 0)
			return -1;
	}
}

int table_parse(struct text *t, struct table *ret, struct failure *why)
{
	struct table table = {0};
	int rc = table_parse_header(t, &table, why);
	if (rc == 0)
		rc = table_parse_rows(t, &table, why);
	if (rc == 0 && table.count == 0)
		rc = failed(why, "%s: no record stands behind the header", t->name);
	if (rc < 0) {
		table_done(&table);
		return -1;
	}
	*ret = table;
	return 0;
}

int table_read(const char *path, struct table *ret, struct failure *why)
{
	cleanup_text struct text t = {0};
	if (text_open(path, &t, why) < 0)
		return -1;
	return table_parse(&t, ret, why);
}

void table_done(struct table *t)
{
	free(t->records);
	free(t->classes);
	free(t->values);
	*t = (struct table){0};
}
