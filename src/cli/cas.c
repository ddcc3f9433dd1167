/* cella cas: run the configuration and attestation service, and know the ones that are used. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/nearest.h"
#include "cas/records/records.h"
#include "cas/server_certificate.h"
#include "cli/cas_client.h"
#include "cli/cas_owner.h"
#include "cli/place.h"
#include "cli/spawn.h"
#include "cli/verbs.h"

enum { OPERANDS_MAX = 26, WORDS_MAX = 48, RATE = 200, RATE_MAX = 1000000 };

struct cas_options {
	const char *directory, *listen, *key_file, *passphrase_file, *owner, *pin, *credential, *name, *label,
		*reason, *session, *since, *new_key_file, *new_passphrase_file;
	uint64_t rate, epoch;
	struct option_list hosts;
	bool insecure_memory_none, insecure_older, json, verify, list, consent;
};

static const struct option cas_table[] = {
	{"--dir", NULL, OPTION_TEXT, "DIR", "what the CAS keeps; it is made where it is missing",
         option_field(cas_options, directory)},
	{"--listen", NULL, OPTION_TEXT, "ADDRESS:PORT", "default 127.0.0.1:8081",
         option_field(cas_options, listen)},
	{"--host", NULL, OPTION_LIST, "NAME",
         "a DNS name or an address of this machine, for the CAS's certificate; may be given more than once",
         option_field(cas_options, hosts)},
	{"--key-file", NULL, OPTION_TEXT, "FILE",
         "what the CAS's keys are sealed by; default: DIR.key, made at the first start",
         option_field(cas_options, key_file)},
	{"--passphrase-file", NULL, OPTION_TEXT, "FILE",
         "seal them by the passphrase in FILE instead; /dev/stdin works",
         option_field(cas_options, passphrase_file)},
	{"--owner", NULL, OPTION_TEXT, "FILE",
         "first start: where the first owner's credential goes; default: DIR.owner.pem",
         option_field(cas_options, owner)},
	{"--rate", NULL, OPTION_NUMBER, "N",
         "connections and requests a second that one address may make; default 200",
         option_field(cas_options, rate)},
	{"--insecure-older", NULL, OPTION_FLAG, NULL,
         "start though what is kept was newer once, or a restore is not confirmed",
         option_field(cas_options, insecure_older)},
	{"--insecure-memory-none", NULL, OPTION_FLAG, NULL, "keys in ordinary memory",
         option_field(cas_options, insecure_memory_none)},
	{"--pin", NULL, OPTION_TEXT, "KEY-HASH", "attest: the CAS's identity, as it prints it",
         option_field(cas_options, pin)},
	{"--credential", NULL, OPTION_TEXT, "FILE",
         "attest: private key and certificate to show it (PEM); default: the one that it was known with; "
         "without any nothing can be created",
         option_field(cas_options, credential)},
	{"--name", NULL, OPTION_TEXT, "NAME", "attest: what to call it; default: its address",
         option_field(cas_options, name)},
	{"--label", NULL, OPTION_TEXT, "TEXT", "add-owner: who it is", option_field(cas_options, label)},
	{"--reason", NULL, OPTION_TEXT, "TEXT", "revoke: why; it is kept with the revocation",
         option_field(cas_options, reason)},
	{"--json", NULL, OPTION_FLAG, NULL,
         "status, list, owners, certificates, revocations, refusals, credential, collateral list, "
         "audit --list: print JSON",
         option_field(cas_options, json)},
	{"--verify", NULL, OPTION_FLAG, NULL, "audit: check the whole log and every record",
         option_field(cas_options, verify)},
	{"--list", NULL, OPTION_FLAG, NULL,
         "audit: print its entries: with --dir all of that CAS, otherwise what this owner may see of the "
         "current one",
         option_field(cas_options, list)},
	{"--session", NULL, OPTION_TEXT, "SESSION", "audit --list: the entries of this session alone",
         option_field(cas_options, session)},
	{"--since", NULL, OPTION_TEXT, "TIME",
         "audit --list: since then, such as 2026-11-29 or 2026-11-29T12:00:00Z",
         option_field(cas_options, since)},
	{"--new-key-file", NULL, OPTION_TEXT, "FILE",
         "reseal: by this key file from now on; it is made where it is missing",
         option_field(cas_options, new_key_file)},
	{"--new-passphrase-file", NULL, OPTION_TEXT, "FILE", "reseal: by the passphrase in FILE from now on",
         option_field(cas_options, new_passphrase_file)},
	{"--owner-consents", NULL, OPTION_FLAG, NULL,
         "restore: what came after the backup, revocations too, may be forgotten",
         option_field(cas_options, consent)},
	{"--epoch", NULL, OPTION_NUMBER, "N",
         "restore: the new epoch at least, where cella cas status showed a later one than the backup's",
         option_field(cas_options, epoch)},
};

const struct verb cas_verb = {
	.name = "cas",
	.operands = "[COMMAND [OPERAND]]",
	.summary = "run the service that gives keys to cells that prove what they are",
	.description =
		"Without a command: run the CAS of --dir in the foreground. Its first start makes keys, and a\n"
		"credential for its first owner; each start prints where it listens and its identity, the\n"
		"hash of its key, which those who use it pin.\n"
		"attest URL --pin KEY-HASH  know a CAS and make it the current one\n"
		"list     the CASes that are known; * is the current one\n"
		"use NAME make another one current\n"
		"status   what the current one says of itself, compared with what was seen before\n"
		"owners   who may create sessions, enrol launchers, revoke; revocations: what is revoked\n"
		"credential FILE  make a key and certificate for a further owner, and print the key's hash\n"
		"add-owner KEY-HASH|CERTIFICATE [--label TEXT], remove-owner KEY-HASH\n"
		"revoke cell|builder|las|owner|executor|certificate WHAT [--reason TEXT]  WHAT in hexadecimal, or\n"
		"         a cell's file; nothing takes it back\n"
		"ca       the certificate of the CA that certifies cells (PEM); crl: what it has revoked (DER)\n"
		"certificates  of cells, those that are valid\n"
		"refusals  of confidential guests that attested and were refused, the last ones, by the number\n"
		"         that the guest was told; of what they asked for then: cella session explain\n"
		"audit --list [--session SESSION] [--since TIME]  entries of its audit log: of sessions that\n"
		"         this owner may read, and of owners, launchers and revocations\n"
		"collateral add KIND FILE...|list|remove KIND HASH  what the CAS verifies evidence of hardware by:\n"
		"         certificates, CRLs, Intel's documents, lists of files; KIND is snp, tdx, sgx, tpm or azure\n"
		"Of a CAS that is stopped, by --dir and what seals it (--key-file or --passphrase-file):\n"
		"audit [--verify|--list]  the end of its audit log; --verify reads all of it, and every\n"
		"         record; --list prints the entries, of all sessions\n"
		"backup FILE  all of it in one new file\n"
		"restore FILE --owner-consents  make --dir of a backup\n"
		"reseal --new-key-file FILE|--new-passphrase-file FILE  have it opened by something else\n"
		"rotate   seal everything under a new master key\n"
		"Exit status: 0; 1 if something failed or was refused; 2 for a mistake in the options.",
	.example = "cella cas --dir ./cas\n"
		   "cella cas attest https://cas.example:8081 --pin 5f0c… --credential cas.owner.pem",
	.table = {cas_table, array_count(cas_table), false},
	.operands_min = 0,
	.operands_max = 1 + OPERANDS_MAX,
	.enter = verb_cas,
};

/* ---- running it */

