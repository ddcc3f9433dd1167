/*
 * The CAS without its wire, with a clock of the test's own: which nonces hold; is every reason of a refusal
 * told at once; do the secrets of every kind, imports and volumes come as the session says, each executor
 * once; and is what many threads change at once kept or not, each change by itself?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attest/evidence.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cas/attest.h"
#include "cas/audit/format.h"
#include "cas/parties.h"
#include "cas/sessions.h"
#include "cas_place.h"
#include "cell/provision.h"

static const uint64_t SECOND = 1000000000;
enum { HOUR = 3600, DAY = 24 * HOUR };

/* Of "NAME=VALUE" in a grant the value. */
static const char *variable(const struct provision *grant, const char *name)
{
	const size_t size = strlen(name);
	for (uint32_t i = 0; i < grant->environment_count; i++)
		if (strncmp(grant->environment[i], name, size) == 0 && grant->environment[i][size] == '=')
			return grant->environment[i] + size + 1;
	fail_msg("there is no %s in the grant", name);
	return "";
}

/* ---- nonces */

static void test_life_of_a_nonce(void **state)
{
	static const struct {
		const char *what;
		int64_t later_ms;
		const char *refused; /* NULL: it holds */
	} cases[] = {
		{"at once", 0, NULL},
		{"at the end of its day", (int64_t)DAY * 1000, NULL},
		{"behind it", (int64_t)DAY * 1000 + 1,
	         "nonce: wanted one of the last 24 hours, found one of 86400 s ago"},
		{"25 hours", (int64_t)25 * HOUR * 1000, "found one of 90000 s ago"},
		{"a year", (int64_t)365 * DAY * 1000, "found one of 31536000 s ago"},
		{"the clock a second back", -1000, NULL},
		{"a little more", -1001, "found one of -1 s ago"},
		{"the clock a day back", -(int64_t)DAY * 1000, "found one of -86400 s ago"},
	};
	struct place p;
	(void)state;
	place_begin(&p);
	place_put(&p, HEAD("a") SERVICE(CELL44));
	for (size_t i = 0; i < array_count(cases); i++) {
		struct executor x;
		p.now = NOON;
		place_start(&p, &x);
		p.now = (uint64_t)((int64_t)NOON + cases[i].later_ms * 1000000);
		print_message("%s\n", cases[i].what);
		if (cases[i].refused)
			place_assert_refused(&p, &x, "a", cases[i].refused);
		else
			place_assert_granted(&p, &x, "a");
	}
	place_end(&p);
}

static void test_foreign_nonces(void **state)
{
	static const char foreign[] = "nonce: wanted one of this CAS since it was started, found another";
	struct place p, q;
	struct executor x, y;
	struct error err;
	(void)state;
	place_begin(&p);
	place_begin(&q);
	place_put(&p, HEAD("a") SERVICE(CELL44));
	place_start(&p, &x);
	must(cas_nonce(q.cas, x.says.nonce, &err), &err);
	place_assert_refused(&p, &x, "a", foreign);
	place_start(&p, &x);
	for (size_t i = 0; i < sizeof(x.says.nonce); i += 5) {
		x.says.nonce[i] ^= 0x80;
		place_assert_refused(&p, &x, "a", foreign);
		x.says.nonce[i] ^= 0x80;
	}
	y = x;
	place_assert_granted(&p, &x, "a");
	must(crypto_x25519_generate(&y.pair, &err), &err);
	memcpy(y.says.public_key, y.pair.public_key, sizeof(y.says.public_key));
	place_again(&p);
	place_assert_refused(&p, &y, "a", foreign);
	must(cas_nonce(p.cas, y.says.nonce, &err), &err);
	place_assert_granted(&p, &y, "a");
	place_end(&q);
	place_end(&p);
}

/* ---- reasons */

