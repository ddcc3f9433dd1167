/*
 * What the CAS keeps. Is what was committed there, after opening again as well; is what was undone, or never
 * committed, not; does each kind of record do what records.h says?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cas_support.h"

static const struct audit_event event = {.kind = AUDIT_OPENED, .who = "test", .what = "{}"};

static void begin(struct records *r)
{
	assert_int_equal(records_begin(r, NULL), 0);
	assert_int_equal(records_step(r, NULL), 0);
}

static void end(struct records *r)
{
	assert_int_equal(records_keep(r, &event, 1, 10, NULL), 0);
	assert_int_equal(records_commit(r, NULL, NULL), 0);
}

static void assert_secret(struct records *r, const char *session, const char *name, uint64_t version,
                          const char *value)
{
	struct records_secret s;
	struct error err;
	int rc = records_secret_get(r, session, name, version, &s, &err);
	if (rc < 0)
		fail_msg("%s", err.text);
	assert_int_equal(s.size, strlen(value));
	assert_memory_equal(s.data, value, s.size);
	records_secret_done(&s);
}

static void test_sessions(void **state)
{
	(void)state;
	struct cas_test t;
	struct records_session s, wrong = {.policy = "x", .policy_size = 1};
	struct error err;
	uint8_t hash[CRYPTO_SHA384_SIZE];
	cas_test_begin(&t);
	cas_put_session(t.r, "hospital/a", "first", NULL);
	cas_put_session(t.r, "hospital/a", "second", "first");
	cas_put_session(t.r, "hospital/b", "other", NULL);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(records_session_get(t.r, "hospital/a", &s, NULL), 0);
		assert_int_equal(s.policy_size, 6);
		assert_memory_equal(s.policy, "second", 6);
		assert_int_equal(s.revision, 2);
		assert_int_equal(s.creator[0], 7);
		assert_int_equal(s.created_ns, 5);
		assert_int_equal(s.updated_ns, 6);
		cas_hash("second", hash);
		assert_memory_equal(s.hash, hash, sizeof(hash));
		cas_hash("first", hash);
		assert_memory_equal(s.predecessor, hash, sizeof(hash));
		records_session_done(&s);
		assert_int_equal(records_count(t.r, RECORDS_SESSION), 2);
		cas_test_close(&t);
		cas_test_open(&t);
	}
	assert_int_equal(records_session_get(t.r, "hospital/c", &s, &err), CELLA_ENOENT);
	assert_non_null(strstr(err.text, "session hospital/c"));
	begin(t.r);
	assert_int_equal(records_session_put(t.r, "hospital/a", &wrong, &err), CELLA_EEXIST);
	assert_non_null(strstr(err.text, "names the hash"));
	cas_hash("first", wrong.predecessor);
	assert_int_equal(records_session_put(t.r, "hospital/a", &wrong, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "predecessor"));
	assert_int_equal(records_session_put(t.r, "hospital/none", &wrong, &err), CELLA_ENOENT);
	assert_int_equal(records_session_put(t.r, "", &wrong, &err), CELLA_EINVAL);
	assert_int_equal(records_session_put(t.r, "a\nb", &wrong, &err), CELLA_EINVAL);
	records_abort(t.r);
	cas_test_end(&t);
}

static void test_session_removed(void **state)
{
	(void)state;
	struct cas_test t;
	struct records_session s;
	struct records_refusal refusal;
	uint8_t hash[CRYPTO_SHA384_SIZE];
	cas_test_begin(&t);
	cas_put_session(t.r, "a", "text", NULL);
	cas_put_session(t.r, "ab", "text", NULL);
	cas_put_secret(t.r, "a", "k", "one");
	cas_put_secret(t.r, "ab", "k", "two");
	begin(t.r);
	assert_int_equal(records_refusal_add(t.r, "a", "service", "why", 1, NULL), 0);
	assert_int_equal(records_refusal_add(t.r, "ab", "service", "why", 1, NULL), 0);
	cas_hash("other", hash);
	assert_int_equal(records_session_remove(t.r, "a", hash, NULL), CELLA_EAUTH);
	cas_hash("text", hash);
	assert_int_equal(records_session_remove(t.r, "a", hash, NULL), 0);
	end(t.r);
	cas_test_close(&t);
	cas_test_open(&t);
	assert_int_equal(records_session_get(t.r, "a", &s, NULL), CELLA_ENOENT);
	assert_int_equal(records_count(t.r, RECORDS_SECRET), 1);
	assert_secret(t.r, "ab", "k", 1, "two");
	assert_int_equal(records_refusal_get(t.r, "a", "service", 0, &refusal, NULL), CELLA_ENOENT);
	assert_int_equal(records_refusal_get(t.r, "ab", "service", 0, &refusal, NULL), 0);
	cas_test_end(&t);
}

static void test_secrets(void **state)
{
	(void)state;
	struct cas_test t;
	struct records_secret s;
	struct error err;
	char text[2000];
	cas_test_begin(&t);
	for (unsigned i = 1; i <= 5; i++) {
		snprintf(text, sizeof(text), "value %u", i);
		cas_put_secret(t.r, "a/b", "key", text);
	}
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cas_put_secret(t.r, "a/b", "key2", text);
	cas_put_secret(t.r, "a/b", "empty", "");
	begin(t.r);
	assert_int_equal(records_secret_remove(t.r, "a/b", "key", 3, NULL), 0);
	assert_int_equal(records_secret_remove(t.r, "a/b", "none", 3, NULL), CELLA_ENOENT);
	end(t.r);
	cas_test_close(&t);
	cas_test_open(&t);
	assert_secret(t.r, "a/b", "key", 0, "value 5");
	assert_secret(t.r, "a/b", "key", 3, "value 3");
	assert_secret(t.r, "a/b", "key2", 0, text);
	assert_secret(t.r, "a/b", "empty", 0, "");
	assert_int_equal(records_secret_get(t.r, "a/b", "key", 2, &s, &err), CELLA_ENOENT);
	assert_non_null(strstr(err.text, "secret key, version 2, of session a/b"));
	assert_int_equal(records_secret_get(t.r, "a/b", "key", 6, &s, &err), CELLA_ENOENT);
	assert_int_equal(records_secret_get(t.r, "a", "b", 0, &s, &err), CELLA_ENOENT);
	begin(t.r);
	assert_int_equal(records_secret_remove(t.r, "a/b", "key", UINT64_MAX, NULL), 0);
	end(t.r);
	assert_int_equal(records_secret_get(t.r, "a/b", "key", 0, &s, &err), CELLA_ENOENT);
	assert_int_equal(records_count(t.r, RECORDS_SECRET), 2);
	cas_test_end(&t);
}

static const uint8_t volume[VOLUME_ID_SIZE] = {9, 8, 7};

static void root_of(unsigned n, uint8_t root[VOLUME_REFERENCE_SIZE])
{
	memset(root, 0, VOLUME_REFERENCE_SIZE);
	root[0] = (uint8_t)n;
}

static void test_volumes(void **state)
{
	(void)state;
	struct cas_test t;
	struct records_volume v;
	struct error err;
	uint64_t one, two;
	uint8_t r0[VOLUME_REFERENCE_SIZE], r1[VOLUME_REFERENCE_SIZE], r2[VOLUME_REFERENCE_SIZE];
	root_of(0, r0);
	root_of(1, r1);
	root_of(2, r2);
	cas_test_begin(&t);
	assert_int_equal(records_volume_get(t.r, volume, &v, NULL), 0);
	assert_memory_equal(v.root, r0, sizeof(r0));
	begin(t.r);
	assert_int_equal(records_volume_acquire(t.r, volume, "alice", false, 100, 200, &one, NULL), 0);
	assert_int_equal(records_volume_swap(t.r, volume, one, r0, r1, NULL), 0);
	assert_int_equal(records_volume_swap(t.r, volume, one, r0, r1, NULL), 0); /* it holds that already */
	assert_int_equal(records_volume_swap(t.r, volume, one, r0, r2, &err), CELLA_EAUTH);
	assert_int_equal(records_volume_swap(t.r, volume, one - 1, r1, r2, &err), CELLA_EFENCED);
	assert_int_equal(records_volume_swap(t.r, volume, one + 1, r1, r2, &err), CELLA_EFENCED);
	assert_int_equal(records_volume_swap(t.r, volume, 0, r1, r2, &err), CELLA_EFENCED);
	end(t.r);
	cas_test_close(&t);
	cas_test_open(&t);
	assert_int_equal(records_volume_get(t.r, volume, &v, NULL), 0);
	assert_memory_equal(v.root, r1, sizeof(r1));
	assert_int_equal(v.token, one);
	assert_int_equal(v.lease_until_ns, 200);
	assert_string_equal(v.holder, "alice");
	begin(t.r);
	assert_int_equal(records_volume_acquire(t.r, volume, "bob", false, 199, 300, &two, &err),
	                 CELLA_EAGAIN);
	assert_non_null(strstr(err.text, "alice"));
	assert_int_equal(records_volume_renew(t.r, volume, one, 250, NULL), 0);
	assert_int_equal(records_volume_acquire(t.r, volume, "bob", false, 249, 300, &two, &err),
	                 CELLA_EAGAIN);
	assert_int_equal(records_volume_acquire(t.r, volume, "bob", true, 249, 300, &two, NULL), 0);
	assert_true(two > one);
	assert_int_equal(records_volume_swap(t.r, volume, one, r1, r2, &err), CELLA_EFENCED);
	assert_non_null(strstr(err.text, "took the volume over"));
	assert_int_equal(records_volume_renew(t.r, volume, one, 900, NULL), CELLA_EFENCED);
	assert_int_equal(records_volume_release(t.r, volume, one, NULL),
	                 0); /* of a token that is not the largest */
	assert_int_equal(records_volume_acquire(t.r, volume, "carol", false, 299, 400, &one, &err),
	                 CELLA_EAGAIN);
	assert_int_equal(records_volume_release(t.r, volume, two, NULL), 0);
	assert_int_equal(records_volume_acquire(t.r, volume, "carol", false, 299, 400, &one, NULL), 0);
	assert_true(one > two);
	/* Its time is over, but nobody else took it. */
	assert_int_equal(records_volume_swap(t.r, volume, one, r1, r2, NULL), 0);
	assert_int_equal(records_volume_acquire(t.r, volume, "dave", false, 400, 500, &two, NULL), 0);
	end(t.r);
	cas_test_end(&t);
}

