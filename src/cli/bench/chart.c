#include "cli/bench/chart.h"

#include <math.h>
#include <string.h>

#include "base/io.h"

enum {
	CHART_WIDTH = 960,
	CHART_LABELS = 430,
	CHART_RIGHT = 90,
	CHART_BARS = CHART_WIDTH - CHART_LABELS - CHART_RIGHT,
	CHART_ROW = 20,
	CHART_HEAD = 50,
	CHART_FOOT = 16,
};

static const double linear_most = 20; /* what is further apart by that is drawn by its logarithm */
static const double linear_steps = 4;

/* From `least` at the left to `most` at the right. */
struct chart_scale {
	bool is_log;
	double least, most;
};

static double place_of(const struct chart_scale *s, double value)
{
	double part = s->is_log ? log(fmax(value, s->least) / s->least) / log(s->most / s->least)
	                        : (value - s->least) / (s->most - s->least);
	return (double)CHART_LABELS + fmin(fmax(part, 0), 1) * (double)CHART_BARS;
}

static void put_escaped(struct buf *svg, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<': buf_put(svg, "&lt;", 4); break;
		case '>': buf_put(svg, "&gt;", 4); break;
		case '&': buf_put(svg, "&amp;", 5); break;
		default: buf_put(svg, text, 1);
		}
	}
}

static bool same_panel(const struct bench_row *a, const struct bench_row *b)
{
	return a->n && b->n && strcmp(a->unit, b->unit) == 0 && strcmp(a->bench, b->bench) == 0;
}

static void put_tick(struct buf *svg, const struct chart_scale *s, double value, int top, int bottom)
{
	double x = place_of(s, value);
	buf_printf(svg,
	           "<path d=\"M%.1f %d V%d\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%d\" fill=\"#777\" "
	           "text-anchor=\"middle\">%g</text>\n",
	           x, top, bottom, x, top - 4, value);
}

static void put_ticks(struct buf *svg, const struct chart_scale *s, int top, int bottom)
{
	if (s->is_log) {
		int decades = (int)lround(log10(s->most / s->least));
		for (int i = 0; i <= decades; i++)
			put_tick(svg, s, s->least * pow(10, i), top, bottom);
		return;
	}
	double step = pow(10, floor(log10(s->most)));
	while (s->most / step < linear_steps)
		step /= 2;
	int steps = (int)(s->most / step * 1.001);
	for (int i = 0; i <= steps; i++)
		put_tick(svg, s, i * step, top, bottom);
}

static void put_bar(struct buf *svg, const struct bench_row *r, const struct chart_scale *s, int y)
{
	double end = place_of(s, r->value), low = place_of(s, r->low), high = place_of(s, r->high);
	buf_printf(svg, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", CHART_LABELS - 8, y + 13);
	put_escaped(svg, r->name);
	buf_printf(svg, " (");
	put_escaped(svg, r->metric);
	buf_printf(svg, ")</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"12\" fill=\"#4a7ab5\"/>",
	           CHART_LABELS, y + 3, end - (double)CHART_LABELS);
	if (r->n >= BENCH_INTERVAL_LEAST)
		buf_printf(svg, "<path d=\"M%.1f %d H%.1f\" stroke=\"#222\" stroke-width=\"2\"/>", low, y + 9,
		           high);
	buf_printf(svg, "<text x=\"%.1f\" y=\"%d\">%.4g</text>\n", fmax(end, high) + 6, y + 13, r->value);
}

/* Linear from 0, or whole decades. */
static struct chart_scale scale_of(const struct bench *b, const struct bench_row *first)
{
	struct chart_scale s = {.least = INFINITY};
	for (size_t i = 0; i < b->row_count; i++)
		if (same_panel(&b->rows[i], first)) {
			s.most = fmax(s.most, b->rows[i].high);
			s.least = b->rows[i].low > 0 ? fmin(s.least, b->rows[i].low) : s.least;
		}
	s.is_log = s.most > s.least * linear_most;
	if (!s.is_log)
		return (struct chart_scale){.most = s.most > 0 ? s.most : 1};
	return (struct chart_scale){true, pow(10, floor(log10(s.least))), pow(10, ceil(log10(s.most)))};
}

/* The rows of one unit from `first` on, drawn to one scale. The y below them. */
static int put_panel(struct buf *svg, const struct bench *b, size_t first, int y)
{
	const struct bench_row *head = &b->rows[first];
	struct chart_scale scale = scale_of(b, head);
	int top = y + CHART_HEAD, bottom = top;
	for (size_t i = first; i < b->row_count; i++)
		bottom += same_panel(&b->rows[i], head) ? CHART_ROW : 0;
	buf_printf(svg, "<text x=\"10\" y=\"%d\" font-weight=\"bold\">%s, %s%s</text>\n", y + 22, head->bench,
	           head->unit, scale.is_log ? " (logarithmic)" : "");
	put_ticks(svg, &scale, top, bottom);
	for (size_t i = first, at = (size_t)top; i < b->row_count; i++)
		if (same_panel(&b->rows[i], head)) {
			put_bar(svg, &b->rows[i], &scale, (int)at);
			at += CHART_ROW;
		}
	return bottom + CHART_FOOT;
}

static bool starts_panel(const struct bench *b, size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (same_panel(&b->rows[i], &b->rows[row]))
			return false;
	return b->rows[row].n > 0;
}

int bench_chart(const struct bench *b, const char *path, struct error *err)
{
	cleanup_buf struct buf panels = {0}, svg = {0};
	int y = 0;
	for (size_t i = 0; i < b->row_count; i++)
		if (starts_panel(b, i))
			y = put_panel(&panels, b, i, y);
	buf_printf(
		&svg,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
		"font-size=\"12\"><rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		CHART_WIDTH, y + 20);
	buf_put(&svg, panels.data, panels.size);
	buf_printf(&svg, "</svg>\n");
	if (svg.failed || panels.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for the chart %s", path);
	return io_write_file(path, svg.data, svg.size, 0644, err);
}