static bool is_there(const char *directory)
{
	char path[PLACE_PATH_MAX];
	struct stat st;
	return snprintf(path, sizeof(path), "%s/vault", directory) < (int)sizeof(path) &&
	       stat(path, &st) == 0;
}

/* A file of it is private, as a key file is; a pipe or a terminal is whose it is. */
static int open_passphrase(const char *path, int *ret_fd, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NOCTTY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, CELLA_EIO, "cannot open %s", path);
	if (S_ISREG(st.st_mode) && (st.st_mode & 077 || (st.st_uid != geteuid() && st.st_uid != 0)))
		return error_set(err, CELLA_EPERM,
		                 "the passphrase in %s is open to others: chmod 600 it, as its owner", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int read_since(const struct cas_options *o, int64_t *ret_since, struct error *err)
{
	int rc = o->since ? option_time(o->since, ret_since, err) : 0;
	return rc < 0 ? error_prefix(err, rc, "--since: ") : 0;
}

static int check_options(const struct cas_options *o, const char *task, struct error *err)
{
	if (!o->directory)
		return task ? error_set(
				      err, CELLA_EINVAL,
				      "that is done to a CAS that is stopped: name its directory with --dir DIR; "
				      "audit --list alone asks the current one")
		            : error_set(err, CELLA_EINVAL,
		                        "give --dir DIR, the CAS's directory, or a command");
	if (o->key_file && o->passphrase_file)
		return error_set(
			err, CELLA_EINVAL,
			"--key-file and --passphrase-file: the CAS's keys are sealed by one of both");
	if (o->hosts.count > SERVER_CERTIFICATE_HOSTS_MAX)
		return error_set(err, CELLA_EINVAL, "--host: a certificate has room for %d of them",
		                 SERVER_CERTIFICATE_HOSTS_MAX);
	if (o->rate == 0 || o->rate > RATE_MAX)
		return error_set(err, CELLA_EINVAL, "--rate takes 1 to %d a second", RATE_MAX);
	if (o->epoch > RECORDS_EPOCH_MAX)
		return error_set(err, CELLA_EINVAL, "--epoch takes %d at most", RECORDS_EPOCH_MAX);
	return 0;
}

/* The daemon's command line. */
struct words {
	const char *items[WORDS_MAX];
	size_t count;
	char numbers[6][24];
	size_t number_count;
};

/* Nothing, without a value. */
static void add_word(struct words *w, const char *name, const char *value)
{
	if (!value)
		return;
	w->items[w->count++] = name;
	w->items[w->count++] = value;
}

/* Nothing, for 0. */
static void add_number(struct words *w, const char *name, uint64_t value)
{
	char *text = w->numbers[w->number_count];
	if (!value)
		return;
	snprintf(text, sizeof(w->numbers[0]), "%llu", (unsigned long long)value);
	w->number_count++;
	add_word(w, name, text);
}

static void add_flag(struct words *w, const char *name, bool is)
{
	if (is)
		w->items[w->count++] = name;
}

static int add_sealing(struct words *w, const struct cas_options *o, const char *key, struct error *err)
{
	int fd;
	int rc = 0;
	if (!o->passphrase_file) {
		add_word(w, "--key-file", key);
	} else {
		rc = open_passphrase(o->passphrase_file, &fd, err);
		if (rc == 0)
			add_number(w, "--passphrase-fd", (uint64_t)fd);
	}
	if (rc == 0 && o->new_passphrase_file) {
		rc = open_passphrase(o->new_passphrase_file, &fd, err);
		if (rc == 0)
			add_number(w, "--new-passphrase-fd", (uint64_t)fd);
	}
	return rc;
}

/* The daemon takes this process's place, also for a task on one that is stopped. */
static int run_daemon(const struct cas_options *o, const char *task, const char *file, struct error *err)
{
	char program[PLACE_PATH_MAX + 16], beside[PLACE_PATH_MAX], key[PLACE_PATH_MAX], owner[PLACE_PATH_MAX];
	struct words w = {.items = {program, "--dir", o->directory}, .count = 3};
	int64_t since = 0;
	int rc = check_options(o, task, err);
	if (rc == 0)
		rc = read_since(o, &since, err);
	if (rc == 0)
		rc = spawn_directory(beside, sizeof(beside), err);
	if (rc == 0)
		rc = place_beside(o->key_file, o->directory, ".key", key, err);
	if (rc == 0)
		rc = place_beside(o->owner, o->directory, ".owner.pem", owner, err);
	if (rc == 0)
		rc = add_sealing(&w, o, key, err);
	if (rc < 0)
		return rc;
	snprintf(program, sizeof(program), "%s/cella-cas", beside);
	add_word(&w, "--listen", o->listen);
	for (size_t i = 0; i < o->hosts.count; i++)
		add_word(&w, "--host", o->hosts.items[i]);
	add_word(&w, "--task", task);
	add_word(&w, "--init", task || is_there(o->directory) ? NULL : owner);
	add_word(&w, "--file", file);
	add_word(&w, "--new-key-file", o->new_key_file);
	add_word(&w, "--session", o->session);
	add_number(&w, "--since", (uint64_t)since);
	add_number(&w, "--epoch", o->epoch);
	add_number(&w, "--rate", o->rate);
	add_flag(&w, "--json", o->json && task);
	add_flag(&w, "--insecure-memory-none", o->insecure_memory_none);
	add_flag(&w, "--insecure-older", o->insecure_older);
	execv(program, (char *const *)(uintptr_t)w.items);
	return error_errno(err, CELLA_EIO, "cannot start %s", program);
}

/* ---- knowing CASes */

static int start_crypto(struct error *err)
{
	return crypto_init(NULL, err);
}

static int name_of_url(const char *url, char to[CONTEXT_NAME_MAX], struct error *err)
{
	const char *host = strstr(url, "://");
	int size = snprintf(to, CONTEXT_NAME_MAX, "%s", host ? host + 3 : url);
	return size >= CONTEXT_NAME_MAX
	               ? error_set(err, CELLA_EINVAL, "the address is long: give it a --name")
	               : 0;
}

/* The one that is given, or the one that this CAS, by its pin, was known with. */
static int choose_credential(const struct cas_options *o, struct context *c, struct error *err)
{
	struct context before;
	char path[PLACE_PATH_MAX];
	if (!o->credential) {
		if (context_load(c->name, &before, NULL) == 0 && strcmp(before.pin, c->pin) == 0)
			memcpy(c->credential, before.credential, sizeof(c->credential));
		return 0;
	}
	if (!realpath(o->credential, path))
		return error_errno(err, CELLA_ENOENT, "cannot find the credential %s", o->credential);
	return snprintf(c->credential, sizeof(c->credential), "%s", path) >= (int)sizeof(c->credential)
	               ? error_set(err, CELLA_EINVAL, "the credential's path is too long")
	               : 0;
}

static int attest_command(const struct cas_options *o, const char *const *operands, struct error *err)
{
	const char *url = operands[0];
	struct context c = {.epoch = 0};
	struct cas_client *client;
	if (!url || !o->pin)
		return error_set(err, CELLA_EINVAL,
		                 "attest wants URL and --pin KEY-HASH, which the CAS prints");
	if (snprintf(c.url, sizeof(c.url), "%s", url) >= (int)sizeof(c.url))
		return error_set(err, CELLA_EINVAL, "the URL is too long");
	int rc = start_crypto(err);
	if (rc == 0)
		rc = cert_key_hash_parse(o->pin, "--pin", c.pin, err);
	if (rc == 0 && o->name)
		rc = snprintf(c.name, sizeof(c.name), "%s", o->name) >= (int)sizeof(c.name)
		             ? error_set(err, CELLA_EINVAL, "--name is too long")
		             : 0;
	else if (rc == 0)
		rc = name_of_url(url, c.name, err);
	if (rc == 0)
		rc = choose_credential(o, &c, err);
	if (rc == 0)
		rc = cas_client_open(&c, NULL, &client, err);
	if (rc < 0)
		return rc;
	rc = cas_client_check(client, &c, NULL, err);
	cas_client_free(client);
	if (rc == 0)
		rc = context_save(&c, true, err);
	if (rc < 0)
		return rc;
	printf("%s is the current CAS. Its key has the hash that was pinned; its machine is soft: whoever runs "
	       "it is trusted.\n",
	       c.name);
	if (!o->credential && *c.credential)
		printf("It is shown %s, as before.\n", c.credential);
	return 0;
}

static int print_context(void *arg, const struct context *c, bool current, struct error *err)
{
	json_t *list = arg;
	if (!list) {
		printf("%c %s  %s  %.16s…%s%s\n", current ? '*' : ' ', c->name, c->url, c->pin,
		       *c->credential ? "  " : "", c->credential);
		return 0;
	}
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", c->name, "url", c->url, "pin", c->pin,
	                         "credential", c->credential, "current", (int)current);
	return json_array_append_new(list, json) == 0 ? 0
	                                              : error_set(err, CELLA_ENOMEM, "no memory for a list");
}