static void test_parties(void **state)
{
	(void)state;
	static const enum records_kind kinds[] = {RECORDS_OWNER, RECORDS_LAS};
	static const uint8_t key[RECORDS_KEY_SIZE] = {1, 2, 3}, other[RECORDS_KEY_SIZE] = {1, 2, 4};
	struct records_party party = {.since_ns = 77, .by = {5}, .label = "ward 3"}, found;
	struct cas_test t;
	cas_test_begin(&t);
	for (size_t i = 0; i < array_count(kinds); i++) {
		begin(t.r);
		assert_int_equal(records_party_add(t.r, kinds[i], key, &party, NULL), 0);
		assert_int_equal(records_party_add(t.r, kinds[i], key, &party, NULL), CELLA_EEXIST);
		assert_int_equal(records_party_add(t.r, kinds[i], other, &party, NULL), 0);
		end(t.r);
		cas_test_close(&t);
		cas_test_open(&t);
		assert_int_equal(records_party_get(t.r, kinds[i], key, &found, NULL), 0);
		assert_int_equal(found.since_ns, 77);
		assert_int_equal(found.by[0], 5);
		assert_string_equal(found.label, "ward 3");
		begin(t.r);
		assert_int_equal(records_party_remove(t.r, kinds[i], key, NULL), 0);
		assert_int_equal(records_party_remove(t.r, kinds[i], key, NULL), CELLA_ENOENT);
		end(t.r);
		assert_false(records_party_known(t.r, kinds[i], key));
		assert_true(records_party_known(t.r, kinds[i], other));
		assert_int_equal(records_party_get(t.r, kinds[i], key, &found, NULL), CELLA_ENOENT);
	}
	assert_int_equal(records_party_get(t.r, RECORDS_SESSION, key, &found, NULL), CELLA_EBUG);
	cas_test_end(&t);
}

