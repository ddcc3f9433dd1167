#include "extract.h"

#include <cella/task.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sizes.h"

static int extract_one(struct extractor *e, const char *path, float *row, struct failure *why)
{
	struct recording recording;
	if (mat_read(path, &recording, why) < 0)
		return -1;
	int rc = extractor_run(e, &recording, path, row, why);
	recording_done(&recording);
	return rc;
}

/* `paths` holds `count` strings, each with its end. */
CELLA_TASK(extract_features, CELLA_VALUE(uint32_t, kind), CELLA_VALUE(uint32_t, count),
           CELLA_VALUE(uint32_t, paths_size), CELLA_COPY(const char, paths, paths_size),
           CELLA_OUT(float, rows, values_count_of_kind(count, kind)),
           CELLA_OUT(struct outcome, outcomes, count))
{
	struct extractor *extractor;
	struct failure why;
	if (extractor_new((enum feature_kind)kind, &extractor, &why) < 0)
		cella_fail("%s", why.text);
	uint32_t columns = feature_columns((enum feature_kind)kind);
	const char *path = paths;
	for (uint32_t i = 0; i < count && path < paths + paths_size; i++) {
		float *row = rows + values_count(i, columns);
		outcomes[i].code = OUTCOME_GOOD;
		if (extract_one(extractor, path, row, &why) < 0) {
			memset(row, 0, columns * sizeof(*row));
			outcomes[i].code = why.code == ENOENT ? OUTCOME_MISSING : OUTCOME_BAD;
			memcpy(outcomes[i].text, why.text, sizeof(outcomes[i].text));
		}
		path += strlen(path) + 1;
	}
	extractor_free(extractor);
}

uint32_t batch_rows(enum feature_kind kind, uint32_t recordings)
{
	uint32_t most = kind == FEATURES_COMPACT ? BATCH_ROWS_COMPACT : BATCH_ROWS_SPECTROGRAM;
	uint32_t parts = tasks_under_way(BATCHES_PER_EXECUTOR);
	uint32_t fair = (recordings + parts - 1) / parts;
	return fair < most ? fair : most;
}

uint32_t batches_under_way(enum feature_kind kind, uint32_t recordings)
{
	uint32_t rows = batch_rows(kind, recordings);
	uint32_t batches = (recordings + rows - 1) / rows;
	uint32_t parts = tasks_under_way(BATCHES_PER_EXECUTOR);
	return batches < parts ? batches : parts;
}

struct pipeline {
	enum feature_kind kind;
	const char *const *paths;
	uint32_t path_count;
	uint32_t batch_count;
	uint32_t slot_count;
	struct batch *slots;
	const struct batch_user *user;
};

static void pipeline_done(struct pipeline *p)
{
	for (uint32_t i = 0; p->slots && i < p->slot_count; i++) {
		free(p->slots[i].rows);
		free(p->slots[i].outcomes);
	}
	free(p->slots);
}

static int pipeline_init(struct pipeline *p, struct failure *why)
{
	uint32_t rows = batch_rows(p->kind, p->path_count);
	p->batch_count = (p->path_count + rows - 1) / rows;
	p->slot_count = batches_under_way(p->kind, p->path_count);
	p->slots = calloc(p->slot_count, sizeof(*p->slots));
	bool ok = p->slots;
	for (uint32_t i = 0; ok && i < p->slot_count; i++) {
		p->slots[i].slot = i;
		p->slots[i].rows = calloc((size_t)rows * feature_columns(p->kind), sizeof(float));
		p->slots[i].outcomes = calloc(rows, sizeof(struct outcome));
		ok = p->slots[i].rows && p->slots[i].outcomes;
	}
	return ok ? 0 : failed_memory(why, "the recordings' features");
}

static struct batch *batch_of(const struct pipeline *p, uint32_t index)
{
	return &p->slots[p->slot_count > 1 ? index % p->slot_count : 0];
}

/* The paths, each with its end, in one piece; NULL without memory. */
static char *join_paths(const char *const *paths, uint32_t count, uint32_t *ret_size)
{
	size_t size = 0;
	for (uint32_t i = 0; i < count; i++)
		size += strlen(paths[i]) + 1;
	char *joined = size < UINT32_MAX ? malloc(size + 1) : NULL;
	if (!joined)
		return NULL;
	char *at = joined;
	for (uint32_t i = 0; i < count; i++) {
		size_t one = strlen(paths[i]) + 1;
		memcpy(at, paths[i], one);
		at += one;
	}
	*ret_size = (uint32_t)size;
	return joined;
}

static int batch_submit(struct pipeline *p, uint32_t index, struct failure *why)
{
	struct batch *batch = batch_of(p, index);
	uint32_t rows = batch_rows(p->kind, p->path_count);
	batch->first = index * rows;
	batch->count = p->path_count - batch->first < rows ? p->path_count - batch->first : rows;

	uint32_t size = 0;
	cleanup_free char *paths = join_paths(p->paths + batch->first, batch->count, &size);
	if (!paths)
		return failed_memory(why, "the recordings' paths");
	extract_features(p->kind, batch->count, size, paths, batch->rows, batch->outcomes);
	return p->user->submitted ? p->user->submitted(p->user->context, batch, why) : 0;
}

static int batch_finish(struct pipeline *p, uint32_t index, struct failure *why)
{
	struct batch *batch = batch_of(p, index);
	if (cella_wait_on(batch->outcomes) != 0)
		return failed(why,
		              "the features of %s and the %" PRIu32 " recordings behind it were cancelled",
		              p->paths[batch->first], batch->count - 1);
	int rc = p->user->finished(p->user->context, batch, why);
	cella_forget(batch->rows);
	cella_forget(batch->outcomes);
	return rc;
}

int extract(enum feature_kind kind, const char *const *paths, uint32_t count, const struct batch_user *user,
            struct failure *why)
{
	struct pipeline p __attribute__((cleanup(pipeline_done))) = {
		.kind = kind,
		.paths = paths,
		.path_count = count,
		.user = user,
	};
	if (count == 0)
		return 0;
	if (pipeline_init(&p, why) < 0)
		return -1;
	for (uint32_t i = 0; i < p.batch_count + p.slot_count; i++) {
		if (i >= p.slot_count && batch_finish(&p, i - p.slot_count, why) < 0)
			return -1;
		if (i < p.batch_count && batch_submit(&p, i, why) < 0)
			return -1;
	}
	return 0;
}
