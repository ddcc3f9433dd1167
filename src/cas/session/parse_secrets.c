/* Secrets: what each kind may say, by origin; and the references to them. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cas/session/decode.h"
#include "cas/session/reference.h"
#include "crypto/x509.h"

enum { DAY_S = 86400 };
static_assert(SESSION_DNS_MAX <= (int)CERT_NAMES_MAX && SESSION_DNS_NAME_MAX < (int)CERT_NAME_SIZE &&
                      SESSION_COMMON_NAME_MAX <= (int)CERT_COMMON_NAME_MAX,
              "certificates can hold what sessions may say");

static const char *const kind_names[SESSION_KINDS] = {
	[SESSION_ASCII] = "ascii",
	[SESSION_BINARY] = "binary",
	[SESSION_PRIVATE_KEY] = "private-key",
	[SESSION_PUBLIC_KEY] = "public-key",
	[SESSION_X509] = "x509",
	[SESSION_X509_CA] = "x509-ca",
};

const char *session_kind_name(enum session_kind kind)
{
	return kind_names[kind];
}

/* ---- fields */

static void decode_kind(struct decoder *d, const struct tree_node *node, void *to)
{
	int kind = decode_choice(d, node, "kind of secret", kind_names, array_count(kind_names));
	*(enum session_kind *)to = kind < 0 ? SESSION_KINDS : (enum session_kind)kind;
}

static void decode_size(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_number(d, node, 1, SESSION_GENERATED_MAX, to);
}

static void decode_valid(struct decoder *d, const struct tree_node *node, void *to)
{
	decode_duration(d, node, SESSION_VALID_MAX_S, to);
}

static void decode_common_name(struct decoder *d, const struct tree_node *node, void *to)
{
	const char *name = decode_word(d, node);
	bool ascii = true;
	for (const char *c = name; c && *c; c++)
		ascii = ascii && *c >= ' ' && *c <= '~';
	if (name && (!ascii || node->size > SESSION_COMMON_NAME_MAX))
		decode_mistake(d, node->place, "a common name has 1 to %d characters of ASCII",
		               SESSION_COMMON_NAME_MAX);
	else if (name)
		*(const char **)to = name;
}

static void decode_dns_name(struct decoder *d, const struct tree_node *node, void *to)
{
	const char *name = decode_word(d, node);
	size_t good = name ? strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
	                   : 0;
	if (name && (good != node->size || good > SESSION_DNS_NAME_MAX || name[0] == '.' ||
	             name[good - 1] == '.' || strstr(name, "..")))
		decode_mistake(d, node->place,
		               "a DNS name has letters, digits and '-' between dots; this is %s",
		               decode_quote(name));
	else if (name)
		*(const char **)to = name;
}

static void decode_dns(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"dns", sizeof(const char *), SESSION_DNS_MAX, decode_dns_name,
	                                        true};
	struct session_strings *names = to;
	names->items = decode_list(d, node, &shape, &names->count);
}

static void decode_endpoint_name(struct decoder *d, const struct tree_node *node, void *to)
{
	static const char *const names[] = {"server", "client"};
	*(int *)to = decode_choice(d, node, "endpoint", names, array_count(names));
}

static void decode_endpoint(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"endpoint", sizeof(int), 2, decode_endpoint_name, true};
	size_t count;
	const int *items = decode_list(d, node, &shape, &count);
	for (size_t i = 0; i < count; i++)
		*(unsigned *)to |= items[i] >= 0 ? 1u << items[i] : 0;
}

/* Judged when the whole secret, or all secrets, are there. */
static void decode_later(struct decoder *d, const struct tree_node *node, void *to)
{
	(void)d;
	(void)node;
	(void)to;
}