static void test_all_reasons_at_once(void **state)
{
	static const char *const reasons[] = {
		"nonce: wanted one of this CAS",
		"las: wanted one that is enrolled, found ",
		"las: wanted one that is not revoked, found ",
		"executor: wanted one that is not revoked, found 1111",
		"cell: wanted one that is not revoked, found 4545",
		"builder: wanted one that is not revoked, found 5555",
		"refused: none of 2 alternatives holds",
		"alternative 1: cell: wanted 4444",
		"alternative 1: memory_level: wanted at least secret, found insecure-none",
		"alternative 1: isolation.cgroup: wanted cgroup, found own-uid",
		"alternative 2: machine: wanted snp, found soft",
		"alternative 2: host.kexec-disabled: wanted kexec-disabled, found nothing",
	};
	struct place p;
	struct executor x;
	struct error err;
	struct crypto_signer stranger;
	cleanup_buf struct buf none = {0};
	(void)state;
	place_begin(&p);
	place_put(&p, HEAD("a") SERVICE(CELL44 "\n        memory_level: secret\n        isolation: [cgroup]\n"
	                                       "      - machine: snp\n        host: [kexec-disabled]"));
	place_start(&p, &x);
	must(crypto_signer_generate(&stranger, &err), &err);
	memset(x.says.nonce, 0, sizeof(x.says.nonce));
	memset(x.says.cell, 0x45, sizeof(x.says.cell));
	x.says.memory_level = MEM_INSECURE_NONE;
	must(cas_revoke(p.cas, &p.owner, RECORDS_REVOKED_LAS, stranger.public_key,
	                sizeof(stranger.public_key), "t", &err),
	     &err);
	must(cas_revoke(p.cas, &p.owner, RECORDS_REVOKED_EXECUTOR, x.says.executor, sizeof(x.says.executor),
	                "t", &err),
	     &err);
	must(cas_revoke(p.cas, &p.owner, RECORDS_REVOKED_CELL, x.says.cell, sizeof(x.says.cell), "t", &err),
	     &err);
	must(cas_revoke(p.cas, &p.owner, RECORDS_REVOKED_BUILDER, x.says.builder, sizeof(x.says.builder), "t",
	                &err),
	     &err);
	assert_int_equal(place_ask_as(&p, &stranger, &x, "a", "s", &none), CELLA_EAUTH);
	for (size_t i = 0; i < array_count(reasons); i++)
		place_assert_reason(&p, "a", reasons[i]);
	place_end(&p);
}

static void test_once(void **state)
{
	struct place p;
	struct executor x, y;
	struct error err;
	(void)state;
	place_begin(&p);
	place_put(&p, HEAD("a") SERVICE(CELL44));
	place_put(&p, HEAD("b") SERVICE(CELL44));
	place_start(&p, &x);
	place_assert_granted(&p, &x, "a");
	place_assert_refused(&p, &x, "a",
	                     "evidence: wanted of an executor that has not had its keys, found one that has");
	must(cas_nonce(p.cas, x.says.nonce, &err), &err);
	place_assert_refused(&p, &x, "a", "found one that has: replayed");
	place_assert_granted(&p, &x, "b");
	place_assert_refused(&p, &x, "b", "found one that has: replayed");
	/* A refusal takes nothing from it. */
	place_start(&p, &y);
	y.says.memory_level = MEM_INSECURE_NONE;
	place_assert_refused(&p, &y, "a", "memory_level: wanted");
	y.says.memory_level = MEM_SECRET;
	place_assert_granted(&p, &y, "a");
	place_end(&p);
}

