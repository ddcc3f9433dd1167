/* Attestation: what a cell must be to get what a service has; and who may do what to a session. */
#include <stdio.h>
#include <string.h>

#include "cas/session/claims.h"
#include "cas/session/decode.h"
#include "crypto/x509.h"

/* ---- lists of digests and keys */

static void decode_cell(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_hex(d, node, "a cell's identity", to, CRYPTO_SHA384_SIZE);
}

static void decode_executor(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_hex(d, node, "an executor's digest", to, CRYPTO_SHA384_SIZE);
}

static void decode_builder(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_hex(d, node, "a builder's key", to, CRYPTO_ED25519_SIZE);
}

static void decode_launcher(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_hex(d, node, "a LAS's key", to, CRYPTO_ED25519_SIZE);
}

static void decode_values(struct decoder *d, const struct tree_node *node, const struct list_shape *shape,
                          struct session_values *to)
{
	to->size = shape->size;
	to->bytes = decode_list(d, node, shape, &to->count);
}

static void decode_cells(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"cell", CRYPTO_SHA384_SIZE, SESSION_CHOICES_MAX, decode_cell,
	                                        true};
	decode_values(d, node, &shape, to);
}

static void decode_executors(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"executor", CRYPTO_SHA384_SIZE, SESSION_CHOICES_MAX,
	                                        decode_executor, true};
	decode_values(d, node, &shape, to);
}

static void decode_builders(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"builder", CRYPTO_ED25519_SIZE, SESSION_CHOICES_MAX,
	                                        decode_builder, true};
	decode_values(d, node, &shape, to);
}

static void decode_launchers(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"las", CRYPTO_ED25519_SIZE, SESSION_CHOICES_MAX,
	                                        decode_launcher, true};
	decode_values(d, node, &shape, to);
}

/* ---- names */

static void decode_memory_level(struct decoder *d, const struct tree_node *node, void *to)
{
	const char *names[MEM_LEVELS];
	for (size_t i = 0; i < MEM_LEVELS; i++)
		names[i] = mem_level_name((enum mem_level)i);
	int level = decode_choice(d, node, "memory level", names, MEM_LEVELS);
	if (level >= 0)
		*(enum mem_level *)to = (enum mem_level)level;
}

/* A list of names: their bits. */
static void decode_bits(struct decoder *d, const struct tree_node *node, const char *what,
                        const char *const *names, size_t count, uint32_t *to)
{
	const struct tree_node *n = node->kind == TREE_LIST ? node->first : node;
	if (!n)
		decode_mistake(d, node->place, "the list is empty");
	for (; n; n = node->kind == TREE_LIST ? n->next : NULL) {
		int bit = decode_choice(d, n, what, names, count);
		*to |= bit >= 0 ? 1u << bit : 0;
	}
}

static void decode_host(struct decoder *d, const struct tree_node *node, void *to)
{
	struct claim_names names;
	claim_names_of_host("", &names);
	decode_bits(d, node, "host claim", names.items, names.count, to);
}

static void decode_isolation(struct decoder *d, const struct tree_node *node, void *to)
{
	struct claim_names names;
	claim_names_of_isolation("", &names);
	decode_bits(d, node, "isolation", names.items, names.count, to);
}

static const struct field requirement_fields[] = {
	{"cell", false, decode_cells, field_of(session_requirements, cells)},
	{"builder", false, decode_builders, field_of(session_requirements, builders)},
	{"executor", false, decode_executors, field_of(session_requirements, executors)},
	{"memory_level", false, decode_memory_level, field_of(session_requirements, memory_level)},
	{"machine", false, decode_machines, 0},
	{"las", false, decode_launchers, field_of(session_requirements, launchers)},
	{"host", false, decode_host, field_of(session_requirements, host)},
	{"isolation", false, decode_isolation, field_of(session_requirements, isolation)},
};
static const struct shape requirement_shape = {"an alternative of attestation", requirement_fields,
                                               array_count(requirement_fields)};

static void decode_requirements(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_requirements *r = to;
	r->memory_level = MEM_PAGED;
	if (decode_map(d, node, &requirement_shape, r) && node->count == 0)
		decode_mistake(d, node->place, "an alternative without a field would accept anything");
}

void decode_attestation(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"attestation", sizeof(struct session_requirements),
	                                        SESSION_ALTERNATIVES_MAX, decode_requirements, false};
	struct session_service *service = to;
	service->alternatives = decode_list(d, node, &shape, &service->alternative_count);
}

/* What says who or what a cell is cannot be tolerated: who does not care leaves it out. */
static bool is_identity(struct decoder *d, const struct tree_node *node)
{
	static const char *const names[] = {"cell", "builder", "executor", "las"};
	for (size_t i = 0; node->kind == TREE_TEXT && i < array_count(names); i++) {
		if (strcmp(node->text, names[i]) == 0) {
			decode_mistake(
				d, node->place,
				"\"%s\" says who gets the keys and cannot be tolerated; leave it out of "
				"attestation if it does not matter",
				names[i]);
			return true;
		}
	}
	return false;
}

