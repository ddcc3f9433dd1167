/* Secrets: what each kind may say here, and what a generated certificate needs. */
#include <stdio.h>
#include <string.h>

#include "cli/session/scone_parts.h"

enum { SCONE_SIZE = 20 /* of what is generated and says none */ };

/* ---- what is said of them */

enum scone_origin scone_secret_origin(const struct tree_node *secret)
{
	return scone_member(secret, "import_akv") ? SCONE_FOREIGN
	       : scone_member(secret, "value")    ? SCONE_GIVEN
	       : scone_member(secret, "import")   ? SCONE_IMPORTED
	                                          : SCONE_GENERATED;
}

static const struct tree_node *secrets_of(const struct scone *c)
{
	const struct tree_node *list = scone_member(c->root, "secrets");
	return list && list->kind == TREE_LIST ? list : NULL;
}

const struct tree_node *scone_find_secret(const struct scone *c, const char *name, size_t size)
{
	const struct tree_node *list = secrets_of(c);
	for (const struct tree_node *n = list ? list->first : NULL; n; n = n->next) {
		const char *other = scone_member_string(n, "name");
		if (other && strlen(other) == size && strncmp(other, name, size) == 0)
			return n;
	}
	return NULL;
}

/* Does another secret name it in that field? */
static bool is_named(const struct scone *c, const char *name, const char *field)
{
	const struct tree_node *list = secrets_of(c);
	for (const struct tree_node *n = list ? list->first : NULL; n; n = n->next) {
		const char *other = scone_member_string(n, field);
		if (name && other && strcmp(name, other) == 0)
			return true;
	}
	return false;
}

enum session_kind scone_secret_kind(const struct scone *c, const struct tree_node *secret)
{
	const char *kind = scone_member_string(secret, "kind"), *name = scone_member_string(secret, "name");
	if (scone_secret_origin(secret) == SCONE_FOREIGN)
		return SESSION_KINDS;
	for (enum session_kind i = 0; kind && i < SESSION_KINDS; i++)
		if (strcmp(kind, session_kind_name(i)) == 0)
			return i;
	if (kind)
		return SESSION_KINDS;
	return is_named(c, name, "private_key") ? SESSION_PRIVATE_KEY
	       : is_named(c, name, "issuer")    ? SESSION_X509_CA
	                                        : SESSION_KINDS;
}

static bool is_certificate(enum session_kind kind)
{
	return kind == SESSION_X509 || kind == SESSION_X509_CA;
}

bool scone_secret_gets_key(const struct scone *c, const struct tree_node *secret)
{
	return scone_secret_origin(secret) == SCONE_GENERATED &&
	       is_certificate(scone_secret_kind(c, secret)) && scone_member_string(secret, "name") &&
	       !scone_member_string(secret, "private_key");
}

bool scone_secret_gets_issuer(const struct scone *c, const struct tree_node *secret)
{
	return scone_secret_origin(secret) == SCONE_GENERATED &&
	       scone_secret_kind(c, secret) == SESSION_X509 && scone_member_string(secret, "name") &&
	       !scone_member_string(secret, "issuer");
}

/* ---- fields */

static void left_out(struct scone *c, const struct tree_node *secret, const char *field, const char *why)
{
	const struct tree_node *member = scone_member(secret, field);
	if (member)
		scone_remark(c, SCONE_LEFT_OUT, member->key_place, "%s: %s", field, why);
}

enum { IS_DATA = 1, IS_PRIVATE = 2, IS_PUBLIC = 4, IS_CERTIFICATE = 8, IS_GIVEN_CERTIFICATE = 16 };

static unsigned use_of(enum session_kind kind, enum scone_origin origin)
{
	if (origin == SCONE_GIVEN)
		return is_certificate(kind) ? IS_GIVEN_CERTIFICATE : 0;
	if (origin != SCONE_GENERATED)
		return 0;
	return kind == SESSION_PRIVATE_KEY  ? IS_PRIVATE
	       : kind == SESSION_PUBLIC_KEY ? IS_PUBLIC
	       : is_certificate(kind)       ? IS_CERTIFICATE
	       : kind == SESSION_KINDS      ? 0
	                                    : IS_DATA;
}