/* What may not be let in, and why. */
static void test_enrolment(void **state)
{
	struct place p;
	struct crypto_signer launcher;
	struct error err;
	uint8_t key[RECORDS_KEY_SIZE] = {1}; /* the neutral point */
	(void)state;
	place_begin(&p);
	assert_int_equal(cas_party_add(p.cas, &p.owner, RECORDS_LAS, key, "small", &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "small order"));
	key[0] = 2;
	assert_int_equal(cas_party_add(p.cas, &p.owner, RECORDS_LAS, key, "none", &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "no point of the curve"));
	must(cas_party_add(p.cas, &p.owner, RECORDS_OWNER, key, "a hash is any number", &err), &err);

	must(crypto_signer_generate(&launcher, &err), &err);
	must(cas_party_add(p.cas, &p.owner, RECORDS_LAS, launcher.public_key, "new", &err), &err);
	must(cas_party_remove(p.cas, &p.owner, RECORDS_LAS, launcher.public_key, &err), &err);
	must(cas_party_add(p.cas, &p.owner, RECORDS_LAS, launcher.public_key, "removed, and back", &err),
	     &err);
	must(cas_party_remove(p.cas, &p.owner, RECORDS_LAS, launcher.public_key, &err), &err);
	must(cas_revoke(p.cas, &p.owner, RECORDS_REVOKED_LAS, launcher.public_key,
	                sizeof(launcher.public_key), "t", &err),
	     &err);
	must(cas_revoke(p.cas, &p.owner, RECORDS_REVOKED_OWNER, key, sizeof(key), "t", &err), &err);
	must(cas_party_remove(p.cas, &p.owner, RECORDS_OWNER, key, &err), &err);
	assert_int_equal(cas_party_add(p.cas, &p.owner, RECORDS_LAS, launcher.public_key, "back", &err),
	                 CELLA_EINVAL);
	assert_non_null(strstr(err.text, "this key of a launcher was revoked"));
	assert_int_equal(cas_party_add(p.cas, &p.owner, RECORDS_OWNER, key, "back", &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "this key of an owner was revoked"));
	place_end(&p);
}

static const char *long_value(void)
{
	static char value[60001];
	memset(value, 'x', sizeof(value) - 1);
	return value;
}

/* A CAS that nobody owns can be changed by nobody. */
static void test_last_owner(void **state)
{
	struct place p;
	struct error err;
	const uint8_t key[RECORDS_KEY_SIZE] = {1}, third[RECORDS_KEY_SIZE] = {3};
	static const char nobody[] = "nobody could change anything at this CAS any more";
	(void)state;
	place_begin(&p);
	assert_int_equal(cas_party_remove(p.cas, &p.owner, RECORDS_OWNER, p.owner.key, &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, nobody));
	assert_int_equal(cas_revoke(p.cas, &p.owner, RECORDS_REVOKED_OWNER, p.owner.key, RECORDS_KEY_SIZE,
	                            "t", &err),
	                 CELLA_EINVAL);
	assert_non_null(strstr(err.text, nobody));
	must(cas_party_add(p.cas, &p.owner, RECORDS_OWNER, key, "second", &err), &err);
	must(cas_revoke(p.cas, &p.owner, RECORDS_REVOKED_OWNER, key, sizeof(key), "t", &err), &err);
	assert_int_equal(cas_party_remove(p.cas, &p.owner, RECORDS_OWNER, p.owner.key, &err), CELLA_EINVAL);
	must(cas_party_remove(p.cas, &p.owner, RECORDS_OWNER, key, &err), &err); /* one that is revoked */
	must(cas_party_add(p.cas, &p.owner, RECORDS_OWNER, third, "third", &err), &err);
	must(cas_party_remove(p.cas, &p.owner, RECORDS_OWNER, p.owner.key, &err), &err);
	assert_int_equal(cas_party_remove(p.cas, &p.owner, RECORDS_OWNER, third, &err), CELLA_EPERM);
	place_end(&p);
}

/* More sessions than there is room for, parsed: each is judged all the same, also those of before. */
static void test_room_for_sessions(void **state)
{
	struct place p;
	char name[32];
	(void)state;
	place_begin(&p);
	p.config.sessions_memory = 4 << 20;
	place_again(&p);
	for (int turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < 24; i++) {
			cleanup_buf struct buf text = {0};
			struct executor x;
			snprintf(name, sizeof(name), "s%u", i);
			buf_printf(&text, "name: %s\nversion: \"0.1\"\nsecrets:\n", name);
			for (unsigned k = 0; k < 8; k++)
				buf_printf(&text, "  - {name: t%u, kind: ascii, value: %.*s}\n", k, 60000,
				           long_value());
			buf_printf(&text, "%s", SERVICE(CELL44));
			buf_put_u8(&text, 0);
			if (turn == 0)
				place_put(&p, (const char *)text.data);
			place_start(&p, &x);
			place_assert_granted(&p, &x, name);
		}
	}
	place_end(&p);
}

