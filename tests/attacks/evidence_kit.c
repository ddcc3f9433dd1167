/*
 * Makes evidence as a launcher would, and opens what a CAS answers, for tests that attack one.
 *
 *     evidence_kit launcher            a launcher's key: private and public, hexadecimal
 *     evidence_kit executor            an executor's key pair, the same
 *     evidence_kit sign LAUNCHER NAME=VALUE...
 *                                      evidence signed with that private key; NAMEs: nonce, cell, builder,
 *                                      executor, key (hexadecimal), level, machine, time (seconds)
 *     evidence_kit open PRIVATE PUBLIC GRANT
 *                                      a grant (base64url) as JSON; status 3 if it is not for this key
 *     evidence_kit ask DATA-KEY NUMBER OPERATION ID [TOKEN FROM TO]
 *                                      that question of an executor to its root keeper, sealed, in base64url:
 *                                      get, acquire, swap, release
 *     evidence_kit answer DATA-KEY NUMBER ANSWER
 *                                      what the keeper says: error, token, root, text; status 3 if it is not
 *                                      the answer to that question
 *     evidence_kit certify DATA-KEY NUMBER FILE
 *                                      a new P-256 key in FILE, and the executor's question to certify it,
 *                                      sealed, in base64url
 *     evidence_kit certified DATA-KEY NUMBER ANSWER FILE CA-FILE
 *                                      the certificate of that answer appended to FILE, the CA's into
 *                                      CA-FILE; status 3 if it is not the answer to that question
 *     evidence_kit credential FILE FROM TO
 *                                      an owner's private key and certificate, good from and until so many
 *                                      seconds from now; prints the key's hash
 *
 * What sign is not told is all bytes of 0x44 (cell), 0x55 (builder), 0x11 (executor), and secret on a soft
 * machine.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/claims.h"
#include "attest/evidence.h"
#include "base/base64url.h"
#include "base/io.h"
#include "cell/identity_question.h"
#include "cell/provision.h"
#include "crypto/x509.h"

enum { FAILED = 1, NOT_FOR_THIS_KEY = 3, POOL = 16 << 20 };

static struct error err;
static struct mem_pool *pool;

static void must(int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "evidence_kit: %s\n", err.text);
	exit(FAILED);
}

static void unhex(const char *hex, const char *what, size_t size, void *ret)
{
	if (strlen(hex) == 2 * size && io_unhex(hex, size, ret))
		return;
	fprintf(stderr, "evidence_kit: %s wants %zu hexadecimal digits\n", what, 2 * size);
	exit(FAILED);
}

static void print_pair(const uint8_t private_key[32], const uint8_t public_key[32])
{
	char hex[2][65];
	io_hex(private_key, 32, hex[0]);
	io_hex(public_key, 32, hex[1]);
	printf("%s %s\n", hex[0], hex[1]);
}

/* ---- evidence */

static void set(struct evidence *e, const char *assignment)
{
	const struct {
		const char *name;
		void *to;
		size_t size;
	} fields[] = {
		{"nonce=", e->nonce, sizeof(e->nonce)},
		{"cell=", e->cell, sizeof(e->cell)},
		{"builder=", e->builder, sizeof(e->builder)},
		{"executor=", e->executor, sizeof(e->executor)},
		{"key=", e->public_key, sizeof(e->public_key)},
	};
	const char *value = strchr(assignment, '=');
	for (size_t i = 0; i < array_count(fields); i++)
		if (strncmp(assignment, fields[i].name, strlen(fields[i].name)) == 0) {
			unhex(value + 1, fields[i].name, fields[i].size, fields[i].to);
			return;
		}
	if (strncmp(assignment, "machine=", 8) == 0) {
		snprintf(e->machine, sizeof(e->machine), "%s", value + 1);
	} else if (strncmp(assignment, "time=", 5) == 0) {
		e->time_s = strtoull(value + 1, NULL, 10);
	} else if (strncmp(assignment, "level=", 6) == 0) {
		e->memory_level = 0;
		while (e->memory_level < MEM_LEVELS &&
		       strcmp(mem_level_name((enum mem_level)e->memory_level), value + 1) != 0)
			e->memory_level++;
	} else {
		fprintf(stderr, "evidence_kit: no such member: %s\n", assignment);
		exit(FAILED);
	}
}

