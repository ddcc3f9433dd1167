/* ecg predict: the probabilities of the classes for each recording. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "predict.h"
#include "verbs.h"

struct prediction {
	const struct options *options;
	struct predictor predictor;
	struct requests requests; /* by the batch's slot */
	struct tally tally;
	uint64_t start_ns;   /* when the verb began */
	uint64_t *answer_ns; /* [repeat]: how long each answer took; the first from start_ns on */
	struct timespec first_answer;
};

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void prediction_done(struct prediction *p)
{
	requests_done(&p->requests);
	free(p->answer_ns);
	predictor_done(&p->predictor);
}

static int submit_request(void *context, const struct batch *batch, struct failure *why)
{
	struct prediction *p = context;
	(void)why;
	request_submit(&p->predictor, &p->requests.each[batch->slot], batch->rows, batch->count);
	return 0;
}

/* Answer the same request again and again; the first answer is there. */
static int repeat_request(struct prediction *p, const struct batch *batch, struct failure *why)
{
	struct request *request = &p->requests.each[batch->slot];
	p->answer_ns[0] = now_ns() - p->start_ns;
	clock_gettime(CLOCK_REALTIME, &p->first_answer);
	for (uint32_t i = 1; i < p->options->repeat; i++) {
		uint64_t start = now_ns();
		request_submit(&p->predictor, request, batch->rows, batch->count);
		if (request_wait(request, why) < 0)
			return -1;
		p->answer_ns[i] = now_ns() - start;
	}
	return 0;
}

static int print_answers(void *context, const struct batch *batch, struct failure *why)
{
	struct prediction *p = context;
	const struct request *request = &p->requests.each[batch->slot];
	if (request_wait(&p->requests.each[batch->slot], why) < 0)
		return -1;
	if (p->answer_ns && repeat_request(p, batch, why) < 0)
		return -1;
	for (uint32_t i = 0; i < batch->count; i++) {
		if (!tally_add(&p->tally, &batch->outcomes[i], false))
			continue;
		print_record(p->options->files[batch->first + i]);
		for (int k = 0; k < CLASS_COUNT; k++)
			printf(",%.17g", request->votes[i][k]);
		putchar('\n');
	}
	return 0;
}

static int prediction_init(struct prediction *p, enum feature_kind kind, struct failure *why)
{
	uint32_t recordings = p->options->file_count;
	if (p->options->repeat > 0) {
		p->answer_ns = calloc(p->options->repeat, sizeof(*p->answer_ns));
		if (!p->answer_ns)
			return failed_memory(why, "the timings");
	}
	return requests_init(&p->predictor, batches_under_way(kind, recordings), batch_rows(kind, recordings),
	                     &p->requests, why);
}

/* One JSON object; times in ms, the first from the verb's begin on, forest and features included. */
static void print_timings(const struct prediction *p, FILE *file)
{
	uint32_t count = p->options->repeat;
	uint64_t rest = 0;
	for (uint32_t i = 1; i < count; i++)
		rest += p->answer_ns[i];
	fprintf(file, "{\"requests\": %" PRIu32 ", \"tasks\": %" PRIu32 ", \"first_ms\": %.6f", count,
	        request_tasks(&p->predictor), (double)p->answer_ns[0] / 1e6);
	if (count > 1)
		fprintf(file, ", \"mean_rest_ms\": %.6f", (double)rest / 1e6 / (count - 1));
	fprintf(file, ", \"first_answer_unix\": %lld.%09ld, \"all_ms\": [", (long long)p->first_answer.tv_sec,
	        (long)p->first_answer.tv_nsec);
	for (uint32_t i = 0; i < count; i++)
		fprintf(file, "%s%.6f", i > 0 ? ", " : "", (double)p->answer_ns[i] / 1e6);
	fprintf(file, "]}\n");
}

static int write_timings(const struct prediction *p, struct failure *why)
{
	const char *path = p->options->timings;
	if (!path) {
		print_timings(p, stderr);
		return 0;
	}
	FILE *file = fopen(path, "wb");
	if (!file)
		return failed_errno(why, "%s: cannot create the timings", path);
	print_timings(p, file);
	if (fclose(file) != 0)
		return failed_errno(why, "%s: cannot write the timings", path);
	return 0;
}

int verb_predict(const struct options *options, struct failure *why)
{
	struct prediction p
		__attribute__((cleanup(prediction_done))) = {.options = options, .start_ns = now_ns()};
	enum feature_kind kind;
	if (check_records(options, why) < 0 || load_forest(options, &p.predictor, &kind, why) < 0 ||
	    prediction_init(&p, kind, why) < 0)
		return -1;
	const struct batch_user user = {.submitted = submit_request,
	                                .finished = print_answers,
	                                .context = &p};
	puts("record,pN,pA,pO,pNoise");
	if (extract(kind, options->files, options->file_count, &user, why) < 0 ||
	    tally_check(&p.tally, why) < 0)
		return -1;
	return p.answer_ns ? write_timings(&p, why) : 0;
}
