/*
 * Somebody changes what the CAS has stored. Is every changed byte of its database, its write-ahead log, its
 * vault and its head either found or without effect, and is never a wrong secret, session or root given out?
 * Are rows and entries that are removed, moved, put back or made up found, and does the text say what it is?
 *
 * Of the database and its log some bytes are changed; CAS_TAMPER_PART=1 changes each, 9 each ninth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>

#include "base/cleanup.h"
#include "cas/records/records_state.h"
#include "cas_support.h"

static const uint8_t volume[VOLUME_ID_SIZE] = {9, 8, 7}, cell[CRYPTO_SHA384_SIZE] = {4};
static const uint8_t owner[RECORDS_KEY_SIZE] = {3};
static const uint8_t no_root[VOLUME_REFERENCE_SIZE], a_root[VOLUME_REFERENCE_SIZE] = {1};
static const char secret_value[] = "SecretMarkerOfTheTest";

static size_t part(size_t otherwise)
{
	const char *text = getenv("CAS_TAMPER_PART");
	size_t number = text ? strtoul(text, NULL, 10) : 0;
	return number ? number : otherwise;
}

static int fill_more(struct records *r, void *arg, struct error *err)
{
	struct records_party party = {.label = "somebody"};
	uint64_t *token = arg;
	int rc = records_volume_acquire(r, volume, "alice", false, 1, 2, token, err);
	if (rc == 0)
		rc = records_volume_swap(r, volume, *token, no_root, a_root, err);
	if (rc == 0)
		rc = records_party_add(r, RECORDS_OWNER, owner, &party, err);
	if (rc == 0)
		rc = records_revoke(r, RECORDS_REVOKED_CELL, cell, sizeof(cell), "leaks", 5, err);
	return rc;
}

/* One of each that matters; in three commits, of which the last has two entries. */
static void fill(struct cas_test *t)
{
	uint64_t token;
	const struct audit_event event = {.kind = AUDIT_VOLUME_COMMITTED, .who = "alice", .what = "{}"};
	struct error err;
	cas_put_session(t->r, "a", "policy text", NULL);
	cas_put_secret(t->r, "a", "k", secret_value);
	if (records_change(t->r, fill_more, &token, &event, 9, &err) < 0)
		fail_msg("%s", err.text);
}

/* Everything that is given out is right; or it is refused, which is the value. */
static bool is_refused(struct records *r)
{
	struct records_session session = {0};
	struct records_secret secret = {0};
	struct records_volume v;
	bool refused = false;
	if (records_session_get(r, "a", &session, NULL) < 0)
		refused = true;
	else
		assert_memory_equal(session.policy, "policy text", 11);
	if (records_secret_get(r, "a", "k", 0, &secret, NULL) < 0)
		refused = true;
	else
		assert_memory_equal(secret.data, secret_value, sizeof(secret_value) - 1);
	if (records_volume_get(r, volume, &v, NULL) < 0)
		refused = true;
	else
		assert_memory_equal(v.root, a_root, sizeof(a_root));
	assert_true(records_party_known(r, RECORDS_OWNER, owner));
	assert_true(records_is_revoked(r, RECORDS_REVOKED_CELL, cell, sizeof(cell)));
	records_session_done(&session);
	records_secret_done(&secret);
	return refused;
}

enum outcome { FOUND_AT_OPENING, FOUND_IN_USE, FOUND_BY_VERIFYING, WITHOUT_EFFECT, OUTCOMES };

static enum outcome try_directory(struct cas_test *t, const char *name, const struct audit_head *remembered,
                                  struct error *err)
{
	char path[CAS_PATH_MAX];
	struct records_config config = t->config;
	struct audit_summary summary;
	struct records *r;
	config.directory = cas_path(t, name, path);
	if (records_open(&config, &r, err) < 0)
		return FOUND_AT_OPENING;
	enum outcome outcome = WITHOUT_EFFECT;
	if (is_refused(r))
		outcome = FOUND_IN_USE;
	else if (records_verify(r, remembered, &summary, err) < 0)
		outcome = FOUND_BY_VERIFYING;
	records_close(r);
	return outcome;
}

static void poke(const char *path, size_t at, uint8_t byte)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0 && pwrite(fd, &byte, 1, (off_t)at) == 1);
	close(fd);
}

