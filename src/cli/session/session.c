/* cella session: sessions say what may run where, and what it gets (docs/reference/session.md). */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/nearest.h"
#include "cas/session/session.h"
#include "cli/session/remote.h"
#include "cli/session/source.h"
#include "cli/verbs.h"

struct session_options {
	const char *volume_key, *volume_root, *action, *hash, *keep;
	struct option_list signatures;
	uint64_t after;
	bool sign, take_over, json;
};

static const struct option session_table[] = {
	{"--volume-key", NULL, OPTION_TEXT, "FILE", "volume: its key file; default: VOL.key",
         option_field(session_options, volume_key)},
	{"--volume-root", NULL, OPTION_TEXT, "FILE", "volume: its root file; default: VOL.root",
         option_field(session_options, volume_root)},
	{"--keep", NULL, OPTION_TEXT, "mine|cas",
         "volume: where a job and its owner have both written, whose commits count; the others are lost",
         option_field(session_options, keep)},
	{"--signature", NULL, OPTION_LIST, "FILE",
         "create, update, upload, read, delete, volume: what another owner has signed",
         option_field(session_options, signatures)},
	{"--for", NULL, OPTION_TEXT, "ACTION", "sign: put (default), read, delete or take-over",
         option_field(session_options, action)},
	{"--sign", NULL, OPTION_FLAG, NULL,
         "volume, upload: print this owner's signature under the handing over",
         option_field(session_options, sign)},
	{"--take-over", NULL, OPTION_FLAG, NULL,
         "volume: whoever writes to it commits nothing more, and the next one may at once; VOL may be missing",
         option_field(session_options, take_over)},
	{"--hash", NULL, OPTION_TEXT, "HASH",
         "sign for read, delete or take-over, --sign of volume and upload: the session's hash as it is",
         option_field(session_options, hash)},
	{"--after", NULL, OPTION_NUMBER, "N",
         "upload --sign --hash: how often the secret was uploaded before; default 0",
         option_field(session_options, after)},
	{"--json", NULL, OPTION_FLAG, NULL, "all but read and delete: print JSON",
         option_field(session_options, json)},
};

const struct verb session_verb = {
	.name = "session",
	.operands = "COMMAND [OPERAND...]",
	.summary = "say what may run where, and what it gets; see why it was refused",
	.description =
		"A session is a file in YAML: services, what a cell must prove to be one of them, and the\n"
		"secrets, volumes and files that it gets then. FILE may be - for standard input.\n"
		"check FILE  name every mistake by line and column, and what may not be meant\n"
		"calculate-hash FILE  print the session's hash (SHA-384), which `predecessor` in its next\n"
		"         version names, and which comments, layout and the order of fields do not change\n"
		"create FILE  put it at the current CAS (cella cas attest), as a new session or, with the\n"
		"         predecessor's hash in it, as the next state of one (update is the same)\n"
		"volume SESSION NAME VOL  hand a volume (cella volume) over: the CAS gets its keys and root;\n"
		"         where a job has written to it since, its root file gets the root of the CAS;\n"
		"         --sign prints this owner's signature under that instead, for who hands it over;\n"
		"         --take-over first fences off the job that holds its lease, such as one that died\n"
		"upload SESSION/SECRET FILE  hand a secret over that is `upload: true` there; --sign prints\n"
		"         this owner's signature under that instead\n"
		"explain SESSION/SERVICE  the last refusals: each requirement that failed, with both values;\n"
		"         of a confidential guest explain SESSION/SECRET, which it asked for\n"
		"read SESSION  print it as it was put, secrets included\n"
		"list     the sessions that this owner may read\n"
		"delete SESSION  with its secrets\n"
		"sign FILE, sign SESSION --for read|delete|take-over --hash HASH  print this owner's signature\n"
		"         under it, where an access_policy wants several keys: who asks gives it with --signature\n"
		"import-scone FILE  print a session of SCONE's CAS as one of ours; remarks with their lines go\n"
		"         to standard error, and what only you can say is left as <...>\n"
		"Exit status: 0; 1 if there is a mistake in the session; 2 for one in the options.",
	.example = "cella session check hospital.yml\n"
		   "cella session create hospital.yml\n"
		   "cella session explain hospital/classify",
	.table = {session_table, array_count(session_table), false},
	.operands_min = 1,
	.operands_max = 4,
	.enter = verb_session,
};

