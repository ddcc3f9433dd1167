/* Who may do what to the session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session/scone_parts.h"
#include "crypto/x509.h"

enum { KEY_DIGITS = 2 * SESSION_KEY_HASH_SIZE };

static bool is_certificate(const char *text)
{
	struct cert *chain[CERT_CHAIN_MAX];
	size_t count;
	if (strncmp(text, "-----BEGIN CERTIFICATE-----", 27) != 0 ||
	    cert_read_pem(text, strlen(text), chain, &count, NULL) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		cert_free(chain[i]);
	return true;
}

void scone_creator(struct scone *c, struct scone_map *m)
{
	const struct tree_node *creator = scone_member(c->root, "creator");
	const char *text = scone_string(creator);
	if (!creator)
		return;
	if (text && is_certificate(text))
		scone_field(c, m, "creator", creator->key_place, scone_same(text));
	else
		scone_remark(
			c, SCONE_LEFT_OUT, creator->key_place,
			"creator: it is no certificate that is read here (PEM; P-256, P-384 or Ed25519); the "
			"creator is who creates the session");
}

/* ---- keys */

static const struct scone_known signer_fields[] = {{"signer", 0, NULL}};

static struct scone_text key_placeholder(struct scone *c, struct tree_place place, const char *why)
{
	scone_remark(c, SCONE_PLACEHOLDER, place,
	             "%s; here it is the hash of an owner's key (64 digits), or a certificate in PEM", why);
	return scone_placeholder_hex(c, KEY_DIGITS, "hash of an owner's key");
}

static struct scone_text key_of(struct scone *c, const struct tree_node *node)
{
	static const char *const words[] = {"CREATOR", "ANY", "NONE"};
	const char *text = scone_string(node);
	for (size_t i = 0; text && i < array_count(words); i++)
		if (strcmp(text, words[i]) == 0)
			return scone_same(words[i]);
	if (text && is_certificate(text))
		return scone_same(text);
	if (text)
		return key_placeholder(
			c, node->place,
			strncmp(text, "-----BEGIN", 10) == 0
				? "a certificate that cannot be read here (P-256, P-384 or Ed25519 can)"
			: strncmp(text, "$$", 2) == 0 ? "a key that stands in a secret"
						      : "the hash of a key as SCONE writes it");
	if (node->kind == TREE_MAP && scone_member(node, "signer")) {
		scone_known_fields(c, node, "a signer", signer_fields, array_count(signer_fields));
		return key_placeholder(c, node->place, "signer: the key that signs sessions");
	}
	return key_placeholder(c, node->place, "a rule inside of another one has no counterpart");
}

static bool is_word(struct scone_text key, const char *word)
{
	return strcmp(key.shown, word) == 0;
}

/* The keys of a list, or one; the same word once. */
static struct scone_item *keys_of(struct scone *c, const struct tree_node *list, size_t *ret_count)
{
	struct scone_item *items = session_arena_take(&c->arena, (scone_count(list) + 1) * sizeof(*items));
	bool creator = false;
	*ret_count = 0;
	for (const struct tree_node *n = items ? scone_first(list) : NULL; n; n = scone_next(list, n)) {
		struct scone_text key = key_of(c, n);
		bool again = is_word(key, "CREATOR") && creator;
		creator |= is_word(key, "CREATOR");
		if (!again)
			items[(*ret_count)++] = (struct scone_item){key, n->place};
	}
	return items;
}

/* ---- rules */

/* "require-all", "require-at-least-2": the keys' node and how many, 0 for all; NULL: it is no rule. */
static const struct tree_node *rule_of(const struct tree_node *node, unsigned long *ret_least)
{
	static const char least[] = "require-at-least-";
	const struct tree_node *only = node->kind == TREE_LIST && node->count == 1 ? node->first : node;
	const struct tree_node *rule = only->kind == TREE_MAP && only->count == 1 ? only->first : NULL;
	char *end = NULL;
	if (rule && strcmp(rule->key, "require-all") == 0) {
		*ret_least = 0;
		return rule;
	}
	if (!rule || strncmp(rule->key, least, sizeof(least) - 1) != 0)
		return NULL;
	*ret_least = strtoul(rule->key + sizeof(least) - 1, &end, 10);
	return *end || *ret_least == 0 || *ret_least > SESSION_KEYS_MAX ? NULL : rule;
}