void decode_tolerate(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_tolerance *tolerance = to;
	struct claim_names host, isolation;
	const char *names[2 + 2 * CLAIM_BITS_MAX] = {"memory_level", "machine"};
	size_t count = 2;
	claim_names_of_host("host.", &host);
	claim_names_of_isolation("isolation.", &isolation);
	for (size_t i = 0; i < host.count; i++)
		names[count++] = host.items[i];
	for (size_t i = 0; i < isolation.count; i++)
		names[count++] = isolation.items[i];
	const struct tree_node *n = node->kind == TREE_LIST ? node->first : node;
	if (!n)
		decode_mistake(d, node->place, "the list is empty");
	for (; n; n = node->kind == TREE_LIST ? n->next : NULL) {
		if (is_identity(d, n))
			continue;
		int chosen = decode_choice(d, n, "requirement that may fail", names, count);
		if (chosen < 0)
			continue;
		size_t i = (size_t)chosen;
		tolerance->memory_level |= i == 0;
		tolerance->machine |= i == 1;
		if (i >= 2 && i < 2 + host.count)
			tolerance->host |= 1u << (i - 2);
		else if (i >= 2)
			tolerance->isolation |= 1u << (i - 2 - host.count);
	}
}

/* ---- access */

/* Hash of the key of the first certificate, the holder's. */
static int certificate_key(const char *pem, size_t size, uint8_t *to, struct error *err)
{
	struct cert *chain[CERT_CHAIN_MAX];
	struct cert_facts facts = {0};
	size_t count;
	int rc = cert_read_pem(pem, size, chain, &count, err);
	if (rc < 0)
		return rc;
	rc = cert_describe(chain[0], &facts, err);
	for (size_t i = 0; i < count; i++)
		cert_free(chain[i]);
	for (size_t i = 0; rc == 0 && i < SESSION_KEY_HASH_SIZE; i++) {
		unsigned byte;
		if (sscanf(facts.key_hash + 2 * i, "%2x", &byte) != 1)
			return error_set(err, CELLA_EBUG, "a key's hash is not hexadecimal");
		to[i] = (uint8_t)byte;
	}
	return rc;
}

bool decode_key_hash(struct decoder *d, const struct tree_node *node, const char *what, uint8_t *to)
{
	struct error why;
	if (node->kind != TREE_TEXT || strncmp(node->text, "-----BEGIN", strlen("-----BEGIN")) != 0)
		return decode_hex(d, node, what, to, SESSION_KEY_HASH_SIZE);
	if (certificate_key(node->text, node->size, to, &why) == 0)
		return true;
	decode_mistake(d, node->place, "the certificate cannot be read: %s", why.text);
	return false;
}

static bool is_word(const struct tree_node *node, const char *word)
{
	return node->kind == TREE_TEXT && strcmp(node->text, word) == 0;
}

static void decode_signer(struct decoder *d, const struct tree_node *node, void *to)
{
	if (is_word(node, "ANY") || is_word(node, "NONE"))
		decode_mistake(d, node->place, "ANY and NONE stand alone, not beside keys");
	else
		decode_key_hash(d, node, "a key's hash (or else CREATOR, or a certificate in PEM)", to);
}

static bool names_cell(const struct tree_node *node)
{
	return node->kind == TREE_TEXT &&
	       strncmp(node->text, SESSION_IDENTITY_SCHEME, strlen(SESSION_IDENTITY_SCHEME)) == 0;
}

/* cella://SESSION/SERVICE. */
static void decode_identity(struct decoder *d, const struct tree_node *node, const char **to)
{
	const char *rest = node->text + strlen(SESSION_IDENTITY_SCHEME), *slash = strrchr(rest, '/');
	struct tree_node session = *node, service = *node;
	const char *ignored = NULL;
	if (!slash || slash == rest || !slash[1]) {
		decode_mistake(d, node->place,
		               "a cell's identity is " SESSION_IDENTITY_SCHEME "SESSION/SERVICE; this is %s",
		               decode_quote(node->text));
		return;
	}
	session.text = session_arena_copy(d->arena, rest, (size_t)(slash - rest));
	session.size = (size_t)(slash - rest);
	service.text = slash + 1;
	service.size = strlen(slash + 1);
	if (!session.text)
		return;
	decode_session_name(d, &session, &ignored);
	decode_name(d, &service, &ignored);
	*to = session_arena_copy(d->arena, node->text, node->size);
}

