/* Texts with references to secrets: arguments, variables, files. */
#include <stdio.h>
#include <string.h>

#include "cli/session/scone_parts.h"

static const char foreign_mark[] = "$$SCONE::", our_mark[] = "$$CELLA::";
enum { MARK_SIZE = sizeof(foreign_mark) - 1, REFERENCE_MAX = 200 };

/* ---- one reference */

/* What SCONE's formats are here. */
enum form { FORM_NONE, FORM_PLAIN, FORM_HEX, FORM_BASE64, FORM_KEY, FORM_CHAIN, FORM_OLD_CHAIN };
enum { OF_DATA = 1, OF_KEY = 2, OF_CERTIFICATE = 4, OF_UNKNOWN = 8, OF_ALL = 15 };

static const struct {
	const char *name;
	unsigned of;
	enum form form;
} formats[] = {
	{"", OF_ALL, FORM_PLAIN},
	{"bin", OF_DATA | OF_UNKNOWN, FORM_PLAIN},
	{"hex", OF_DATA | OF_UNKNOWN, FORM_HEX},
	{"base64", OF_DATA | OF_UNKNOWN, FORM_BASE64},
	{"pem", OF_KEY | OF_UNKNOWN, FORM_PLAIN},
	{"pkcs8:pem", OF_KEY | OF_UNKNOWN, FORM_PLAIN},
	{"crt", OF_CERTIFICATE | OF_UNKNOWN, FORM_PLAIN},
	{"crt:pem", OF_CERTIFICATE | OF_UNKNOWN, FORM_PLAIN},
	{"privatekey", OF_CERTIFICATE, FORM_KEY},
	{"privatekey:pem", OF_CERTIFICATE, FORM_KEY},
	{"privatekey:pkcs8:pem", OF_CERTIFICATE, FORM_KEY},
	{"chain", OF_CERTIFICATE, FORM_CHAIN},
	/* With a dot, as before SCONE 5.2.0. */
	{".hex", OF_DATA | OF_UNKNOWN, FORM_HEX},
	{".crt", OF_CERTIFICATE | OF_UNKNOWN, FORM_PLAIN},
	{".key", OF_CERTIFICATE, FORM_KEY},
	{".chain", OF_CERTIFICATE, FORM_OLD_CHAIN},
};

static unsigned class_of(enum session_kind kind)
{
	switch (kind) {
	case SESSION_ASCII:
	case SESSION_BINARY: return OF_DATA;
	case SESSION_PRIVATE_KEY:
	case SESSION_PUBLIC_KEY: return OF_KEY;
	case SESSION_X509:
	case SESSION_X509_CA: return OF_CERTIFICATE;
	default: return OF_UNKNOWN;
	}
}

struct target {
	const struct tree_node *secret;
	char format[REFERENCE_MAX + 1];
};

/* "NAME:FORMAT", or "NAME.crt" where no secret is called so. */
static void find_target(const struct scone *c, const char *body, struct target *ret)
{
	size_t size = strcspn(body, ":");
	const char *dot = strrchr(body, '.');
	*ret = (struct target){.secret = scone_find_secret(c, body, size)};
	if (body[size] == ':')
		snprintf(ret->format, sizeof(ret->format), "%s", body + size + 1);
	else if (!ret->secret && dot) {
		ret->secret = scone_find_secret(c, body, (size_t)(dot - body));
		snprintf(ret->format, sizeof(ret->format), "%s", dot);
	}
}

static enum form form_of(const struct target *t, unsigned of)
{
	for (size_t i = 0; i < array_count(formats); i++)
		if (formats[i].of & of && strcmp(formats[i].name, t->format) == 0)
			return formats[i].form;
	return FORM_NONE;
}

/* "$$CELLA::NAME-key:FORMAT$$" */
static const char *refer(struct scone *c, const char *name, const char *added, const char *format)
{
	const char *text = session_arena_printf(&c->arena, "%s%s%s%s$$", our_mark, scone_rename(c, name),
	                                        added, format);
	return text ? text : "";
}

/* What stands for a certificate's key, or the chain to its CA; NULL: the source does not say where it is. */
static const char *refer_to_key(struct scone *c, const struct tree_node *secret)
{
	const char *key = scone_member_string(secret, "private_key"),
		   *name = scone_member_string(secret, "name");
	if (key)
		return refer(c, key, "", "");
	return scone_secret_gets_key(c, secret) ? refer(c, name, "-key", "") : NULL;
}

static const char *refer_to_chain(struct scone *c, const struct tree_node *secret, bool old)
{
	const char *issuer = scone_member_string(secret, "issuer"),
		   *name = scone_member_string(secret, "name");
	bool generated = scone_secret_origin(secret) == SCONE_GENERATED &&
	                 scone_secret_kind(c, secret) == SESSION_X509;
	if (!generated)
		return NULL;
	const char *ca = issuer ? refer(c, issuer, "", "") : refer(c, name, "-ca", "");
	const char *text = session_arena_printf(&c->arena, "%s%s", ca, old ? refer(c, name, "", "") : "");
	return text ? text : "";
}

