/* May a cell have what a service gets? Every requirement is compared, whatever came before it. */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "cas/session/claims.h"
#include "cas/session/session.h"

enum { BITS_TEXT_SIZE = 512 };

struct judge {
	const struct session_service *service;
	struct error *err;
	int rc; /* sticky: hardware could not be asked */
	enum session_machine
		*vouching; /* of each alternative; SESSION_SOFT: no hardware was asked, or none holds */
	const struct session_claims *claims;
	struct session_verdict *verdict;
	size_t capacity, alternative;
	struct claim_names host, isolation;
};

static bool room_for_one(struct judge *j)
{
	enum { FIRST = 32 };
	struct session_verdict *v = j->verdict;
	if (v->failure_count < j->capacity)
		return true;
	const size_t capacity = max_of(2 * j->capacity, (size_t)FIRST);
	struct session_failure *failures = session_arena_take(&v->arena, capacity * sizeof(*failures));
	if (!failures)
		return false;
	if (v->failure_count)
		memcpy(failures, v->failures, v->failure_count * sizeof(*failures));
	v->failures = failures;
	j->capacity = capacity;
	return true;
}

static void note(struct judge *j, const char *requirement, const char *wanted, const char *found,
                 bool tolerated)
{
	struct session_verdict *v = j->verdict;
	if (!requirement || !wanted || !found || !room_for_one(j)) {
		v->arena.failed = true; /* a failure that cannot be noted must not be lost */
		return;
	}
	v->failures[v->failure_count++] = (struct session_failure){.alternative = j->alternative,
	                                                           .requirement = requirement,
	                                                           .wanted = wanted,
	                                                           .found = found,
	                                                           .tolerated = tolerated};
}

static const char *hex_text(struct session_arena *a, const uint8_t *bytes, size_t size)
{
	char *text = session_arena_take(a, 2 * size + 1);
	if (text)
		io_hex(bytes, size, text);
	return text;
}

/* "HEX", or "one of HEX, HEX". */
static const char *values_text(struct session_arena *a, const struct session_values *v)
{
	static const char before[] = "one of ", between[] = ", ";
	if (v->count == 1)
		return hex_text(a, v->bytes, v->size);
	size_t used = sizeof(before) - 1;
	char *text = session_arena_take(a, used + v->count * (2 * v->size + sizeof(between)));
	if (!text)
		return NULL;
	memcpy(text, before, used);
	for (size_t i = 0; i < v->count; i++) {
		memcpy(text + used, between, i ? sizeof(between) - 1 : 0);
		used += i ? sizeof(between) - 1 : 0;
		io_hex(v->bytes + i * v->size, v->size, text + used);
		used += 2 * v->size;
	}
	return text;
}

/* NULL: it is not stated. */
static void judge_values(struct judge *j, const char *requirement, const struct session_values *wanted,
                         const uint8_t *found)
{
	struct session_arena *a = &j->verdict->arena;
	bool holds = wanted->count == 0;
	for (size_t i = 0; found && i < wanted->count; i++)
		holds |= crypto_equal(wanted->bytes + i * wanted->size, found, wanted->size);
	if (!holds)
		note(j, requirement, values_text(a, wanted),
		     found ? hex_text(a, found, wanted->size) : "not stated", false);
}

static const char *bits_text(struct session_arena *a, uint32_t bits, const char *const *names, size_t count)
{
	char text[BITS_TEXT_SIZE] = "nothing";
	size_t used = 0;
	for (size_t i = 0; i < count && used < sizeof(text); i++)
		if (bits >> i & 1)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "",
			                         names[i]);
	return session_arena_printf(a, "%s", text);
}