static void add_identity(struct decoder *d, const struct tree_node *node, struct session_access *a)
{
	const char *identity = NULL;
	decode_identity(d, node, &identity);
	if (!identity)
		return;
	for (size_t i = 0; i < a->identities.count; i++)
		if (strcmp(a->identities.items[i], identity) == 0)
			decode_mistake(d, node->place, "this cell stands in the list twice");
	a->identities.items[a->identities.count++] = identity;
}

/* Keys, cells and CREATOR, one or a list. The count of them, 0 with a mistake. */
static size_t decode_signers(struct decoder *d, const struct tree_node *node, struct session_access *a)
{
	bool list = node->kind == TREE_LIST;
	size_t most = list ? node->count : 1;
	a->who = SESSION_KEYS;
	a->keys.size = SESSION_KEY_HASH_SIZE;
	if (most == 0 || most > SESSION_KEYS_MAX) {
		decode_mistake(d, node->place, "here are %zu keys; there may be 1 to %d", most,
		               SESSION_KEYS_MAX);
		return 0;
	}
	uint8_t *keys = session_arena_take(d->arena, most * SESSION_KEY_HASH_SIZE);
	a->keys.bytes = keys;
	a->identities.items = session_arena_take(d->arena, most * sizeof(*a->identities.items));
	if (!a->identities.items)
		return 0;
	for (const struct tree_node *n = list ? node->first : node; keys && n; n = list ? n->next : NULL) {
		uint8_t *key = keys + a->keys.count * SESSION_KEY_HASH_SIZE;
		bool twice = is_word(n, "CREATOR") && a->creator;
		if (is_word(n, "CREATOR")) {
			a->creator = true;
		} else if (names_cell(n)) {
			add_identity(d, n, a);
		} else {
			size_t mistakes = d->mistakes->count;
			decode_signer(d, n, key);
			for (size_t i = 0; d->mistakes->count == mistakes && i < a->keys.count; i++)
				twice |= crypto_equal(key, keys + i * SESSION_KEY_HASH_SIZE,
				                      SESSION_KEY_HASH_SIZE);
			a->keys.count++;
		}
		if (twice)
			decode_mistake(d, n->place, "this key stands in the list twice");
	}
	return a->keys.count + a->creator + a->identities.count;
}

struct quorum {
	struct session_access *access;
	const struct tree_node *all, *of;
	uint64_t at_least;
};

static void decode_at_least(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_number(d, node, 1, SESSION_KEYS_MAX, to);
}

static void keep_node(struct decoder *d, const struct tree_node *node, void *to)
{
	(void)d;
	*(const struct tree_node **)to = node;
}

static const struct field quorum_fields[] = {
	{"require_all", false, keep_node, field_of(quorum, all)},
	{"at_least", false, decode_at_least, field_of(quorum, at_least)},
	{"of", false, keep_node, field_of(quorum, of)},
};
static const struct shape quorum_shape = {"a right with several keys", quorum_fields,
                                          array_count(quorum_fields)};

static void decode_quorum(struct decoder *d, const struct tree_node *node, struct session_access *a)
{
	struct quorum q = {.access = a};
	if (!decode_map(d, node, &quorum_shape, &q))
		return;
	bool of = q.of && tree_member(node, "at_least");
	if ((q.all != NULL) == of || (q.all && (q.of || tree_member(node, "at_least")))) {
		decode_mistake(d, node->place,
		               "a right with several keys has either require_all, or at_least and of");
		return;
	}
	size_t count = decode_signers(d, q.all ? q.all : q.of, a);
	a->at_least = q.all ? 0 : q.at_least;
	if (count && a->at_least > count)
		decode_mistake(d, node->place, "at_least is %llu, and there %s %zu key%s",
		               (unsigned long long)a->at_least, count == 1 ? "is" : "are", count,
		               count == 1 ? "" : "s");
}

static void decode_right(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_access *a = to;
	*a = (struct session_access){0};
	const struct tree_node *only = node->kind == TREE_LIST && node->count == 1 ? node->first : node;
	if (is_word(only, "ANY"))
		a->who = SESSION_ANYBODY;
	else if (is_word(only, "NONE"))
		a->who = SESSION_NOBODY;
	else if (node->kind == TREE_MAP)
		decode_quorum(d, node, a);
	else {
		decode_signers(d, node, a);
		a->at_least = 1;
	}
}

/* A cell reads; what is to be, people say. */
static void decode_right_of_keys(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_access *a = to;
	decode_right(d, node, a);
	if (a->identities.count)
		decode_mistake(d, node->place,
		               "a cell may read; it may neither update nor create: name keys here");
}

static const struct field access_fields[] = {
	{"read", false, decode_right, field_of(session, read)},
	{"update", false, decode_right_of_keys, field_of(session, update)},
	{"create", false, decode_right_of_keys, field_of(session, create)},
};
static const struct shape access_shape = {"access_policy", access_fields, array_count(access_fields)};

void decode_access(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_map(d, node, &access_shape, to);
}
