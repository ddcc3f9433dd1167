/*
 * Machine classes of an alternative: names, or maps from a class to what is demanded of its evidence. The
 * members are those of its policies (attest/policy.h), by the same tables; what is read goes into one form in
 * JSON, members in the tables' order, values in lists, so that the session's hash does not depend on how it
 * was written.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/policy.h"
#include "base/io.h"
#include "cas/session/decode.h"
#include "cas/session/machine.h"

#define MAX_AGE "max_age"

static json_t *read_object(struct decoder *d, const struct tree_node *node,
                           const struct policy_object *object, bool with_age);

/* ---- values; NULL: a mistake, or no memory */

static json_t *read_number(struct decoder *d, const struct tree_node *node, const struct policy_member *m)
{
	uint64_t value = 0;
	const size_t mistakes = d->mistakes->count;
	decode_number(d, node, 0, min_of(m->most, (uint64_t)INT64_MAX), &value);
	return d->mistakes->count == mistakes ? json_integer((json_int_t)value) : NULL;
}

static json_t *read_value(struct decoder *d, const struct tree_node *node, const struct policy_member *m)
{
	uint8_t bytes[POLICY_VALUE_SIZE];
	char hex[2 * POLICY_VALUE_SIZE + 1];
	if (!decode_hex(d, node, m->name, bytes, m->size))
		return NULL;
	io_hex(bytes, m->size, hex);
	return json_string(hex);
}

static json_t *read_text(struct decoder *d, const struct tree_node *node, const struct policy_member *m)
{
	const char *text = decode_word(d, node);
	if (text && strlen(text) >= POLICY_TEXT_SIZE) {
		decode_mistake(d, node->place, "%s has %d characters at most", m->name, POLICY_TEXT_SIZE - 1);
		return NULL;
	}
	return text ? json_string(text) : NULL;
}

/* One, or a list of them. */
static json_t *read_list(struct decoder *d, const struct tree_node *node, const struct policy_member *m)
{
	const bool list = node->kind == TREE_LIST;
	const size_t most = m->kind == POLICY_VALUES ? (size_t)POLICY_VALUES_MAX : (size_t)POLICY_TEXTS_MAX;
	json_t *all = json_array();
	if (list && (node->count == 0 || node->count > most))
		decode_mistake(d, node->place, "%s: here are %zu; there may be 1 to %zu", m->name,
		               node->count, most);
	else
		for (const struct tree_node *n = list ? node->first : node; n; n = list ? n->next : NULL)
			json_array_append_new(all, m->kind == POLICY_VALUES ? read_value(d, n, m)
			                                                    : read_text(d, n, m));
	return all;
}

static json_t *read_choice(struct decoder *d, const struct tree_node *node, const struct policy_member *m)
{
	char what[POLICY_TEXT_SIZE];
	size_t count = 0;
	while (m->choices[count])
		count++;
	snprintf(what, sizeof(what), "value of %s", m->name);
	const int chosen = decode_choice(d, node, what, m->choices, count);
	return chosen < 0 ? NULL : json_string(m->choices[chosen]);
}

static json_t *read_truth(struct decoder *d, const struct tree_node *node, const struct policy_member *m)
{
	static const char *const names[] = {"false", "true"};
	char what[POLICY_TEXT_SIZE];
	snprintf(what, sizeof(what), "value of %s", m->name);
	const int chosen = decode_choice(d, node, what, names, array_count(names));
	return chosen < 0 ? NULL : json_boolean(chosen);
}

static json_t *read_member(struct decoder *d, const struct tree_node *node, const struct policy_member *m)
{
	switch (m->kind) {
	case POLICY_BOOL: return read_truth(d, node, m);
	case POLICY_NUMBER: return read_number(d, node, m);
	case POLICY_VALUES:
	case POLICY_TEXTS: return read_list(d, node, m);
	case POLICY_CHOICE: return read_choice(d, node, m);
	case POLICY_OBJECT: return read_object(d, node, m->object, false);
	}
	return NULL;
}

/* ---- maps */

static const char *member_name(const void *data, size_t index)
{
	return ((const struct policy_member *)data)[index].name;
}

static bool has_member(const struct policy_object *object, const char *name)
{
	for (size_t i = 0; i < object->count; i++)
		if (strcmp(object->members[i].name, name) == 0)
			return true;
	return false;
}

static void find_unknown(struct decoder *d, const struct tree_node *node, const struct policy_object *object,
                         bool with_age)
{
	char meant[MEANT_SIZE];
	for (const struct tree_node *n = node->first; n; n = n->next)
		if (!has_member(object, n->key) && !(with_age && strcmp(n->key, MAX_AGE) == 0))
			decode_mistake(d, n->key_place, "there is no requirement %s%s", decode_quote(n->key),
			               decode_meant(decode_nearest(d, n->key, member_name, object->members,
			                                           object->count),
			                            meant));
}

static json_t *read_object(struct decoder *d, const struct tree_node *node,
                           const struct policy_object *object, bool with_age)
{
	json_t *all = json_object();
	if (node->kind != TREE_MAP) {
		decode_mistake(d, node->place, "a map of requirements is wanted here");
		return all;
	}
	find_unknown(d, node, object, with_age);
	for (size_t i = 0; i < object->count; i++) {
		const struct tree_node *member = tree_member(node, object->members[i].name);
		if (member)
			json_object_set_new(all, object->members[i].name,
			                    read_member(d, member, &object->members[i]));
	}
	return all;
}