static const struct field secret_fields[] = {
	{"name", true, decode_name, field_of(session_secret, name)},
	{"kind", true, decode_kind, field_of(session_secret, kind)},
	{"value", false, decode_later, 0},
	{"size", false, decode_size, field_of(session_secret, size)},
	{"private_key", false, decode_name, field_of(session_secret, private_key)},
	{"issuer", false, decode_name, field_of(session_secret, issuer)},
	{"common_name", false, decode_common_name, field_of(session_secret, common_name)},
	{"dns", false, decode_dns, field_of(session_secret, dns)},
	{"endpoint", false, decode_endpoint, field_of(session_secret, use)},
	{"valid_for", false, decode_valid, field_of(session_secret, valid_s)},
	{"import", false, decode_import, field_of(session_secret, import)},
	{"export", false, decode_export, field_of(session_secret, exports)},
	{"upload", false, decode_later, 0},
	{"guests", false, decode_guests, 0},
};
static const struct shape secret_shape = {"a secret", secret_fields, array_count(secret_fields)};

/* ---- values: none is ever quoted */

static void take_ascii(struct decoder *d, const struct tree_node *node, const char *text,
                       struct session_secret *secret)
{
	for (const char *c = text; *c; c++) {
		if ((*c < ' ' || *c > '~') && *c != '\n' && *c != '\t') {
			decode_mistake(d, node->place,
			               "an ascii secret has characters of ASCII alone; anything "
			               "else is kind binary, with its bytes in hexadecimal");
			return;
		}
	}
	secret->value = (const uint8_t *)text;
	secret->value_size = node->size;
}

static void take_binary(struct decoder *d, const struct tree_node *node, const char *text,
                        struct session_secret *secret)
{
	size_t size = node->size / 2;
	uint8_t *bytes = session_arena_take(d->arena, size);
	if (node->size % 2 || !size || strspn(text, "0123456789abcdefABCDEF") != node->size)
		decode_mistake(d, node->place,
		               "the value of a binary secret is its bytes as hexadecimal digits, "
		               "two for each");
	else if (bytes && decode_hex(d, node, "the value", bytes, size)) {
		secret->value = bytes;
		secret->value_size = size;
	}
}

/* PEM (RFC 7468): one block or more of that label. What is in them is for whoever uses them. */
static bool is_pem(const char *text, const char *label)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\n";
	char begin[48], end[48];
	int begin_size = snprintf(begin, sizeof(begin), "-----BEGIN %s-----\n", label);
	int end_size = snprintf(end, sizeof(end), "-----END %s-----", label);
	size_t blocks = 0;
	for (const char *at = text; *at; blocks++) {
		if (strncmp(at, begin, (size_t)begin_size) != 0)
			return false;
		at += begin_size;
		size_t body = strspn(at, base64);
		at += body;
		if (body < 2 || strncmp(at, end, (size_t)end_size) != 0)
			return false;
		at += end_size;
		at += strspn(at, "\n");
	}
	return blocks > 0;
}

static void take_pem(struct decoder *d, const struct tree_node *node, const char *text,
                     struct session_secret *secret)
{
	static const char *const labels[SESSION_KINDS] = {
		[SESSION_PRIVATE_KEY] = "PRIVATE KEY",
		[SESSION_PUBLIC_KEY] = "PUBLIC KEY",
		[SESSION_X509] = "CERTIFICATE",
		[SESSION_X509_CA] = "CERTIFICATE",
	};
	if (secret->kind == SESSION_PRIVATE_KEY && strstr(text, " PRIVATE KEY-----") &&
	    !is_pem(text, "PRIVATE KEY"))
		decode_mistake(d, node->place,
		               "a private key is PEM of PKCS#8, not encrypted, \"-----BEGIN "
		               "PRIVATE KEY-----\"; convert it with: openssl pkcs8 -topk8 -nocrypt");
	else if (!is_pem(text, labels[secret->kind]))
		decode_mistake(d, node->place,
		               "the value of this kind is PEM, \"-----BEGIN %s-----\" on a line "
		               "of its own; write it as a block: value: |",
		               labels[secret->kind]);
	else {
		secret->value = (const uint8_t *)text;
		secret->value_size = node->size;
	}
}

