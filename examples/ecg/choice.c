#include "choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int choice_init(struct choice *c, uint32_t capacity, struct failure *why)
{
	c->classes = calloc(capacity, sizeof(*c->classes));
	c->rows = calloc(capacity, sizeof(*c->rows));
	c->paths = calloc(capacity, sizeof(*c->paths));
	return c->classes && c->rows && c->paths ? 0 : failed_memory(why, "the choice of records");
}

void choice_done(struct choice *c)
{
	for (uint32_t i = 0; c->paths && i < c->count; i++)
		free(c->paths[i]);
	free(c->classes);
	free(c->rows);
	free(c->paths);
	*c = (struct choice){0};
}

static const char *split_name(enum split split)
{
	return split == SPLIT_TRAIN ? "train" : "test";
}

static int choice_add_recording(struct choice *c, const struct label *label, const char *dir,
                                struct failure *why)
{
	size_t size = strlen(dir) + strlen(label->record) + sizeof("/.mat");
	char *path = malloc(size);
	if (!path)
		return failed_memory(why, "the choice of records");
	snprintf(path, size, "%s/%s.mat", dir, label->record);
	c->classes[c->count] = (uint8_t)label->class;
	c->paths[c->count++] = path;
	return 0;
}

int choose_recordings(const struct labels *labels, enum split split, const char *dir, struct choice *ret,
                      struct failure *why)
{
	struct choice c __attribute__((cleanup(choice_done))) = {0};
	if (choice_init(&c, labels->count, why) < 0)
		return -1;
	for (uint32_t i = 0; i < labels->count; i++) {
		const struct label *label = &labels->rows[i];
		if (labels->has_split && split != SPLIT_NONE && label->split != (int)split)
			continue;
		if (choice_add_recording(&c, label, dir, why) < 0)
			return -1;
	}
	if (c.count == 0)
		return failed(why, "the labels assign no record to the %s split", split_name(split));
	*ret = c;
	c = (struct choice){0};
	return 0;
}

/* The class of the table's row, or -1 if it does not belong to the split. */
static int class_of_row(const struct table *table, uint32_t row, const struct labels *labels,
                        enum split split)
{
	if (!labels)
		return table->classes[row];
	const struct label *label = labels_find(labels, table->records[row]);
	if (!label)
		return split == SPLIT_TEST ? -1 : table->classes[row];
	if (labels->has_split && split != SPLIT_NONE && label->split != (int)split)
		return -1;
	return label->class;
}

int choose_rows(const struct table *table, const struct labels *labels, enum split split, struct choice *ret,
                struct failure *why)
{
	struct choice c __attribute__((cleanup(choice_done))) = {0};
	if (!labels && !table->has_labels)
		return failed(why, "the features have no label column; name the labels with --labels FILE");
	if (choice_init(&c, table->count, why) < 0)
		return -1;
	for (uint32_t row = 0; row < table->count; row++) {
		int class = class_of_row(table, row, labels, split);
		if (class < 0)
			continue;
		c.classes[c.count] = (uint8_t)class;
		c.rows[c.count++] = row;
	}
	if (c.count == 0)
		return failed(why, "no row of the features is labelled and belongs to the %s split",
		              split_name(split));
	*ret = c;
	c = (struct choice){0};
	return 0;
}