static void test_revocations(void **state)
{
	(void)state;
	static const uint8_t cell[CRYPTO_SHA384_SIZE] = {1};
	struct records_revocation *found = malloc(sizeof(*found));
	struct cas_test t;
	cas_test_begin(&t);
	assert_false(records_is_revoked(t.r, RECORDS_REVOKED_CELL, cell, sizeof(cell)));
	begin(t.r);
	assert_int_equal(records_revoke(t.r, RECORDS_REVOKED_CELL, cell, sizeof(cell), "leaks", 5, NULL), 0);
	assert_int_equal(records_revoke(t.r, RECORDS_REVOKED_CELL, cell, sizeof(cell), "leaks", 5, NULL),
	                 CELLA_EEXIST);
	assert_int_equal(records_revoke(t.r, RECORDS_REVOKED_CELL, cell, 0, "leaks", 5, NULL), CELLA_EINVAL);
	end(t.r);
	cas_test_close(&t);
	cas_test_open(&t);
	assert_true(records_is_revoked(t.r, RECORDS_REVOKED_CELL, cell, sizeof(cell)));
	assert_false(records_is_revoked(t.r, RECORDS_REVOKED_BUILDER, cell, sizeof(cell)));
	assert_false(records_is_revoked(t.r, RECORDS_REVOKED_CELL, cell, sizeof(cell) - 1));
	assert_int_equal(records_revocation_get(t.r, RECORDS_REVOKED_CELL, cell, sizeof(cell), found, NULL),
	                 0);
	assert_string_equal(found->reason, "leaks");
	assert_int_equal(found->since_ns, 5);
	free(found);
	cas_test_end(&t);
}

