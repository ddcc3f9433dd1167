/* cella session import-scone: a session of SCONE's as one of ours, with remarks. */
#include <jansson.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/session/remote.h"
#include "cli/session/scone.h"
#include "cli/session/source.h"
#include "cli/verb.h"

static json_t *describe(const struct scone_result *r)
{
	json_t *remarks = json_array();
	for (size_t i = 0; i < r->remark_count; i++)
		json_array_append_new(remarks, json_pack("{s:I, s:I, s:s, s:s}", "line",
		                                         (json_int_t)r->remarks[i].place.line, "column",
		                                         (json_int_t)r->remarks[i].place.column, "kind",
		                                         scone_kind_name(r->remarks[i].kind), "text",
		                                         r->remarks[i].text));
	return json_pack("{s:s%, s:I, s:o}", "session", (const char *)r->session.data, r->session.size,
	                 "placeholders", (json_int_t)r->placeholder_count, "remarks", remarks);
}

static void print(const char *file, const struct scone_result *r)
{
	for (size_t i = 0; i < r->remark_count; i++)
		fprintf(stderr, "%s:%u:%u: %s: %s\n", file, r->remarks[i].place.line,
		        r->remarks[i].place.column, scone_kind_name(r->remarks[i].kind), r->remarks[i].text);
	if (r->placeholder_count)
		fprintf(stderr, "%s: %zu placeholder%s to fill in: what stands between < and >\n", file,
		        r->placeholder_count, r->placeholder_count == 1 ? "" : "s");
	fwrite(r->session.data, 1, r->session.size, stdout);
}

int session_import_scone_command(const struct session_remote *c, struct error *err)
{
	const char *file = c->operands[0];
	struct session_mistakes mistakes = {0};
	struct scone_result result = {0};
	cleanup_session_text struct session_text text = {0};
	int rc = crypto_init(NULL, err);
	if (rc == 0)
		rc = session_source_read(file, SESSION_TEXT_MAX, &text, err);
	if (rc == 0)
		rc = scone_convert(file, text.data, text.size, &mistakes, &result, err);
	if (rc < 0 && mistakes.count)
		rc = session_mistakes_tell(file, &mistakes, c->json, err);
	else if (rc == 0 && c->json)
		rc = verb_print_json(describe(&result), err);
	else if (rc == 0)
		print(file, &result);
	scone_result_done(&result);
	return rc;
}
