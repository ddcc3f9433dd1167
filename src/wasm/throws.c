/*
 * Which functions an exception may leave: those that throw, and those that call one of them.
 *
 * The graph of calls is walked backwards from the functions that throw. An indirect call goes
 * through its type: what it reaches are the functions of that type that a reference may be to. Imported
 * functions never throw: an exception that would leave a module is a trap at its border. Whether a
 * handler in the function itself would stop the exception is not asked.
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
	uint32_t function; /* the body at hand */
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

static int visit_begin(void *context, const struct wasm_body *body, struct error *err)
{
	struct graph *g = context;
	(void)err;
	g->function = body->index;
	return 0;
}

static int visit_step(void *context, const struct wasm_step *step, struct error *err)
{
	struct graph *g = context;
	if (!step->live)
		return 0;
	switch (step->opcode) {
	case OP_THROW:
	case OP_RETHROW: mark(g, g->function); break;
	case OP_CALL:
	case OP_RETURN_CALL: add_edge(g, step->index, g->function); break;
	case OP_CALL_INDIRECT:
	case OP_RETURN_CALL_INDIRECT: add_edge(g, type_node(g->m, step->callee), g->function); break;
	default: return 0;
	}
	return g->edges.failed || g->work.failed ? error_set(err, CELLA_ENOMEM, "no memory for calls") : 0;
}

static int visit_end(void *context, const struct wasm_body *body, struct error *err)
{
	struct graph *g = context;
	(void)err;
	if (body->function->referenced)
		add_edge(g, body->index, type_node(g->m, body->function->type));
	return 0;
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
	buf_done(&g.edges);
	buf_done(&g.work);
	free(g.callers);
	free(g.starts);
	return rc;
}