static void test_refusals(void **state)
{
	(void)state;
	struct records_refusal *found = malloc(sizeof(*found));
	struct cas_test t;
	char text[64];
	cas_test_begin(&t);
	for (unsigned i = 1; i <= 2 * RECORDS_REFUSALS + 3; i++) {
		snprintf(text, sizeof(text), "refusal %u", i);
		begin(t.r);
		assert_int_equal(records_refusal_add(t.r, "a", "s", text, i, NULL), 0);
		end(t.r);
		for (unsigned back = 0; back <= RECORDS_REFUSALS; back++) {
			int rc = records_refusal_get(t.r, "a", "s", back, found, NULL);
			if (back >= i || back >= RECORDS_REFUSALS) {
				assert_int_equal(rc, CELLA_ENOENT);
				continue;
			}
			assert_int_equal(rc, 0);
			snprintf(text, sizeof(text), "refusal %u", i - back);
			assert_string_equal(found->text, text);
			assert_int_equal(found->number, i - back);
			assert_int_equal(found->time_ns, i - back);
		}
	}
	assert_int_equal(records_count(t.r, RECORDS_REFUSAL), RECORDS_REFUSALS);
	assert_int_equal(records_refusal_get(t.r, "a", "t", 0, found, NULL), CELLA_ENOENT);
	/* Sealing all anew does not count as writing them again. */
	assert_int_equal(records_rotate(t.r, "test", 5, NULL), 0);
	assert_int_equal(records_refusal_get(t.r, "a", "s", 0, found, NULL), 0);
	assert_int_equal(found->number, 2 * RECORDS_REFUSALS + 3);
	free(found);
	cas_test_end(&t);
}

/* Of three steps one batch keeps the first and the last. */
static void test_steps(void **state)
{
	(void)state;
	struct cas_test t;
	struct records_secret s;
	struct audit_head head;
	uint64_t version;
	cas_test_begin(&t);
	cas_put_secret(t.r, "s", "old", "before");
	const uint64_t number = records_head(t.r)->number;
	assert_int_equal(records_begin(t.r, NULL), 0);
	assert_int_equal(records_step(t.r, NULL), 0);
	assert_int_equal(records_secret_put(t.r, "s", "a", 1, "1", 1, 0, &version, NULL), 0);
	assert_int_equal(records_keep(t.r, &event, 1, 10, NULL), 0);
	assert_int_equal(records_step(t.r, NULL), 0);
	assert_int_equal(records_secret_put(t.r, "s", "b", 1, "2", 1, 0, &version, NULL), 0);
	assert_int_equal(records_secret_put(t.r, "s", "a", 1, "2", 1, 0, &version, NULL), 0);
	assert_int_equal(records_secret_remove(t.r, "s", "old", UINT64_MAX, NULL), 0);
	assert_secret(t.r, "s", "b", 0, "2");
	records_undo(t.r);
	assert_int_equal(records_step(t.r, NULL), 0);
	assert_int_equal(records_secret_put(t.r, "s", "c", 1, "3", 1, 0, &version, NULL), 0);
	assert_int_equal(records_keep(t.r, (struct audit_event[]){event, event}, 2, 10, NULL), 0);
	assert_int_equal(records_commit(t.r, &head, NULL), 0);
	assert_int_equal(head.number, number + 3);
	for (int round = 0; round < 2; round++) {
		assert_secret(t.r, "s", "old", 0, "before");
		assert_secret(t.r, "s", "a", 0, "1");
		assert_secret(t.r, "s", "c", 0, "3");
		assert_int_equal(records_secret_get(t.r, "s", "b", 0, &s, NULL), CELLA_ENOENT);
		cas_test_close(&t);
		cas_test_open(&t);
	}
	cas_test_end(&t);
}