/* ---- secrets */

static const char of_every_kind[] =
	HEAD("k") "secrets:\n"
		  "  - {name: letters, kind: ascii, size: 4096}\n"
		  "  - {name: bytes, kind: binary, size: 33}\n"
		  "  - {name: ca-key, kind: private-key}\n"
		  "  - {name: ca, kind: x509-ca, private_key: ca-key, common_name: Clinic}\n"
		  "  - {name: key, kind: private-key}\n"
		  "  - {name: public, kind: public-key, private_key: key}\n"
		  "  - {name: server, kind: x509, private_key: key, issuer: ca, "
		  "common_name: Data, dns: [db.example], endpoint: server, valid_for: 2d}\n"
		  "  - {name: client, kind: x509, private_key: key, issuer: ca, "
		  "common_name: Reader, endpoint: client}\n"
		  "services:\n  - name: s\n    command: [x]\n    environment:\n"
		  "      LETTERS: $$CELLA::letters$$\n"
		  "      HEX: $$CELLA::bytes:hex$$\n"
		  "      CA_KEY: $$CELLA::ca-key$$\n"
		  "      CA: $$CELLA::ca:pem$$\n"
		  "      KEY: $$CELLA::key$$\n"
		  "      PUBLIC: $$CELLA::public$$\n"
		  "      SERVER: $$CELLA::server$$\n"
		  "      CLIENT: $$CELLA::client$$\n"
		  "    attestation:\n      - " CELL44 "\n";
static const char *const kinds[] = {"LETTERS", "HEX", "CA_KEY", "CA", "KEY", "PUBLIC", "SERVER", "CLIENT"};

static struct cert *read_certificate(const char *pem)
{
	struct error err;
	struct cert *chain[CERT_CHAIN_MAX];
	size_t count = 0;
	must(cert_read_pem(pem, strlen(pem), chain, &count, &err), &err);
	assert_int_equal(count, 1);
	return chain[0];
}

static int check_certificate(const struct provision *grant, const char *name, int64_t now, enum cert_use use,
                             const char *dns)
{
	struct cert *cert = read_certificate(variable(grant, name)),
		    *ca = read_certificate(variable(grant, "CA"));
	const struct cert *chain[] = {cert}, *cas[] = {ca};
	const struct cert_name holder = {CERT_DNS, dns};
	const struct cert_rule rule = {.now = now,
	                               .use = use,
	                               .cas = cas,
	                               .ca_count = 1,
	                               .name = dns ? &holder : NULL};
	int rc = cert_check(chain, 1, &rule, NULL);
	cert_free(cert);
	cert_free(ca);
	return rc;
}

static void assert_certificate_of_key(const struct provision *grant, const char *certificate,
                                      const char *key_name)
{
	struct error err;
	struct cert *cert = read_certificate(variable(grant, certificate));
	struct cert_key *key = NULL;
	struct cert_facts facts;
	char hash[CERT_KEY_HASH_SIZE];
	const char *pem = variable(grant, key_name);
	must(cert_describe(cert, &facts, &err), &err);
	must(cert_key_read(pem, strlen(pem), &key, &err), &err);
	must(cert_key_hash(key, hash, &err), &err);
	assert_string_equal(facts.key_hash, hash);
	cert_key_free(key);
	cert_free(cert);
}

