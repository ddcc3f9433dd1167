/*
 * The text of a SCONE session: refused with places in it, or a session that cella session check accepts, or
 * one with placeholders, which it then refuses.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/session/scone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_result(const struct scone_result *r)
{
	struct session *s = NULL;
	struct session_mistakes mistakes;
	int rc = session_parse("out", r->session.data, r->session.size, NULL, &mistakes, &s, NULL);
	demand(rc == 0 || rc == CELLA_EFORMAT);
	demand((rc == 0) == (r->placeholder_count == 0));
	session_free(s);
	size_t fill_in = 0;
	for (size_t i = 0; i < r->remark_count; i++) {
		const struct scone_remark *remark = &r->remarks[i];
		demand(remark->place.line > 0 && remark->place.column > 0 && remark->text[0]);
		demand(scone_kind_name(remark->kind)[0]);
		demand(i == 0 || r->remarks[i - 1].place.line <= remark->place.line);
		fill_in += remark->kind == SCONE_PLACEHOLDER;
	}
	demand(fill_in >= r->placeholder_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct session_mistakes mistakes;
	struct scone_result result = {0};
	struct error err;
	if (!ready)
		demand(crypto_init(NULL, NULL) == 0);
	ready = true;
	int rc = scone_convert("file", data, size, &mistakes, &result, &err);
	demand(rc == 0 || rc == CELLA_EFORMAT);
	demand((rc == 0) == (mistakes.count == 0));
	if (rc < 0)
		demand(strncmp(err.text, "file:", 5) == 0 && mistakes.items[0].line > 0 &&
		       !result.session.data);
	else
		check_result(&result);
	scone_result_done(&result);
	return 0;
}