static int list_command(const struct cas_options *o, const char *const *operands, struct error *err)
{
	(void)operands;
	json_t *list = o->json ? json_array() : NULL;
	int rc = context_each(print_context, list, err);
	if (list && rc == 0)
		return verb_print_json(list, err);
	json_decref(list);
	return rc;
}

static int use_command(const struct cas_options *o, const char *const *operands, struct error *err)
{
	const char *name = operands[0];
	struct context c;
	(void)o;
	if (!name)
		return error_set(err, CELLA_EINVAL, "use wants a NAME: cella cas list shows them");
	int rc = context_load(name, &c, err);
	return rc < 0 ? rc : context_save(&c, true, err);
}

static int status_command(const struct cas_options *o, const char *const *operands, struct error *err)
{
	const char *name = operands[0]; /* NULL: the current one */
	struct context c;
	struct cas_client *client;
	json_t *status;
	int rc = start_crypto(err);
	if (rc == 0)
		rc = context_load(name, &c, err);
	if (rc == 0)
		rc = cas_client_open(&c, NULL, &client, err);
	if (rc < 0)
		return rc;
	rc = cas_client_check(client, &c, &status, err);
	if (rc == 0 && *c.credential)
		cas_owner_collateral_warn(client);
	cas_client_free(client);
	if (rc < 0)
		return rc;
	if (o->json) {
		rc = verb_print_json(status, err);
	} else {
		printf("%s  %s\ncas %s, version %s\naudit log: entry %llu of epoch %llu\n", c.name, c.url,
		       json_string_value(json_object_get(status, "cas")),
		       json_string_value(json_object_get(status, "version")), (unsigned long long)c.number,
		       (unsigned long long)c.epoch);
		json_decref(status);
	}
	return rc < 0 ? rc : context_save(&c, false, err);
}