static void sign(const char *launcher, char **assignments)
{
	struct evidence e = {.machine = "soft",
	                     .kernel = "6.1.0",
	                     .time_s = (uint64_t)time(NULL),
	                     .memory_level = MEM_SECRET,
	                     .isolation = EVIDENCE_OWN_UID | EVIDENCE_NO_NEW_PRIVS,
	                     .uid = 1 << 30,
	                     .heap = 1 << 20};
	struct crypto_signer signer;
	struct buf token = {0};
	uint8_t private_key[CRYPTO_ED25519_SIZE];
	memset(e.cell, 0x44, sizeof(e.cell));
	memset(e.builder, 0x55, sizeof(e.builder));
	memset(e.executor, 0x11, sizeof(e.executor));
	unhex(launcher, "the launcher's key", sizeof(private_key), private_key);
	must(crypto_signer_load(private_key, &signer, &err));
	for (; *assignments; assignments++)
		set(&e, *assignments);
	must(evidence_sign(&e, &signer, &token, &err));
	printf("%.*s\n", (int)token.size, (const char *)token.data);
	buf_done(&token);
}

/* ---- grants */

static json_t *strings_json(const char **strings, uint32_t count)
{
	json_t *list = json_array();
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(strings[i]));
	return list;
}

static json_t *volume_json(const struct provision *p, const struct provision_volume *v)
{
	json_t *keys = json_array();
	for (uint32_t i = 0; i < v->key_count; i++)
		json_array_append_new(keys, claims_hex(v->keys[i], sizeof(v->keys[i])));
	char root[2 * VOLUME_REFERENCE_SIZE + 1];
	io_hex(v->root, sizeof(v->root), root);
	return json_pack("{s:s, s:o, s:s, s:o}", "path", p->preopens[v->preopen].guest, "id",
	                 claims_hex(v->id, sizeof(v->id)), "root", root, "keys", keys);
}

static void print_grant(const struct provision *p)
{
	json_t *volumes = json_array();
	for (uint32_t i = 0; i < p->volume_count; i++)
		json_array_append_new(volumes, volume_json(p, &p->volumes[i]));
	json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:o}", "data_key",
	                         claims_hex(p->data_key, sizeof(p->data_key)), "arguments",
	                         strings_json(p->arguments, p->argument_count), "environment",
	                         strings_json(p->environment, p->environment_count), "cell",
	                         claims_hex(p->identity, sizeof(p->identity)), "volumes", volumes);
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
}

static int open_grant(const char *private_key, const char *public_key, const char *grant)
{
	struct crypto_key_pair pair;
	struct provision *p;
	size_t size = base64url_bytes(strlen(grant));
	uint8_t *sealed = malloc(size + 1), *plain = mem_alloc(pool, size + 1);
	unhex(private_key, "the private key", sizeof(pair.private_key), pair.private_key);
	unhex(public_key, "the public key", sizeof(pair.public_key), pair.public_key);
	if (!sealed || !plain || size < CRYPTO_HPKE_OVERHEAD ||
	    !base64url_decode(grant, strlen(grant), sealed)) {
		fprintf(stderr, "evidence_kit: that is no grant\n");
		return FAILED;
	}
	int rc = crypto_hpke_open(&pair, PROVISION_GRANT_INFO, strlen(PROVISION_GRANT_INFO), NULL, 0, sealed,
	                          size, plain, &err);
	if (rc == CELLA_EAUTH)
		return NOT_FOR_THIS_KEY;
	must(rc);
	must(provision_read(plain, size - CRYPTO_HPKE_OVERHEAD, pool, &p, &err));
	print_grant(p);
	provision_free(pool, p);
	mem_free(pool, plain);
	free(sealed);
	return 0;
}

/* ---- the root keeper */

static struct seal_session *session_of(const char *data_key)
{
	struct seal_session *session;
	uint8_t key[CRYPTO_KEY_SIZE];
	unhex(data_key, "the data key", sizeof(key), key);
	must(seal_session_new(key, &session, &err));
	return session;
}

