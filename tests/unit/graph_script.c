#include "graph_script.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cella/task.h"
#include "task/graph_state.h"
#include "task/scheduler.h"

enum { NAMES = 512, EVENTS = 512, WORD = 64, WORDS = 256, COMPUTING_UNITS = 4, MEMORY = 1000 };

struct name {
	char text[WORD];
	uint64_t id;
	uint64_t offset; /* of the object, if it is a datum that was made */
};

struct play {
	struct graph *g;
	struct name names[NAMES];
	size_t name_count;
	uint64_t next_id, next_offset, now_ns;
	uint32_t executors;
	struct {
		uint32_t executor;
		uint64_t task;
	} sent[EVENTS];
	size_t sent_count;
	struct task_outcome outcomes[EVENTS];
	size_t outcome_count, outcome_at;
	struct task_ready answers[EVENTS];
	size_t answer_count, answer_at;
	uint64_t dropped[EVENTS];
	size_t dropped_count;
	char words[WORDS][WORD];
	size_t word_count;
	char functions[16][WORD];
	size_t function_count;
	_Alignas(8) uint8_t body[65536];
};

static char complaint[1000];

static bool fault(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(complaint, sizeof(complaint), format, args);
	va_end(args);
	return false;
}

static struct name *find(struct play *p, const char *text)
{
	for (size_t i = 0; i < p->name_count; i++)
		if (strcmp(p->names[i].text, text) == 0)
			return &p->names[i];
	return NULL;
}

/* The id of a name; a new one belongs to this executor. */
static uint64_t id_of(struct play *p, const char *text, uint32_t executor)
{
	struct name *n = find(p, text);
	if (!n) {
		n = &p->names[p->name_count++];
		snprintf(n->text, sizeof(n->text), "%s", text);
		n->id = (uint64_t)executor << TASK_COUNTER_BITS | ++p->next_id;
	}
	return n->id;
}

static const char *name_of(const struct play *p, uint64_t id)
{
	for (size_t i = 0; i < p->name_count; i++)
		if (p->names[i].id == id)
			return p->names[i].text;
	return "?";
}

/* What the graph says. */

static void on_outcome(void *data, const struct graph_outcome *o)
{
	struct play *p = data;
	p->outcomes[p->outcome_count++] = o->head;
}

static void on_answer(void *data, const struct graph_answer *a)
{
	struct play *p = data;
	p->answers[p->answer_count++] = a->head;
}

static void on_dropped(void *data, uint64_t offset, uint64_t size, bool spilled)
{
	struct play *p = data;
	(void)size;
	(void)spilled;
	p->dropped[p->dropped_count++] = offset;
}

static void on_forgotten(void *data, uint64_t datum, uint64_t holders)
{
	(void)data;
	(void)datum;
	(void)holders;
}

static int on_restore(void *data, uint64_t *offset, uint64_t size)
{
	(void)data;
	(void)offset;
	(void)size;
	return CELLA_EBUG;
}

static void on_send(void *data, uint32_t executor, uint32_t task)
{
	struct play *p = data;
	p->sent[p->sent_count].executor = executor;
	p->sent[p->sent_count++].task = task_at(p->g, task)->id;
}

static uint32_t function_of(struct play *p, const char *name)
{
	struct error err;
	for (uint32_t i = 0; i < p->function_count; i++)
		if (strcmp(p->functions[i], name) == 0)
			return i;
	snprintf(p->functions[p->function_count], WORD, "%s", name);
	struct task_function f = {.index = (uint32_t)p->function_count};
	struct message_name m = {name, strlen(name)};
	if (graph_function(p->g, &f, &m, &err) < 0)
		abort();
	return (uint32_t)p->function_count++;
}

/* Statements. Each returns false with the complaint, or the graph's result in *ret_rc. */

static uint64_t group_number(struct play *p, const char *text)
{
	return id_of(p, text, 1) & 0xffffffff;
}

static uint32_t policy_of(const char *text)
{
	static const char *const policies[] = {"retry", "fail", "ignore", "cancel"};
	for (uint32_t i = 0; i < array_count(policies); i++)
		if (strcmp(text, policies[i]) == 0)
			return i;
	abort();
}

