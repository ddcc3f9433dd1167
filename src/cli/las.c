/* cella las: the launcher's own key, by which a CAS knows this node. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cas_client.h"
#include "cli/cas_owner.h"
#include "cli/las_endorse.h"
#include "cli/verbs.h"

enum { LAS_POOL = 4 << 20 };

struct las_options {
	const char *label, *tee, *session;
	struct option_list certs;
	bool key_only, insecure_memory_none, json;
};

static const struct option las_table[] = {
	{"--label", NULL, OPTION_TEXT, "TEXT", "enrol: what to call this node; default: its host name",
         option_field(las_options, label)},
	{"--key-only", NULL, OPTION_FLAG, NULL,
         "enrol: make the key and print it, for an owner to enrol elsewhere",
         option_field(las_options, key_only)},
	{"--tee", NULL, OPTION_TEXT, "KIND", "endorse: by this hardware; default: what is there",
         option_field(las_options, tee)},
	{"--session", NULL, OPTION_TEXT, "SESSION/SERVICE",
         "endorse: for what it is wanted; a launcher that is not enrolled needs one",
         option_field(las_options, session)},
	{"--cert", NULL, OPTION_LIST, "FILE",
         "endorse: a certificate of the processor's, where neither host nor CAS has it; again for more",
         option_field(las_options, certs)},
	{"--json", NULL, OPTION_FLAG, NULL, "list, endorsed, show: print JSON",
         option_field(las_options, json)},
	{"--insecure-memory-none", NULL, OPTION_FLAG, NULL, "the key in ordinary memory meanwhile",
         option_field(las_options, insecure_memory_none)},
};

const struct verb las_verb = {
	.name = "las",
	.operands = "COMMAND [KEY]",
	.summary = "let a CAS know this node's launcher",
	.description =
		"The launcher signs evidence of the executors that it starts. A CAS believes the keys that its\n"
		"owners have enrolled: whoever enrols one vouches for the node, its kernel and its root.\n"
		"enrol [KEY]  make this node's key (~/.config/cella/las.key, or CELLA_LAS_KEY names it) if there\n"
		"         is none, and enrol it, or KEY, at the current CAS\n"
		"show     this node's key, and what hardware can vouch for it\n"
		"endorse  have this machine's hardware vouch for the key, at the current CAS; it wants root.\n"
		"         cella run does so by itself when the CAS refuses\n"
		"list     those that are enrolled at the current CAS; endorsed: those that hardware has vouched for\n"
		"remove KEY  enrolled no more; cella cas revoke las KEY is for ever\n"
		"Exit status: 0; 1 if it failed or was refused; 2 for a mistake in the options.",
	.example = "cella las enrol --label edge-7",
	.table = {las_table, array_count(las_table), false},
	.operands_min = 1,
	.operands_max = 2,
	.enter = verb_las,
};

static int own_key(char hex[2 * CRYPTO_ED25519_SIZE + 1], struct error *err)
{
	uint8_t key[CRYPTO_ED25519_SIZE];
	int rc = las_public_key(true, key, err);
	if (rc == 0)
		io_hex(key, sizeof(key), hex);
	return rc;
}

static int enrol_at_cas(const char *key, const char *label, struct error *err)
{
	struct context context;
	struct cas_client *client;
	int rc = context_load(NULL, &context, err);
	if (rc == 0)
		rc = cas_client_open(&context, NULL, &client, err);
	if (rc < 0)
		return rc;
	rc = cas_client_json(client, "POST", "/v1/las", json_pack("{s:s, s:s}", "key", key, "label", label),
	                     NULL, err);
	cas_client_free(client);
	if (rc == CELLA_EEXIST)
		printf("%s is enrolled at %s already\n", key, context.name);
	else if (rc == 0)
		printf("%s is enrolled at %s as %s\n", key, context.name, label);
	return rc == CELLA_EEXIST ? 0 : rc;
}

/* The key lies in that memory meanwhile. */
static int begin_with_key(const struct las_options *o, struct error *err)
{
	struct mem_pool *pool;
	enum mem_level level = o->insecure_memory_none ? MEM_INSECURE_NONE : MEM_SECRET;
	int rc = mem_level_check(level, LAS_POOL / 2, err);
	if (rc == 0)
		rc = mem_pool_new(level, LAS_POOL, &pool, err);
	return rc == 0 ? crypto_init(pool, err) : rc;
}

static int enrol(const struct las_options *o, const char *given, struct error *err)
{
	char key[2 * CRYPTO_ED25519_SIZE + 1], host[256] = "a node";
	int rc = begin_with_key(o, err);
	if (rc == 0 && !given)
		rc = own_key(key, err);
	if (rc < 0)
		return rc;
	gethostname(host, sizeof(host) - 1);
	if (o->key_only) {
		puts(given ? given : key);
		return 0;
	}
	return enrol_at_cas(given ? given : key, o->label ? o->label : host, err);
}

static int list(const struct las_options *o, const char *given, struct error *err)
{
	const struct cas_owner_options own = {.json = o->json};
	int rc = given ? error_set(err, CELLA_EINVAL, "list wants no operand") : crypto_init(NULL, err);
	return rc == 0 ? cas_owner_launchers(&own, NULL, err) : rc;
}