static void ask(const char *data_key, const char *number, const char *operation, const char *volume,
                char **swapped)
{
	static const char *const names[] = {"get", "acquire", "swap", "release"};
	struct owner_keeper_request question = {.operation = OWNER_KEEPER_GET};
	uint8_t sealed[sizeof(question) + SEAL_OVERHEAD];
	char text[4 * sizeof(sealed)];
	size_t i = 0;
	const struct seal_id id = owner_keeper_id(0, false, strtoull(number, NULL, 10));
	while (i < array_count(names) && strcmp(names[i], operation) != 0)
		i++;
	question.operation += (uint32_t)i;
	unhex(volume, "the volume's id", sizeof(question.volume), question.volume);
	if (swapped[0])
		question.token = strtoull(swapped[0], NULL, 10);
	if (swapped[0] && swapped[1] && swapped[2]) {
		unhex(swapped[1], "the root before", sizeof(question.from), question.from);
		unhex(swapped[2], "the root after", sizeof(question.to), question.to);
	}
	struct seal_session *session = session_of(data_key);
	must(seal_object(session, &id, NULL, 0, &question, sizeof(question), sealed, &err));
	base64url_encode(sealed, sizeof(sealed), text);
	printf("%.*s\n", (int)base64url_size(sizeof(sealed)), text);
	seal_session_free(session);
}

/* What a CAS answered, opened: freed by the caller. 0, or the exit status. */
static int open_answer(const char *data_key, const char *number, const char *answer, size_t least,
                       uint8_t **ret_plain, size_t *ret_size)
{
	const struct seal_id id = owner_keeper_id(0, true, strtoull(number, NULL, 10));
	const size_t size = base64url_bytes(strlen(answer));
	uint8_t *sealed = malloc(size + 1), *plain = malloc(size + 1);
	if (!sealed || !plain || size < seal_size(least) ||
	    !base64url_decode(answer, strlen(answer), sealed)) {
		fprintf(stderr, "evidence_kit: that is no answer\n");
		return FAILED;
	}
	struct seal_session *session = session_of(data_key);
	int rc = seal_open(session, &id, NULL, 0, sealed, size, plain, size - SEAL_OVERHEAD, &err);
	seal_session_free(session);
	if (rc == CELLA_EAUTH)
		return NOT_FOR_THIS_KEY;
	must(rc);
	free(sealed);
	*ret_plain = plain;
	*ret_size = size - SEAL_OVERHEAD;
	return 0;
}

static int read_answer(const char *data_key, const char *number, const char *answer)
{
	struct owner_keeper_reply reply;
	char root[2 * sizeof(reply.root) + 1];
	uint8_t *plain;
	size_t size;
	int status = open_answer(data_key, number, answer, sizeof(reply), &plain, &size);
	if (status != 0)
		return status;
	memcpy(&reply, plain, sizeof(reply));
	io_hex(reply.root, sizeof(reply.root), root);
	printf("%d %llu %s %.*s\n", reply.error, (unsigned long long)reply.token, root, (int)reply.text_size,
	       (const char *)plain + sizeof(reply));
	free(plain);
	return 0;
}

/* ---- certificates of cells */

static void append(const char *path, const void *bytes, size_t size)
{
	FILE *f = fopen(path, "a");
	if (f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0)
		return;
	fprintf(stderr, "evidence_kit: cannot write to %s\n", path);
	exit(FAILED);
}

static void certify(const char *data_key, const char *number, const char *path)
{
	struct owner_identity_request question = {.operation = OWNER_IDENTITY_CERTIFY};
	uint8_t sealed[sizeof(question) + SEAL_OVERHEAD], public_key[CERT_PUBLIC_MAX];
	char pem[CERT_KEY_PEM_MAX], text[4 * sizeof(sealed)];
	const struct seal_id id = owner_keeper_id(0, false, strtoull(number, NULL, 10));
	struct cert_key *key;
	size_t size;
	must(cert_key_generate(&key, &err));
	must(cert_key_write(key, pem, &size, &err));
	must(io_create_private(path, pem, size, &err));
	must(cert_key_public(key, public_key, &size, &err));
	question.public_size = (uint32_t)size;
	memcpy(question.public_key, public_key, size);
	struct seal_session *session = session_of(data_key);
	must(seal_object(session, &id, NULL, 0, &question, sizeof(question), sealed, &err));
	base64url_encode(sealed, sizeof(sealed), text);
	printf("%.*s\n", (int)base64url_size(sizeof(sealed)), text);
	seal_session_free(session);
	cert_key_free(key);
}