static void test_not_committed(void **state)
{
	(void)state;
	struct cas_test t;
	struct records_secret s;
	uint64_t version;
	cas_test_begin(&t);
	cas_put_secret(t.r, "s", "a", "1");
	const uint64_t number = records_head(t.r)->number;
	for (int way = 0; way < 4; way++) {
		begin(t.r);
		assert_int_equal(records_secret_put(t.r, "s", "b", 1, "2", 1, 0, &version, NULL), 0);
		assert_int_equal(records_secret_put(t.r, "s", "a", 1, "2", 1, 0, &version, NULL), 0);
		if (way != 0)
			assert_int_equal(records_keep(t.r, &event, 1, 10, NULL), 0);
		if (way < 2)
			records_abort(t.r);
		if (way == 3) {
			cas_test_close(&t);
			cas_test_open(&t);
		} else if (way == 2) {
			records_abort(t.r);
		}
		assert_int_equal(records_head(t.r)->number, number);
		assert_int_equal(records_secret_get(t.r, "s", "b", 0, &s, NULL), CELLA_ENOENT);
		assert_secret(t.r, "s", "a", 0, "1");
	}
	cas_put_secret(t.r, "s", "a", "3");
	cas_test_close(&t);
	cas_test_open(&t);
	assert_secret(t.r, "s", "a", 0, "3");
	cas_test_end(&t);
}

static void test_misuse(void **state)
{
	(void)state;
	struct cas_test t;
	struct error err;
	uint64_t version;
	static char large[RECORDS_SECRET_MAX + 1];
	struct audit_event wrong[] = {
		{.kind = AUDIT_KINDS, .who = "", .what = ""},
		{.kind = AUDIT_RESTORED, .who = "", .what = ""},
		{.kind = AUDIT_OPENED, .who = "", .what = "", .epoch = 2},
		{.kind = AUDIT_OPENED, .who = "a\nb", .what = ""},
		{.kind = AUDIT_OPENED, .who = "", .what = "\xff"},
	};
	cas_test_begin(&t);
	assert_int_equal(records_secret_put(t.r, "s", "a", 1, "1", 1, 0, &version, &err), CELLA_EBUG);
	assert_int_equal(records_step(t.r, &err), CELLA_EBUG);
	assert_int_equal(records_commit(t.r, NULL, &err), CELLA_EBUG);
	begin(t.r);
	assert_int_equal(records_begin(t.r, &err), CELLA_EBUG);
	assert_int_equal(records_step(t.r, &err), CELLA_EBUG);
	assert_int_equal(records_commit(t.r, NULL, &err), CELLA_EBUG);
	assert_int_equal(records_secret_put(t.r, "s", "a", 1, large, sizeof(large), 0, &version, &err),
	                 CELLA_ELIMIT);
	assert_int_equal(records_secret_put(t.r, "s", "a", 1, "1", 1, 0, &version, &err), 0);
	assert_int_equal(records_keep(t.r, NULL, 0, 10, &err), CELLA_EBUG);
	assert_non_null(strstr(err.text, "without an audit entry"));
	for (size_t i = 0; i < array_count(wrong); i++) {
		assert_int_equal(records_step(t.r, &err), 0);
		assert_true(records_keep(t.r, &wrong[i], 1, 10, &err) < 0);
	}
	assert_int_equal(records_commit(t.r, NULL, NULL), 0);
	assert_int_equal(records_head(t.r)->number, 1);
	assert_int_equal(records_count(t.r, RECORDS_SECRET), 0);
	cas_test_end(&t);
}