static void set_option(struct play *p, struct task_submit *s, const char *option)
{
	const char *value = strchr(option, '=') + 1;
	size_t size = (size_t)(value - option) - 1;
	uint32_t number = (uint32_t)strtol(value, NULL, 10);
#define OPTION_IS(text) (size == strlen(text) && memcmp(option, text, size) == 0)
	if (OPTION_IS("prio"))
		s->priority = (int32_t)strtol(value, NULL, 10);
	else if (OPTION_IS("retry"))
		s->retries = number;
	else if (OPTION_IS("back"))
		s->backoff_ms = number;
	else if (OPTION_IS("cu"))
		s->computing_units = number;
	else if (OPTION_IS("mem"))
		s->memory = number;
	else if (OPTION_IS("on"))
		s->on_failure = policy_of(value);
	else if (OPTION_IS("fn"))
		s->function = function_of(p, value);
	else if (OPTION_IS("g"))
		s->group = (uint32_t)group_number(p, value);
	else if (OPTION_IS("parent"))
		s->parent = id_of(p, value, 1);
	else
		abort();
}

static uint32_t executor_of(const struct play *p, uint64_t task)
{
	const struct graph_task *t = map_get(&p->g->tasks_by_id, task);
	return t ? t->executor : 1;
}

/* "A[...]:" inputs, b~c, ">" outputs. */
static bool submit(struct play *p, int *ret_rc)
{
	struct task_submit s = {.function = function_of(p, "f")};
	char name[WORD], *brackets;
	uint64_t inputs[WORDS], outputs[WORDS];
	struct task_commutative turns[WORDS];
	snprintf(name, sizeof(name), "%s", p->words[0]);
	*strrchr(name, ':') = '\0';
	if ((brackets = strchr(name, '['))) {
		*brackets = '\0';
		for (char *option = strtok(brackets + 1, ",]"); option; option = strtok(NULL, ",]"))
			set_option(p, &s, option);
	}
	uint32_t executor = s.parent ? executor_of(p, s.parent) : 1;
	s.task = id_of(p, name, executor);
	bool makes = false;
	for (size_t i = 1; i < p->word_count; i++) {
		char *turn = strchr(p->words[i], '~');
		if (strcmp(p->words[i], ">") == 0) {
			makes = true;
		} else if (turn) {
			*turn = '\0';
			turns[s.commutative_count].base = *p->words[i] ? id_of(p, p->words[i], executor) : 0;
			turns[s.commutative_count++].final = id_of(p, turn + 1, executor);
		} else if (makes) {
			outputs[s.output_count++] = id_of(p, p->words[i], executor);
		} else {
			inputs[s.input_count++] = id_of(p, p->words[i], executor);
		}
	}
	uint8_t *at = p->body;
	at = mempcpy(at, &s, sizeof(s));
	at = mempcpy(at, inputs, s.input_count * 8u);
	at = mempcpy(at, outputs, s.output_count * 8u);
	at = mempcpy(at, turns, s.commutative_count * 16u);
	struct message m;
	struct error err;
	*ret_rc = message_decode(TASK_UP_SUBMIT, p->body, (size_t)(at - p->body), &m, &err);
	if (*ret_rc == 0)
		*ret_rc = graph_submit(p->g, executor, &m.submit, &err);
	return true;
}

static struct task_location place(struct play *p, uint64_t id, uint64_t version)
{
	uint64_t size = p->word_count > 2 ? strtoul(p->words[2], NULL, 10) : 100;
	p->next_offset += size;
	struct name *n = find(p, name_of(p, id));
	n->offset = p->next_offset;
	return (struct task_location){.datum = id,
	                              .version = version,
	                              .offset = p->next_offset,
	                              .size = size};
}

static bool put(struct play *p, int *ret_rc)
{
	struct error err;
	struct task_location l = place(p, id_of(p, p->words[1], 1), 0);
	*ret_rc = graph_put(p->g, 1, &l, &err);
	return true;
}