/* ---- one that is stopped */

static int audit_command(const struct cas_options *o, const char *const *operands, struct error *err)
{
	struct cas_owner_options own = {.session = o->session, .json = o->json};
	(void)operands;
	if (o->verify && o->list)
		return error_set(err, CELLA_EINVAL, "audit takes --verify or --list");
	if (!o->list && (o->session || o->since || o->json))
		return error_set(err, CELLA_EINVAL, "--session, --since and --json are for audit --list");
	if (o->list && o->directory)
		return run_daemon(o, "audit-list", NULL, err);
	int rc = read_since(o, &own.since, err);
	if (rc == 0 && o->list)
		rc = start_crypto(err);
	if (rc < 0 || o->list)
		return rc < 0 ? rc : cas_owner_audit(&own, err);
	return run_daemon(o, o->verify ? "audit-verify" : "audit", NULL, err);
}

static int backup_command(const struct cas_options *o, const char *const *operands, struct error *err)
{
	return run_daemon(o, "backup", operands[0], err);
}

static int restore_command(const struct cas_options *o, const char *const *operands, struct error *err)
{
	if (!o->consent)
		return error_set(
			err, CELLA_EINVAL,
			"restore goes on from an older state: what came after the backup is forgotten, "
			"revocations too. An owner has to agree: --owner-consents");
	return run_daemon(o, "restore", operands[0], err);
}

