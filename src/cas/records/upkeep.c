#include "cas/records/upkeep.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cas/audit/json.h"
#include "cas/audit/print.h"
#include "cas/own_keys.h"
#include "cas/service_state.h"

/* Whoever may read what seals the vault is its operator. */
#define OPERATOR "the operator, at the CAS's own machine"

static void print_end(const struct audit_head *head)
{
	printf("it ends with entry %" PRIu64 " of epoch %" PRIu64 "\n", head->number, head->epoch);
}

static int show_end(const struct upkeep *u, struct records *r, struct error *err)
{
	(void)u;
	(void)err;
	print_end(records_head(r));
	return 0;
}

static int verify(const struct upkeep *u, struct records *r, struct error *err)
{
	struct audit_summary s = {0};
	(void)u;
	int rc = records_verify(r, NULL, &s, err);
	if (rc < 0)
		return rc;
	printf("the audit log holds: %" PRIu64 " entries in %" PRIu64 " commits, %" PRIu64 " restores\n",
	       s.entries, s.commits, s.restores);
	print_end(&s.head);
	return 0;
}

/* ---- the audit log's entries */

struct listing {
	const struct upkeep *u;
	json_t *list; /* NULL: lines */
};

static bool is_asked_for(const struct upkeep *u, const struct audit_entry *e, const json_t *json)
{
	const char *session = json_string_value(json_object_get(json_object_get(json, "what"), "session"));
	return e->time_ns >= u->since_ns && (!u->session || (session && strcmp(session, u->session) == 0));
}

static int list_entry(void *arg, uint64_t number, const void *data, size_t size, struct error *err)
{
	const struct listing *l = arg;
	struct audit_entry e;
	int rc = audit_entry_decode(data, size, &e, err);
	json_t *json = rc == 0 ? audit_entry_json(&e) : NULL;
	if (rc == 0 && !json)
		rc = error_set(err, CELLA_EFORMAT,
		               "audit log, entry %" PRIu64 ": it is not what a CAS writes", number);
	if (rc == 0 && is_asked_for(l->u, &e, json)) {
		if (!l->list)
			audit_print(json, stdout);
		else if (json_array_append(l->list, json) < 0)
			rc = error_set(err, CELLA_ENOMEM, "no memory for the audit log");
	}
	json_decref(json);
	return rc;
}

