#include "cli/bench_chart.h"

#include <math.h>
#include <string.h>

#include "base/io.h"

enum { CHART_WIDTH = 960, CHART_LABELS = 400, CHART_ROW = 20, CHART_HEAD = 36, CHART_RIGHT = 90 };

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

static void put_bar(struct buf *svg, const struct bench_row *r, double scale, int y)
{
	double width = r->value * scale, low = r->low * scale, high = r->high * scale;
	buf_printf(svg, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", CHART_LABELS - 8, y + 13);
	put_escaped(svg, r->name);
	buf_printf(svg, " (");
	put_escaped(svg, r->metric);
	buf_printf(svg, ")</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"12\" fill=\"#4a7ab5\"/>",
	           CHART_LABELS, y + 3, width);
	buf_printf(svg, "<path d=\"M%.1f %d H%.1f\" stroke=\"#222\" stroke-width=\"2\"/>", CHART_LABELS + low,
	           y + 9, CHART_LABELS + high);
	buf_printf(svg, "<text x=\"%.1f\" y=\"%d\">%.4g</text>\n", CHART_LABELS + fmax(width, high) + 6,
	           y + 13, r->value);
}

/* The rows of one unit from `first` on, drawn to one scale. The y below them. */
static int put_panel(struct buf *svg, const struct bench *b, size_t first, int y)
{
	const char *unit = b->rows[first].unit, *bench = b->rows[first].bench;
	double most = 0;
	for (size_t i = first; i < b->row_count; i++)
		if (b->rows[i].n && strcmp(b->rows[i].unit, unit) == 0 &&
		    strcmp(b->rows[i].bench, bench) == 0)
			most = fmax(most, b->rows[i].high);
	double scale = most > 0 ? (CHART_WIDTH - CHART_LABELS - CHART_RIGHT) / most : 0;
	buf_printf(svg, "<text x=\"10\" y=\"%d\" font-weight=\"bold\">%s, %s</text>\n", y + 22, bench, unit);
	y += CHART_HEAD;
	for (size_t i = first; i < b->row_count; i++) {
		if (!b->rows[i].n || strcmp(b->rows[i].unit, unit) != 0 ||
		    strcmp(b->rows[i].bench, bench) != 0)
			continue;
		put_bar(svg, &b->rows[i], scale, y);
		y += CHART_ROW;
	}
	return y;
}

static bool starts_panel(const struct bench *b, size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (b->rows[i].n && strcmp(b->rows[i].unit, b->rows[row].unit) == 0 &&
		    strcmp(b->rows[i].bench, b->rows[row].bench) == 0)
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