static int reseal_command(const struct cas_options *o, const char *const *operands, struct error *err)
{
	(void)operands;
	if (!o->new_key_file == !o->new_passphrase_file)
		return error_set(err, CELLA_EINVAL,
		                 "reseal wants what seals it from now on: --new-key-file FILE or "
		                 "--new-passphrase-file FILE");
	if (o->new_passphrase_file && o->passphrase_file &&
	    strcmp(o->new_passphrase_file, o->passphrase_file) == 0)
		return error_set(err, CELLA_EINVAL, "%s cannot be both the passphrase and the new one",
		                 o->passphrase_file);
	return run_daemon(o, "reseal", NULL, err);
}

static int rotate_command(const struct cas_options *o, const char *const *operands, struct error *err)
{
	(void)operands;
	return run_daemon(o, "rotate", NULL, err);
}

/* ---- the verb */

enum {
	FOR_RUN = 1,     /* a CAS, and the commands on one that is stopped: */
	FOR_STOPPED = 2,
	FOR_JSON = 4,
	FOR_ATTEST = 8,
	FOR_LABEL = 16,
	FOR_REASON = 32,
	FOR_LOG = 64,
	FOR_RESEAL = 128,
	FOR_RESTORE = 256,
};

static int check_use(unsigned allowed, const char *command, const struct cas_options *o, struct error *err)
{
	const struct verb_use uses[] = {
		{o->directory, FOR_RUN | FOR_STOPPED, "--dir"},
		{o->key_file, FOR_RUN | FOR_STOPPED, "--key-file"},
		{o->passphrase_file, FOR_RUN | FOR_STOPPED, "--passphrase-file"},
		{o->insecure_older, FOR_RUN | FOR_STOPPED, "--insecure-older"},
		{o->insecure_memory_none, FOR_RUN | FOR_STOPPED, "--insecure-memory-none"},
		{o->listen, FOR_RUN, "--listen"},
		{o->hosts.count > 0, FOR_RUN, "--host"},
		{o->owner, FOR_RUN, "--owner"},
		{o->rate != RATE, FOR_RUN, "--rate"},
		{o->json, FOR_JSON, "--json"},
		{o->pin, FOR_ATTEST, "--pin"},
		{o->credential, FOR_ATTEST, "--credential"},
		{o->name, FOR_ATTEST, "--name"},
		{o->label, FOR_LABEL, "--label"},
		{o->reason, FOR_REASON, "--reason"},
		{o->verify, FOR_LOG, "--verify"},
		{o->list, FOR_LOG, "--list"},
		{o->session, FOR_LOG, "--session"},
		{o->since, FOR_LOG, "--since"},
		{o->new_key_file, FOR_RESEAL, "--new-key-file"},
		{o->new_passphrase_file, FOR_RESEAL, "--new-passphrase-file"},
		{o->consent, FOR_RESTORE, "--owner-consents"},
		{o->epoch, FOR_RESTORE, "--epoch"},
	};
	return verb_check_uses(uses, array_count(uses), allowed, command, err);
}