/* What is listed is what was signed. */
static int list(const struct upkeep *u, struct records *r, struct error *err)
{
	const struct cas_storage *storage = records_storage(r);
	struct listing l = {.u = u, .list = u->json ? json_array() : NULL};
	struct audit_summary s;
	int rc = audit_verify(storage, records_cas(r), records_public_key(r), NULL, &s, err);
	if (rc == 0)
		rc = storage->log_each(storage->data, 1, list_entry, &l, err);
	if (rc == 0 && l.list) {
		rc = json_dumpf(l.list, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0
		             ? 0
		             : error_set(err, CELLA_EIO, "cannot print JSON");
		putchar('\n');
	}
	json_decref(l.list);
	return rc;
}

/* ---- the whole */

static int backup(const struct upkeep *u, struct records *r, struct error *err)
{
	int rc = records_backup(r, u->file, OPERATOR, u->records.now_ns, err);
	if (rc < 0)
		return rc;
	printf("%s: all of %s; it opens with what seals that now\n", u->file, u->records.directory);
	print_end(records_head(r));
	return 0;
}

/* The next start makes others; with the CA goes what it has certified. Not the key of its TLS, which clients
 * have pinned. */
static int drop_own_keys(struct records *r, void *arg, struct error *err)
{
	static const char *const names[] = {OWN_IDENTITY, OWN_GRANT_KEY, OWN_TOKEN_ES384, OWN_TOKEN_RS256};
	int rc = 0;
	(void)arg;
	while (rc == 0 && records_count(r, RECORDS_CERTIFICATE) > 0)
		rc = records_certificate_drop(r, UINT64_MAX, err);
	for (size_t i = 0; rc == 0 && i < array_count(names); i++) {
		rc = records_secret_remove(r, CAS_OWN_SESSION, names[i], UINT64_MAX, err);
		if (rc == CELLA_ENOENT) /* it was not needed, or not started, since */
			rc = 0;
	}
	return rc;
}

/* Who has seen the master key may have these, too. They go first, so that none stays of a rotation that was
 * killed. */
static int rotate(const struct upkeep *u, struct records *r, struct error *err)
{
	static const char what[] =
		"{\"secret\": \"the CA of cells' identities, what data keys of grants come from, and the keys "
		"of guests' tokens\"}";
	const struct audit_event event = {.kind = AUDIT_SECRET_DELETED, .who = OPERATOR, .what = what};
	int rc = records_change(r, drop_own_keys, NULL, &event, u->records.now_ns, err);
	if (rc == 0)
		rc = records_rotate(r, OPERATOR, u->records.now_ns, err);
	if (rc < 0)
		return rc;
	printf("%s: everything is sealed under a new master key; certificates of cells are not valid any more, "
	       "jobs that run now can ask for no others, and commit nothing; tokens of guests are signed by new "
	       "keys\n",
	       u->records.directory);
	return 0;
}

/* Does what sealed the vault before open its file as it is now? */
static bool still_opens(const struct upkeep *u)
{
	char path[PATH_MAX];
	struct vault *v;
	if (snprintf(path, sizeof(path), "%s/vault", u->records.directory) >= (int)sizeof(path) ||
	    vault_open(path, &u->records.sealing, u->records.pool, &v, NULL) < 0)
		return false;
	vault_free(v);
	return true;
}

/* The key file is durable before the vault needs it, and goes again only where nothing does for sure. */
static int reseal(const struct upkeep *u, struct records *r, struct error *err)
{
	const struct vault_sealing *to = &u->sealing;
	const bool make = to->kind == VAULT_KEY_FILE && access(to->key_file, F_OK) < 0;
	if (!to->kind)
		return error_set(err, CELLA_EINVAL, "reseal wants what to seal by from now on");
	int rc = make ? vault_key_file_create(to->key_file, err) : 0;
	if (rc < 0)
		return rc;
	rc = records_reseal(r, to, OPERATOR, u->records.now_ns, err);
	if (rc < 0 && !still_opens(u))
		return error_prefix(err, rc, "%s is sealed anew, but: ", u->records.directory);
	if (rc < 0 && make)
		unlink(to->key_file);
	if (rc < 0)
		return rc;
	printf("%s: sealed by %s from now on. Backups, and old copies of the vault, still open by what sealed "
	       "them: rotate gives it a new master key\n",
	       u->records.directory, to->kind == VAULT_KEY_FILE ? to->key_file : "the new passphrase");
	return 0;
}

static int restore(const struct upkeep *u, struct error *err)
{
	struct records *r;
	const struct records_restore from = {.backup = u->file,
	                                     .config = u->records,
	                                     .owner_consents = true,
	                                     .epoch = u->epoch};
	int rc = records_restore(&from, &r, err);
	if (rc < 0)
		return rc;
	printf("%s: restored from %s, in epoch %" PRIu64 ". What came after the backup is not known here: "
	       "revoke again what was revoked since\n",
	       u->records.directory, u->file, records_head(r)->epoch);
	records_close(r);
	return 0;
}

static const struct task {
	const char *name;
	bool wants_file;
	int (*run)(const struct upkeep *u, struct records *r, struct error *err); /* NULL: restore */
} tasks[] = {
	{"audit", false, show_end}, {"audit-list", false, list}, {"audit-verify", false, verify},
	{"backup", true, backup},   {"reseal", false, reseal},   {"restore", true, NULL},
	{"rotate", false, rotate},
};

int upkeep_run(const struct upkeep *u, struct error *err)
{
	size_t i = 0;
	struct records *r;
	while (i < array_count(tasks) && strcmp(tasks[i].name, u->task) != 0)
		i++;
	if (i == array_count(tasks) || tasks[i].wants_file != (u->file != NULL))
		return error_set(err, CELLA_EINVAL, "%.60s: no such task, or without its file", u->task);
	if (!tasks[i].run)
		return restore(u, err);
	int rc = records_open(&u->records, &r, err);
	if (rc < 0)
		return rc;
	rc = tasks[i].run(u, r, err);
	records_close(r);
	return rc;
}
