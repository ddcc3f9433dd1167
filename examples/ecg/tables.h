/*
 * The two CSV files that the program reads.
 *
 * Labels:    record,label[,split]      label one of N A O ~, split train or test
 *            A header line is optional (PhysioNet's REFERENCE-v3.csv has none).
 * Features:  record[,label],columns    with the header and the columns of one feature set
 *
 * No quoting: names of recordings hold no comma, quote or control character.
 */
#ifndef ECG_TABLES_H
#define ECG_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "ecg_limits.h"
#include "failure.h"
#include "feature_set.h"
#include "text.h"

enum split { SPLIT_NONE, SPLIT_TRAIN, SPLIT_TEST };

struct label {
	char record[RECORD_NAME_SIZE];
	int8_t class;
	int8_t split; /* SPLIT_NONE everywhere if the file has no such column */
};

struct labels {
	uint32_t count;
	struct label *rows;  /* in the order of the file */
	uint32_t *by_record; /* indices of rows, ordered by record */
	bool has_split;
};

/* _read opens the file and parses it; _parse leaves the text open. *ret is untouched on failure. */
int labels_read(const char *path, struct labels *ret, struct failure *why) must_check;
int labels_parse(struct text *t, struct labels *ret, struct failure *why) must_check;
void labels_done(struct labels *l);
/* NULL if the record is not there. */
const struct label *labels_find(const struct labels *l, const char *record);

struct table {
	enum feature_kind kind;
	uint32_t columns;
	uint32_t count;
	char (*records)[RECORD_NAME_SIZE];
	int8_t *classes; /* -1 everywhere if the file has no label column */
	float *values;   /* [count][columns] */
	bool has_labels;
};

int table_read(const char *path, struct table *ret, struct failure *why) must_check;
int table_parse(struct text *t, struct table *ret, struct failure *why) must_check;
void table_done(struct table *t);

/* Whether the name can stand in these files. */
bool record_name_valid(const char *name);
/* The record of a path, "A00001" of "dir/A00001.mat". */
int record_of_path(const char *path, char ret_record[RECORD_NAME_SIZE], struct failure *why) must_check;

#endif