/* NULL: it has no counterpart; *ret_why says why. */
static const char *translate(struct scone *c, const char *body, enum session_place where,
                             const char **ret_why)
{
	struct target t;
	find_target(c, body, &t);
	*ret_why = strchr(body, '|') ? "there are no encodings of characters, such as escape(json)"
	           : !t.secret       ? "there is no such secret in this session"
	                             : "its format has no counterpart";
	if (strchr(body, '|') || !t.secret)
		return NULL;
	enum session_kind kind = scone_secret_kind(c, t.secret);
	const char *name = scone_member_string(t.secret, "name");
	enum form form = form_of(&t, class_of(kind));
	bool binary = kind == SESSION_BINARY && where == SESSION_IN_STRING;
	if (form == FORM_PLAIN && binary)
		*ret_why = "it is binary: outside of files it needs a format, hex or base64";
	switch (form) {
	case FORM_PLAIN: return binary ? NULL : refer(c, name, "", "");
	case FORM_HEX: return refer(c, name, "", ":hex");
	case FORM_BASE64: return refer(c, name, "", ":base64");
	case FORM_KEY: *ret_why = "its key is no secret of this session"; return refer_to_key(c, t.secret);
	case FORM_CHAIN:
	case FORM_OLD_CHAIN:
		*ret_why = "its chain is not known in this session";
		return refer_to_chain(c, t.secret, form == FORM_OLD_CHAIN);
	default: return NULL;
	}
}

/* ---- texts */

struct expansion {
	struct session_text shown, trial;
	size_t translated;
};

static void put_both(struct expansion *e, const char *text, size_t size)
{
	session_text_put(&e->shown, text, size);
	session_text_put(&e->trial, text, size);
}

static void put_placeholder(struct scone *c, struct expansion *e, struct tree_place place, const char *what,
                            const char *why)
{
	struct scone_text p = scone_placeholder(c, "placeholder", "%.120s", what);
	session_text_put(&e->shown, our_mark, MARK_SIZE);
	session_text_put(&e->shown, p.shown, strlen(p.shown));
	session_text_put(&e->shown, "$$", 2);
	session_text_put(&e->trial, p.trial, strlen(p.trial));
	scone_remark(c, SCONE_PLACEHOLDER, place, "%.120s: %s", what, why);
}

/* The reference at `at`; what follows it. */
static const char *put_reference(struct scone *c, struct expansion *e, struct tree_place place,
                                 const char *at, enum session_place where)
{
	const char *end = strstr(at + MARK_SIZE, "$$"), *why;
	size_t size = end ? (size_t)(end - at) - MARK_SIZE : 0;
	char body[REFERENCE_MAX + 1];
	if (strncmp(at, our_mark, MARK_SIZE) == 0) {
		put_placeholder(c, e, place, "$$CELLA::", "it stands for no secret in SCONE, and would here");
		return at + MARK_SIZE;
	}
	if (!end || size > REFERENCE_MAX || strcspn(at + MARK_SIZE, " \t\n") < size) {
		put_placeholder(c, e, place, "$$SCONE::", "it does not end with $$");
		return at + MARK_SIZE;
	}
	snprintf(body, sizeof(body), "%.*s", (int)size, at + MARK_SIZE);
	const char *ours = translate(c, body, where, &why);
	if (ours)
		put_both(e, ours, strlen(ours));
	else
		put_placeholder(c, e, place, body, why);
	e->translated += ours != NULL;
	return end + 2;
}

static const char *next_mark(const char *at)
{
	const char *foreign = strstr(at, foreign_mark), *ours = strstr(at, our_mark);
	return !foreign || (ours && ours < foreign) ? ours : foreign;
}

static const char *keep(struct scone *c, const struct session_text *t)
{
	const char *copy = session_arena_copy(&c->arena, t->data, t->size);
	c->failed |= t->failed || !copy;
	return copy ? copy : "";
}

struct scone_text scone_expandable(struct scone *c, struct tree_place place, const char *text,
                                   enum session_place where)
{
	struct expansion e = {0};
	const char *at = text;
	for (const char *mark; (mark = next_mark(at));) {
		put_both(&e, at, (size_t)(mark - at));
		at = put_reference(c, &e, place, mark, where);
	}
	put_both(&e, at, strlen(at));
	if (e.translated)
		scone_remark(c, SCONE_TRANSLATED, place, "%zu reference%s to secrets: $$CELLA::NAME$$ here",
		             e.translated, e.translated == 1 ? "" : "s");
	scone_remark_variables(c, place, text);
	struct scone_text both = {keep(c, &e.shown), keep(c, &e.trial)};
	session_text_done(&e.shown);
	session_text_done(&e.trial);
	return both;
}

/* ---- commands */

