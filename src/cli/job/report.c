#include "cli/job/report.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/event_format.h"
#include "agent/report.h"
#include "attest/evidence_format.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cli/place.h"

static bool ends_with(const char *path, const char *ending)
{
	size_t size = strlen(path), end = strlen(ending);
	return size > end && strcmp(path + size - end, ending) == 0;
}

int job_outputs_check(const struct job_outputs *o, struct error *err)
{
	if (o->graph && !ends_with(o->graph, ".dot") && !ends_with(o->graph, ".svg"))
		return error_set(err, CELLA_EINVAL, "--graph %s: the file's name must end in .dot or .svg",
		                 o->graph);
	int rc = place_check(o->graph, err);
	if (rc == 0)
		rc = place_check(o->trace, err);
	return rc < 0 ? rc : place_check(o->record, err);
}

static int clear_place(const char *path, struct error *err)
{
	struct stat st;
	if (!path || lstat(path, &st) < 0 || S_ISLNK(st.st_mode) || !S_ISREG(st.st_mode))
		return 0;
	return unlink(path) < 0 ? error_errno(err, CELLA_EIO, "cannot replace %s", path) : 0;
}

int job_outputs_clear(const struct job_outputs *o, struct error *err)
{
	int rc = clear_place(o->graph, err);
	if (rc == 0)
		rc = clear_place(o->trace, err);
	return rc < 0 ? rc : clear_place(o->record, err);
}

static int write_buf(const char *path, const struct buf *b, struct error *err)
{
	if (b->failed)
		return error_set(err, CELLA_ENOMEM, "no memory for %s", path);
	return io_write_file(path, b->data, b->size, 0644, err);
}

static int write_graph(const struct report *report, const char *path, struct error *err)
{
	cleanup_buf struct buf b = {0};
	int rc = 0;
	if (ends_with(path, ".svg"))
		rc = report_svg(report, &b, err);
	else
		report_dot(report, &b);
	return rc < 0 ? rc : write_buf(path, &b, err);
}

static int write_trace(const struct report *report, const char *path, struct error *err)
{
	cleanup_buf struct buf b = {0};
	report_trace(report, &b);
	return write_buf(path, &b, err);
}

/* null for what is not known, whose bytes are all zero. */
static json_t *hex_json(const void *bytes, size_t size)
{
	static const uint8_t unknown[CRYPTO_SHA384_SIZE];
	char hex[2 * CRYPTO_SHA384_SIZE + 1];
	if (!bytes || crypto_equal(bytes, unknown, size))
		return json_null();
	io_hex(bytes, size, hex);
	return json_string(hex);
}

/* A path in an error's text may be no UTF-8, which JSON is. */
static json_t *text_json(const char *text)
{
	char ascii[sizeof(((struct error *)0)->text)];
	json_t *string = *text ? json_string(text) : json_null();
	if (string)
		return string;
	snprintf(ascii, sizeof(ascii), "%s", text);
	for (char *c = ascii; *c; c++)
		*c = (char)(*c & 0x80 ? '?' : *c);
	return json_string(ascii);
}

/* Names of the bits that evidence stated of every executor; null where there was none. */
static json_t *names_json(const struct job_result *r, uint32_t bits,
                          const char *(*names_of)(uint32_t bits, char *to, size_t size))
{
	char names[512];
	return r->executors_started ? json_string(names_of(bits, names, sizeof(names))) : json_null();
}

/* What the agent says, as JSON; null without its log. */
static json_t *agent_json(const struct report *report)
{
	cleanup_buf struct buf text = {0};
	if (!report)
		return json_null();
	report_record(report, &text);
	json_t *said = json_loadb((const char *)text.data, text.size, 0, NULL);
	return said ? said : json_null();
}

/* What the owner knows itself, beside what the agent says. */
static json_t *record_json(const struct job_config *c, const struct job_result *r, const char *error,
                           const struct report *report)
{
	char date[32];
	time_t now = time(NULL);
	struct tm calendar;
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &calendar));
	return json_pack("{ss si so ss ss so so so so so so so so so sI sI si so}", "ended", date, "status",
	                 r->status, "error", text_json(error), "memory", c->memory, "machine",
	                 c->grants ? c->grants->machine : "soft", "cell",
	                 hex_json(c->bundle ? c->bundle->identity : NULL, CRYPTO_SHA384_SIZE), "builder",
	                 hex_json(c->artifact ? c->artifact->builder : NULL, CRYPTO_ED25519_SIZE), "target",
	                 text_json(c->artifact ? c->artifact->target : ""), "launcher",
	                 hex_json(r->launcher, sizeof(r->launcher)), "executor",
	                 hex_json(r->executor, sizeof(r->executor)), "isolation",
	                 names_json(r, r->isolation, evidence_isolation_names), "isolation_missing",
	                 names_json(r, ~r->isolation & EVIDENCE_ISOLATION_ALL, evidence_isolation_names),
	                 "kernel", text_json(r->kernel), "host", names_json(r, r->host, evidence_host_names),
	                 "heap", (json_int_t)c->heap, "window", (json_int_t)c->window, "executors_started",
	                 (int)r->executors_started, "agent", agent_json(report));
}

static int write_record(const struct job_config *c, const struct job_result *r, const char *error,
                        const struct report *report, const char *path, struct error *err)
{
	json_t *record = record_json(c, r, error, report);
	cleanup_free char *text = record ? json_dumps(record, JSON_INDENT(1)) : NULL;
	json_decref(record);
	if (!text)
		return error_set(err, CELLA_ENOMEM, "no memory for %s", path);
	return io_write_file(path, text, strlen(text), 0644, err);
}

/* The agent may still change its memory file: it is read, not mapped. */
static int read_log(int fd, struct buf *log, struct report **ret_report, struct error *err)
{
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return error_set(
			err, CELLA_ELOST,
			"the agent left no log of the job: there is no graph, trace or account of tasks");
	int rc = io_read_fd(fd, "the job's log", EVENT_LOG_MAX, log, err);
	return rc < 0 ? rc : report_new(log->data, log->size, ret_report, err);
}

/* Each by itself: that one fails does not cost the others. */
int job_report(const struct job_config *c, const struct job_result *r, const struct job_outputs *o,
               const char *error, struct error *err)
{
	struct report *report = NULL;
	struct error why;
	cleanup_buf struct buf log = {0};
	int graph = 0, trace = 0, record = 0;
	if (!o->graph && !o->trace && !o->record)
		return 0;
	int rc = read_log(r->event_log, &log, &report, &why);
	if (rc == 0 && o->graph)
		graph = write_graph(report, o->graph, err);
	if (rc == 0 && o->trace)
		trace = write_trace(report, o->trace, err);
	if (o->record)
		record = write_record(c, r, error, report, o->record, err);
	report_free(report);
	if (rc < 0 && !*error) /* a job that failed needs no other reason */
		return error_set(err, rc, "%s", why.text);
	return graph < 0 ? graph : trace < 0 ? trace : record;
}