/* Fields that say how something is generated, at what is not generated so. */
static void remark_unused(struct scone *c, const struct tree_node *secret, enum session_kind kind,
                          enum scone_origin origin)
{
	static const struct {
		const char *name;
		unsigned uses;
	} generating[] = {
		{"size", IS_DATA},
		{"key_type", IS_PRIVATE},
		{"private_key", IS_PUBLIC | IS_CERTIFICATE | IS_GIVEN_CERTIFICATE},
		{"issuer", IS_CERTIFICATE},
		{"common_name", IS_CERTIFICATE},
		{"endpoint", IS_CERTIFICATE},
		{"dns", IS_CERTIFICATE},
		{"san", IS_CERTIFICATE},
		{"valid_for", IS_CERTIFICATE},
	};
	for (size_t i = 0; i < array_count(generating); i++)
		if (!(generating[i].uses & use_of(kind, origin)))
			left_out(c, secret, generating[i].name,
			         "it says nothing of a secret of this kind and origin");
}

static void put_size(struct scone *c, struct scone_map *m, const struct tree_node *secret, bool ascii)
{
	const struct tree_node *size = scone_member(secret, "size");
	const char *text = scone_string(size);
	if (text) {
		scone_field(c, m, "size", size->key_place, scone_same(text));
		return;
	}
	char number[12];
	snprintf(number, sizeof(number), "%d", SCONE_SIZE);
	scone_remark(c, SCONE_ADDED, secret->place, "size: %d, which SCONE takes where none is said%s",
	             SCONE_SIZE,
	             ascii ? "; what is generated here are letters, digits, '-' and '_' alone" : "");
	scone_field(c, m, "size", secret->place, scone_same(number));
}

static void put_key_type(struct scone *c, const struct tree_node *secret)
{
	const struct tree_node *type = scone_member(secret, "key_type");
	if (type && strcmp(type->text ? type->text : "", "P-256") != 0)
		scone_remark(c, SCONE_CHANGED, type->key_place,
		             "key_type: keys that are generated are P-256 here");
}

static void put_value(struct scone *c, struct scone_map *m, const struct tree_node *secret,
                      enum session_kind kind)
{
	const struct tree_node *value = scone_member(secret, "value"),
			       *key = scone_member(secret, "private_key");
	const char *text = scone_string(value);
	if (key && scone_string(key) && is_certificate(kind))
		scone_field(c, m, "private_key", key->key_place, scone_same(scone_rename(c, key->text)));
	scone_field(c, m, "value", value->key_place, scone_same(text ? text : ""));
}

/* ---- generated certificates */

static void put_endpoint(struct scone *c, struct scone_map *m, const struct tree_node *secret)
{
	const struct tree_node *endpoint = scone_member(secret, "endpoint");
	if (endpoint && scone_string(endpoint))
		scone_field(c, m, "endpoint", endpoint->key_place, scone_same(endpoint->text));
	else
		scone_remark(
			c, SCONE_CHANGED, secret->place,
			"endpoint: where none is said, the certificate is for servers and clients here; SCONE "
			"says nothing of it in the certificate");
}

/* A DNS name of `san` or `dns`; NULL, and a remark: it cannot be one here. */
static const char *dns_name(struct scone *c, const struct tree_node *node, bool san)
{
	const char *text = scone_string(node), *why = NULL;
	if (text && san && strncmp(text, "dns:", 4) == 0)
		text += 4;
	else if (text && san)
		why = "certificates have DNS names alone";
	if (!text)
		why = "it is no text";
	else if (!why && strchr(text, '*'))
		why = "certificates have no names with '*'";
	if (!why)
		return text;
	scone_remark(c, SCONE_LEFT_OUT, node->place, "\"%.80s\": %s", text ? text : "", why);
	return NULL;
}