struct session_command {
	const struct session_options *options;
	const char *file;
	const struct session *session;
	char hash[2 * CRYPTO_SHA384_SIZE + 1];
};

/* ---- printing */

/* Lines of text as a list of strings. */
static json_t *describe_lines(const struct buf *lines)
{
	json_t *list = json_array();
	const char *at = (const char *)lines->data, *end = at + lines->size;
	while (at && at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		size_t size = (size_t)((line_end ? line_end : end) - at);
		json_array_append_new(list, json_stringn(at, size));
		at += size + 1;
	}
	return list;
}

/* Of the services that have one: under which name, and where the cell finds it. */
static json_t *describe_identities(const struct session *s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < s->service_count; i++) {
		const struct session_service *service = &s->services[i];
		char name[SESSION_IDENTITY_MAX + 1];
		if (!service->identity)
			continue;
		session_identity(s->name, service->name, name);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "service", service->name, "name",
		                                      name, "path", service->identity));
	}
	return list;
}

static json_t *describe(const struct session_command *c, const struct buf *remarks)
{
	const struct session *s = c->session;
	json_t *services = json_array(), *secrets = json_array(), *volumes = json_array();
	for (size_t i = 0; i < s->service_count; i++)
		json_array_append_new(services, json_string(s->services[i].name));
	for (size_t i = 0; i < s->secret_count; i++)
		json_array_append_new(secrets,
		                      json_pack("{s:s, s:s, s:s}", "name", s->secrets[i].name, "kind",
		                                session_kind_name(s->secrets[i].kind), "origin",
		                                session_origin_name(s->secrets[i].origin)));
	for (size_t i = 0; i < s->volume_count; i++)
		json_array_append_new(volumes, json_pack("{s:s, s:s, s:s, s:b}", "name", s->volumes[i].name,
		                                         "path", s->volumes[i].path, "key",
		                                         session_origin_name(s->volumes[i].origin),
		                                         "writable", (int)s->volumes[i].writable));
	return json_pack("{s:b, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "valid", 1, "name", s->name, "hash",
	                 c->hash, "services", services, "identities", describe_identities(s), "secrets",
	                 secrets, "volumes", volumes, "remarks", describe_lines(remarks));
}

static void print_count(const char *before, size_t count, const char *what)
{
	printf("%s%zu %s%s", before, count, what, count == 1 ? "" : "s");
}

static int check_command(struct session_command *c, struct error *err)
{
	const struct session *s = c->session;
	cleanup_buf struct buf remarks = {0};
	session_remarks(s, &remarks);
	if (c->options->json)
		return verb_print_json(describe(c, &remarks), err);
	printf("%s: session %s", c->file, s->name);
	print_count(": ", s->service_count, "service");
	print_count(", ", s->secret_count, "secret");
	print_count(", ", s->volume_count, "volume");
	print_count(", ", s->image_count, "image");
	printf("\nhash  %s\n", c->hash);
	for (const char *at = (const char *)remarks.data, *end = at + remarks.size; at && at < end;) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		int size = (int)((line_end ? line_end : end) - at);
		printf("note  %.*s\n", size, at);
		at += size + 1;
	}
	return 0;
}

static int hash_command(struct session_command *c, struct error *err)
{
	if (c->options->json)
		return verb_print_json(json_pack("{s:s, s:s}", "name", c->session->name, "hash", c->hash),
		                       err);
	puts(c->hash);
	return 0;
}

/* ---- the verb */

enum {
	FOR_JSON = 1,
	FOR_SIGNATURE = 2, /* of another owner */
	FOR_ACTION = 4,
	FOR_VOLUME = 8,
	FOR_HASH = 16,
	FOR_SIGNING = 32, /* instead of handing over */
	FOR_UPLOAD = 64,
};