static const struct command_row {
	const char *name;
	int least, most; /* operands */
	unsigned options;
	int (*run)(const struct cas_options *o, const char *const *operands, struct error *err);
	int (*own)(const struct cas_owner_options *o, const char *const *operands, struct error *err);
} commands[] = {
	{"attest", 1, 1, FOR_ATTEST, attest_command, NULL},
	{"list", 0, 0, FOR_JSON, list_command, NULL},
	{"use", 1, 1, 0, use_command, NULL},
	{"status", 0, 1, FOR_JSON, status_command, NULL},
	{"audit", 0, 0, FOR_STOPPED | FOR_LOG | FOR_JSON, audit_command, NULL},
	{"backup", 1, 1, FOR_STOPPED, backup_command, NULL},
	{"restore", 1, 1, FOR_STOPPED | FOR_RESTORE, restore_command, NULL},
	{"reseal", 0, 0, FOR_STOPPED | FOR_RESEAL, reseal_command, NULL},
	{"rotate", 0, 0, FOR_STOPPED, rotate_command, NULL},
	{"owners", 0, 0, FOR_JSON, NULL, cas_owner_list},
	{"credential", 1, 1, FOR_JSON, NULL, cas_owner_credential},
	{"add-owner", 1, 1, FOR_LABEL, NULL, cas_owner_add},
	{"remove-owner", 1, 1, 0, NULL, cas_owner_remove},
	{"ca", 0, 0, 0, NULL, cas_owner_ca},
	{"certificates", 0, 0, FOR_JSON, NULL, cas_owner_certificates},
	{"crl", 0, 0, 0, NULL, cas_owner_crl},
	{"revoke", 2, 2, FOR_REASON, NULL, cas_owner_revoke},
	{"revocations", 0, 0, FOR_JSON, NULL, cas_owner_revocations},
	{"refusals", 0, 0, FOR_JSON, NULL, cas_owner_refusals},
	{"collateral", 1, OPERANDS_MAX, FOR_JSON, NULL, cas_owner_collateral},
};

static int run_command(const struct cas_options *o, char **words, int count, struct error *err)
{
	const struct cas_owner_options own = {.label = o->label, .reason = o->reason, .json = o->json};
	const char *operands[OPERANDS_MAX + 1] = {NULL}; /* ends with a NULL */
	size_t found;
	for (int i = 1; i < count; i++)
		operands[i - 1] = words[i];
	int rc = verb_find_command(words[0], commands, sizeof(commands[0]), array_count(commands), &found,
	                           err);
	if (rc < 0)
		return rc;
	const struct command_row *row = &commands[found];
	if (count - 1 < row->least || count - 1 > row->most)
		return row->least < row->most
		               ? error_set(err, CELLA_EINVAL, "%s wants %d to %d operands, not %d", row->name,
		                           row->least, row->most, count - 1)
		               : error_set(err, CELLA_EINVAL, "%s wants %d operand%s, not %d", row->name,
		                           row->most, row->most == 1 ? "" : "s", count - 1);
	rc = check_use(row->options, row->name, o, err);
	if (rc < 0)
		return rc;
	if (row->run)
		return row->run(o, operands, err);
	rc = start_crypto(err);
	return rc == 0 ? row->own(&own, operands, err) : rc;
}

static int start(const struct cas_options *o, struct error *err)
{
	int rc = check_use(FOR_RUN, "a CAS that is to run", o, err);
	return rc == 0 ? run_daemon(o, NULL, NULL, err) : rc;
}

int verb_cas(int argc, char **argv)
{
	struct cas_options o = {.rate = RATE};
	struct error err;
	int status, count;
	if (!verb_begin(&cas_verb, argc, argv, &o, &count, &status))
		return status;
	int rc = count == 0 ? start(&o, &err) : run_command(&o, argv + 1, count, &err);
	option_list_done(&o.hosts);
	if (rc == 0)
		return VERB_DONE;
	return rc == CELLA_EINVAL ? verb_misuse(&cas_verb, &err) : verb_fail(&cas_verb, &err);
}