/* ---- a class */

/* What was read must be what the evidence's own reader reads. */
static void keep(struct decoder *d, const struct tree_node *node, json_t *json, struct session_need *need)
{
	char *text = json_dumps(json, JSON_COMPACT);
	struct tee_policy *policy = NULL;
	struct error why;
	need->policy = text ? session_arena_copy(d->arena, text, strlen(text)) : NULL;
	free(text);
	if (!need->policy)
		d->arena->failed = true;
	else if (session_machine_policy(need->machine, need->policy, &policy, &why) < 0)
		decode_mistake(d, node->place, "%s", why.text);
	else
		need->open = tee_policy_open(policy);
	tee_policy_free(policy);
}

static void decode_need(struct decoder *d, const struct tree_node *node, struct session_need *need)
{
	enum tee_kind kind;
	const struct tree_node *only = node->first;
	const char *names[SESSION_MACHINES];
	const struct tree_node name = {.kind = TREE_TEXT,
	                               .place = only ? only->key_place : node->place,
	                               .text = only ? only->key : "",
	                               .size = only ? strlen(only->key) : 0};
	for (size_t i = 0; i < SESSION_MACHINES; i++)
		names[i] = session_machine_name((enum session_machine)i);
	if (node->count != 1) {
		decode_mistake(d, node->place, "one machine class is wanted in each map; here are %zu",
		               node->count);
		return;
	}
	const int chosen = decode_choice(d, &name, "machine class", names, SESSION_MACHINES);
	if (chosen < 0)
		return;
	need->machine = (enum session_machine)chosen;
	need->max_age_s = SESSION_MAX_AGE_S;
	if (!session_machine_kind(need->machine, &kind) || !tee_kind_of(kind)) {
		decode_mistake(d, name.place,
		               need->machine == SESSION_SOFT
		                       ? "nothing but the operator vouches for the class %s: it has no "
		                         "requirements"
		                       : "this program does not verify evidence of the class %s: it has no "
		                         "requirements here",
		               names[chosen]);
		return;
	}
	const size_t mistakes = d->mistakes->count;
	json_t *json = read_object(d, only, tee_kind_of(kind)->policy, true);
	const struct tree_node *age = tree_member(only, MAX_AGE);
	if (age)
		decode_duration(d, age, SESSION_MAX_AGE_MAX_S, &need->max_age_s);
	if (d->mistakes->count == mistakes)
		keep(d, only, json, need);
	json_decref(json);
}

static void decode_name_of_class(struct decoder *d, const struct tree_node *node, uint32_t *to)
{
	const char *names[SESSION_MACHINES];
	for (size_t i = 0; i < SESSION_MACHINES; i++)
		names[i] = session_machine_name((enum session_machine)i);
	const int chosen = decode_choice(d, node, "machine class", names, SESSION_MACHINES);
	*to |= chosen >= 0 ? 1u << chosen : 0;
}

void decode_machines(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_requirements *r = to;
	const bool list = node->kind == TREE_LIST;
	const struct tree_node *first = list ? node->first : node;
	size_t count = 0;
	if (!first)
		decode_mistake(d, node->place, "the list is empty");
	for (const struct tree_node *n = first; n; n = list ? n->next : NULL)
		count += n->kind == TREE_MAP;
	if (count > SESSION_NEEDS_MAX) {
		decode_mistake(d, node->place,
		               "here are %zu machine classes with requirements, and there may be %d", count,
		               SESSION_NEEDS_MAX);
		return;
	}
	r->needs = count ? session_arena_take(d->arena, count * sizeof(*r->needs)) : NULL;
	for (const struct tree_node *n = first; n; n = list ? n->next : NULL) {
		if (n->kind != TREE_MAP)
			decode_name_of_class(d, n, &r->machines);
		else if (r->needs)
			decode_need(d, n, &r->needs[r->need_count++]);
	}
}

/* ---- guests */

/* Nobody but its hardware vouches for a guest: what it runs must be pinned. */
static void decode_guest(struct decoder *d, const struct tree_node *node, void *to)
{
	struct session_need *need = to;
	if (node->kind != TREE_MAP) {
		decode_mistake(d, node->place,
		               "a guest is a map from its machine class to what is demanded of its evidence, "
		               "such as snp: {measurement: ...}");
		return;
	}
	const size_t before = d->mistakes->count;
	decode_need(d, node, need);
	const bool speaks = need->machine == SESSION_SNP || need->machine == SESSION_TDX ||
	                    need->machine == SESSION_SGX;
	if (!speaks && d->mistakes->count == before)
		decode_mistake(d, node->first->key_place,
		               "no guest of the class %s can ask: those of snp, tdx and sgx can",
		               session_machine_name(need->machine));
	else if (speaks && need->open)
		decode_mistake(d, node->first->key_place,
		               "any guest of the class %s would have it, for this leaves "
		               "open %s",
		               session_machine_name(need->machine), need->open);
}

void decode_guests(struct decoder *d, const struct tree_node *node, void *to)
{
	static const struct list_shape shape = {"guests", sizeof(struct session_need), SESSION_NEEDS_MAX,
	                                        decode_guest, true};
	struct session_secret *secret = to;
	secret->guests = decode_list(d, node, &shape, &secret->guest_count);
}