static int collect(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err)
{
	char *all = arg;
	(void)revision;
	(void)err;
	size_t used = strlen(all);
	snprintf(all + used, 200 - used, "%.*s ", (int)id_size, (const char *)id);
	return 0;
}

static void test_lists(void **state)
{
	(void)state;
	static const char *const names[] = {"b/x", "a", "b/y", "c", "b", "ab"};
	struct cas_test t;
	cas_test_begin(&t);
	for (size_t i = 0; i < array_count(names); i++)
		cas_put_session(t.r, names[i], "text", NULL);
	for (int round = 0; round < 2; round++) {
		char all[200] = "", some[200] = "";
		assert_int_equal(records_list(t.r, RECORDS_SESSION, NULL, 0, collect, all, NULL), 0);
		assert_string_equal(all, "a ab b b/x b/y c ");
		assert_int_equal(records_list(t.r, RECORDS_SESSION, "b/", 2, collect, some, NULL), 0);
		assert_string_equal(some, "b/x b/y ");
		cas_test_close(&t);
		cas_test_open(&t);
	}
	cas_test_end(&t);
}

static void test_rotation(void **state)
{
	(void)state;
	struct cas_test t;
	struct audit_summary summary;
	struct records_session s;
	char key2[CAS_PATH_MAX], vault[CAS_PATH_MAX], name[32], old[CAS_PATH_MAX];
	struct error err;
	cas_test_begin(&t);
	cas_path(&t, "key2", key2);
	cas_path(&t, "cas/vault", vault);
	cas_path(&t, "backup", old);
	cas_put_session(t.r, "a", "text", NULL);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		cas_put_secret(t.r, "a", name, name);
	}
	cas_copy(vault, old);
	for (unsigned round = 0; round < 3; round++)
		assert_int_equal(records_rotate(t.r, "operator", 20, NULL), 0);
	assert_int_equal(vault_key_file_create(key2, NULL), 0);
	const struct vault_sealing sealing = {.kind = VAULT_KEY_FILE, .key_file = key2};
	assert_int_equal(records_reseal(t.r, &sealing, "operator", 21, NULL), 0);
	assert_int_equal(records_verify(t.r, NULL, &summary, NULL), 0);
	cas_test_close(&t);
	struct records *r;
	assert_int_equal(records_open(&t.config, &r, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "the key file is wrong"));
	t.config.sealing = sealing;
	cas_test_open(&t);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_secret(t.r, "a", name, 0, name);
	}
	assert_int_equal(records_session_get(t.r, "a", &s, NULL), 0);
	assert_int_equal(s.revision, 1);
	records_session_done(&s);
	cas_test_close(&t);
	/* The vault of before has none of the keys that the records are sealed under now. */
	cas_copy(old, vault);
	t.config.sealing.key_file = t.key_file;
	assert_int_equal(records_open(&t.config, &r, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "older copy"));
	cas_test_end(&t);
}

/* A rotation that was cut after the vault has got its new key, and one cut before it has dropped the old. */
static void test_rotation_cut(void **state)
{
	(void)state;
	struct cas_test t;
	struct audit_summary summary;
	struct vault *v;
	char vault[CAS_PATH_MAX], database[CAS_PATH_MAX], head[CAS_PATH_MAX], old[CAS_PATH_MAX];
	cas_test_begin(&t);
	cas_path(&t, "cas/vault", vault);
	cas_path(&t, "cas/cas.db", database);
	cas_path(&t, "cas/head", head);
	cas_path(&t, "backup", old);
	cas_put_secret(t.r, "a", "k", "one");
	cas_test_close(&t);
	assert_int_equal(vault_open(vault, &t.config.sealing, NULL, &v, NULL), 0);
	assert_int_equal(vault_renew(v, NULL), 0);
	vault_free(v);
	cas_copy(vault, old);
	cas_test_open(&t); /* finishes it */
	assert_secret(t.r, "a", "k", 0, "one");
	cas_test_close(&t);
	assert_int_equal(vault_open(vault, &t.config.sealing, NULL, &v, NULL), 0);
	assert_int_equal(vault_generation(v), 2);
	assert_int_equal(vault_generation_before(v), 0);
	vault_free(v);
	cas_copy(old, vault);
	cas_test_open(&t);
	assert_secret(t.r, "a", "k", 0, "one");
	assert_int_equal(records_verify(t.r, NULL, &summary, NULL), 0);
	cas_test_close(&t);
	assert_int_equal(vault_open(vault, &t.config.sealing, NULL, &v, NULL), 0);
	assert_int_equal(vault_generation_before(v), 0);
	vault_free(v);
	cas_test_end(&t);
}