/* Words between blanks, those in quotes whole; NULL at the end. */
static const char *next_word(struct scone *c, struct tree_place place, const char **at)
{
	struct session_text word = {0};
	*at += strspn(*at, " \t\n");
	if (!**at)
		return NULL;
	char quote = 0;
	for (; **at && (quote || !strchr(" \t\n", **at)); ++*at) {
		if (!quote && (**at == '"' || **at == '\''))
			quote = **at;
		else if (quote && **at == quote)
			quote = 0;
		else
			session_text_put(&word, *at, 1);
	}
	if (quote)
		scone_remark(c, SCONE_CHANGED, place,
		             "a quote in the command has no end; it ends with the command");
	const char *copy = keep(c, &word);
	session_text_done(&word);
	return copy;
}

static struct scone_text argument(struct scone *c, struct tree_place place, const char *word)
{
	if (strncmp(word, "@@", 2) != 0)
		return scone_expandable(c, place, word, SESSION_IN_STRING);
	struct expansion e = {0};
	put_placeholder(c, &e, place, word,
	                "arguments of whoever starts it have no counterpart beside others");
	struct scone_text both = {keep(c, &e.shown), keep(c, &e.trial)};
	session_text_done(&e.shown);
	session_text_done(&e.trial);
	return both;
}

/* Takes the program's name away. */
static void put_arguments(struct scone *c, struct scone_map *m, const struct tree_node *command,
                          const char *const *words, const struct tree_place *places, size_t count)
{
	struct scone_item *items = session_arena_take(&c->arena, (count + 1) * sizeof(*items));
	if (!items || !count)
		return;
	for (size_t i = 1; i < count; i++)
		items[i - 1] = (struct scone_item){argument(c, places[i], words[i]), places[i]};
	scone_remark(
		c, SCONE_TRANSLATED, command->key_place,
		"command: \"%.60s\" is what runs, which here is the cell; the arguments are what follows it",
		words[0]);
	if (count > 1)
		scone_list(c, m, "command", command->key_place, items, count - 1);
	else
		scone_remark(c, SCONE_CHANGED, command->key_place,
		             "command: without arguments; here whoever starts the service may give it some");
}

void scone_command(struct scone *c, struct scone_map *m, const struct tree_node *service)
{
	const struct tree_node *command = scone_member(service, "command");
	const char *text = scone_string(command);
	if (!command || command->kind == TREE_MAP) {
		scone_remark(c, SCONE_CHANGED, command ? command->place : service->place,
		             "no command: here whoever starts the service may give it arguments");
		return;
	}
	size_t most = text ? strlen(text) / 2 + 1 : command->count, count = 0;
	const char **words = session_arena_take(&c->arena, (most + 1) * sizeof(*words));
	struct tree_place *places = session_arena_take(&c->arena, (most + 1) * sizeof(*places));
	if (!words || !places)
		return;
	if (text) {
		if (strchr(text, '\\'))
			scone_remark(c, SCONE_CHANGED, command->place,
			             "backslashes in the command are kept as they are");
		for (const char *word; (word = next_word(c, command->place, &text)); count++) {
			words[count] = word;
			places[count] = command->place;
		}
	} else {
		for (const struct tree_node *n = scone_first(command); n; n = scone_next(command, n)) {
			const char *word = scone_string(n);
			if (!word)
				scone_remark(c, SCONE_CHANGED, n->place,
				             "no text: an empty argument takes its place");
			words[count] = word ? word : "";
			places[count++] = n->place;
		}
	}
	put_arguments(c, m, command, words, places, count);
}

/* ---- the environment */

/* What a variable's name says against it; NULL: nothing. */
static const char *variable_refused(const char *name)
{
	if (strncmp(name, "@@", 2) == 0 || strncmp(name, "\\@\\@", 4) == 0)
		return "variables of whoever starts it do not come in";
	if (strncmp(name, "SCONE_", 6) == 0)
		return "it is for SCONE's runtime";
	if (strlen(name) > SESSION_VARIABLE_MAX || strpbrk(name, "= \t\n"))
		return "a variable's name has no '=' and no blanks, and 255 bytes at most";
	return NULL;
}

void scone_environment(struct scone *c, struct scone_map *m, const struct tree_node *service)
{
	const struct tree_node *environment = scone_member(service, "environment");
	struct scone_map variables = {0};
	bool open = false;
	if (environment && environment->kind != TREE_MAP)
		scone_remark(c, SCONE_LEFT_OUT, environment->place, "environment: it is no map of variables");
	if (!environment || environment->kind != TREE_MAP)
		return;
	for (const struct tree_node *n = environment->first; n; n = n->next) {
		const char *refused = variable_refused(n->key), *value = scone_string(n);
		if (!refused && n->kind != TREE_TEXT)
			refused = "its value is no text";
		if (refused) {
			scone_remark(c, SCONE_LEFT_OUT, n->key_place, "%.60s: %s", n->key, refused);
			continue;
		}
		if (!value)
			scone_remark(c, SCONE_CHANGED, n->key_place,
			             "%.60s: it has no value; an empty text takes its place", n->key);
		if (!open)
			variables = scone_open(c, m, "environment", environment->key_place);
		open = true;
		scone_field(c, &variables, n->key, n->key_place,
		            scone_expandable(c, n->place, value ? value : "", SESSION_IN_STRING));
	}
}
