/* ecg synth: synthetic recordings and their labels. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "classes.h"
#include "mat.h"
#include "synth.h"
#include "verbs.h"

static int write_recordings(const struct options *options, FILE *labels, struct failure *why)
{
	cleanup_free struct synth *s = malloc(sizeof(*s));
	if (!s)
		return failed_memory(why, "a recording");
	fprintf(labels, "record,label,split\n");
	for (uint32_t number = 1; number <= options->count; number++) {
		char path[4096];
		synth_make(options->seed, number, s);
		int size = snprintf(path, sizeof(path), "%s/%s.mat", options->dir, s->label.record);
		if (size >= (int)sizeof(path))
			return failed(why, "the path of --dir is too long");
		if (mat_write(path, s->samples, s->count, why) < 0)
			return -1;
		fprintf(labels, "%s,%c,%s\n", s->label.record, CLASS_LETTERS[s->label.class],
		        s->label.split == SPLIT_TRAIN ? "train" : "test");
	}
	return 0;
}

int verb_synth(const struct options *options, struct failure *why)
{
	char path[4096];
	int size = snprintf(path, sizeof(path), "%s/labels.csv", options->dir);
	if (size >= (int)sizeof(path))
		return failed(why, "the path of --dir is too long");
	FILE *labels = fopen(path, "wb");
	if (!labels)
		return failed_errno(why, "%s: cannot create the labels", path);
	int rc = write_recordings(options, labels, why);
	bool bad = ferror(labels);
	if ((fclose(labels) != 0 || bad) && rc == 0)
		return failed_errno(why, "%s: cannot write the labels", path);
	return rc;
}
