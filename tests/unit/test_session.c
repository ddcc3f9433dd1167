/*
 * Sessions. Does everything that a session says reach its structure, with the right defaults; does its hash
 * stand for what it says and nothing else; are secrets put into texts as asked, and nowhere else?
 */
#include <limits.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attest/evidence.h"
#include "base/io.h"
#include "cas/session/session.h"
#include "crypto/x509.h"

#ifdef __has_feature
#define WITH_ADDRESS_SANITIZER __has_feature(address_sanitizer)
#else
#define WITH_ADDRESS_SANITIZER 0
#endif

#define X4(s) s s s s
#define X16(s) X4(s) X4(s) X4(s) X4(s)
#define KEY_AB X16("ab") X16("ab")
#define KEY_CD X16("cd") X16("cd")
#define DIGEST_EF X16("ef") X16("ef") X16("ef")
#define HEAD "name: s\nversion: 0.1\n"

static struct session *parse(const char *text)
{
	struct session *s = NULL;
	struct error err;
	if (session_parse("file", text, strlen(text), NULL, NULL, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static const char whole[] =
	"name: clinic/hospital\n"
	"version: \"0.1\"\n"
	"predecessor: " DIGEST_EF "\n"
	"creator: " KEY_AB "\n"
	"namespaces: [wards, staff]\n"
	"secrets:\n"
	"- {name: password, kind: ascii, size: 24}\n"
	"- {name: greeting, kind: ascii, value: \"a\\n$$b\"}\n"
	"- {name: salt, kind: binary, value: 00ff10}\n"
	"- {name: volume-key, kind: binary, size: 32}\n"
	"- {name: key, kind: private-key}\n"
	"- {name: public, kind: public-key, private_key: key}\n"
	"- {name: ca, kind: x509-ca, private_key: key, common_name: The CA}\n"
	"- {name: cert, kind: x509, private_key: key, issuer: ca, common_name: db, dns: [db.example, b],\n"
	"   endpoint: server, valid_for: 12h, export: [lab, {session: x/y, session_hash: " DIGEST_EF "}]}\n"
	"- {name: own-ca, kind: x509-ca, value: \"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n\",\n"
	"   private_key: key}\n"
	"- {name: theirs, kind: ascii, import: {session: lab, name: ours, session_hash: " DIGEST_EF "}}\n"
	"- {name: plain, kind: ascii, import: {session: lab}}\n"
	"volumes:\n"
	"- {name: recordings, path: /recordings, access: rw, key: volume-key, update_policy: bounded 16}\n"
	"- {name: model, path: /model, export: lab}\n"
	"- {name: lent, path: /lent, import: {session: lab}}\n"
	"images:\n"
	"- name: classifier\n"
	"  volumes: [recordings, model]\n"
	"  injection_files:\n"
	"  - path: /etc/db.conf\n"
	"    content: |\n"
	"      password=$$CELLA::password$$\n"
	"      $$CELLA::salt$$\n"
	"services:\n"
	"- name: classify\n"
	"  command: predict  --all $$CELLA::password:hex$$\n"
	"  environment: {Z: no, A: \"$$CELLA::key$$\"}\n"
	"  pwd: /work\n"
	"  image_name: classifier\n"
	"  identity: /run/identity\n"
	"  offline: 24h\n"
	"  attestation:\n"
	"  - cell: [" DIGEST_EF ", " DIGEST_EF "]\n"
	"    builder: " KEY_AB "\n"
	"    executor: " DIGEST_EF "\n"
	"    las: " KEY_CD "\n"
	"    memory_level: secret\n"
	"    machine: [snp, tdx]\n"
	"    host: [yama-scope-3, lockdown-confidentiality]\n"
	"    isolation: own-uid\n"
	"  - builder: " KEY_CD "\n"
	"  tolerate: [memory_level, machine, host.kexec-disabled, isolation.no-new-privs]\n"
	"- name: train\n"
	"  command: [train, \"a b\", \"\"]\n"
	"  attestation: [{memory_level: insecure-none}]\n"
	"access_policy:\n"
	"  read: [CREATOR, " KEY_CD ", \"cella://clinic/hospital/classify\"]\n"
	"  update: {require_all: [CREATOR, " KEY_CD "]}\n"
	"  create: {at_least: 1, of: [" KEY_AB ", " KEY_CD "]}\n";

static void test_head(void **state)
{
	struct session *s = parse(whole);
	(void)state;
	assert_string_equal(s->name, "clinic/hospital");
	assert_true(s->predecessor.given && s->predecessor.hash[47] == 0xef);
	assert_true(s->has_creator && s->creator[0] == 0xab && s->creator[31] == 0xab);
	assert_int_equal(s->namespaces.count, 2);
	assert_string_equal(s->namespaces.items[1], "staff");
	assert_int_equal(s->service_count, 2);
	assert_null(session_service(s, "clas"));
	assert_true(session_has_namespace_of(s, "clinic/hospital/wards/a"));
	assert_true(session_has_namespace_of(s, "clinic/hospital/staff/a/b"));
	assert_false(session_has_namespace_of(s, "clinic/hospital/wards"));
	assert_false(session_has_namespace_of(s, "clinic/hospital/ward/a"));
	assert_false(session_has_namespace_of(s, "clinic/hospital/wards2/a"));
	assert_false(session_has_namespace_of(s, "clinic/hospitals/wards/a"));
	assert_false(session_has_namespace_of(s, "wards/a"));
	assert_string_equal(session_service(s, "train")->name, "train");
	session_free(s);
}

static void test_secrets(void **state)
{
	struct session *s = parse(whole);
	const struct session_secret *k;
	(void)state;
	assert_int_equal(s->secret_count, 11);
	k = session_secret(s, "password");
	assert_true(k->kind == SESSION_ASCII && k->origin == SESSION_GENERATED && k->size == 24);
	k = session_secret(s, "greeting");
	assert_true(k->origin == SESSION_GIVEN && k->value_size == 5 && memcmp(k->value, "a\n$$b", 5) == 0);
	k = session_secret(s, "salt");
	assert_true(k->kind == SESSION_BINARY && k->value_size == 3 &&
	            memcmp(k->value, "\0\xff\x10", 3) == 0);
	k = session_secret(s, "public");
	assert_true(k->kind == SESSION_PUBLIC_KEY && strcmp(k->private_key, "key") == 0);
	k = session_secret(s, "ca");
	assert_true(k->kind == SESSION_X509_CA && k->valid_s == SESSION_VALID_MAX_S && k->use == 0);
	assert_string_equal(k->common_name, "The CA");
	k = session_secret(s, "cert");
	assert_true(k->use == SESSION_FOR_SERVER && k->valid_s == 12 * 3600 && strcmp(k->issuer, "ca") == 0);
	assert_true(k->dns.count == 2 && strcmp(k->dns.items[0], "db.example") == 0);
	assert_true(k->exports.count == 2 && !k->exports.items[0].hash.given &&
	            k->exports.items[1].hash.given);
	assert_string_equal(k->exports.items[1].session, "x/y");
	k = session_secret(s, "own-ca");
	assert_true(k->origin == SESSION_GIVEN && strcmp(k->private_key, "key") == 0 && k->valid_s == 0);
	k = session_secret(s, "theirs");
	assert_true(k->origin == SESSION_IMPORTED && k->import.hash.given);
	assert_string_equal(k->import.name, "ours");
	assert_string_equal(session_secret(s, "plain")->import.name, "plain");
	session_free(s);
}

static void test_volumes(void **state)
{
	struct session *s = parse(whole);
	const struct session_volume *v = session_volume(s, "recordings");
	const struct session_image *image = session_image(s, "classifier");
	(void)state;
	assert_true(v->writable && v->origin == SESSION_GIVEN && v->update == SESSION_BOUNDED &&
	            v->bound == 16);
	assert_string_equal(v->key, "volume-key");
	v = session_volume(s, "model");
	assert_true(!v->writable && v->origin == SESSION_GENERATED && v->update == SESSION_STRICT);
	assert_string_equal(v->exports.items[0].session, "lab");
	v = session_volume(s, "lent");
	assert_true(v->origin == SESSION_IMPORTED && strcmp(v->import.name, "lent") == 0);
	assert_true(image->volumes.count == 2 && image->file_count == 1);
	assert_string_equal(image->files[0].content, "password=$$CELLA::password$$\n$$CELLA::salt$$\n");
	session_free(s);
}

static void test_services(void **state)
{
	struct session *s = parse(whole);
	const struct session_service *classify = session_service(s, "classify"), *train = &s->services[1];
	const struct session_requirements *r = classify->alternatives;
	(void)state;
	assert_int_equal(classify->command.count, 3);
	assert_string_equal(classify->command.items[1], "--all");
	assert_true(classify->environment_count == 2 && classify->offline_s == 86400);
	assert_string_equal(classify->environment[0].name, "A"); /* sorted */
	assert_string_equal(classify->environment[1].value, "no");
	assert_string_equal(classify->pwd, "/work");
	assert_string_equal(classify->image, "classifier");
	assert_string_equal(classify->identity, "/run/identity");
	assert_int_equal(classify->alternative_count, 2);
	assert_true(r->cells.count == 2 && r->cells.size == 48 && r->builders.count == 1);
	assert_true(r->executors.bytes[47] == 0xef && r->launchers.bytes[0] == 0xcd);
	assert_int_equal(r->memory_level, MEM_SECRET);
	assert_int_equal(r->machines, 1 << SESSION_SNP | 1 << SESSION_TDX);
	assert_int_equal(r->host, EVIDENCE_YAMA_SCOPE_3 | EVIDENCE_LOCKDOWN_CONFIDENTIALITY);
	assert_int_equal(r->isolation, EVIDENCE_OWN_UID);
	assert_int_equal(r[1].memory_level, MEM_PAGED); /* what is protected at all */
	assert_true(classify->tolerate.memory_level && classify->tolerate.machine);
	assert_int_equal(classify->tolerate.host, EVIDENCE_KEXEC_DISABLED);
	assert_int_equal(classify->tolerate.isolation, EVIDENCE_NO_NEW_PRIVS);
	assert_true(train->command.count == 3 && strcmp(train->command.items[1], "a b") == 0);
	assert_true(!train->identity && !train->pwd && !train->image && !train->offline_s &&
	            !train->tolerate.machine);
	assert_int_equal(train->alternatives[0].memory_level, MEM_INSECURE_NONE);
	session_free(s);
}

static void test_access(void **state)
{
	struct session *s = parse(whole), *small = parse(HEAD),
		       *words = parse(HEAD "access_policy: {read: ANY, update: [NONE]}\n");
	(void)state;
	assert_true(s->read.who == SESSION_KEYS && s->read.creator && s->read.at_least == 1);
	assert_true(s->read.keys.count == 1 && s->read.keys.bytes[0] == 0xcd);
	assert_int_equal(s->read.identities.count, 1);
	assert_string_equal(s->read.identities.items[0], "cella://clinic/hospital/classify");
	assert_true(s->update.identities.count == 0);
	assert_true(s->update.at_least == 0 && s->update.creator && s->update.keys.count == 1);
	assert_true(s->create.at_least == 1 && !s->create.creator && s->create.keys.count == 2);
	assert_true(small->read.creator && small->read.keys.count == 0 && small->read.at_least == 1);
	assert_true(small->update.creator && small->create.who == SESSION_NOBODY);
	assert_true(words->read.who == SESSION_ANYBODY && words->update.who == SESSION_NOBODY);
	session_free(s);
	session_free(small);
	session_free(words);
}

/* A certificate stands for its key, for which it was made or which signed it, whatever else it says. */
static void test_certificate(void **state)
{
	const struct cert_shape shape = {.common_name = "owner", .use = CERT_FOR_CLIENT, .not_after = 1000};
	cleanup_buf struct buf pem = {0}, text = {0};
	struct cert_key *key;
	struct cert *cert;
	struct error err;
	char hash[CERT_KEY_HASH_SIZE], found[CERT_KEY_HASH_SIZE];
	(void)state;
	assert_int_equal(cert_key_generate(&key, &err), 0);
	assert_int_equal(cert_make_self_signed(key, &shape, &cert, &err), 0);
	assert_int_equal(cert_write_pem(cert, &pem, &err), 0);
	assert_int_equal(cert_key_hash(key, hash, &err), 0);
	buf_printf(&text, HEAD "creator: \"");
	for (size_t i = 0; i < pem.size; i++)
		buf_printf(&text, pem.data[i] == '\n' ? "\\n" : "%c", pem.data[i]);
	buf_printf(&text, "\"\n");
	struct session *s = parse((const char *)text.data);
	io_hex(s->creator, sizeof(s->creator), found);
	assert_true(s->has_creator);
	assert_string_equal(found, hash);
	session_free(s);
	cert_free(cert);
	cert_key_free(key);
}

/* ---- the hash */

static void hash_of(const char *text, char *ret_hex)
{
	uint8_t hash[CRYPTO_SHA384_SIZE];
	struct session *s = parse(text);
	struct error err;
	assert_int_equal(session_hash(s, hash, &err), 0);
	io_hex(hash, sizeof(hash), ret_hex);
	session_free(s);
}

/* What does not change a session does not change its hash. */
static void test_same_hash(void **state)
{
	static const char *const same[] = {
		"name: s\nversion: 0.1\nsecrets:\n- name: k\n  kind: ascii\n  size: 8\n"
		"services:\n- name: a\n  command: x y\n  environment: {A: b, C: d}\n"
		"  attestation:\n  - machine: [tpm, snp]\n    memory_level: paged\n",
		"# another one\nservices:\n  - attestation: [{\"machine\": [snp, 'tpm']}]\n"
		"    environment:\n      \"C\": d # of it\n      A: \"b\"\n    command: [x, y]\n    name: a\n"
		"secrets: [{size: 8, kind: ascii, name: k}]\nversion: \"0.1\"\nname: s\n"
		"access_policy: {read: CREATOR, update: [CREATOR], create: NONE}\n",
		"---\r\nname: s\r\nversion: 0.1\r\nsecrets: [{name: k, kind: ascii, size: 8}]\r\n"
		"services:\r\n- {name: a, command: x   y, environment: {C: d, A: b},\r\n"
		"   attestation: [{machine: [snp, tpm, snp]}]}\r\n...\r\n",
	};
	char first[2 * CRYPTO_SHA384_SIZE + 1], other[2 * CRYPTO_SHA384_SIZE + 1];
	(void)state;
	hash_of(same[0], first);
	for (size_t i = 1; i < array_count(same); i++) {
		hash_of(same[i], other);
		assert_string_equal(first, other);
	}
}

/* And what does, does: each line of a session is changed, alone. */
static void test_other_hash(void **state)
{
	static const char *const changes[][2] = {
		{"clinic/hospital", "clinic/hospitals"},
		{"predecessor: ef", "predecessor: ee"},
		{"creator: ab", "creator: aa"},
		{"[wards, staff]", "[wards]"},
		{"size: 24", "size: 25"},
		{"a\\n$$b", "a\\n$b"},
		{"00ff10", "00ff11"},
		{"name: public,", "name: publik,"},
		{"The CA", "A CA"},
		{"common_name: db", "common_name: dc"},
		{"[db.example, b]", "[db.example]"},
		{"endpoint: server", "endpoint: client"},
		{"12h", "13h"},
		{"[lab, {", "[lap, {"},
		{"nMIIB", "nMIIC"},
		{",\n   private_key: key}", "}"},
		{"session_hash: efef", "session_hash: effe"},
		{"name: ours", "name: our"},
		{"path: /recordings", "path: /recording"},
		{"access: rw", "access: ro"},
		{"bounded 16", "bounded 15"},
		{"update_policy: bounded 16", "update_policy: strict"},
		{"export: lab", "export: lap"},
		{"{name: lent, path: /lent, import", "{name: lend, path: /lent, import"},
		{"volumes: [recordings, model]", "volumes: [model, recordings]"},
		{"/etc/db.conf", "/etc/dc.conf"},
		{"password=$$", "passwort=$$"},
		{"predict  --all", "predict --al"},
		{"Z: no", "Z: yes"},
		{"Z: no", "Y: no"},
		{"pwd: /work", "pwd: /works"},
		{"  image_name: classifier\n", ""},
		{"24h", "23h"},
		{"/run/identity", "/run/identities"},
		{"  identity: /run/identity\n", ""},
		{", \"cella://clinic/hospital/classify\"", ""},
		{"cella://clinic/hospital/classify", "cella://clinic/hospital/train"},
		{"cell: [ef", "cell: [ee"},
		{"    builder: ab", "    builder: aa"},
		{"executor: ef", "executor: ee"},
		{"las: cd", "las: ca"},
		{"memory_level: secret", "memory_level: paged"},
		{"[snp, tdx]", "[snp]"},
		{"host: [yama-scope-3, ", "host: ["},
		{"isolation: own-uid", "isolation: cgroup"},
		{"tolerate: [memory_level, ", "tolerate: ["},
		{"[memory_level, machine", "[memory_level"},
		{"host.kexec-disabled, ", ""},
		{"isolation.no-new-privs", "isolation.cgroup"},
		{"[train, \"a b\", \"\"]", "[train, \"a b\"]"},
		{"read: [CREATOR, ", "read: ["},
		{"require_all: [CREATOR, ", "require_all: ["},
		{"at_least: 1", "at_least: 2"},
		{"update: {require_all: [CREATOR, " KEY_CD "]}",
	         "update: {at_least: 1, of: [CREATOR, " KEY_CD "]}"},
	};
	char first[2 * CRYPTO_SHA384_SIZE + 1], other[2 * CRYPTO_SHA384_SIZE + 1];
	(void)state;
	hash_of(whole, first);
	for (size_t i = 0; i < array_count(changes); i++) {
		cleanup_buf struct buf text = {0};
		const char *at = strstr(whole, changes[i][0]);
		if (!at)
			fail_msg("there is no %s", changes[i][0]);
		buf_printf(&text, "%.*s%s%s", (int)(at - whole), whole, changes[i][1],
		           at + strlen(changes[i][0]));
		hash_of((const char *)text.data, other);
		if (strcmp(first, other) == 0)
			fail_msg("the same hash with %s and with %s", changes[i][0], changes[i][1]);
	}
}

/* The encoding as docs/protocols/session.md has it, and the hash that it gives there. */
static void test_vector(void **state)
{
	static const char text[] = "name: hospital\nversion: 0.1\nservices:\n- name: classify\n"
				   "  attestation: [{builder: " KEY_AB "}]\n";
	struct buf expected = {0};
	struct session_text encoding = {0};
	struct session *s = parse(text);
	uint8_t hash[CRYPTO_SHA384_SIZE];
	char hex[2 * CRYPTO_SHA384_SIZE + 1];
	struct error err;
	(void)state;
#define N(v) buf_put_u64(&expected, v)
#define B(bytes, size) (N(size), buf_put(&expected, bytes, size))
#define S(string) B(string, sizeof(string) - 1)
	buf_put(&expected, "cella session 1\n", 16);
	S("hospital");
	N(0), N(0), N(0);       /* predecessor, creator, namespaces */
	N(0), N(0), N(0), N(1); /* secrets, volumes, images, services */
	S("classify");
	N(0), N(0), N(0), N(0), N(0); /* command, environment, pwd, image, offline */
	N(1);    /* alternatives */
	N(0), N(1);                   /* cells, builders */
	N(32);
	for (int i = 0; i < 32; i++)
		buf_put_u8(&expected, 0xab);
	N(0), N(0); /* executors, launchers */
	S("paged");
	N(0), N(0), N(0);       /* machines, host, isolation */
	N(0), N(0), N(0), N(0); /* tolerated: memory level, machine, host, isolation */
	S("keys"), N(1), N(0), N(1);
	S("keys"), N(1), N(0), N(1);
	S("none");
	session_encode(s, &encoding);
	assert_int_equal(encoding.size, expected.size);
	assert_memory_equal(encoding.data, expected.data, expected.size);
	assert_int_equal(session_hash(s, hash, &err), 0);
	io_hex(hash, sizeof(hash), hex);
	assert_string_equal(
		hex,
		"e750c2084f26a4b71791ddd50565e75a590707cd072d54f33f87cf7c8a2b9d6b475dbc7f6bdfc2ed327f34e09a829a77");
	session_text_done(&encoding);
	buf_done(&expected);
	session_free(s);
}

/* ---- references */

static int look_up(void *data, const char *name, struct session_value *ret_value, struct error *err)
{
	static const struct {
		const char *name;
		struct session_value value;
	} values[] = {
		{"word", {SESSION_ASCII, "hunter2", 7}},       {"empty", {SESSION_ASCII, "", 0}},
		{"bytes", {SESSION_BINARY, "\0\xff\x10z", 4}}, {"key", {SESSION_PRIVATE_KEY, "PEM\n", 4}},
		{"cut", {SESSION_ASCII, "a\0b", 3}},
	};
	size_t *asked = data;
	++*asked;
	for (size_t i = 0; i < array_count(values); i++) {
		if (strcmp(values[i].name, name) == 0) {
			*ret_value = values[i].value;
			return 0;
		}
	}
	return error_set(err, CELLA_ENOENT, "there is no secret %s", name);
}

static void test_expand(void **state)
{
	static const struct {
		const char *text;
		enum session_place place;
		const char *expected; /* NULL: an error */
		size_t size;
		const char *error;
	} cases[] = {
		{"", SESSION_IN_STRING, "", 0, NULL},
		{"nothing $ $$ $$$ $$CELLA: $$cella::word$$", SESSION_IN_STRING,
	         "nothing $ $$ $$$ $$CELLA: $$cella::word$$", 41, NULL},
		{"$$CELLA::word$$", SESSION_IN_STRING, "hunter2", 7, NULL},
		{"a$$$CELLA::word$$$b", SESSION_IN_STRING, "a$hunter2$b", 11, NULL},
		{"$$CELLA::word$$$$CELLA::word:hex$$", SESSION_IN_STRING, "hunter268756e74657232", 21, NULL},
		{"$$CELLA::word:base64$$", SESSION_IN_STRING, "aHVudGVyMg==", 12, NULL},
		{"[$$CELLA::empty$$$$CELLA::empty:hex$$$$CELLA::empty:base64$$]", SESSION_IN_STRING, "[]", 2,
	         NULL},
		{"$$CELLA::bytes:hex$$", SESSION_IN_STRING, "00ff107a", 8, NULL},
		{"$$CELLA::bytes:base64$$", SESSION_IN_STRING, "AP8Qeg==", 8, NULL},
		{"<$$CELLA::bytes$$>", SESSION_IN_FILE, "<\0\xff\x10z>", 6, NULL},
		{"$$CELLA::key$$$$CELLA::key:pem$$", SESSION_IN_STRING, "PEM\nPEM\n", 8, NULL},
		{"$$CELLA::bytes$$", SESSION_IN_STRING, NULL, 0,
	         "the secret bytes is binary: outside of files it needs a format, hex or base64"},
		{"$$CELLA::cut$$", SESSION_IN_STRING, NULL, 0,
	         "the secret cut holds a zero byte, which no argument or variable can"},
		{"$$CELLA::key:hex$$", SESSION_IN_FILE, NULL, 0,
	         "the secret key is a key or certificate, whose format is pem (or none) alone"},
		{"$$CELLA::other$$", SESSION_IN_FILE, NULL, 0, "there is no secret other"},
		{"$$CELLA::word", SESSION_IN_FILE, NULL, 0,
	         "a reference to a secret does not end with $$ behind its name or format"},
		{"$$CELLA::word:$$", SESSION_IN_FILE, NULL, 0,
	         "a reference to a secret has no format behind its second colon"},
		{"$$CELLA::a b$$", SESSION_IN_FILE, NULL, 0,
	         "a reference to a secret does not end with $$ behind its name or format"},
	};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_session_text struct session_text text = {0};
		struct error err = {0};
		size_t asked = 0;
		int rc = session_expand(cases[i].text, cases[i].place, look_up, &asked, &text, &err);
		if ((rc == 0) != (cases[i].expected != NULL))
			fail_msg("%s: %d, %s", cases[i].text, rc, err.text);
		if (rc < 0)
			assert_string_equal(err.text, cases[i].error);
		else if (text.size != cases[i].size ||
		         (text.size && memcmp(text.data, cases[i].expected, text.size) != 0))
			fail_msg("%s: %.*s", cases[i].text, (int)text.size, (char *)text.data);
	}
}

static int look_up_all(void *data, const char *name, struct session_value *ret_value, struct error *err)
{
	(void)name;
	(void)err;
	*ret_value = (struct session_value){SESSION_BINARY, data, 256};
	return 0;
}

/* The arithmetic of digits, for every byte and every place in a group. */
static void test_formats(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	cleanup_session_text struct session_text hex = {0}, base64 = {0};
	uint8_t all[256];
	char expected[2 * sizeof(all) + 1];
	struct error err;
	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i * 0x4d + (i >> 4));
	io_hex(all, sizeof(all), expected);
	assert_int_equal(session_expand("$$CELLA::a:hex$$", SESSION_IN_STRING, look_up_all, all, &hex, &err),
	                 0);
	assert_int_equal(hex.size, 2 * sizeof(all));
	assert_memory_equal(hex.data, expected, hex.size);
	assert_int_equal(session_expand("$$CELLA::a:base64$$", SESSION_IN_STRING, look_up_all, all, &base64,
	                                &err),
	                 0);
	assert_int_equal(base64.size, 344);
	for (size_t bit = 0; bit < 8 * sizeof(all); bit += 6) {
		unsigned v = 0;
		for (size_t i = bit; i < bit + 6; i++)
			v = v << 1 | (i / 8 < sizeof(all) ? all[i / 8] >> (7 - i % 8) & 1 : 0);
		assert_int_equal(base64.data[bit / 6], alphabet[v]);
	}
	assert_memory_equal(base64.data + 342, "==", 2);
}

/* A session's secrets lie in its pool, and are wiped with it. */
static void test_pool(void **state)
{
	struct mem_pool *pool;
	struct session *s = NULL;
	struct error err;
	(void)state;
	assert_int_equal(mem_pool_new(MEM_INSECURE_NONE, 4 << 20, &pool, &err), 0);
	assert_int_equal(session_parse("file", whole, strlen(whole), pool, NULL, &s, &err), 0);
	const uint8_t *value = session_secret(s, "greeting")->value;
	assert_true(mem_owns(pool, s->arena.blocks));
	assert_memory_equal(value, "a\n$$b", 5);
	session_free(s);
	assert_true(bytes_are_zero(value, 5)); /* the pool keeps its pages */
	mem_pool_free(pool);
}

/* ---- what stays behind */

enum { MARKER_SIZE = 16, FILLER = 3000 };

static const char *heap; /* where malloc began to give out memory */

/* How often the marker stands in what malloc ever gave out, freed memory included. */
static size_t count_on_heap(const char marker[MARKER_SIZE])
{
	size_t count = 0;
	const char *end = sbrk(0);
	for (const char *at = heap; (at = memmem(at, (size_t)(end - at), marker, MARKER_SIZE)); at++)
		count++;
	return count;
}

/* A secret whose session and text are gone is nowhere in ordinary memory, not in what libyaml had either. */
not_used static void test_nothing_stays(void **state)
{
	static const char parts[][5] = {"hunt", "er2h", "unte", "r2h!"}; /* so that it stands nowhere else */
	char marker[MARKER_SIZE];
	struct session_text text = {0};
	struct session *s = NULL;
	struct error err;
	(void)state;
	mallopt(M_MMAP_MAX, 0); /* all from brk, */
	mallopt(M_TRIM_THRESHOLD, INT_MAX); /* and none given back */
	for (size_t i = 0; i < array_count(parts); i++)
		memcpy(marker + i * 4, parts[i], 4);
	session_text_put(&text, HEAD, strlen(HEAD));
	for (int i = 0; i < 20; i++) {
		char secret[120];
		int size = snprintf(secret, sizeof(secret), "%s- {name: k%d, kind: ascii, value: \"%040d",
		                    i ? "" : "secrets:\n", i, i); /* free writes where memory begins */
		session_text_put(&text, secret, (size_t)size);
		session_text_put(&text, marker, MARKER_SIZE);
		for (int j = 0; j < FILLER; j++) /* libyaml's buffers grow */
			session_text_put(&text, j % 50 ? "x" : "\\\n  ", j % 50 ? 1 : 4);
		session_text_put(&text, "\"}\n", 3);
	}
	assert_false(text.failed);
	if (session_parse("file", text.data, text.size, NULL, NULL, &s, &err) < 0)
		fail_msg("%s", err.text);
	assert_memory_equal(session_secret(s, "k19")->value + 40, marker, MARKER_SIZE);
	assert_true(count_on_heap(marker) >= 20); /* it is looked for where it would be */
	session_free(s);
	session_text_done(&text);
	assert_int_equal(count_on_heap(marker), 0);
}

static void test_remarks(void **state)
{
	static const char text[] = HEAD
		"secrets:\n- {name: pin, kind: ascii, value: \"1234\"}\n- {name: used, kind: ascii, size: 9}\n"
		"volumes:\n- {name: v, path: /v, update_policy: none}\nimages:\n- {name: i}\n- {name: j}\n"
		"services:\n- {name: a, image_name: j, attestation: [{memory_level: insecure-none}]}\n"
		"- {name: b, image_name: j, command: [$$CELLA::used$$], attestation: [{builder: " KEY_AB
		"}], offline: 1h, identity: /identity}\n"
		"access_policy: {update: ANY}\n";
	static const char expected[] =
		"secret pin: nothing uses it\n"
		"secret pin: its value stands in the text, and the session's hash confirms a guess of it; a "
		"generated secret is safer\n"
		"volume v: nothing uses it\n"
		"volume v: update_policy none: an old copy of it is accepted until a job has ended in order\n"
		"image i: no service uses it\n"
		"service a, alternative 1: it names neither cell nor builder, so any program gets its secrets\n"
		"service a, alternative 1: memory_level insecure-none lets root on the machine read its secrets\n"
		"service a: without a command, whoever starts it chooses its arguments\n"
		"service b: while it is offline it has no identity: only the CAS certifies it\n"
		"access_policy: anybody may update it\n";
	cleanup_buf struct buf remarks = {0};
	struct session *s = parse(text);
	(void)state;
	session_remarks(s, &remarks);
	buf_put_u8(&remarks, 0);
	assert_string_equal((char *)remarks.data, expected);
	session_free(s);
}

int main(void)
{
	struct error err;
	void *first = malloc(1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),          cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_volumes),       cmocka_unit_test(test_services),
		cmocka_unit_test(test_access),        cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_same_hash),     cmocka_unit_test(test_other_hash),
		cmocka_unit_test(test_vector),        cmocka_unit_test(test_expand),
		cmocka_unit_test(test_formats),       cmocka_unit_test(test_pool),
		cmocka_unit_test(test_remarks),
#if !WITH_ADDRESS_SANITIZER /* which has a heap of its own */
		cmocka_unit_test(test_nothing_stays),
#endif
	};
	heap = first;
	free(first);
	if (crypto_init(NULL, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
