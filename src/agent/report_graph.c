/* The graph of tasks: for Graphviz, and as a drawing of our own. */
#include <stdlib.h>
#include <string.h>

#include "agent/report_state.h"
#include "base/cleanup.h"

/* Colours of functions, light enough for dark text. */
static const char *const palette[] = {"#aecbfa", "#b7e1cd", "#fce8b2", "#f8c8dc", "#d7c9f0",
                                      "#c3e6e8", "#f6d2b8", "#dfe6a8", "#d3d7de", "#f3b8b0"};

static const char *colour(const struct report_task *t)
{
	return palette[t->submit->function % array_count(palette)];
}

static bool ended_well(const struct report_task *t)
{
	return t->status == TASK_OK || t->status == TASK_IGNORED;
}

static const char *border(const struct report_task *t)
{
	if (t->status == TASK_CANCELED || t->status == UINT32_MAX)
		return "#9aa0a6";
	if (!ended_well(t))
		return "#c5221f";
	return t->attempts > 1 || t->status == TASK_IGNORED ? "#e37400" : "#5f6368";
}

static void describe(const struct report *r, const struct report_task *t, struct buf *ret)
{
	buf_printf(ret, "%s %llu, %s", report_name(r, t), (unsigned long long)report_number(t->submit->task),
	           report_status_name(t->status));
	if (!t->last)
		return;
	const struct event_done *d = r->attempts[t->last - 1];
	buf_printf(ret, ", executor %u, %.3f ms", d->executor, (double)(d->end_ns - d->start_ns) / 1e6);
	if (t->attempts > 1)
		buf_printf(ret, ", %u attempts", t->attempts);
}

/* The place of a task's parent, or its own if it has none here. */
static size_t parent_of(const struct report *r, size_t place)
{
	void *parent = map_get(&r->tasks_by_id, r->tasks[place].submit->parent);
	size_t at = parent ? (size_t)(uintptr_t)parent - 1 : place;
	return at < place ? at : place;
}

static void dot_edge(void *data, size_t producer, size_t consumer)
{
	if (producer < consumer)
		buf_printf(data, "  t%zu -> t%zu;\n", producer, consumer);
}

void report_dot(const struct report *r, struct buf *ret)
{
	buf_printf(
		ret,
		"digraph tasks {\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=10];\n"
		"  edge [color=\"#5f6368\", arrowsize=0.6];\n");
	for (size_t i = 0; i < r->task_count; i++) {
		const struct report_task *t = &r->tasks[i];
		buf_printf(ret, "  t%zu [label=\"%s\\n%llu\", fillcolor=\"%s\", color=\"%s\", tooltip=\"", i,
		           report_name(r, t), (unsigned long long)report_number(t->submit->task), colour(t),
		           border(t));
		describe(r, t, ret);
		buf_printf(ret, "\"%s];\n", ended_well(t) ? "" : ", style=\"rounded,filled,dashed\"");
	}
	for (size_t i = 0; i < r->task_count; i++) {
		report_producers(r, i, dot_edge, ret);
		size_t parent = parent_of(r, i);
		if (parent != i)
			buf_printf(ret, "  t%zu -> t%zu [style=dotted, arrowhead=none];\n", parent, i);
	}
	buf_printf(ret, "}\n");
}

/*
 * The drawing. A task's layer is one more than the highest of those that it comes after, and one
 * that comes after none stands right above the first that comes after it; a layer is ordered by the
 * mean place of what its tasks come after (Sugiyama, Tagawa and Toda 1981, one sweep), and broken
 * into rows. Producers stand before their consumers in the log, so one pass over the tasks in order
 * finds every layer.
 */
enum { ROW_MAX = 24 };
static const double box_width = 76, box_height = 30, gap_x = 14, gap_y = 34, margin = 24, legend_line = 22;

struct box {
	uint32_t place;
	uint32_t layer;
	uint32_t latest; /* layer + 1 of the first that comes after it, 0: none */
	uint32_t above; /* how many it comes after */
	double sum;     /* of their columns */
	double x, y;    /* the middle */
};

struct drawing {
	const struct report *report;
	struct box *boxes;  /* by task */
	struct box **order; /* by layer, then column */
	struct buf *out;
	double width, height;
};