static void put_right(struct scone *c, struct scone_map *m, const char *name, const struct tree_node *node)
{
	unsigned long least;
	const struct tree_node *rule = rule_of(node, &least);
	char number[24];
	size_t count;
	const struct scone_item *items = keys_of(c, rule ? rule : node, &count);
	if (!items || !count)
		return;
	if (!rule && count == 1) {
		scone_field(c, m, name, node->key_place, items[0].text);
		return;
	}
	if (!rule) {
		scone_list(c, m, name, node->key_place, items, count);
		return;
	}
	struct scone_map right = scone_open(c, m, name, node->key_place);
	snprintf(number, sizeof(number), "%lu", least);
	scone_remark(c, SCONE_TRANSLATED, rule->key_place, "%.40s: the field is called %s", rule->key,
	             least ? "at_least, with of" : "require_all");
	if (least)
		scone_field(c, &right, "at_least", rule->key_place, scone_same(number));
	scone_list(c, &right, least ? "of" : "require_all", rule->key_place, items, count);
}

/* SCONE's namespaces are all sessions below one; ours are named. */
static void remark_create(struct scone *c, const struct tree_node *node)
{
	const char *only = scone_string(node->kind == TREE_LIST && node->count == 1 ? node->first : node);
	bool nobody = only && strcmp(only, "NONE") == 0;
	scone_remark(c, nobody ? SCONE_TRANSLATED : SCONE_CHANGED, node->key_place,
	             "create_sessions: it is called create%s",
	             nobody ? "" : ", and holds for the names in `namespaces`, which are to be added");
}

static const struct scone_known access_fields[] = {
	{"read", 0, NULL},
	{"update", 0, NULL},
	{"create_sessions", 0, NULL},
};

void scone_access(struct scone *c)
{
	static const struct {
		const char *scone, *ours;
	} rights[] = {{"read", "read"}, {"update", "update"}, {"create_sessions", "create"}};
	const struct tree_node *access = scone_member(c->root, "access_policy");
	struct scone_map top = {0};
	if (!scone_member(c->root, "services") && (!access || !scone_member(access, "create_sessions")))
		scone_remark(
			c, SCONE_CHANGED, access ? access->key_place : c->root->place,
			"create_sessions: where it is not said, who may update may create sessions below this one; "
			"here nobody may, until create and namespaces say so");
	if (!access)
		return;
	struct scone_map m = {2, false};
	if (access->kind != TREE_MAP) {
		scone_gap(c);
		m = scone_open(c, &top, "access_policy", access->key_place);
		for (size_t i = 0; i < 2; i++)
			scone_field(c, &m, rights[i].ours, access->place,
			            key_placeholder(c, access->place,
			                            "access_policy: it stands in a secret"));
		return;
	}
	scone_known_fields(c, access, "access_policy", access_fields, array_count(access_fields));
	bool open = false;
	for (size_t i = 0; i < array_count(rights); i++) {
		const struct tree_node *node = scone_member(access, rights[i].scone);
		unsigned long least;
		if (!node)
			continue;
		const struct tree_node *rule = rule_of(node, &least);
		if (!scone_count(rule ? rule : node)) {
			scone_remark(c, SCONE_LEFT_OUT, node->key_place,
			             "%s: nobody is named; the default stands", rights[i].scone);
			continue;
		}
		if (!open) {
			scone_gap(c);
			m = scone_open(c, &top, "access_policy", access->key_place);
		}
		open = true;
		if (strcmp(rights[i].scone, rights[i].ours) != 0)
			remark_create(c, node);
		put_right(c, &m, rights[i].ours, node);
	}
}