static void take_value(struct decoder *d, const struct tree_node *node, struct session_secret *secret)
{
	const char *text = decode_text(d, node);
	if (!text)
		return;
	if (node->size == 0)
		decode_mistake(d, node->place, "the value is empty");
	else if (secret->kind == SESSION_ASCII)
		take_ascii(d, node, text, secret);
	else if (secret->kind == SESSION_BINARY)
		take_binary(d, node, text, secret);
	else
		take_pem(d, node, text, secret);
}

/* ---- which fields belong to what */

enum {
	HAS_SIZE = 1,
	HAS_KEY = 2,
	HAS_ISSUER = 4,
	HAS_COMMON_NAME = 8,
	HAS_DNS = 16,
	HAS_USE = 32,
	HAS_VALID = 64
};

static const struct {
	const char *name;
	unsigned bit;
} generating[] = {
	{"size", HAS_SIZE},       {"private_key", HAS_KEY},
	{"issuer", HAS_ISSUER},   {"common_name", HAS_COMMON_NAME},
	{"dns", HAS_DNS},         {"endpoint", HAS_USE},
	{"valid_for", HAS_VALID},
};
static const struct {
	unsigned needs, may;
} generated[SESSION_KINDS] = {
	[SESSION_ASCII] = {HAS_SIZE, 0},
	[SESSION_BINARY] = {HAS_SIZE, 0},
	[SESSION_PUBLIC_KEY] = {HAS_KEY, 0},
	[SESSION_X509] = {HAS_KEY | HAS_ISSUER | HAS_COMMON_NAME, HAS_DNS | HAS_USE | HAS_VALID},
	[SESSION_X509_CA] = {HAS_KEY | HAS_COMMON_NAME, HAS_VALID},
};

static bool is_certificate(const struct session_secret *secret)
{
	return secret->kind == SESSION_X509 || secret->kind == SESSION_X509_CA;
}

static void check_fields(struct decoder *d, const struct tree_node *node, const struct session_secret *secret)
{
	static const char *const origins[] = {"with a value", "that is generated", "that is imported",
	                                      "that is uploaded"};
	bool is_generated = secret->origin == SESSION_GENERATED;
	bool has_key = secret->origin == SESSION_GIVEN && is_certificate(secret);
	unsigned needs = is_generated ? generated[secret->kind].needs : 0;
	unsigned may = needs | (is_generated ? generated[secret->kind].may : 0) | (has_key ? HAS_KEY : 0);
	for (size_t i = 0; i < array_count(generating); i++) {
		const struct tree_node *member = tree_member(node, generating[i].name);
		if (member && !(may & generating[i].bit))
			decode_mistake(d, member->key_place, "a secret of kind %s %s has no field \"%s\"",
			               kind_names[secret->kind], origins[secret->origin], generating[i].name);
		else if (!member && needs & generating[i].bit)
			decode_mistake(d, node->place,
			               "a secret of kind %s without value and import is generated, and needs "
			               "the field \"%s\"",
			               kind_names[secret->kind], generating[i].name);
	}
}

static void set_defaults(struct session_secret *secret)
{
	if (secret->origin == SESSION_IMPORTED && !secret->import.name)
		secret->import.name = secret->name;
	if (secret->origin != SESSION_GENERATED || !is_certificate(secret))
		return;
	if (!secret->valid_s)
		secret->valid_s = secret->kind == SESSION_X509_CA ? SESSION_VALID_MAX_S : 90 * DAY_S;
	if (!secret->use && secret->kind == SESSION_X509)
		secret->use = SESSION_FOR_SERVER | SESSION_FOR_CLIENT;
}

/* Its owner hands it over later, so that it stands nowhere in a text. */
static void check_upload(struct decoder *d, const struct tree_node *upload,
                         const struct session_secret *secret)
{
	static const char *const names[] = {"true"};
	if (!upload || decode_choice(d, upload, "value of upload", names, array_count(names)) < 0)
		return;
	if (secret->origin != SESSION_UPLOADED)
		decode_mistake(d, upload->key_place, "a secret has a value or an import, or is uploaded");
	else if (secret->kind != SESSION_ASCII && secret->kind != SESSION_BINARY)
		decode_mistake(d, upload->key_place, "what is uploaded is of kind ascii or binary, not %s",
		               kind_names[secret->kind]);
}

