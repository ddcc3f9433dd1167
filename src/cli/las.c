/* cella las: the launcher's own key, by which a CAS knows this node. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cas_client.h"
#include "cli/las_key.h"
#include "cli/verbs.h"

enum { LAS_POOL = 4 << 20 };

struct las_options {
	const char *label;
	bool key_only, insecure_memory_none;
};

static const struct option las_table[] = {
	{"--label", NULL, OPTION_TEXT, "TEXT", "enrol: what to call this node; default: its host name",
         option_field(las_options, label)},
	{"--key-only", NULL, OPTION_FLAG, NULL,
         "enrol: make the key and print it, for an owner to enrol elsewhere",
         option_field(las_options, key_only)},
	{"--insecure-memory-none", NULL, OPTION_FLAG, NULL, "the key in ordinary memory meanwhile",
         option_field(las_options, insecure_memory_none)},
};

const struct verb las_verb = {
	.name = "las",
	.operands = "enrol [KEY]",
	.summary = "let a CAS know this node's launcher",
	.description =
		"The launcher signs evidence of the executors that it starts. A CAS believes the keys that its\n"
		"owners have enrolled: whoever enrols one vouches for the node, its kernel and its root.\n"
		"enrol [KEY]  make this node's key (~/.config/cella/las.key, or CELLA_LAS_KEY names it) if there\n"
		"         is none, and enrol it, or KEY, at the current CAS\n"
		"Exit status: 0; 1 if it failed or was refused; 2 for a mistake in the options.",
	.example = "cella las enrol --label edge-7",
	.table = {las_table, array_count(las_table), false},
	.operands_min = 1,
	.operands_max = 2,
	.enter = verb_las,
};

static int own_key(char hex[2 * CRYPTO_ED25519_SIZE + 1], struct error *err)
{
	char path[CRYPTO_KEY_PATH_MAX];
	struct crypto_signer signer;
	int rc = las_key_place(path, err);
	if (rc == 0)
		rc = crypto_key_file_load(path, LAS_KEY_NAME, &signer, err);
	if (rc < 0)
		return rc;
	io_hex(signer.public_key, sizeof(signer.public_key), hex);
	mem_wipe(&signer, sizeof(signer));
	return 0;
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

static int enrol(const struct las_options *o, const char *given, struct error *err)
{
	char key[2 * CRYPTO_ED25519_SIZE + 1], host[256] = "a node";
	struct mem_pool *pool;
	enum mem_level level = o->insecure_memory_none ? MEM_INSECURE_NONE : MEM_SECRET;
	int rc = mem_level_check(level, LAS_POOL / 2, err);
	if (rc == 0)
		rc = mem_pool_new(level, LAS_POOL, &pool, err);
	if (rc == 0)
		rc = crypto_init(pool, err);
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

int verb_las(int argc, char **argv)
{
	struct las_options o = {0};
	struct error err;
	int status, count;
	if (!verb_begin(&las_verb, argc, argv, &o, &count, &status))
		return status;
	if (strcmp(argv[1], "enrol") != 0 && strcmp(argv[1], "enroll") != 0) {
		error_set(&err, CELLA_EINVAL, "there is no command %.100s; there is enrol", argv[1]);
		return verb_misuse(&las_verb, &err);
	}
	return enrol(&o, count > 1 ? argv[2] : NULL, &err) < 0 ? verb_fail(&las_verb, &err) : VERB_DONE;
}
