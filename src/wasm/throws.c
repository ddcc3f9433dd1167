/*
 * Which functions an exception may leave: those that throw, and those that call one of them.
 *
 * The graph of calls is walked backwards from the functions that throw. An indirect call goes
 * through its type: what it reaches are the functions of that type that a reference may be to. Imported
 * functions never throw: an exception that would leave a module is a trap at its border. What is done
 * in a try that has a catch_all does not count: so destructors, whose exceptions end the program, and
 * other functions that are noexcept, cost their callers nothing.
 */
#include "wasm/throws.h"

#include <stdlib.h>

#include "wasm/validate.h"

/* Nodes are functions, then types. Edges lead from what is called to the function that calls it. */
struct edge {
	uint32_t callee;
	uint32_t caller;
};

struct graph {
	const struct wasm_module *m;
	uint8_t *throws;   /* by node */
	struct buf edges;  /* struct edge */
	struct buf work;   /* nodes whose callers are to be marked, u32 each */
	uint32_t *callers; /* sorted by callee, from starts[callee] to starts[callee + 1] */
	size_t *starts;
	uint32_t function; /* the body at hand … */
	struct buf calls;  /* nodes that it calls, or THROWS, or CAUGHT, in order; u32 each */
	struct buf tries;  /* struct attempt: those that are open */
};

enum { THROWS = 0xffffffffu, CAUGHT = 0xfffffffeu };

/* Of a try, the calls in its first part: from `first` up to `end`, or to the last one so far. */
struct attempt {
	size_t first;
	size_t end;
};

static uint32_t type_node(const struct wasm_module *m, const struct wasm_type *type)
{
	return m->function_count + type->canonical;
}

static void add_edge(struct graph *g, uint32_t callee, uint32_t caller)
{
	const struct edge edge = {callee, caller};
	buf_put(&g->edges, &edge, sizeof(edge));
}

static void mark(struct graph *g, uint32_t node)
{
	if (g->throws[node])
		return;
	g->throws[node] = 1;
	buf_put(&g->work, &node, sizeof(node));
}

static size_t call_count(const struct graph *g)
{
	return g->calls.size / sizeof(uint32_t);
}

static void add_call(struct graph *g, uint32_t node)
{
	buf_put(&g->calls, &node, sizeof(node));
}

/* Calls from number `first` on leave the function, if something is thrown in them. */
static void settle(struct graph *g, size_t first)
{
	const uint32_t *calls = (const uint32_t *)g->calls.data;
	for (size_t i = first; i < call_count(g); i++) {
		if (calls[i] == THROWS)
			mark(g, g->function);
		else if (calls[i] != CAUGHT)
			add_edge(g, calls[i], g->function);
	}
	g->calls.size = first * sizeof(uint32_t);
}

static struct attempt *innermost(struct graph *g)
{
	return (struct attempt *)(g->tries.data + g->tries.size) - 1;
}

static void open_try(struct graph *g)
{
	const struct attempt attempt = {.first = call_count(g), .end = SIZE_MAX};
	buf_put(&g->tries, &attempt, sizeof(attempt));
}

/* What the first part calls is caught. The shorter of the two is touched, what it calls and what earlier
 * clauses call since, so that deep nesting costs little. */
static void catch_all(struct graph *g, struct attempt *attempt)
{
	uint32_t *calls = (uint32_t *)g->calls.data;
	size_t count = call_count(g), caught = attempt->end - attempt->first, later = count - attempt->end;
	if (later > caught) {
		for (size_t i = attempt->first; i < attempt->end; i++)
			calls[i] = CAUGHT;
		return;
	}
	for (size_t i = 0; i < later; i++)
		calls[attempt->first + i] = calls[attempt->end + i];
	g->calls.size -= caught * sizeof(uint32_t);
	attempt->end = attempt->first;
}

static void begin_clause(struct graph *g, bool all)
{
	struct attempt *attempt = innermost(g);
	attempt->end = min_of(attempt->end, call_count(g));
	if (all)
		catch_all(g, attempt);
}

/* A delegate may go past handlers around it. */
static void close_try(struct graph *g, bool delegates)
{
	if (delegates)
		settle(g, innermost(g)->first);
	g->tries.size -= sizeof(struct attempt);
}