static void judge_bits(struct judge *j, const char *group, const struct claim_names *names, uint32_t wanted,
                       uint32_t found, uint32_t tolerated)
{
	struct session_arena *a = &j->verdict->arena;
	uint32_t missing = wanted & ~found;
	for (size_t i = 0; i < names->count; i++)
		if (missing >> i & 1)
			note(j, session_arena_printf(a, "%s.%s", group, names->items[i]), names->items[i],
			     bits_text(a, found, names->items, names->count), tolerated >> i & 1);
}

/* ---- the machine */

struct hardware_failure {
	struct judge *j;
	enum session_machine machine;
};

static void note_hardware(void *arg, const char *requirement, const char *wanted, const char *found)
{
	const struct hardware_failure *f = arg;
	struct session_arena *a = &f->j->verdict->arena;
	note(f->j, session_arena_printf(a, "machine.%s.%s", session_machine_name(f->machine), requirement),
	     session_arena_printf(a, "%s", wanted), session_arena_printf(a, "%s", found),
	     f->j->service->tolerate.machine);
}

static bool hardware_holds(struct judge *j, const struct session_need *need)
{
	const struct session_claims *c = j->claims;
	struct hardware_failure f = {j, need->machine};
	bool holds = false;
	if (c->hardware && j->rc == 0)
		j->rc = c->hardware(c->hardware_data, need, &holds, note_hardware, &f, j->err);
	return holds && j->rc == 0;
}

/* A class that is named. Its name says nothing of what runs there, so for that an owner vouches who has
 * enrolled the launcher; of the class soft he alone does. */
static bool class_holds(struct judge *j, enum session_machine machine)
{
	const struct session_need need = {.machine = machine, .max_age_s = SESSION_MAX_AGE_S};
	return machine == SESSION_SOFT ? j->claims->machine == SESSION_SOFT : hardware_holds(j, &need);
}

static const char *machines_text(struct session_arena *a, const struct session_requirements *r)
{
	const char *names[SESSION_MACHINES];
	uint32_t all = r->machines;
	for (size_t i = 0; i < SESSION_MACHINES; i++)
		names[i] = session_machine_name((enum session_machine)i);
	for (size_t i = 0; i < r->need_count; i++)
		all |= 1u << r->needs[i].machine;
	return bits_text(a, all, names, SESSION_MACHINES);
}

/* One of those that are named or described must hold; none of what failed before it counts then. Needs come
 * first: one that leaves nothing open stands in for a launcher that is not enrolled. */
static void judge_machine(struct judge *j, const struct session_requirements *r, bool *ret_stands_alone)
{
	struct session_verdict *v = j->verdict;
	const size_t before = v->failure_count;
	bool holds = false;
	note(j, "machine", machines_text(&v->arena, r), session_machine_name(j->claims->machine),
	     j->service->tolerate.machine);
	for (size_t i = 0; i < r->need_count && !*ret_stands_alone; i++) {
		const bool this_holds = hardware_holds(j, &r->needs[i]);
		if (this_holds)
			j->vouching[j->alternative] = r->needs[i].machine;
		holds |= this_holds;
		*ret_stands_alone = this_holds && !r->needs[i].open;
	}
	for (size_t i = 0; i < SESSION_MACHINES && !holds; i++)
		if (r->machines >> i & 1 && class_holds(j, (enum session_machine)i)) {
			holds = true;
			j->vouching[j->alternative] = (enum session_machine)i;
		}
	if (holds)
		v->failure_count = before;
}

static void judge_enrolment(struct judge *j, const struct session_requirements *r, bool stands_alone)
{
	if (!j->claims->enrolled && !stands_alone)
		note(j, "las",
		     r->need_count
		             ? "one that is enrolled, or whose hardware shows what is demanded here and "
		               "leaves nothing open"
		             : "one that is enrolled",
		     hex_text(&j->verdict->arena, j->claims->launcher, sizeof(j->claims->launcher)), false);
}