static void add_names(struct scone *c, const struct tree_node *list, bool san, struct scone_item *items,
                      size_t *count)
{
	for (const struct tree_node *n = scone_first(list); n; n = scone_next(list, n)) {
		const char *name = dns_name(c, n, san);
		if (name && *count == SESSION_DNS_MAX)
			scone_remark(c, SCONE_LEFT_OUT, n->place,
			             "\"%.80s\": a certificate has %d names at most", name, SESSION_DNS_MAX);
		else if (name)
			items[(*count)++] = (struct scone_item){scone_same(name), n->place};
	}
}

static void put_names(struct scone *c, struct scone_map *m, const struct tree_node *secret)
{
	const struct tree_node *dns = scone_member(secret, "dns"), *san = scone_member(secret, "san");
	const struct tree_node *common = scone_member(secret, "common_name");
	struct scone_item items[SESSION_DNS_MAX];
	size_t count = 0;
	bool ca = scone_secret_kind(c, secret) == SESSION_X509_CA;
	if (ca) {
		left_out(c, secret, "dns", "a CA's certificate has none");
		left_out(c, secret, "san", "a CA's certificate has none");
	} else {
		add_names(c, dns, false, items, &count);
		add_names(c, san, true, items, &count);
	}
	if (san && !ca)
		scone_remark(c, SCONE_TRANSLATED, san->key_place, "san: its DNS names are dns");
	const char *name = scone_string(common);
	if (!name) {
		name = count && strlen(items[0].text.shown) <= SESSION_COMMON_NAME_MAX ? items[0].text.shown
		                                                                       : NULL;
		const char *own = scone_member_string(secret, "name");
		name = name ? name : own ? scone_rename(c, own) : "unnamed";
		scone_remark(c, SCONE_ADDED, secret->place,
		             "common_name: \"%.64s\", as SCONE takes the first DNS name or the secret's own",
		             name);
	}
	scone_field(c, m, "common_name", common ? common->key_place : secret->place, scone_same(name));
	if (count)
		scone_list(c, m, "dns", items[0].place, items, count);
}

static void put_private_key(struct scone *c, struct scone_map *m, const struct tree_node *secret,
                            const char *name)
{
	const struct tree_node *key = scone_member(secret, "private_key");
	const char *text = scone_string(key);
	const struct tree_node *source = text ? scone_find_secret(c, text, strlen(text)) : NULL;
	if (source && scone_secret_origin(source) == SCONE_IMPORTED) {
		scone_remark(
			c, SCONE_PLACEHOLDER, key->key_place,
			"private_key: \"%.60s\" is imported, and nothing is generated from what is; import this "
			"secret, too, or name a key of this session",
			text);
		c->wants_trial = true;
		scone_field(c, m, "private_key", key->key_place,
		            scone_placeholder(c, "scone-trial-key", "a key in place of %.60s", text));
		return;
	}
	if (text) {
		scone_field(c, m, "private_key", key->key_place, scone_same(scone_rename(c, key->text)));
		return;
	}
	const char *added = session_arena_printf(&c->arena, "%s-key", name);
	scone_remark(c, SCONE_ADDED, secret->place,
	             "private_key: a certificate has one; it is the secret \"%s\"", added ? added : "");
	scone_field(c, m, "private_key", secret->place, scone_same(added ? added : ""));
}

static void put_issuer(struct scone *c, struct scone_map *m, const struct tree_node *secret, const char *name)
{
	const struct tree_node *issuer = scone_member(secret, "issuer");
	const char *text = scone_string(issuer);
	const struct tree_node *ca = text ? scone_find_secret(c, text, strlen(text)) : NULL;
	if (text && ca && scone_secret_origin(ca) != SCONE_GENERATED &&
	    !scone_member_string(ca, "private_key")) {
		scone_remark(
			c, SCONE_PLACEHOLDER, issuer->key_place,
			"issuer: \"%.60s\" has no private key in this session, so nothing can be signed by it; "
			"name a CA that has one, or import the certificate",
			text);
		c->wants_trial = true;
		scone_field(c, m, "issuer", issuer->key_place,
		            scone_placeholder(c, "scone-trial-ca", "a CA for %.60s", text));
		return;
	}
	if (text) {
		scone_field(c, m, "issuer", issuer->key_place, scone_same(scone_rename(c, text)));
		return;
	}
	const char *added = session_arena_printf(&c->arena, "%s-ca", name);
	scone_remark(
		c, SCONE_ADDED, secret->place,
		"issuer: certificates do not sign themselves here; it is the secret \"%s\", which those who "
		"trusted this certificate are to trust instead",
		added ? added : "");
	scone_field(c, m, "issuer", secret->place, scone_same(added ? added : ""));
}

