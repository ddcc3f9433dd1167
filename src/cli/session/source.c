#include "cli/session/source.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/verb.h"

enum { READ_SIZE = 65536 };

static json_t *describe(const struct session_mistakes *m)
{
	json_t *list = json_array();
	for (size_t i = 0; i < min_of(m->count, (size_t)SESSION_MISTAKES_MAX); i++)
		json_array_append_new(list, json_pack("{s:I, s:I, s:s}", "line", (json_int_t)m->items[i].line,
		                                      "column", (json_int_t)m->items[i].column, "text",
		                                      m->items[i].text));
	return json_pack("{s:b, s:I, s:o}", "valid", 0, "mistake_count", (json_int_t)m->count, "mistakes",
	                 list);
}

int session_mistakes_tell(const char *file, const struct session_mistakes *m, bool json, struct error *err)
{
	if (json) {
		int rc = verb_print_json(describe(m), err);
		return rc < 0 ? rc : SESSION_TOLD;
	}
	for (size_t i = 0; i < min_of(m->count, (size_t)SESSION_MISTAKES_MAX); i++)
		fprintf(stderr, "%s:%u:%u: %s\n", file, m->items[i].line, m->items[i].column,
		        m->items[i].text);
	if (m->count > SESSION_MISTAKES_MAX)
		fprintf(stderr, "%s: and %zu more mistakes\n", file, m->count - SESSION_MISTAKES_MAX);
	return SESSION_TOLD;
}

int session_source_read(const char *file, size_t most, struct session_text *ret, struct error *err)
{
	cleanup_close int opened = -1;
	bool standard = strcmp(file, "-") == 0;
	if (!standard && (opened = open(file, O_RDONLY | O_CLOEXEC)) < 0)
		return error_errno(err, CELLA_EIO, "cannot open %s", file);
	uint8_t part[READ_SIZE];
	ssize_t got;
	do {
		got = read(standard ? STDIN_FILENO : opened, part, sizeof(part));
		if (got > 0)
			session_text_put(ret, part, (size_t)got);
	} while ((got > 0 && ret->size <= most) || (got < 0 && errno == EINTR));
	int rc = got < 0       ? error_errno(err, CELLA_EIO, "cannot read %s", file)
	         : ret->failed ? error_set(err, CELLA_ENOMEM, "no memory to read %s", file)
	                       : 0;
	mem_wipe(part, sizeof(part));
	return rc;
}

int session_source_open(const char *file, bool json, struct session_source *ret, struct error *err)
{
	struct session_mistakes mistakes = {0};
	int rc = session_source_read(file, SESSION_TEXT_MAX, &ret->text, err);
	if (rc < 0)
		return rc;
	rc = session_parse(file, ret->text.data, ret->text.size, NULL, &mistakes, &ret->session, err);
	if (rc < 0 && mistakes.count)
		return session_mistakes_tell(file, &mistakes, json, err);
	return rc < 0 ? rc : session_hash(ret->session, ret->hash, err);
}

void session_source_done(struct session_source *source)
{
	session_free(source->session);
	session_text_done(&source->text);
}