static int remove_one(const struct las_options *o, const char *given, struct error *err)
{
	const struct cas_owner_options own = {.json = o->json};
	int rc = given ? crypto_init(NULL, err)
	               : error_set(err, CELLA_EINVAL, "remove wants the KEY of a launcher");
	return rc == 0 ? cas_owner_remove_launcher(&own, &given, err) : rc;
}

static int endorsed(const struct las_options *o, const char *given, struct error *err)
{
	const struct cas_owner_options own = {.json = o->json};
	int rc = given ? error_set(err, CELLA_EINVAL, "endorsed wants no operand") : crypto_init(NULL, err);
	return rc == 0 ? cas_owner_endorsed(&own, NULL, err) : rc;
}

static int show(const struct las_options *o, const char *given, struct error *err)
{
	char key[2 * CRYPTO_ED25519_SIZE + 1];
	enum tee_kind kind;
	if (given)
		return error_set(err, CELLA_EINVAL, "show wants no operand");
	int rc = begin_with_key(o, err);
	if (rc == 0)
		rc = own_key(key, err);
	if (rc < 0)
		return rc;
	const bool found = driver_find(&driver_system, &kind, NULL) == 0;
	const char *machine = found ? tee_kind_of(kind)->name : "soft";
	if (o->json)
		return verb_print_json(json_pack("{s:s, s:s}", "key", key, "machine", machine), err);
	printf("key      %s\nmachine  %s%s%s\n", key, machine, found ? ", by " : ": ",
	       found ? driver_asks(driver_of(kind)) : "whoever enrols the key vouches for it");
	return 0;
}

/* "SESSION/SERVICE": the service stands behind the last slash. */
static int split_session(const char *text, char *to, size_t size, const char **ret_service, struct error *err)
{
	char *slash = NULL;
	if (snprintf(to, size, "%s", text) < (int)size)
		slash = strrchr(to, '/');
	if (!slash || slash == to || !slash[1])
		return error_set(err, CELLA_EINVAL,
		                 "--session %.100s: it wants SESSION/SERVICE, such as hospital/classify",
		                 text);
	*slash = '\0';
	*ret_service = slash + 1;
	return 0;
}

static int endorse_at_cas(const struct las_endorsing *l, struct error *err)
{
	struct context context;
	struct cas_client *client;
	int rc = context_load(NULL, &context, err);
	if (rc == 0)
		rc = cas_client_open(&context, NULL, &client, err);
	if (rc < 0)
		return rc;
	rc = las_endorse(client, &driver_system, l, err);
	cas_client_free(client);
	if (rc == 0)
		printf("%s vouches for this machine's launcher at %s\n", tee_kind_of(l->kind)->title,
		       context.name);
	return rc;
}

static int endorse(const struct las_options *o, const char *given, struct error *err)
{
	enum { NAMES_SIZE = 400 };
	char names[NAMES_SIZE] = "";
	uint8_t key[CRYPTO_ED25519_SIZE];
	struct las_endorsing l = {.session = names, .service = "", .certs = &o->certs};
	int rc = given ? error_set(err, CELLA_EINVAL, "endorse wants no operand") : 0;
	if (rc == 0 && o->session)
		rc = split_session(o->session, names, sizeof(names), &l.service, err);
	if (rc == 0 && o->tee)
		rc = tee_kind_parse(o->tee, &l.kind, err);
	else if (rc == 0)
		rc = driver_find(&driver_system, &l.kind, err);
	if (rc == 0)
		rc = begin_with_key(o, err);
	if (rc == 0)
		rc = las_public_key(true, key, err);
	return rc == 0 ? endorse_at_cas(&l, err) : rc;
}

enum { FOR_ENROL = 1, FOR_ENDORSE = 2, FOR_JSON = 4 };

static const struct command_row {
	const char *name;
	int (*run)(const struct las_options *o, const char *given, struct error *err);
	unsigned options;
} commands[] = {{"enrol", enrol, FOR_ENROL},     {"enroll", enrol, FOR_ENROL},
                {"list", list, FOR_JSON},        {"remove", remove_one, 0},
                {"show", show, FOR_JSON},        {"endorse", endorse, FOR_ENDORSE},
                {"endorsed", endorsed, FOR_JSON}};

static int check_use(const struct command_row *row, const struct las_options *o, struct error *err)
{
	const struct verb_use uses[] = {
		{o->label, FOR_ENROL, "--label"},
		{o->key_only, FOR_ENROL, "--key-only"},
		{o->tee, FOR_ENDORSE, "--tee"},
		{o->session, FOR_ENDORSE, "--session"},
		{o->certs.count > 0, FOR_ENDORSE, "--cert"},
		{o->json, FOR_JSON, "--json"},
	};
	return verb_check_uses(uses, array_count(uses), row->options, row->name, err);
}

int verb_las(int argc, char **argv)
{
	struct las_options o = {0};
	struct error err;
	int status, count;
	if (!verb_begin(&las_verb, argc, argv, &o, &count, &status))
		return status;
	size_t found;
	int rc = verb_find_command(argv[1], commands, sizeof(commands[0]), array_count(commands), &found,
	                           &err);
	if (rc == 0)
		rc = check_use(&commands[found], &o, &err);
	if (rc == 0)
		rc = commands[found].run(&o, count > 1 ? argv[2] : NULL, &err);
	option_list_done(&o.certs);
	if (rc == 0)
		return VERB_DONE;
	return rc == CELLA_EINVAL ? verb_misuse(&las_verb, &err) : verb_fail(&las_verb, &err);
}
