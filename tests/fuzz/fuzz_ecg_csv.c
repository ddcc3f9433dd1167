/* CSV files: the first byte chooses labels or features; every record of accepted labels is found again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_labels(struct text *t)
{
	struct failure why;
	struct labels labels;
	if (labels_parse(t, &labels, &why) < 0)
		return;
	for (uint32_t i = 0; i < labels.count; i++) {
		if (labels_find(&labels, labels.rows[i].record) != &labels.rows[i])
			abort();
	}
	labels_done(&labels);
}

static void read_features(struct text *t)
{
	struct failure why;
	struct table table;
	if (table_parse(t, &table, &why) < 0)
		return;
	for (size_t i = 0; i < (size_t)table.count * table.columns; i++) {
		if (!isfinite(table.values[i]))
			abort();
	}
	table_done(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct text t = text_of_file(fmemopen((void *)(uintptr_t)(data + 1), size - 1, "rb"), "fuzz");
	if (data[0] == 'L')
		read_labels(&t);
	else
		read_features(&t);
	text_close(&t);
	return 0;
}