/* Each `stride`-th byte of "copy/FILE", one bit after another from byte to byte. */
static void change_each_byte(struct cas_test *t, const char *file, size_t stride, size_t counts[OUTCOMES])
{
	const struct audit_head head = *records_head(t->r);
	char name[64], path[CAS_PATH_MAX];
	struct error err;
	size_t size;
	cas_copy_directory(t, "cas", "copy");
	assert_int_equal(try_directory(t, "copy", &head, &err), WITHOUT_EFFECT);
	snprintf(name, sizeof(name), "copy/%s", file);
	cas_path(t, name, path);
	cas_copy_directory(t, "cas", "copy");
	uint8_t *bytes = cas_read(path, &size);
	for (size_t at = 0; at < size; at += stride) {
		const uint8_t bit = (uint8_t)(1u << (at / stride % 8));
		/* What the one before may have left; SQLite only ever reads the database here. */
		cas_copy_directory(t, "cas", "copy");
		poke(path, at, (uint8_t)(bytes[at] ^ bit));
		counts[try_directory(t, "copy", &head, &err)]++;
	}
	free(bytes);
	print_message(
		"%s, %zu bytes, each %zu: %zu found at opening, %zu in use, %zu by verifying, %zu without "
		"effect\n",
		file, size, stride, counts[0], counts[1], counts[2], counts[3]);
}

static void test_database(void **state)
{
	(void)state;
	struct cas_test t;
	size_t counts[OUTCOMES] = {0};
	cas_test_begin(&t);
	fill(&t);
	cas_test_close(&t); /* all of it is in the database then */
	cas_test_open(&t);
	change_each_byte(&t, "cas.db", part(17), counts);
	assert_true(counts[FOUND_AT_OPENING] && counts[FOUND_BY_VERIFYING]);
	cas_test_end(&t);
}

static void test_write_ahead_log(void **state)
{
	(void)state;
	struct cas_test t;
	size_t counts[OUTCOMES] = {0};
	cas_test_begin(&t);
	fill(&t); /* and what is not yet in the database */
	change_each_byte(&t, "cas.db-wal", part(97), counts);
	assert_true(counts[FOUND_AT_OPENING]);
	cas_test_end(&t);
}