static bool end(struct play *p, uint32_t status, int *ret_rc)
{
	struct name *n = find(p, p->words[1]);
	struct graph_task *t = n ? map_get(&p->g->tasks_by_id, n->id) : NULL;
	if (!t)
		return fault("there is no task %s", p->words[1]);
	const struct task_submit *s = task_submitted(t);
	struct task_location outputs[WORDS];
	struct task_done d = {.task = t->id,
	                      .attempt = t->attempt,
	                      .status = status,
	                      .receipt_low = 1,
	                      .end_ns = 1};
	const uint32_t *handles = task_data(t) + s->input_count;
	if (status == TASK_OK || status == TASK_IGNORED) {
		d.output_count = (uint32_t)s->output_count + s->commutative_count;
		for (uint32_t i = 0; i < d.output_count; i++) {
			const struct graph_datum *datum = datum_at(p->g, handles[i]);
			outputs[i] = place(p, datum->id, i < s->output_count ? 0 : datum->version + 1);
		}
	}
	struct message_done m = {.done = &d, .outputs = outputs};
	struct error err;
	struct graph_function *f = p->g->functions[s->function];
	uint64_t estimate_ns = f->estimate_ns; /* only `runs` changes it */
	*ret_rc = graph_done(p->g, p->now_ns, t->executor, &m, &err);
	f->estimate_ns = estimate_ns;
	return true;
}

static bool release(struct play *p, int *ret_rc)
{
	struct error err;
	uint64_t id = id_of(p, p->words[1], 1);
	*ret_rc = graph_release(p->g, id_executor(id), id, &err);
	return true;
}

static bool group(struct play *p, int *ret_rc)
{
	struct error err;
	struct task_group m = {.group = (uint32_t)group_number(p, p->words[1])};
	if (p->word_count > 2)
		m = (struct task_group){.group = (uint32_t)group_number(p, p->words[2]), .outer = m.group};
	*ret_rc = graph_group(p->g, 1, &m, &err);
	return true;
}

static bool wait_for(struct play *p, uint32_t kind, int *ret_rc)
{
	struct error err;
	uint64_t data[WORDS];
	uint32_t executor = 1;
	struct task_wait w = {.kind = kind, .wait = id_of(p, p->words[1], 1)};
	if (kind == TASK_WAIT_GROUP)
		w.group = (uint32_t)group_number(p, p->words[2]);
	if (kind == TASK_WAIT_ALL && p->word_count > 2) {
		w.parent = id_of(p, p->words[2], 1);
		executor = executor_of(p, w.parent);
	}
	for (size_t i = 2; kind == TASK_WAIT_DATA && i < p->word_count; i++)
		data[w.data_count++] = id_of(p, p->words[i], 1);
	struct message_wait m = {&w, data};
	*ret_rc = graph_wait(p->g, executor, &m, &err);
	return true;
}

static bool task_waits(struct play *p, int *ret_rc)
{
	struct error err;
	uint64_t datum = id_of(p, p->words[3], 1);
	struct task_wait w = {.kind = TASK_WAIT_DATA,
	                      .wait = id_of(p, p->words[2], 1),
	                      .parent = id_of(p, p->words[1], 1),
	                      .data_count = 1};
	struct message_wait m = {&w, &datum};
	*ret_rc = graph_wait(p->g, executor_of(p, w.parent), &m, &err);
	return true;
}

static bool cancel(struct play *p, int *ret_rc)
{
	struct error err;
	struct task_cancel m = {.wait = id_of(p, p->words[1], 1),
	                        .group = (uint32_t)group_number(p, p->words[2])};
	*ret_rc = graph_cancel(p->g, 1, &m, &err);
	return true;
}

static bool disband(struct play *p, int *ret_rc)
{
	struct error err;
	struct task_disband m = {.group = (uint32_t)group_number(p, p->words[1])};
	*ret_rc = graph_disband(p->g, 1, &m, &err);
	return true;
}

static bool took(struct play *p, int *ret_rc)
{
	struct error err;
	*ret_rc = graph_taken(p->g, 1, id_of(p, p->words[1], 1), &err);
	return true;
}

static bool add_executor(struct play *p, int *ret_rc)
{
	struct error err;
	p->executors++;
	*ret_rc = graph_executor_new(p->g, p->executors, p->executors == 1, &err);
	return true;
}

static bool lose(struct play *p, int *ret_rc)
{
	struct error err;
	*ret_rc = graph_executor_lost(p->g, p->now_ns, (uint32_t)atoi(p->words[1]), &err);
	return true;
}

/* Expectations. */