static const struct command_row {
	const char *name;
	int operands;
	unsigned options;
	int (*run)(struct session_command *c, struct error *err);             /* on a file, */
	int (*ask)(const struct session_remote *c, struct error *err); /* or of the CAS; or SESSION_TOLD */
} commands[] = {
	{"check", 1, FOR_JSON, check_command, NULL},
	{"calculate-hash", 1, FOR_JSON, hash_command, NULL},
	{"create", 1, FOR_JSON | FOR_SIGNATURE, NULL, session_create_command},
	{"update", 1, FOR_JSON | FOR_SIGNATURE, NULL, session_create_command},
	{"volume", 3, FOR_JSON | FOR_SIGNATURE | FOR_VOLUME | FOR_HASH | FOR_SIGNING, NULL,
         session_volume_command},
	{"upload", 2, FOR_JSON | FOR_SIGNATURE | FOR_HASH | FOR_SIGNING | FOR_UPLOAD, NULL,
         session_upload_command},
	{"explain", 1, FOR_JSON, NULL, session_explain_command},
	{"read", 1, FOR_SIGNATURE, NULL, session_read_command},
	{"list", 0, FOR_JSON, NULL, session_list_command},
	{"delete", 1, FOR_SIGNATURE, NULL, session_delete_command},
	{"sign", 1, FOR_JSON | FOR_ACTION | FOR_HASH, NULL, session_sign_command},
	{"import-scone", 1, FOR_JSON, NULL, session_import_scone_command},
};

static int verb_session_run(const struct command_row *row, const struct session_options *o, const char *file)
{
	cleanup_session_source struct session_source text = {0};
	struct session_command c = {.options = o, .file = file};
	struct error err = {0};
	int rc = crypto_init(NULL, &err);
	if (rc == 0)
		rc = session_source_open(file, o->json, &text, &err);
	if (rc == 0) {
		c.session = text.session;
		io_hex(text.hash, sizeof(text.hash), c.hash);
		rc = row->run(&c, &err);
	}
	return rc == 0 ? VERB_DONE : rc == SESSION_TOLD ? VERB_FAILED : verb_fail(&session_verb, &err);
}

static int ask_cas(const struct command_row *row, const struct session_options *o, char **operands, int count)
{
	const struct session_remote c = {.operands = (const char *const *)operands,
	                                 .count = count,
	                                 .json = o->json,
	                                 .volume_key = o->volume_key,
	                                 .volume_root = o->volume_root,
	                                 .signatures = (const char *const *)o->signatures.items,
	                                 .signature_count = o->signatures.count,
	                                 .action = o->action,
	                                 .hash = o->hash,
	                                 .after = o->after,
	                                 .sign = o->sign,
	                                 .take_over = o->take_over,
	                                 .keep = o->keep};
	struct error err = {0};
	int rc = row->ask(&c, &err);
	if (rc == 0 || rc == SESSION_TOLD)
		return rc == 0 ? VERB_DONE : VERB_FAILED;
	return rc == CELLA_EINVAL ? verb_misuse(&session_verb, &err) : verb_fail(&session_verb, &err);
}

static int check_use(const struct command_row *row, const struct session_options *o, struct error *err)
{
	const struct verb_use uses[] = {
		{o->json, FOR_JSON, "--json"},
		{o->signatures.count > 0, FOR_SIGNATURE, "--signature"},
		{o->action, FOR_ACTION, "--for"},
		{o->hash, FOR_HASH, "--hash"},
		{o->volume_key, FOR_VOLUME, "--volume-key"},
		{o->volume_root, FOR_VOLUME, "--volume-root"},
		{o->keep, FOR_VOLUME, "--keep"},
		{o->sign, FOR_SIGNING, "--sign"},
		{o->after > 0, FOR_UPLOAD, "--after"},
		{o->take_over, FOR_VOLUME, "--take-over"},
	};
	return verb_check_uses(uses, array_count(uses), row->options, row->name, err);
}

int verb_session(int argc, char **argv)
{
	struct session_options o = {0};
	int status, count;
	if (!verb_begin(&session_verb, argc, argv, &o, &count, &status))
		return status;
	struct error err;
	size_t found;
	if (verb_find_command(argv[1], commands, sizeof(commands[0]), array_count(commands), &found, &err) <
	    0)
		return verb_misuse(&session_verb, &err);
	const struct command_row *row = &commands[found];
	const bool without_copy = o.take_over && row->ask == session_volume_command && count == row->operands;
	if (count - 1 != row->operands && !without_copy) {
		error_set(&err, CELLA_EINVAL, "%s wants %d operand%s", row->name, row->operands,
		          row->operands == 1 ? "" : "s");
		return verb_misuse(&session_verb, &err);
	}
	if (check_use(row, &o, &err) < 0)
		return verb_misuse(&session_verb, &err);
	if (row->ask)
		return ask_cas(row, &o, argv + 2, count - 1);
	return verb_session_run(row, &o, argv[2]);
}