static int take_certificate(const char *data_key, const char *number, const char *answer, const char *path,
                            const char *ca_path)
{
	struct identity_answer a;
	uint8_t *plain;
	size_t size;
	int status = open_answer(data_key, number, answer, 0, &plain, &size);
	if (status != 0)
		return status;
	must(identity_answer_read(plain, size, &a, &err));
	append(path, a.certificate, a.certificate_size);
	append(ca_path, a.ca, a.ca_size);
	free(plain);
	return 0;
}

/* ---- credentials */

static void write_credential(const char *path, const char *from, const char *to)
{
	struct cert_key *key;
	struct cert *cert;
	struct buf pem = {0};
	char text[CERT_KEY_PEM_MAX], hash[CERT_KEY_HASH_SIZE];
	size_t size;
	const int64_t now = time(NULL);
	const struct cert_shape shape = {.common_name = "owner",
	                                 .use = CERT_FOR_CLIENT,
	                                 .not_before = now + strtoll(from, NULL, 10),
	                                 .not_after = now + strtoll(to, NULL, 10)};
	must(cert_key_generate(&key, &err));
	must(cert_make_self_signed(key, &shape, &cert, &err));
	must(cert_key_write(key, text, &size, &err));
	buf_put(&pem, text, size);
	must(cert_write_pem(cert, &pem, &err));
	must(io_create_private(path, pem.data, pem.size, &err));
	must(cert_key_hash(key, hash, &err));
	printf("%s\n", hash);
	buf_done(&pem);
	cert_free(cert);
	cert_key_free(key);
}

int main(int argc, char **argv)
{
	struct crypto_signer signer;
	struct crypto_key_pair pair;
	const char *command = argc > 1 ? argv[1] : "";
	must(mem_pool_new(MEM_INSECURE_NONE, POOL, &pool, &err));
	must(crypto_init(NULL, &err));
	if (strcmp(command, "launcher") == 0 && argc == 2) {
		must(crypto_signer_generate(&signer, &err));
		print_pair(signer.private_key, signer.public_key);
	} else if (strcmp(command, "executor") == 0 && argc == 2) {
		must(crypto_x25519_generate(&pair, &err));
		print_pair(pair.private_key, pair.public_key);
	} else if (strcmp(command, "sign") == 0 && argc >= 3) {
		sign(argv[2], argv + 3);
	} else if (strcmp(command, "open") == 0 && argc == 5) {
		return open_grant(argv[2], argv[3], argv[4]);
	} else if (strcmp(command, "ask") == 0 && argc >= 6) {
		ask(argv[2], argv[3], argv[4], argv[5], argv + 6);
	} else if (strcmp(command, "answer") == 0 && argc == 5) {
		return read_answer(argv[2], argv[3], argv[4]);
	} else if (strcmp(command, "certify") == 0 && argc == 5) {
		certify(argv[2], argv[3], argv[4]);
	} else if (strcmp(command, "certified") == 0 && argc == 7) {
		return take_certificate(argv[2], argv[3], argv[4], argv[5], argv[6]);
	} else if (strcmp(command, "credential") == 0 && argc == 5) {
		write_credential(argv[2], argv[3], argv[4]);
	} else {
		fprintf(stderr,
		        "usage: evidence_kit launcher | executor | sign LAUNCHER NAME=VALUE... | "
		        "open PRIVATE PUBLIC GRANT | ask DATA-KEY NUMBER OPERATION ID [TOKEN FROM TO] | "
		        "answer DATA-KEY NUMBER ANSWER | certify DATA-KEY NUMBER FILE | "
		        "certified DATA-KEY NUMBER ANSWER FILE CA-FILE | credential FILE FROM TO\n");
		return 2;
	}
	return 0;
}