static void put_certificate(struct scone *c, struct scone_map *m, const struct tree_node *secret,
                            enum session_kind kind, const char *name)
{
	const struct tree_node *valid = scone_member(secret, "valid_for");
	put_private_key(c, m, secret, name);
	if (kind == SESSION_X509)
		put_issuer(c, m, secret, name);
	else
		left_out(c, secret, "issuer",
		         "a CA of ours signs itself; who trusts the issuer is to trust it instead");
	put_names(c, m, secret);
	if (kind == SESSION_X509)
		put_endpoint(c, m, secret);
	else
		left_out(c, secret, "endpoint", "a CA's certificate is for certificates");
	if (valid)
		scone_field(c, m, "valid_for", valid->key_place,
		            scone_duration(c, valid, SESSION_VALID_MAX_S));
	else
		scone_remark(
			c, SCONE_CHANGED, secret->place,
			"valid_for: SCONE's certificates are valid for ever where nothing is said, ours for %s",
			kind == SESSION_X509 ? "90 days" : "ten years");
}

/* The key and the CA that a certificate needs and the source does not name. */
static void put_added(struct scone *c, const struct tree_node *secret, const char *name)
{
	char own[SESSION_NAME_MAX + 8];
	if (scone_secret_gets_key(c, secret)) {
		struct scone_map key = {2, true};
		snprintf(own, sizeof(own), "%s-key", name);
		scone_field(c, &key, "name", secret->place, scone_same(own));
		scone_field(c, &key, "kind", secret->place, scone_same("private-key"));
	}
	if (!scone_secret_gets_issuer(c, secret))
		return;
	struct scone_map key = {2, true}, ca = {2, true};
	snprintf(own, sizeof(own), "%s-ca-key", name);
	scone_field(c, &key, "name", secret->place, scone_same(own));
	scone_field(c, &key, "kind", secret->place, scone_same("private-key"));
	snprintf(own, sizeof(own), "%s-ca", name);
	scone_field(c, &ca, "name", secret->place, scone_same(own));
	scone_field(c, &ca, "kind", secret->place, scone_same("x509-ca"));
	snprintf(own, sizeof(own), "%s-ca-key", name);
	scone_field(c, &ca, "private_key", secret->place, scone_same(own));
	scone_field(c, &ca, "common_name", secret->place, scone_same(name));
}

/* ---- a secret */

static const struct scone_known secret_fields[] = {
	{"name", 0, NULL},
	{"kind", 0, NULL},
	{"value", 0, NULL},
	{"size", 0, NULL},
	{"import", 0, NULL},
	{"export", 0, NULL},
	{"private_key", 0, NULL},
	{"issuer", 0, NULL},
	{"common_name", 0, NULL},
	{"endpoint", 0, NULL},
	{"dns", 0, NULL},
	{"san", 0, NULL},
	{"valid_for", 0, NULL},
	{"key_type", 0, NULL},
	{"migrate", SCONE_CHANGED, "what was generated stays when a session is updated, always"},
	{"export_public", SCONE_LEFT_OUT,
         "no secret is given to who does not prove what it is; export it to sessions"},
	{"import_akv", SCONE_LEFT_OUT, "there is no Azure Key Vault; see the placeholder at this secret"},
	{"tenant_id", SCONE_LEFT_OUT, "there are no tokens of Azure"},
	{"client_id", SCONE_LEFT_OUT, "there are no tokens of Azure"},
	{"application_secret", SCONE_LEFT_OUT, "there are no tokens of Azure"},
	{"certificate_thumbprint", SCONE_LEFT_OUT, "there are no tokens of Azure"},
};