static void decode_secret(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_secret *secret = to;
	secret->kind = SESSION_KINDS;
	if (!decode_map(d, node, &secret_shape, secret) || secret->kind == SESSION_KINDS)
		return;
	const struct tree_node *value = tree_member(node, "value"), *import = tree_member(node, "import");
	const struct tree_node *export = tree_member(node, "export"), *upload = tree_member(node, "upload");
	secret->origin = value    ? SESSION_GIVEN
	                 : import ? SESSION_IMPORTED
	                 : upload ? SESSION_UPLOADED
	                          : SESSION_GENERATED;
	if (value && import)
		decode_mistake(d, import->key_place, "a secret has a value or an import, not both");
	if (import && export)
		decode_mistake(d, export->key_place, "what is imported is not exported again");
	if (value)
		take_value(d, value, secret);
	check_upload(d, upload, secret);
	check_fields(d, node, secret);
	set_defaults(secret);
}

/* ---- between secrets */

static const char *name_of_secret(const void *data, size_t index)
{
	const struct session *s = data;
	const char *name = s->secrets[index].name;
	return name ? name : "";
}

static const struct session_secret *find_secret(struct decoder *d, struct tree_place place, const char *name)
{
	const struct session_secret *secret = session_secret(d->session, name);
	if (secret)
		return secret;
	char meant[MEANT_SIZE];
	const char *nearest = decode_nearest(d, name, name_of_secret, d->session, d->session->secret_count);
	decode_mistake(d, place, "there is no secret %s in this session%s", decode_quote(name),
	               decode_meant(nearest, meant));
	return NULL;
}

static void check_kind(struct decoder *d, const struct tree_node *node, const char *field, const char *name,
                       enum session_kind kind)
{
	const struct tree_node *member = tree_member(node, field);
	const struct session_secret *secret = name && member ? find_secret(d, member->place, name) : NULL;
	if (secret && secret->kind != kind && secret->kind != SESSION_KINDS)
		decode_mistake(d, member->place, "\"%s\" wants a secret of kind %s; %s is of kind %s", field,
		               kind_names[kind], decode_quote(name), kind_names[secret->kind]);
}

/* Who issues certificates has a key to sign them with. */
static void check_issuer(struct decoder *d, const struct tree_node *node, const char *name)
{
	check_kind(d, node, "issuer", name, SESSION_X509_CA);
	const struct session_secret *issuer = name ? session_secret(d->session, name) : NULL;
	if (issuer && issuer->kind == SESSION_X509_CA && !issuer->private_key)
		decode_mistake(d, tree_member(node, "issuer")->place,
		               "%s cannot issue a certificate: it has no private_key in this session",
		               decode_quote(name));
}

void decode_secrets(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"secrets", sizeof(struct session_secret), SESSION_SECRETS_MAX,
	                                        decode_secret, false};
	struct session *s = to;
	s->secrets = decode_list(d, node, &shape, &s->secret_count);
	decode_unique(d, node, "secrets", s->secrets, sizeof(*s->secrets), s->secret_count);
	const struct tree_node *n = node->first;
	for (size_t i = 0; i < s->secret_count; i++, n = n->next) {
		check_kind(d, n, "private_key", s->secrets[i].private_key, SESSION_PRIVATE_KEY);
		check_issuer(d, n, s->secrets[i].issuer);
	}
}

const char *decode_expandable(struct decoder *d, const struct tree_node *node, enum session_place place)
{
	const char *text = decode_text(d, node);
	struct reference r;
	for (size_t at = 0; text && reference_next(text, at, &r); at = r.end) {
		const struct session_secret *secret = NULL;
		if (r.problem)
			decode_mistake(d, node->place, "a reference to a secret %s", r.problem);
		else
			secret = find_secret(d, node->place, r.name);
		const char *refused = secret && secret->kind != SESSION_KINDS
		                              ? reference_refused(secret->kind, r.format, place)
		                              : NULL;
		if (refused)
			decode_mistake(d, node->place, "the secret %s %s", decode_quote(r.name), refused);
	}
	return text;
}