static void layer_edge(void *data, size_t producer, size_t consumer)
{
	struct drawing *d = data;
	if (producer < consumer)
		d->boxes[consumer].layer = max_of(d->boxes[consumer].layer, d->boxes[producer].layer + 1);
}

static void latest_edge(void *data, size_t producer, size_t consumer)
{
	struct drawing *d = data;
	uint32_t *latest = &d->boxes[producer].latest, below = d->boxes[consumer].layer + 1;
	if (producer < consumer && (*latest == 0 || below < *latest))
		*latest = below;
}

static void column_edge(void *data, size_t producer, size_t consumer)
{
	struct drawing *d = data;
	if (producer >= consumer)
		return;
	d->boxes[consumer].sum += d->boxes[producer].x;
	d->boxes[consumer].above++;
}

static double wanted_column(const struct box *b)
{
	return b->above ? b->sum / b->above : 0;
}

static int compare_layers(const void *a, const void *b)
{
	const struct box *x = *(struct box *const *)a, *y = *(struct box *const *)b;
	if (x->layer != y->layer)
		return x->layer < y->layer ? -1 : 1;
	return x->place < y->place ? -1 : 1;
}

static int compare_columns(const void *a, const void *b)
{
	const struct box *x = *(struct box *const *)a, *y = *(struct box *const *)b;
	double left = wanted_column(x), right = wanted_column(y);
	if (left != right)
		return left < right ? -1 : 1;
	return x->place < y->place ? -1 : 1;
}

/* Places one layer, whose tasks are order[0..count), below `y`; returns where the next begins. */
static double place_layer(struct drawing *d, struct box **order, size_t count, double y)
{
	for (size_t i = 0; i < count; i++)
		report_producers(d->report, order[i]->place, column_edge, d);
	qsort(order, count, sizeof(*order), compare_columns);
	for (size_t i = 0; i < count; i++) {
		size_t row = i / ROW_MAX, in_row = min_of(count - row * ROW_MAX, (size_t)ROW_MAX);
		double column = (double)(i % ROW_MAX) - (double)(in_row - 1) / 2;
		order[i]->x = column * (box_width + gap_x);
		order[i]->y = y + (double)row * (box_height + gap_y / 2) + box_height / 2;
		d->width = max_of(d->width, (double)in_row * (box_width + gap_x));
	}
	size_t rows = (count + ROW_MAX - 1) / ROW_MAX;
	return y + (double)rows * (box_height + gap_y / 2) + gap_y / 2;
}

static void lay_out(struct drawing *d, double top)
{
	size_t count = d->report->task_count;
	for (size_t i = 0; i < count; i++) {
		size_t parent = parent_of(d->report, i);
		d->boxes[i].place = (uint32_t)i;
		d->order[i] = &d->boxes[i];
		if (parent != i)
			d->boxes[i].layer = d->boxes[parent].layer + 1;
		report_producers(d->report, i, layer_edge, d);
	}
	for (size_t i = 0; i < count; i++)
		report_producers(d->report, i, latest_edge, d);
	for (size_t i = 0; i < count; i++)
		if (d->boxes[i].layer == 0 && d->boxes[i].latest > 1)
			d->boxes[i].layer = d->boxes[i].latest - 2;
	qsort(d->order, count, sizeof(struct box *), compare_layers);
	double y = top;
	for (size_t from = 0, to; from < count; from = to) {
		for (to = from; to < count && d->order[to]->layer == d->order[from]->layer;)
			to++;
		y = place_layer(d, d->order + from, to - from, y);
	}
	d->height = y;
}

static void draw_line(struct drawing *d, size_t from, size_t to, const char *style)
{
	const struct box *a = &d->boxes[from], *b = &d->boxes[to];
	double y0 = a->y + box_height / 2, y1 = b->y - box_height / 2, bend = (y1 - y0) / 2;
	buf_printf(d->out, "<path d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f\"%s/>\n", a->x, y0, a->x,
	           y0 + bend, b->x, y1 - bend, b->x, y1, style);
}