/* Without a kind of ours nothing else of it means anything, but where it comes from. */
static void put_unknown_kind(struct scone *c, struct scone_map *m, const struct tree_node *secret)
{
	const struct tree_node *kind = scone_member(secret, "kind");
	const char *text = scone_string(kind);
	bool imported = scone_secret_origin(secret) == SCONE_IMPORTED;
	struct tree_place place = kind ? kind->place : secret->place;
	if (text)
		scone_remark(
			c, SCONE_PLACEHOLDER, place,
			"kind: \"%.40s\", as it comes here, has no counterpart; say another kind, and a value "
			"or how it is generated",
			text);
	else
		scone_remark(c, SCONE_PLACEHOLDER, place, "kind: it is not said, and must be here");
	scone_field(c, m, "kind", place,
	            scone_placeholder(c, "ascii", "kind of secret%s%.40s", text ? ", in place of " : "",
	                              text ? text : ""));
	if (!imported)
		left_out(c, secret, "value", "it is of no kind that is known here");
	if (!imported)
		left_out(c, secret, "export", "it is of no kind that is known here");
	if (!imported)
		scone_trial_only(c, "    size: 20\n");
}

static void put_secret(struct scone *c, const struct tree_node *secret)
{
	struct scone_map m = {2, true};
	if (!scone_known_fields(c, secret, "a secret", secret_fields, array_count(secret_fields)))
		return;
	const char *own = scone_member_string(secret, "name"), *name = own ? scone_rename(c, own) : "unnamed";
	enum scone_origin origin = scone_secret_origin(secret);
	enum session_kind kind = scone_secret_kind(c, secret);
	scone_name_field(c, &m, secret, "secret");
	remark_unused(c, secret, kind, origin);
	if (kind == SESSION_KINDS) {
		put_unknown_kind(c, &m, secret);
	} else {
		const struct tree_node *node = scone_member(secret, "kind");
		if (!node)
			scone_remark(c, SCONE_ADDED, secret->place, "kind: %s, as another secret uses it so",
			             session_kind_name(kind));
		scone_field(c, &m, "kind", node ? node->key_place : secret->place,
		            scone_same(session_kind_name(kind)));
	}
	if (scone_member(secret, "import") && origin != SCONE_IMPORTED)
		left_out(c, secret, "import", "a secret comes from one place");
	if (origin == SCONE_IMPORTED)
		scone_import(c, &m, secret, "secret");
	else if (kind == SESSION_KINDS)
		return;
	else if (origin == SCONE_GIVEN)
		put_value(c, &m, secret, kind);
	else if (kind == SESSION_ASCII || kind == SESSION_BINARY)
		put_size(c, &m, secret, kind == SESSION_ASCII);
	else if (is_certificate(kind))
		put_certificate(c, &m, secret, kind, name);
	else if (kind == SESSION_PUBLIC_KEY)
		put_private_key(c, &m, secret, name);
	if (kind == SESSION_PRIVATE_KEY && origin == SCONE_GENERATED)
		put_key_type(c, secret);
	if (scone_member(secret, "export"))
		scone_export(c, &m, secret, "secret");
	put_added(c, secret, name);
}

void scone_secrets(struct scone *c)
{
	const struct tree_node *node = scone_member(c->root, "secrets"), *list = secrets_of(c);
	struct scone_map top = {0};
	if (node && !list)
		scone_remark(c, SCONE_LEFT_OUT, node->place, "secrets: it is no list");
	if (!list || !list->count)
		return;
	if (scone_has_maps(list)) {
		scone_gap(c);
		scone_open(c, &top, "secrets", list->key_place);
	}
	for (const struct tree_node *n = list->first; n; n = n->next)
		put_secret(c, n);
	if (c->wants_trial)
		scone_trial_only(c, "  - name: scone-trial-key\n    kind: private-key\n"
		                    "  - name: scone-trial-ca\n    kind: x509-ca\n"
		                    "    private_key: scone-trial-key\n    common_name: trial\n");
}