static void judge_alternative(struct judge *j, const struct session_requirements *r)
{
	const struct session_claims *c = j->claims;
	const struct session_tolerance *t = &j->service->tolerate;
	struct session_arena *a = &j->verdict->arena;
	judge_values(j, "cell", &r->cells, c->has_cell ? c->cell : NULL);
	judge_values(j, "builder", &r->builders, c->has_cell ? c->builder : NULL);
	judge_values(j, "executor", &r->executors, c->executor);
	judge_values(j, "las", &r->launchers, c->launcher);
	if (!mem_level_covers(c->memory_level, r->memory_level))
		note(j, "memory_level",
		     session_arena_printf(a, "at least %s", mem_level_name(r->memory_level)),
		     mem_level_name(c->memory_level), t->memory_level);
	bool stands_alone = false;
	if (r->machines || r->need_count)
		judge_machine(j, r, &stands_alone);
	judge_enrolment(j, r, stands_alone);
	judge_bits(j, "host", &j->host, r->host, c->host, t->host);
	judge_bits(j, "isolation", &j->isolation, r->isolation, c->isolation, t->isolation);
}

/* Has it no failure; or none that is not tolerated? */
static bool alternative_holds(const struct session_verdict *v, size_t alternative, bool tolerating)
{
	for (size_t i = 0; v->failures && i < v->failure_count; i++)
		if (v->failures[i].alternative == alternative && !(tolerating && v->failures[i].tolerated))
			return false;
	return true;
}

static void decide(struct session_verdict *v)
{
	for (int tolerating = 0; tolerating <= 1 && !v->accepted; tolerating++) {
		for (size_t i = 0; i < v->alternative_count && !v->accepted; i++) {
			v->accepted = alternative_holds(v, i, tolerating);
			v->alternative = v->accepted ? i : 0;
		}
	}
}

int session_verdict(const struct session_service *service, const struct session_claims *claims,
                    struct session_verdict *ret_verdict, struct error *err)
{
	struct session_verdict v = {.alternative_count = service->alternative_count};
	struct judge j = {.service = service, .claims = claims, .verdict = &v, .err = err};
	if (claims->machine >= SESSION_MACHINES || claims->memory_level >= MEM_LEVELS)
		return error_set(err, CELLA_EINVAL,
		                 "claims with a memory level or machine class that there is not");
	claim_names_of_host("", &j.host);
	claim_names_of_isolation("", &j.isolation);
	j.vouching = session_arena_take(&v.arena, service->alternative_count * sizeof(*j.vouching));
	for (size_t i = 0; j.vouching && i < service->alternative_count && j.rc == 0; i++) {
		j.alternative = i;
		judge_alternative(&j, &service->alternatives[i]);
	}
	if (j.rc < 0) {
		session_verdict_done(&v);
		return j.rc;
	}
	if (v.arena.failed) {
		session_verdict_done(&v);
		return error_set(err, CELLA_ENOMEM, "no memory to judge the service %s", service->name);
	}
	decide(&v);
	v.machine = v.accepted && j.vouching ? j.vouching[v.alternative] : SESSION_SOFT;
	*ret_verdict = v;
	return 0;
}

void session_verdict_done(struct session_verdict *v)
{
	session_arena_done(&v->arena);
	*v = (struct session_verdict){0};
}

void session_verdict_print(const struct session_verdict *v, struct buf *ret)
{
	if (v->accepted)
		buf_printf(ret, "accepted by alternative %zu of %zu\n", v->alternative + 1,
		           v->alternative_count);
	else
		buf_printf(ret, "refused: none of %zu alternative%s holds\n", v->alternative_count,
		           v->alternative_count == 1 ? "" : "s");
	for (size_t i = 0; i < v->failure_count; i++) {
		const struct session_failure *f = &v->failures[i];
		if (v->accepted && f->alternative != v->alternative)
			continue;
		buf_printf(ret, "alternative %zu: %s: wanted %s, found %s%s\n", f->alternative + 1,
		           f->requirement, f->wanted, f->found, f->tolerated ? " (tolerated)" : "");
	}
}