static bool expect_sent(struct play *p)
{
	char seen[1000] = "", wanted[1000] = "";
	for (size_t i = 0; i < p->sent_count; i++)
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), " %s@%u",
		         name_of(p, p->sent[i].task), p->sent[i].executor);
	bool same = p->sent_count == p->word_count - 1;
	for (size_t i = 1; i < p->word_count; i++) {
		char *at = strchr(p->words[i], '@');
		snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted), " %s", p->words[i]);
		if (at)
			*at = '\0';
		same = same && strcmp(name_of(p, p->sent[i - 1].task), p->words[i]) == 0 &&
		       (!at || (uint32_t)atoi(at + 1) == p->sent[i - 1].executor);
	}
	p->sent_count = 0;
	return same || fault("sent were%s, not%s", seen, wanted);
}

static bool expect_groups(struct play *p)
{
	uint32_t wanted = (uint32_t)strtoul(p->words[1], NULL, 10), live = p->g->groups.live;
	return live == wanted || fault("%u groups are kept, not %u", live, wanted);
}

static bool expect_dropped(struct play *p)
{
	bool same = p->dropped_count == p->word_count - 1;
	for (size_t i = 1; same && i < p->word_count; i++) {
		const struct name *n = find(p, p->words[i]);
		same = n && n->offset == p->dropped[i - 1];
	}
	size_t count = p->dropped_count;
	p->dropped_count = 0;
	return same || fault("%zu objects were dropped, or in another order", count);
}

static bool expect_ready(struct play *p)
{
	if (p->answer_at == p->answer_count)
		return fault("%s was not answered", p->words[1]);
	const struct task_ready *a = &p->answers[p->answer_at++];
	uint32_t status = strcmp(p->words[2], "ok") == 0 ? TASK_OK : TASK_CANCELED;
	bool same = a->wait == id_of(p, p->words[1], 1) && a->status == status;
	if (p->word_count > 3)
		same = same && a->ok_count == strtoul(p->words[3], NULL, 10);
	return same || fault("the answer is to %s, status %u, count %llu", name_of(p, a->wait), a->status,
	                     (unsigned long long)a->ok_count);
}

static bool expect_told(struct play *p)
{
	static const struct {
		const char *text;
		uint32_t status;
	} statuses[] = {{"failed", TASK_FAILED},   {"timeout", TASK_TIMED_OUT},    {"refused", TASK_REFUSED},
	                {"lost", TASK_LOST},       {"canceled", TASK_CANCELED},    {"ignored", TASK_IGNORED},
	                {"missing", TASK_MISSING}, {"impossible", TASK_IMPOSSIBLE}};
	if (p->outcome_at == p->outcome_count)
		return fault("nothing was told of %s", p->words[1]);
	const struct task_outcome *o = &p->outcomes[p->outcome_at++];
	bool same = o->task == id_of(p, p->words[1], 1);
	for (size_t i = 0; i < array_count(statuses); i++)
		if (strcmp(statuses[i].text, p->words[2]) == 0)
			same = same && o->status == statuses[i].status;
	if (p->word_count > 3)
		same = same && o->on_failure == policy_of(p->words[3]);
	if (p->word_count > 4)
		same = same && o->attempt == strtoul(p->words[4], NULL, 10);
	return same || fault("told was of %s: status %u, policy %u, attempt %u", name_of(p, o->task),
	                     o->status, o->on_failure, o->attempt);
}

static bool expect_counts(struct play *p)
{
	struct graph_counts c;
	graph_counts(p->g, &c);
	uint64_t seen[] = {c.done, c.failed, c.cancelled, c.retried};
	for (size_t i = 0; i < array_count(seen); i++)
		if (seen[i] != strtoul(p->words[1 + i], NULL, 10))
			return fault("the counts are %llu %llu %llu %llu", (unsigned long long)c.done,
			             (unsigned long long)c.failed, (unsigned long long)c.cancelled,
			             (unsigned long long)c.retried);
	return true;
}

static bool set_time(struct play *p, int *ret_rc)
{
	p->now_ns = strtoul(p->words[1], NULL, 10) * 1000000;
	graph_tick(p->g, p->now_ns);
	*ret_rc = 0;
	return true;
}

static bool set_runs(struct play *p)
{
	uint32_t function = function_of(p, p->words[1]);
	p->g->functions[function]->estimate_ns = (uint64_t)(strtod(p->words[2], NULL) * 1000);
	return true;
}

static bool set_nests(struct play *p)
{
	uint32_t function = function_of(p, p->words[1]);
	p->g->functions[function]->nests = true;
	return true;
}