static void test_backup(void **state)
{
	(void)state;
	struct cas_test t;
	struct audit_summary summary;
	struct audit_head seen_before, seen_after;
	struct records *r;
	struct records_secret s;
	struct error err;
	char backup[CAS_PATH_MAX], restored[CAS_PATH_MAX];
	uint8_t root[VOLUME_REFERENCE_SIZE] = {1}, none[VOLUME_REFERENCE_SIZE] = {0};
	uint64_t before, after;
	cas_test_begin(&t);
	cas_path(&t, "backup", backup);
	cas_path(&t, "restored", restored);
	cas_put_secret(t.r, "a", "k", "one");
	seen_before = *records_head(t.r);
	begin(t.r);
	assert_int_equal(records_backup(t.r, backup, "operator", 30, &err), CELLA_EBUG);
	records_abort(t.r);
	assert_int_equal(records_backup(t.r, backup, "operator", 30, &err), 0);
	assert_int_equal(records_backup(t.r, backup, "operator", 30, &err), CELLA_EEXIST);
	/* What comes after it is what a restore forgets. */
	cas_put_secret(t.r, "a", "k", "two");
	begin(t.r);
	assert_int_equal(records_volume_acquire(t.r, volume, "alice", false, 1, 2, &before, NULL), 0);
	assert_int_equal(records_volume_swap(t.r, volume, before, none, root, NULL), 0);
	end(t.r);
	seen_after = *records_head(t.r);
	struct records_restore restore = {.backup = backup, .config = t.config, .epoch = 5};
	restore.config.directory = restored;
	assert_int_equal(records_restore(&restore, &r, &err), CELLA_EPERM);
	assert_non_null(strstr(err.text, "consent"));
	restore.owner_consents = true;
	restore.epoch = (uint64_t)RECORDS_EPOCH_MAX + 1;
	assert_int_equal(records_restore(&restore, &r, &err), CELLA_EINVAL);
	restore.epoch = 5;
	if (records_restore(&restore, &r, &err) < 0)
		fail_msg("%s", err.text);
	assert_secret(r, "a", "k", 0, "one");
	assert_int_equal(records_secret_get(r, "a", "k", 2, &s, NULL), CELLA_ENOENT);
	assert_int_equal(records_head(r)->epoch, 5);
	assert_int_equal(records_verify(r, NULL, &summary, NULL), 0);
	assert_int_equal(summary.restores, 1);
	assert_int_equal(records_verify(r, &seen_before, &summary, NULL), 0);
	assert_int_equal(records_verify(r, &seen_after, &summary, &err), CELLA_ELOST);
	assert_non_null(strstr(err.text, "consent: test"));
	begin(r);
	assert_int_equal(records_volume_acquire(r, volume, "bob", false, 1, 2, &after, NULL), 0);
	assert_true(after > before); /* although the database has forgotten that one */
	records_abort(r);
	records_close(r);
	assert_int_equal(records_restore(&restore, &r, &err), CELLA_EEXIST);
	cas_test_end(&t);
}

static void test_damaged_backup(void **state)
{
	(void)state;
	struct cas_test t;
	struct records *r;
	struct error err;
	char backup[CAS_PATH_MAX], restored[CAS_PATH_MAX];
	size_t size;
	cas_test_begin(&t);
	cas_path(&t, "backup", backup);
	cas_path(&t, "restored", restored);
	cas_put_secret(t.r, "a", "k", "one");
	assert_int_equal(records_backup(t.r, backup, "operator", 30, NULL), 0);
	uint8_t *bytes = cas_read(backup, &size);
	struct records_restore restore = {.backup = backup, .config = t.config, .owner_consents = true};
	restore.config.directory = restored;
	for (size_t cut = 0; cut < size; cut += 4096) {
		cas_write(backup, bytes, cut);
		assert_true(records_restore(&restore, &r, &err) < 0);
		assert_int_equal(access(restored, F_OK), -1);
	}
	free(bytes);
	/* A CAS's database alone is no backup. */
	cas_test_close(&t);
	char database[CAS_PATH_MAX];
	cas_copy(cas_path(&t, "cas/cas.db", database), backup);
	assert_int_equal(records_restore(&restore, &r, &err), CELLA_ENOENT);
	assert_non_null(strstr(err.text, "no backup"));
	cas_test_end(&t);
}