static void visit_structure(struct graph *g, const struct wasm_step *step)
{
	uint16_t closed = step->opcode == OP_END ? step->frame->opcode : 0;
	if (step->opcode == OP_TRY)
		open_try(g);
	else if (step->opcode == OP_CATCH || step->opcode == OP_CATCH_ALL)
		begin_clause(g, step->opcode == OP_CATCH_ALL);
	else if (step->opcode == OP_DELEGATE || closed == OP_TRY || closed == OP_CATCH ||
	         closed == OP_CATCH_ALL)
		close_try(g, step->opcode == OP_DELEGATE);
}

static void visit_call(struct graph *g, const struct wasm_step *step)
{
	switch (step->opcode) {
	case OP_THROW:
	case OP_RETHROW: add_call(g, THROWS); break;
	case OP_CALL: add_call(g, step->index); break;
	case OP_CALL_INDIRECT: add_call(g, type_node(g->m, step->callee)); break;
	case OP_RETURN_CALL: add_edge(g, step->index, g->function); break;
	case OP_RETURN_CALL_INDIRECT: add_edge(g, type_node(g->m, step->callee), g->function); break;
	default: break;
	}
}

static int visit_begin(void *context, const struct wasm_body *body, struct error *err)
{
	struct graph *g = context;
	(void)err;
	g->function = body->index;
	g->calls.size = g->tries.size = 0;
	return 0;
}

static int visit_step(void *context, const struct wasm_step *step, struct error *err)
{
	struct graph *g = context;
	visit_structure(g, step);
	if (step->live)
		visit_call(g, step);
	if (g->edges.failed || g->work.failed || g->calls.failed || g->tries.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for calls");
	return 0;
}

static int visit_end(void *context, const struct wasm_body *body, struct error *err)
{
	struct graph *g = context;
	settle(g, 0);
	if (body->function->referenced)
		add_edge(g, body->index, type_node(g->m, body->function->type));
	return g->edges.failed || g->work.failed ? error_set(err, CELLA_ENOMEM, "no memory for calls") : 0;
}

static const struct wasm_visitor visitor = {.begin = visit_begin, .step = visit_step, .end = visit_end};

/* Edges sorted by what is called, by counting. */
static int sort_edges(struct graph *g, size_t node_count, struct error *err)
{
	const struct edge *edges = (const struct edge *)g->edges.data;
	size_t count = g->edges.size / sizeof(*edges);
	g->starts = calloc(node_count + 2, sizeof(*g->starts));
	g->callers = calloc(count + 1, sizeof(*g->callers));
	if (!g->starts || !g->callers || g->edges.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for %zu calls", count);
	for (size_t i = 0; i < count; i++)
		g->starts[edges[i].callee + 2]++;
	for (size_t i = 2; i < node_count + 2; i++)
		g->starts[i] += g->starts[i - 1];
	for (size_t i = 0; i < count; i++)
		g->callers[g->starts[edges[i].callee + 1]++] = edges[i].caller;
	return 0;
}

static int spread(struct graph *g, struct error *err)
{
	while (g->work.size > 0 && !g->work.failed) {
		g->work.size -= sizeof(uint32_t);
		uint32_t node = *(const uint32_t *)(g->work.data + g->work.size);
		for (size_t i = g->starts[node]; i < g->starts[node + 1]; i++)
			mark(g, g->callers[i]);
	}
	return g->work.failed ? error_set(err, CELLA_ENOMEM, "no memory for calls") : 0;
}

int wasm_find_throws(const struct wasm_module *m, struct buf *ret_throws, struct error *err)
{
	size_t node_count = (size_t)m->function_count + m->type_count;
	struct graph g = {.m = m, .throws = buf_reserve(ret_throws, node_count + 1)};
	if (!g.throws)
		return error_set(err, CELLA_ENOMEM, "no memory for %zu functions", node_count);
	if (m->tag_count == 0)
		return 0;
	int rc = wasm_validate((struct wasm_module *)m, &visitor, &g, err);
	if (rc == 0)
		rc = sort_edges(&g, node_count, err);
	if (rc == 0)
		rc = spread(&g, err);
	buf_done(&g.calls);
	buf_done(&g.tries);
	buf_done(&g.edges);
	buf_done(&g.work);
	free(g.callers);
	free(g.starts);
	return rc;
}