static void check_keys(const struct provision *grant)
{
	struct error err;
	struct cert_key *key = NULL;
	cleanup_buf struct buf public_key = {0};
	const char *pem = variable(grant, "KEY");
	must(cert_key_read(pem, strlen(pem), &key, &err), &err);
	must(cert_key_write_public(key, &public_key, &err), &err);
	buf_put_u8(&public_key, 0);
	assert_string_equal(variable(grant, "PUBLIC"), (const char *)public_key.data);
	assert_string_not_equal(variable(grant, "CA_KEY"), pem);
	cert_key_free(key);
	assert_certificate_of_key(grant, "CA", "CA_KEY");
	assert_certificate_of_key(grant, "SERVER", "KEY");
	assert_certificate_of_key(grant, "CLIENT", "KEY");
}

static void check_chains(const struct provision *grant)
{
	const int64_t now = (int64_t)(NOON / SECOND);
	assert_int_equal(check_certificate(grant, "SERVER", now, CERT_FOR_SERVER, "db.example"), 0);
	assert_int_equal(check_certificate(grant, "SERVER", now + 2 * DAY - 1, CERT_FOR_SERVER, "db.example"),
	                 0);
	assert_int_equal(check_certificate(grant, "CLIENT", now, CERT_FOR_CLIENT, NULL), 0);
	assert_int_equal(check_certificate(grant, "SERVER", now + 2 * DAY + 1, CERT_FOR_SERVER, "db.example"),
	                 CELLA_EAUTH);
	assert_int_equal(check_certificate(grant, "SERVER", now - DAY, CERT_FOR_SERVER, "db.example"),
	                 CELLA_EAUTH);
	assert_int_equal(check_certificate(grant, "SERVER", now, CERT_FOR_SERVER, "db2.example"),
	                 CELLA_EAUTH);
	assert_int_equal(check_certificate(grant, "SERVER", now, CERT_FOR_CLIENT, NULL), CELLA_EAUTH);
	assert_int_equal(check_certificate(grant, "CLIENT", now, CERT_FOR_SERVER, NULL), CELLA_EAUTH);
	assert_int_equal(check_certificate(grant, "CLIENT", now + 91 * DAY, CERT_FOR_CLIENT, NULL),
	                 CELLA_EAUTH);
}

static void assert_same(const struct provision *a, const struct provision *b, bool same)
{
	for (size_t i = 0; i < array_count(kinds); i++)
		assert_int_equal(strcmp(variable(a, kinds[i]), variable(b, kinds[i])) == 0, same);
}

static void test_every_kind(void **state)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct place p;
	cleanup_buf struct buf other = {0};
	(void)state;
	place_begin(&p);
	place_put(&p, of_every_kind);
	struct provision *first = place_granted(&p, "k");
	assert_int_equal(strlen(variable(first, "LETTERS")), 4096);
	assert_int_equal(strspn(variable(first, "LETTERS"), letters), 4096);
	for (size_t i = 0; i < 64; i++) /* (63/64)^4096 is 1e-28 */
		assert_non_null(strchr(variable(first, "LETTERS"), letters[i]));
	assert_int_equal(strlen(variable(first, "HEX")), 66);
	check_keys(first);
	check_chains(first);

	/* They stay, over an update and a restart; another session has its own. */
	buf_printf(&other, "%s    pwd: /tmp\n", of_every_kind);
	buf_put_u8(&other, 0);
	place_update(&p, "k", (const char *)other.data);
	place_again(&p);
	struct provision *second = place_granted(&p, "k");
	assert_same(first, second, true);
	char *text = strdup(of_every_kind);
	assert_non_null(text);
	strstr(text, "name: k")[6] = 'j';
	place_put(&p, text);
	struct provision *third = place_granted(&p, "j");
	assert_same(first, third, false);
	free(text);
	provision_free(p.pool, first);
	provision_free(p.pool, second);
	provision_free(p.pool, third);
	place_end(&p);
}

#define TAKER(from)                                                                         \
	HEAD("taker")                                                                       \
	"secrets:\n  - {name: t, kind: ascii, import: {session: giver, name: g" from "}}\n" \
	"services:\n  - name: s\n    command: [x, $$CELLA::t$$]\n    attestation:\n      - " CELL44 "\n"