/* Whoever has the public key and remembers a head needs no key of the vault. */
static void test_log_alone(void **state)
{
	(void)state;
	struct cas_test t;
	struct audit_summary summary;
	struct audit_head head;
	struct error err;
	uint8_t key[CRYPTO_ED25519_SIZE];
	char path[CAS_PATH_MAX];
	cas_test_begin(&t);
	cas_put_secret(t.r, "a", "k", "one");
	head = *records_head(t.r);
	memcpy(key, records_public_key(t.r), sizeof(key));
	cas_put_secret(t.r, "a", "k", "two");
	assert_int_equal(records_verify_log(t.directory, key, &head, &summary, &err), CELLA_EAGAIN);
	cas_test_close(&t);
	assert_int_equal(records_verify_log(t.directory, key, &head, &summary, &err), 0);
	assert_int_equal(summary.entries, 3);
	assert_int_equal(records_verify_log(t.directory, NULL, NULL, &summary, &err), 0);
	head.hash[5] ^= 1;
	assert_int_equal(records_verify_log(t.directory, key, &head, &summary, &err), CELLA_EAUTH);
	key[3] ^= 1;
	assert_int_equal(records_verify_log(t.directory, key, NULL, &summary, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "not this CAS's"));
	assert_int_equal(records_verify_log(cas_path(&t, "none", path), key, NULL, &summary, &err),
	                 CELLA_ENOENT);
	cas_test_open(&t);
	cas_test_end(&t);
}

static void test_passphrase(void **state)
{
	(void)state;
	struct cas_test t;
	struct records *r;
	struct error err;
	char directory[CAS_PATH_MAX];
	cas_test_begin(&t);
	struct records_config config = t.config;
	config.directory = cas_path(&t, "restored", directory);
	config.sealing = (struct vault_sealing){.kind = VAULT_PASSPHRASE,
	                                        .passphrase = "correct horse",
	                                        .passphrase_size = 13,
	                                        .scrypt_log_n = VAULT_SCRYPT_LOG_N_MIN};
	assert_int_equal(records_create(&config, &r, &err), 0);
	cas_put_secret(r, "a", "k", "one");
	records_close(r);
	assert_int_equal(records_create(&config, &r, &err), CELLA_EEXIST);
	assert_int_equal(records_open(&config, &r, &err), 0);
	assert_secret(r, "a", "k", 0, "one");
	records_close(r);
	config.sealing.passphrase = "correct house";
	assert_int_equal(records_open(&config, &r, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "the passphrase is wrong"));
	assert_null(strstr(err.text, "house"));
	config.sealing.passphrase_size = VAULT_PASSPHRASE_MIN - 1;
	assert_int_equal(records_open(&config, &r, &err), CELLA_EINVAL);
	assert_int_equal(records_open(&t.config, &r, &err), CELLA_EAGAIN);
	cas_test_close(&t);
	config.directory = t.directory;
	config.sealing.passphrase_size = 13;
	assert_int_equal(records_open(&config, &r, &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "sealed by a key file"));
	config.directory = "/nowhere/at/all";
	assert_int_equal(records_open(&config, &r, &err), CELLA_ENOENT);
	cas_test_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),       cmocka_unit_test(test_session_removed),
		cmocka_unit_test(test_secrets),        cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_parties),        cmocka_unit_test(test_revocations),
		cmocka_unit_test(test_refusals),       cmocka_unit_test(test_steps),
		cmocka_unit_test(test_lists),          cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_rotation_cut),   cmocka_unit_test(test_backup),
		cmocka_unit_test(test_not_committed),  cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_log_alone),      cmocka_unit_test(test_passphrase),
		cmocka_unit_test(test_damaged_backup),
	};
	return cmocka_run_group_tests(tests, cas_start, NULL);
}
