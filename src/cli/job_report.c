#include "cli/job_report.h"

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

static bool ends_with(const char *path, const char *ending)
{
	size_t size = strlen(path), end = strlen(ending);
	return size > end && strcmp(path + size - end, ending) == 0;
}

/* Can a file be made here? Found out before the job, not after it. */
static int check_place(const char *path, struct error *err)
{
	char directory[4096];
	if (!path)
		return 0;
	struct stat st;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return error_set(err, CELLA_EINVAL, "cannot write %s: it is a directory", path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		if (access(path, W_OK) < 0)
			return error_errno(err, CELLA_EINVAL, "cannot write %s", path);
		return 0;
	}
	const char *slash = strrchr(path, '/');
	snprintf(directory, sizeof(directory), "%.*s", slash ? (int)max_of(slash - path, 1) : 1,
	         slash ? path : ".");
	if (access(directory, W_OK) < 0)
		return error_errno(err, CELLA_EINVAL, "cannot write %s: directory %s", path, directory);
	return 0;
}

int job_outputs_check(const struct job_outputs *o, struct error *err)
{
	if (o->graph && !ends_with(o->graph, ".dot") && !ends_with(o->graph, ".svg"))
		return error_set(err, CELLA_EINVAL, "--graph %s: the file's name must end in .dot or .svg",
		                 o->graph);
	int rc = check_place(o->graph, err);
	if (rc == 0)
		rc = check_place(o->trace, err);
	return rc < 0 ? rc : check_place(o->record, err);
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

static json_t *hex_json(const void *bytes, size_t size)
{
	char hex[2 * CRYPTO_SHA384_SIZE + 1];
	io_hex(bytes, size, hex);
	return json_string(hex);
}

static json_t *isolation_json(uint32_t bits)
{
	char names[512];
	return json_string(evidence_isolation_names(bits, names, sizeof(names)));
}

/* What the owner knows itself, beside what the agent says. */
static json_t *record_json(const struct job_config *c, const struct job_result *r,
                           const struct report *report)
{
	cleanup_buf struct buf agent = {0};
	char date[32];
	time_t now = time(NULL);
	struct tm calendar;
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &calendar));
	report_record(report, &agent);
	json_t *said = json_loadb((const char *)agent.data, agent.size, 0, NULL);
	return json_pack("{ss ss ss so so so so sI si si so}", "ended", date, "memory",
	                 mem_level_name(c->memory_level), "machine", "soft", "cell",
	                 hex_json(c->bundle->identity, CRYPTO_SHA384_SIZE), "builder",
	                 hex_json(c->bundle->builder, CRYPTO_ED25519_SIZE), "isolation",
	                 isolation_json(r->isolation), "isolation_missing",
	                 isolation_json(~r->isolation & EVIDENCE_ISOLATION_ALL), "heap", (json_int_t)c->heap,
	                 "executors_started", (int)r->executors_started, "status", r->status, "agent",
	                 said ? said : json_null());
}

static int write_record(const struct job_config *c, const struct job_result *r, const struct report *report,
                        const char *path, struct error *err)
{
	json_t *record = record_json(c, r, report);
	cleanup_free char *text = record ? json_dumps(record, JSON_INDENT(1)) : NULL;
	json_decref(record);
	if (!text)
		return error_set(err, CELLA_ENOMEM, "no memory for %s", path);
	return io_write_file(path, text, strlen(text), 0644, err);
}

/* Each by itself: that one fails does not cost the others. */
static int write_outputs(const struct job_config *c, const struct job_result *r, const struct job_outputs *o,
                         const struct report *report, struct error *err)
{
	int graph = o->graph ? write_graph(report, o->graph, err) : 0;
	int trace = o->trace ? write_trace(report, o->trace, err) : 0;
	int record = o->record ? write_record(c, r, report, o->record, err) : 0;
	return graph < 0 ? graph : trace < 0 ? trace : record;
}

int job_report(const struct job_config *c, const struct job_result *r, const struct job_outputs *o,
               struct error *err)
{
	struct report *report;
	cleanup_buf struct buf log = {0};
	if (!o->graph && !o->trace && !o->record)
		return 0;
	if (r->event_log < 0 || lseek(r->event_log, 0, SEEK_SET) < 0)
		return error_set(err, CELLA_ELOST,
		                 "the agent left no log of the job: there is nothing to draw or record");
	/* Read, not mapped: the agent may still change its memory file. */
	int rc = io_read_fd(r->event_log, "the job's log", EVENT_LOG_MAX, &log, err);
	if (rc == 0)
		rc = report_new(log.data, log.size, &report, err);
	if (rc < 0)
		return rc;
	rc = write_outputs(c, r, o, report, err);
	report_free(report);
	return rc;
}