static void test_vault(void **state)
{
	(void)state;
	struct cas_test t;
	char path[CAS_PATH_MAX];
	struct error err;
	size_t size;
	cas_test_begin(&t);
	fill(&t);
	cas_copy_directory(&t, "cas", "copy");
	cas_path(&t, "copy/vault", path);
	uint8_t *bytes = cas_read(path, &size);
	for (size_t bit = 0; bit < 8 * size; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		cas_write(path, bytes, size);
		assert_int_equal(try_directory(&t, "copy", NULL, &err), FOUND_AT_OPENING);
		bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (size_t cut = 0; cut < size; cut++) {
		cas_write(path, bytes, cut);
		assert_int_equal(try_directory(&t, "copy", NULL, &err), FOUND_AT_OPENING);
	}
	cas_write(path, bytes, size);
	assert_int_equal(try_directory(&t, "copy", NULL, &err), WITHOUT_EFFECT);
	free(bytes);
	cas_test_end(&t);
}

static void test_head(void **state)
{
	(void)state;
	struct cas_test t;
	char path[CAS_PATH_MAX];
	struct error err;
	size_t size;
	cas_test_begin(&t);
	fill(&t);
	cas_copy_directory(&t, "cas", "copy");
	cas_path(&t, "copy/head", path);
	uint8_t *bytes = cas_read(path, &size);
	assert_int_equal(size, AUDIT_HEAD_SIZE);
	for (size_t at = 0; at < size; at++) {
		bytes[at] ^= 4;
		cas_write(path, bytes, size);
		assert_int_equal(try_directory(&t, "copy", NULL, &err), FOUND_AT_OPENING);
		assert_non_null(strstr(err.text, "/head"));
		assert_non_null(strstr(err.text, "--insecure-older"));
		bytes[at] ^= 4;
	}
	t.config.insecure_older = true;
	assert_int_equal(try_directory(&t, "copy", NULL, &err), WITHOUT_EFFECT);
	t.config.insecure_older = false;
	unlink(path);
	assert_int_equal(try_directory(&t, "copy", NULL, &err), WITHOUT_EFFECT);
	free(bytes);
	cas_test_end(&t);
}

/* ---- by SQL */

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;
	char *message = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Another version's database is refused, with what to do; put right, it opens. */
static void test_other_version(void **state)
{
	(void)state;
	struct cas_test t;
	char path[CAS_PATH_MAX];
	struct error err;
	cas_test_begin(&t);
	fill(&t);
	cas_copy_directory(&t, "cas", "copy");
	cas_path(&t, "copy/cas.db", path);
	run_sql(path, "PRAGMA user_version = 7");
	assert_int_equal(try_directory(&t, "copy", NULL, &err), FOUND_AT_OPENING);
	assert_non_null(strstr(err.text, "of version 7"));
	assert_non_null(strstr(err.text, "the version of Cella that wrote it"));
	run_sql(path, "PRAGMA user_version = 1");
	assert_int_equal(try_directory(&t, "copy", NULL, &err), WITHOUT_EFFECT);
	cas_test_end(&t);
}

/* The CAS as it once was is attached as `old`. */
static const struct {
	const char *sql;
	enum outcome outcome;
	const char *text;
} by_sql[] = {
	{"DELETE FROM record WHERE kind = 2", FOUND_AT_OPENING, "the records are not those"},
	{"DELETE FROM record WHERE kind = 6", FOUND_AT_OPENING, "the records are not those"},
	{"DELETE FROM record", FOUND_AT_OPENING, "the records are not those"},
	{"UPDATE record SET id = x'01' WHERE kind = 4", FOUND_AT_OPENING, "the records are not those"},
	{"UPDATE record SET kind = 5 WHERE kind = 4", FOUND_AT_OPENING, "another one's place"},
	{"INSERT INTO record SELECT kind, x'1234', body FROM record WHERE kind = 4", FOUND_AT_OPENING,
         "the records are not those"},
	{"INSERT INTO record VALUES(99, x'00', zeroblob(60))", FOUND_AT_OPENING, "unknown"},
	{"INSERT INTO record VALUES(4, x'00', x'00')", FOUND_AT_OPENING, "too few"},
	{"UPDATE record SET body = (SELECT body FROM old.record o WHERE o.kind = record.kind AND o.id = "
         "record.id) WHERE kind = 1",
         FOUND_AT_OPENING, "put back from an older copy"},
	{"INSERT INTO record SELECT * FROM old.record WHERE kind = 7", FOUND_AT_OPENING,
         "the records are not those"},
	{"DELETE FROM log", FOUND_AT_OPENING, "the audit log is empty"},
	{"DELETE FROM log WHERE number = (SELECT max(number) FROM log)", FOUND_AT_OPENING,
         "what follows it was removed"},
	{"DELETE FROM log WHERE number > 2", FOUND_AT_OPENING, "the records are not those"},
	{"DELETE FROM log WHERE number = 3", FOUND_BY_VERIFYING, "entries 3 to 3 before it were removed"},
	{"DELETE FROM log WHERE number < 3", FOUND_BY_VERIFYING, "entries 1 to 2 before it were removed"},
	{"UPDATE log SET number = -number WHERE number IN (2, 3); UPDATE log SET number = 5 + number WHERE "
         "number < 0",
         FOUND_BY_VERIFYING, "stands in the place of entry"},
	{"UPDATE log SET entry = CAST(substr(entry, 1, 92) || x'41' || substr(entry, 94) AS BLOB) WHERE number = 1",
         FOUND_BY_VERIFYING, "entry 1: its signature"},
	{"INSERT INTO log SELECT number + 1, entry FROM log ORDER BY number DESC LIMIT 1", FOUND_AT_OPENING,
         "another one's place"},
	{"UPDATE log SET entry = x'00'", FOUND_AT_OPENING, "no audit entry"},
	{"CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM record; END", FOUND_AT_OPENING,
         "does not belong to it"},
	{"CREATE INDEX i ON record(body)", FOUND_AT_OPENING, "does not belong to it"},
	{"DROP TABLE vault", FOUND_AT_OPENING, "lacks a table"},
	{"PRAGMA user_version = 2", FOUND_AT_OPENING, "of version 2"},
	{"PRAGMA application_id = 7", FOUND_AT_OPENING, "another program's"},
	/* Of the older copy all is right, but for its age. */
	{"DELETE FROM record; INSERT INTO record SELECT * FROM old.record; DELETE FROM log; INSERT INTO log SELECT "
         "* FROM old.log",
         FOUND_AT_OPENING, "all of it is an old copy"},
	{"SELECT 1", WITHOUT_EFFECT, NULL},
};

static int add_refusal(struct records *r, void *arg, struct error *err)
{
	(void)arg;
	return records_refusal_add(r, "a", "s", "why", 1, err);
}

static int remove_refusal(struct records *r, void *arg, struct error *err)
{
	static const char id[] = "a\0s\0"; /* and the slot, 0 */
	(void)arg;
	return records_remove(r, RECORDS_REFUSAL, id, sizeof(id), "refusal", err);
}

/* The CAS as it is now in "cas", and as it once was in "old". */
static void make_two(struct cas_test *t)
{
	const struct audit_event event = {.kind = AUDIT_REFUSED, .who = "x", .what = "{\"x\":\"xxxx\"}"};
	cas_put_session(t->r, "a", "old policy", NULL);
	assert_int_equal(records_change(t->r, add_refusal, NULL, &event, 1, NULL), 0);
	cas_test_close(t);
	cas_copy_directory(t, "cas", "old");
	cas_test_open(t);
	cas_put_session(t->r, "a", "policy text", "old policy");
	assert_int_equal(records_change(t->r, remove_refusal, NULL, &event, 1, NULL), 0);
	uint64_t token;
	cas_put_secret(t->r, "a", "k", secret_value);
	assert_int_equal(records_begin(t->r, NULL), 0);
	assert_int_equal(records_step(t->r, NULL), 0);
	assert_int_equal(fill_more(t->r, &token, NULL), 0);
	assert_int_equal(records_keep(t->r, (struct audit_event[]){event, event}, 2, 5, NULL), 0);
	assert_int_equal(records_commit(t->r, NULL, NULL), 0);
	cas_test_close(t);
}

static void test_by_sql(void **state)
{
	(void)state;
	struct cas_test t;
	char path[CAS_PATH_MAX], old[CAS_PATH_MAX], sql[2 * CAS_PATH_MAX];
	cas_test_begin(&t);
	make_two(&t);
	cas_path(&t, "copy/cas.db", path);
	cas_path(&t, "old/cas.db", old);
	for (size_t i = 0; i < array_count(by_sql); i++) {
		struct error err = {0};
		cas_copy_directory(&t, "cas", "copy");
		snprintf(sql, sizeof(sql), "ATTACH '%.400s' AS old; %s", old, by_sql[i].sql);
		run_sql(path, sql);
		enum outcome outcome = try_directory(&t, "copy", NULL, &err);
		if (outcome != by_sql[i].outcome || (by_sql[i].text && !strstr(err.text, by_sql[i].text)))
			fail_msg("%s: outcome %d: %s", by_sql[i].sql, outcome, err.text);
	}
	cas_test_end(&t);
}

/* An old copy of everything, "head" with it, opens as what it was: only who remembers knows. */
static void test_old_copy(void **state)
{
	(void)state;
	struct cas_test t;
	struct records *r;
	struct audit_summary summary;
	struct error err;
	char path[CAS_PATH_MAX];
	cas_test_begin(&t);
	make_two(&t);
	cas_test_open(&t);
	const struct audit_head remembered = *records_head(t.r);
	struct records_config config = t.config;
	config.directory = cas_path(&t, "old", path);
	assert_int_equal(records_open(&config, &r, &err), 0);
	const struct audit_head old = *records_head(r);
	assert_int_equal(records_verify(r, NULL, &summary, &err), 0);
	assert_int_equal(records_verify(r, &old, &summary, &err), 0);
	assert_int_equal(records_verify(r, &remembered, &summary, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "old copy"));
	/* It goes on from there: now these are two histories. */
	while (records_head(r)->number < remembered.number)
		cas_put_secret(r, "a", "k", "another history");
	assert_int_equal(records_verify(r, &old, &summary, &err), 0);
	assert_int_equal(records_verify(r, &remembered, &summary, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "two histories"));
	assert_int_equal(audit_contains(records_storage(r), &old, &err), 0);
	assert_int_equal(audit_contains(records_storage(r), &remembered, &err), CELLA_EAUTH);
	records_close(r);
	assert_int_equal(records_verify(t.r, &old, &summary, &err), 0);
	cas_test_end(&t);
}

/* ---- under a running CAS */

static struct cas_storage honest;
static struct buf older; /* what the storage answers for every record */
static bool hides;

static int lying_get(void *data, uint16_t kind, const void *id, size_t id_size, struct buf *ret_body,
                     struct error *err)
{
	if (hides)
		return CELLA_ENOENT;
	if (kind != RECORDS_SECRET)
		return honest.get(data, kind, id, id_size, ret_body, err);
	buf_put(ret_body, older.data, older.size);
	return 0;
}

static void test_lying_storage(void **state)
{
	(void)state;
	static const char id[] = "a\0k\0\0\0\0\0\0\0\0\1";
	struct cas_test t;
	struct records_secret secret;
	struct error err;
	cas_test_begin(&t);
	cas_put_secret(t.r, "a", "k", "old");
	honest = t.r->storage;
	assert_int_equal(honest.get(honest.data, RECORDS_SECRET, id, sizeof(id) - 1, &older, NULL), 0);
	t.r->storage.get = lying_get;
	assert_int_equal(records_secret_get(t.r, "a", "k", 1, &secret, &err), 0); /* it is not yet a lie */
	records_secret_done(&secret);
	/* The same record again, with the same text: only the sealing is another. */
	const struct audit_event event = {.kind = AUDIT_SECRET_SET, .who = "x", .what = ""};
	assert_int_equal(records_begin(t.r, NULL), 0);
	assert_int_equal(records_step(t.r, NULL), 0);
	assert_int_equal(records_secret_remove(t.r, "a", "k", UINT64_MAX, NULL), 0);
	assert_int_equal(records_keep(t.r, &event, 1, 1, NULL), 0);
	assert_int_equal(records_commit(t.r, NULL, NULL), 0);
	cas_put_secret(t.r, "a", "k", "old");
	assert_int_equal(records_secret_get(t.r, "a", "k", 1, &secret, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "not the one that was committed"));
	hides = true;
	assert_int_equal(records_secret_get(t.r, "a", "k", 1, &secret, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "was removed"));
	hides = false;
	older.data[older.size - 20] ^= 1;
	t.r->storage.get = honest.get;
	assert_int_equal(records_secret_get(t.r, "a", "k", 1, &secret, &err), 0);
	records_secret_done(&secret);
	buf_done(&older);
	cas_test_end(&t);
}

static bool holds(const uint8_t *bytes, size_t size, const void *what, size_t what_size)
{
	return memmem(bytes, size, what, what_size) != NULL;
}

/* What is secret stands in no file; a session's name does, so that the search is shown to find. */
static void test_nothing_in_the_clear(void **state)
{
	(void)state;
	static const char *const files[] = {"cas/cas.db", "cas/cas.db-wal", "cas/vault", "cas/head",
	                                    "backup"};
	struct cas_test t;
	char path[CAS_PATH_MAX], backup[CAS_PATH_MAX];
	bool name_found = false;
	cas_test_begin(&t);
	fill(&t);
	cas_put_session(t.r, "NameMarker/x", "policy text", NULL);
	assert_int_equal(records_backup(t.r, cas_path(&t, "backup", backup), "x", 1, NULL), 0);
	for (size_t i = 0; i < array_count(files); i++) {
		size_t size;
		uint8_t *bytes = cas_read(cas_path(&t, files[i], path), &size);
		assert_false(holds(bytes, size, secret_value, sizeof(secret_value) - 1));
		assert_false(holds(bytes, size, "policy text", 11));
		name_found |= holds(bytes, size, "NameMarker", 10);
		free(bytes);
	}
	assert_true(name_found);
	cas_test_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_sql),
		cmocka_unit_test(test_vault),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_old_copy),
		cmocka_unit_test(test_lying_storage),
		cmocka_unit_test(test_nothing_in_the_clear),
		cmocka_unit_test(test_database),
		cmocka_unit_test(test_write_ahead_log),
	};
	return cmocka_run_group_tests(tests, cas_start, NULL);
}