#define GIVER(to) HEAD("giver") "secrets:\n  - {name: g, kind: ascii, value: present" to "}\n" SERVICE(CELL44)

static void hash_of(struct place *p, const char *name, char to[2 * CRYPTO_SHA384_SIZE + 1])
{
	struct cas_session_facts facts;
	struct error err;
	cleanup_buf struct buf text = {0};
	must(cas_session_read(p->cas, &p->owner, name, &facts, &text, &err), &err);
	io_hex(facts.hash, sizeof(facts.hash), to);
}

static void test_imports(void **state)
{
	struct place p;
	struct executor x;
	char hash[2 * CRYPTO_SHA384_SIZE + 1], text[2048];
	(void)state;
	place_begin(&p);
	place_start(&p, &x);
	place_put(&p, TAKER(""));
	place_assert_refused(&p, &x, "taker", "session: importing from the session giver");
	place_put(&p, GIVER(""));
	place_assert_refused(&p, &x, "taker",
	                     "session: the session giver does not export the secret g to taker");
	place_update(&p, "giver", GIVER(", export: [other]"));
	place_assert_refused(&p, &x, "taker",
	                     "session: the session giver does not export the secret g to taker");
	hash_of(&p, "taker", hash);
	snprintf(text, sizeof(text), GIVER(", export: [{session: taker, session_hash: %s}]"), hash);
	place_update(&p, "giver", text);
	struct provision *g = place_granted(&p, "taker");
	assert_string_equal(g->arguments[1], "present");
	provision_free(p.pool, g);
	/* The taker is changed: it is not the one any more that the giver trusts. */
	hash_of(&p, "giver", hash);
	snprintf(text, sizeof(text), TAKER(", session_hash: %s"), hash);
	place_update(&p, "taker", text);
	place_assert_refused(&p, &x, "taker", "does not export the secret g to taker");
	place_update(&p, "giver", GIVER(", export: [taker]"));
	place_assert_refused(&p, &x, "taker", "has another hash than the one that taker names");
	hash_of(&p, "giver", hash);
	snprintf(text, sizeof(text), TAKER(", session_hash: %s"), hash);
	place_update(&p, "taker", text);
	place_assert_granted(&p, &x, "taker");
	place_end(&p);
}

/* ---- volumes */

static void test_volumes(void **state)
{
	struct place p;
	struct executor x;
	struct error err;
	struct cas_volume v = {.key_count = 2};
	(void)state;
	place_begin(&p);
	place_start(&p, &x);
	place_put(
		&p,
		HEAD("v") "volumes:\n  - {name: d, path: /d}\n  - {name: e, path: /e, access: rw}\n" SERVICE(
			CELL44));
	place_assert_refused(&p, &x, "v", "session: the volume d of the session was not handed to the CAS");
	memset(v.id, 1, sizeof(v.id));
	memset(v.root, 9, sizeof(v.root));
	memset(v.keys[0], 2, sizeof(v.keys[0]));
	memset(v.keys[1], 3, sizeof(v.keys[1]));
	must(cas_volume_hand(p.cas, &p.owner, "v", "d", &v, &err), &err);
	place_assert_refused(&p, &x, "v", "session: the volume e of the session was not handed to the CAS");
	v.id[0] = 7;
	v.root[20] = 8;
	must(cas_volume_hand(p.cas, &p.owner, "v", "e", &v, &err), &err);
	struct provision *g = place_granted(&p, "v");
	assert_int_equal(g->volume_count, 2);
	assert_string_equal(g->preopens[g->volumes[0].preopen].guest, "/d");
	assert_string_equal(g->preopens[g->volumes[1].preopen].guest, "/e");
	assert_int_equal(g->preopens[g->volumes[0].preopen].flags,
	                 OWNER_PREOPEN_VOLUME | OWNER_PREOPEN_READ_ONLY);
	assert_int_equal(g->preopens[g->volumes[1].preopen].flags, OWNER_PREOPEN_VOLUME);
	assert_memory_equal(g->volumes[1].id, v.id, sizeof(v.id));
	assert_memory_equal(g->volumes[1].root, v.root, sizeof(v.root));
	assert_int_equal(g->volumes[1].key_count, 2);
	assert_memory_equal(g->volumes[1].keys, v.keys, 2 * sizeof(v.keys[0]));
	provision_free(p.pool, g);
	/* An older root is refused, and nothing of it is kept. */
	struct cas_volume old = v;
	old.root[7] = 8;
	memset(old.keys, 5, sizeof(old.keys));
	assert_int_equal(cas_volume_hand(p.cas, &p.owner, "v", "e", &old, &err), CELLA_EAUTH);
	g = place_granted(&p, "v");
	assert_memory_equal(g->volumes[1].root, v.root, sizeof(v.root));
	assert_memory_equal(g->volumes[1].keys, v.keys, 2 * sizeof(v.keys[0]));
	provision_free(p.pool, g);
	place_end(&p);
}