static bool act(struct play *p, int *ret_rc)
{
	static const struct {
		const char *word;
		bool (*act)(struct play *, int *);
	} actions[] = {{"put", put},         {"release", release},  {"group", group}, {"cancel", cancel},
	               {"disband", disband}, {"twait", task_waits}, {"took", took},   {"add", add_executor},
	               {"lose", lose},       {"at", set_time}};
	static const struct {
		const char *word;
		bool (*act)(struct play *);
	} expectations[] = {{"sent", expect_sent},   {"dropped", expect_dropped}, {"groups", expect_groups},
	                    {"ready", expect_ready}, {"told", expect_told},       {"counts", expect_counts},
	                    {"runs", set_runs},      {"nests", set_nests}};
	static const struct {
		const char *word;
		uint32_t value;
	} ends[] = {{"ok", TASK_OK},          {"fail", TASK_FAILED},     {"timeout", TASK_TIMED_OUT},
	            {"refuse", TASK_REFUSED}, {"missing", TASK_MISSING}, {"ignored", TASK_IGNORED}},
	  waits[] = {{"wait", TASK_WAIT_DATA}, {"all", TASK_WAIT_ALL}, {"gwait", TASK_WAIT_GROUP}};
	const char *word = p->words[0];
	*ret_rc = 0;
	for (size_t i = 0; i < array_count(actions); i++)
		if (strcmp(word, actions[i].word) == 0)
			return actions[i].act(p, ret_rc);
	for (size_t i = 0; i < array_count(expectations); i++)
		if (strcmp(word, expectations[i].word) == 0)
			return expectations[i].act(p);
	for (size_t i = 0; i < array_count(ends); i++)
		if (strcmp(word, ends[i].word) == 0)
			return end(p, ends[i].value, ret_rc);
	for (size_t i = 0; i < array_count(waits); i++)
		if (strcmp(word, waits[i].word) == 0)
			return wait_for(p, waits[i].value, ret_rc);
	if (word[strlen(word) - 1] == ':')
		return submit(p, ret_rc);
	return fault("no such statement");
}

static bool play_statement(struct play *p, const char *text, size_t size)
{
	char copy[2000], *rest = NULL;
	snprintf(copy, sizeof(copy), "%.*s", (int)size, text);
	p->word_count = 0;
	for (char *word = strtok_r(copy, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest))
		snprintf(p->words[p->word_count++], WORD, "%s", word);
	if (p->word_count == 0)
		return true;
	bool refused = p->words[0][0] == '!';
	if (refused)
		memmove(p->words[0], p->words[0] + 1, WORD - 1);
	int rc;
	struct error err;
	if (!act(p, &rc))
		return false;
	if ((rc == CELLA_EFORMAT) != refused || (rc < 0 && !refused))
		return fault("the result is %d (%s)", rc, cella_error_name(rc));
	if (scheduler_run(p->g, on_send, p, &err) < 0)
		return fault("%s", err.text);
	return true;
}

static bool play_all(struct play *p, const char *script)
{
	while (*script) {
		size_t size = strcspn(script, ";");
		if (!play_statement(p, script, size)) {
			size_t said = strlen(complaint);
			snprintf(complaint + said, sizeof(complaint) - said, ", at: %.*s",
			         (int)min_of(size, (size_t)200), script);
			return false;
		}
		script += size + (script[size] == ';');
	}
	if (p->outcome_at != p->outcome_count)
		return fault("at the end: told of %s", name_of(p, p->outcomes[p->outcome_at].task));
	if (p->answer_at != p->answer_count)
		return fault("at the end: answered %s", name_of(p, p->answers[p->answer_at].wait));
	return true;
}

const char *graph_play(const struct graph_case *c)
{
	struct play *p = calloc(1, sizeof(*p));
	struct graph_config config = {.listener = {p, on_outcome, on_answer, on_dropped, on_forgotten,
	                                           on_restore},
	                              .memory = MEMORY,
	                              .computing_units = COMPUTING_UNITS,
	                              .tasks_max = 1000};
	struct error err;
	int rc = graph_new(&config, &p->g, &err);
	for (unsigned i = 0; i < c->workers + 1 && rc == 0; i++)
		add_executor(p, &rc);
	if (rc < 0)
		abort();
	bool well = play_all(p, c->script);
	graph_free(p->g);
	free(p);
	return well ? NULL : complaint;
}