static void draw_edge(void *data, size_t producer, size_t consumer)
{
	if (producer < consumer)
		draw_line(data, producer, consumer, "");
}

static void draw_box(struct drawing *d, const struct box *b)
{
	const struct report_task *t = &d->report->tasks[b->place];
	buf_printf(d->out, "<g><title>");
	describe(d->report, t, d->out);
	buf_printf(
		d->out,
		"</title><rect x=\"%.1f\" y=\"%.1f\" width=\"%.0f\" height=\"%.0f\" rx=\"5\" fill=\"%s\" stroke=\"%s\"%s/>",
		b->x - box_width / 2, b->y - box_height / 2, box_width, box_height, colour(t), border(t),
		ended_well(t) ? "" : " stroke-dasharray=\"4 3\" stroke-width=\"1.6\"");
	buf_printf(
		d->out,
		"<text x=\"%.1f\" y=\"%.1f\">%.13s</text><text x=\"%.1f\" y=\"%.1f\" class=\"n\">%llu</text></g>\n",
		b->x, b->y - 2, report_name(d->report, t), b->x, b->y + 10,
		(unsigned long long)report_number(t->submit->task));
}

static void draw_legend(struct drawing *d)
{
	double x = margin - d->width / 2, y = margin;
	for (size_t i = 0; i < d->report->function_count; i++) {
		const struct report_function *f = &d->report->functions[i];
		if (!f->name[0] || !(f->runs + f->failures))
			continue;
		buf_printf(
			d->out,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"14\" rx=\"3\" fill=\"%s\" stroke=\"#5f6368\"/>"
			"<text x=\"%.1f\" y=\"%.1f\" class=\"l\">%s: %llu, %.1f us each</text>\n",
			x, y, palette[i % array_count(palette)], x + 20, y + 11, f->name,
			(unsigned long long)f->runs,
			f->runs ? (double)f->total_ns / (double)f->runs / 1e3 : 0.0);
		y += legend_line;
	}
}

static size_t legend_rows(const struct report *r)
{
	size_t rows = 0;
	for (size_t i = 0; i < r->function_count; i++)
		rows += r->functions[i].name[0] && r->functions[i].runs + r->functions[i].failures;
	return rows;
}

static void draw(struct drawing *d)
{
	size_t count = d->report->task_count;
	d->width = max_of(d->width, 420.0) + 2 * margin;
	buf_printf(
		d->out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"%.1f 0 %.1f %.1f\">\n"
		"<style>text{font:10px sans-serif;text-anchor:middle;fill:#202124}.n{font-size:8px;fill:#5f6368}"
		".l{font-size:11px;text-anchor:start}path{fill:none;stroke:#80868b;stroke-width:1;opacity:.7}</style>\n"
		"<rect x=\"%.1f\" width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		d->width, d->height, -d->width / 2, d->width, d->height, -d->width / 2);
	draw_legend(d);
	for (size_t i = 0; i < count; i++) {
		size_t parent = parent_of(d->report, i);
		report_producers(d->report, i, draw_edge, d);
		if (parent != i)
			draw_line(d, parent, i, " stroke-dasharray=\"2 3\"");
	}
	for (size_t i = 0; i < count; i++)
		draw_box(d, &d->boxes[i]);
	buf_printf(d->out, "</svg>\n");
}

int report_svg(const struct report *r, struct buf *ret, struct error *err)
{
	if (r->task_count > REPORT_DRAWING_MAX)
		return error_set(
			err, CELLA_ELIMIT,
			"a drawing shows at most %d tasks, and the job had %zu: write FILE.dot and use Graphviz",
			REPORT_DRAWING_MAX, r->task_count);
	cleanup_free struct box *boxes = calloc(r->task_count + 1, sizeof(*boxes));
	cleanup_free struct box **order = calloc(r->task_count + 1, sizeof(struct box *));
	if (!boxes || !order)
		return error_set(err, CELLA_ENOMEM, "no memory for a drawing of %zu tasks", r->task_count);
	struct drawing d = {.report = r, .boxes = boxes, .order = order, .out = ret};
	lay_out(&d, 2 * margin + (double)legend_rows(r) * legend_line);
	draw(&d);
	return 0;
}