/* The root belongs to the id: another session cannot spoil a volume by handing over its id. */
static void test_volume_of_others(void **state)
{
	static const char with_volume[] = "volumes:\n  - {name: d, path: /d}\n" SERVICE(CELL44);
	struct place p;
	struct error err;
	struct cas_volume mine = {.key_count = 2}, theirs;
	(void)state;
	place_begin(&p);
	for (int i = 0; i < 2; i++) {
		cleanup_buf struct buf text = {0};
		buf_printf(&text, "name: %s\nversion: \"0.1\"\n%s", i ? "theirs" : "mine", with_volume);
		buf_put_u8(&text, 0);
		place_put(&p, (const char *)text.data);
	}
	memset(mine.id, 1, sizeof(mine.id));
	memset(mine.root, 3, sizeof(mine.root));
	memset(mine.keys[0], 4, sizeof(mine.keys[0]));
	memset(mine.keys[1], 5, sizeof(mine.keys[1]));
	must(cas_volume_hand(p.cas, &p.owner, "mine", "d", &mine, &err), &err);
	must(cas_volume_hand(p.cas, &p.owner, "mine", "d", &mine, &err),
	     &err); /* a second version of its keys */
	theirs = mine;
	theirs.key_count = 0;
	assert_int_equal(cas_volume_hand(p.cas, &p.owner, "mine", "d", &theirs, &err), CELLA_EINVAL);
	theirs = mine;
	theirs.root[63]++;
	assert_int_equal(cas_volume_hand(p.cas, &p.owner, "mine", "d", &theirs, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "two have written to it"));
	memset(theirs.root, 0xff, sizeof(theirs.root));
	memset(theirs.keys, 9, sizeof(theirs.keys));
	for (theirs.key_count = 1; theirs.key_count <= 2; theirs.key_count++) {
		assert_int_equal(cas_volume_hand(p.cas, &p.owner, "theirs", "d", &theirs, &err), CELLA_EPERM);
		assert_non_null(strstr(err.text, "handed over to another session, with other keys"));
	}
	assert_int_equal(place_in_log(&p, "handed over to another session, with other keys"), 2);
	struct provision *g = place_granted(&p, "mine");
	assert_memory_equal(g->volumes[0].root, mine.root, sizeof(mine.root));
	provision_free(p.pool, g);
	/* Who has one of the keys could write the volume anyway. */
	theirs.key_count = 2;
	memcpy(theirs.keys[1], mine.keys[0], sizeof(mine.keys[0]));
	memcpy(theirs.root, mine.root, sizeof(mine.root));
	must(cas_volume_hand(p.cas, &p.owner, "theirs", "d", &theirs, &err), &err);
	/* Another volume is nobody's. */
	memset(theirs.id, 2, sizeof(theirs.id));
	memset(theirs.keys, 9, sizeof(theirs.keys));
	must(cas_volume_hand(p.cas, &p.owner, "theirs", "d", &theirs, &err), &err);
	place_end(&p);
}

/* ---- group commit */

enum { WRITERS = 8, TURNS = 12, FAILING = 5 };

struct writer {
	struct place *p;
	unsigned number;
	unsigned kept, failed;
};

struct half {
	const struct writer *w;
	unsigned turn;
};

/* Two records, and then a failure. */
static int fail_halfway(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	const struct half *h = arg;
	uint64_t version;
	char name[32];
	event->kind = AUDIT_SECRET_SET;
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "half-%u-%d", h->turn, i);
		int rc = records_secret_put(r, "failing", name, 1, "x", 1, 3, &version, err);
		if (rc < 0)
			return rc;
	}
	return error_set(err, CELLA_EINVAL, "turn %u fails", h->turn);
}

static bool put_and_ask(struct place *p, const char *name)
{
	struct cas_session_facts facts;
	struct executor x;
	cleanup_buf struct buf text = {0}, grant = {0};
	buf_printf(&text, "name: %s\nversion: \"0.1\"\nsecrets:\n  - {name: t, kind: ascii, size: 9}\n%s",
	           name, SERVICE(CELL44));
	if (cas_session_put(p->cas, &p->owner, text.data, text.size, &facts, NULL) < 0)
		return false;
	place_start(p, &x);
	return place_ask(p, &x, name, &grant) == 0;
}

static void *write_turns(void *arg)
{
	struct writer *w = arg;
	char name[32], said[32];
	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct half h = {w, turn};
		struct cas_change change = {.make = fail_halfway, .arg = &h};
		struct error err;
		snprintf(name, sizeof(name), "s-%u-%u", w->number, turn);
		snprintf(said, sizeof(said), "turn %u fails", turn);
		if (w->number == FAILING)
			w->failed += cas_commit(w->p->cas, &change, &err) == CELLA_EINVAL &&
			             strcmp(err.text, said) == 0;
		else
			w->kept += put_and_ask(w->p, name);
	}
	return NULL;
}

static void test_group_commit(void **state)
{
	struct place p;
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	struct audit_summary summary;
	struct error err;
	(void)state;
	place_begin(&p);
	struct records *r = cas_records_lock(p.cas);
	const uint64_t before = records_head(r)->number;
	const size_t secrets = records_count(r, RECORDS_SECRET);
	cas_records_unlock(p.cas);
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){.p = &p, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, write_turns, &writers[i]), 0);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < WRITERS; i++) {
		assert_int_equal(writers[i].kept, i == FAILING ? 0 : TURNS);
		assert_int_equal(writers[i].failed, i == FAILING ? TURNS : 0);
	}
	for (int opened = 0; opened < 2; opened++) {
		r = cas_records_lock(p.cas);
		assert_int_equal(records_count(r, RECORDS_SESSION), (WRITERS - 1) * TURNS);
		assert_int_equal(records_count(r, RECORDS_SECRET), secrets + (WRITERS - 1) * TURNS);
		must(records_verify(r, NULL, &summary, &err), &err);
		/* A session and a grant each; the failing ones are in no log. */
		assert_int_equal(summary.entries, before + 2 * (WRITERS - 1) * TURNS);
		if (!opened)
			print_message("%llu entries in %llu commits\n", (unsigned long long)summary.entries,
			              (unsigned long long)summary.commits);
		cas_records_unlock(p.cas);
		if (!opened)
			place_again(&p);
	}
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_a_nonce),
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_imports),
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_group_commit),
		cmocka_unit_test(test_foreign_nonces),
		cmocka_unit_test(test_all_reasons_at_once),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_enrolment),
		cmocka_unit_test(test_last_owner),
		cmocka_unit_test(test_room_for_sessions),
		cmocka_unit_test(test_volume_of_others),
	};
	return cmocka_run_group_tests(tests, cas_start_ordinary, NULL);
}
