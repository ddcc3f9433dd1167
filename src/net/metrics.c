#include "net/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct metric {
	enum kind kind;
	char *name, *help, *labels; /* labels: a="b",c="d" or "" */
	atomic_uint_fast64_t value; /* of a histogram: how many */
	atomic_uint_fast64_t sum_us;
	size_t bound_count;
	uint64_t bounds[METRIC_BOUNDS_MAX];
	atomic_uint_fast64_t buckets[METRIC_BOUNDS_MAX];
};

struct metrics {
	pthread_mutex_t lock;
	size_t count;
	struct metric *all[METRICS_MAX];
};

int metrics_new(struct metrics **ret_metrics, struct error *err)
{
	struct metrics *m = calloc(1, sizeof(*m));
	if (!m)
		return error_set(err, CELLA_ENOMEM, "no memory for metrics");
	pthread_mutex_init(&m->lock, NULL);
	*ret_metrics = m;
	return 0;
}

static void metric_free(struct metric *m)
{
	if (!m)
		return;
	free(m->name);
	free(m->help);
	free(m->labels);
	free(m);
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->count; i++)
		metric_free(m->all[i]);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static bool is_name(const char *text)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char later[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	return *text && strchr(first, *text) && strspn(text, later) == strlen(text);
}

static void put_escaped(struct buf *to, const char *text, const char *also)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_put(to, "\\n", 2);
		else
			buf_printf(to, "%s%c", *text == '\\' || strchr(also, *text) ? "\\" : "", *text);
	}
}

static char *taken_text(struct buf *b)
{
	buf_put_u8(b, 0);
	char *text = b->failed ? NULL : (char *)b->data;
	if (!text)
		buf_done(b);
	return text;
}

static int labels_text(const struct metric_shape *shape, char **ret_text, struct error *err)
{
	struct buf b = {0};
	for (size_t i = 0; i < METRIC_LABELS_MAX && shape->labels[i].name; i++) {
		if (!is_name(shape->labels[i].name)) {
			buf_done(&b);
			return error_set(err, CELLA_EINVAL, "\"%s\" is no name of a label",
			                 shape->labels[i].name);
		}
		buf_printf(&b, "%s%s=\"", i > 0 ? "," : "", shape->labels[i].name);
		put_escaped(&b, shape->labels[i].value, "\"");
		buf_put(&b, "\"", 1);
	}
	*ret_text = taken_text(&b);
	return *ret_text ? 0 : error_set(err, CELLA_ENOMEM, "no memory for a metric");
}

static char *help_text(const char *help)
{
	struct buf b = {0};
	put_escaped(&b, help, "");
	return taken_text(&b);
}

/* Among the others: behind those of its name. */
static int insert(struct metrics *set, struct metric *m, struct error *err)
{
	size_t place = set->count;
	if (set->count == METRICS_MAX)
		return error_set(err, CELLA_ELIMIT, "there are %d metrics, which is the most", METRICS_MAX);
	for (size_t i = 0; i < set->count; i++) {
		const struct metric *other = set->all[i];
		if (strcmp(other->name, m->name) != 0)
			continue;
		if (other->kind != m->kind || strcmp(other->labels, m->labels) == 0)
			return error_set(err, CELLA_EEXIST, "there is a metric %s{%s} already", other->name,
			                 other->labels);
		place = i + 1;
	}
	memmove(&set->all[place + 1], &set->all[place], (set->count - place) * sizeof(struct metric *));
	set->all[place] = m;
	set->count++;
	return 0;
}

static int metric_new(struct metrics *set, enum kind kind, const struct metric_shape *shape,
                      const uint64_t *bounds, size_t bound_count, struct metric **ret_metric,
                      struct error *err)
{
	if (!is_name(shape->name))
		return error_set(err, CELLA_EINVAL, "\"%s\" is no name of a metric", shape->name);
	struct metric *m = calloc(1, sizeof(*m));
	if (!m)
		return error_set(err, CELLA_ENOMEM, "no memory for a metric");
	m->kind = kind;
	m->bound_count = bound_count;
	if (bound_count > 0)
		memcpy(m->bounds, bounds, bound_count * sizeof(*bounds));
	m->name = strdup(shape->name);
	m->help = help_text(shape->help);
	int rc = labels_text(shape, &m->labels, err);
	if (rc == 0 && (!m->name || !m->help))
		rc = error_set(err, CELLA_ENOMEM, "no memory for a metric");
	if (rc == 0) {
		pthread_mutex_lock(&set->lock);
		rc = insert(set, m, err);
		pthread_mutex_unlock(&set->lock);
	}
	if (rc < 0)
		metric_free(m);
	else
		*ret_metric = m;
	return rc;
}

int metrics_counter(struct metrics *set, const struct metric_shape *shape, struct metric **ret_metric,
                    struct error *err)
{
	return metric_new(set, COUNTER, shape, NULL, 0, ret_metric, err);
}

int metrics_gauge(struct metrics *set, const struct metric_shape *shape, struct metric **ret_metric,
                  struct error *err)
{
	return metric_new(set, GAUGE, shape, NULL, 0, ret_metric, err);
}

int metrics_histogram(struct metrics *set, const struct metric_shape *shape, const uint64_t *bounds,
                      size_t bound_count, struct metric **ret_metric, struct error *err)
{
	bool rising = bound_count > 0 && bound_count <= METRIC_BOUNDS_MAX;
	for (size_t i = 1; rising && i < bound_count; i++)
		rising = bounds[i] > bounds[i - 1];
	if (!rising)
		return error_set(err, CELLA_EINVAL, "the histogram %s is to have 1 to %d rising bounds",
		                 shape->name, METRIC_BOUNDS_MAX);
	return metric_new(set, HISTOGRAM, shape, bounds, bound_count, ret_metric, err);
}

void metric_add(struct metric *m, uint64_t number)
{
	if (m)
		atomic_fetch_add_explicit(&m->value, number, memory_order_relaxed);
}

void metric_change(struct metric *m, int64_t by)
{
	metric_add(m, (uint64_t)by);
}

void metric_set(struct metric *m, int64_t value)
{
	if (m)
		atomic_store_explicit(&m->value, (uint64_t)value, memory_order_relaxed);
}

void metric_observe_us(struct metric *m, uint64_t us)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->bound_count; i++) {
		if (us <= m->bounds[i]) {
			atomic_fetch_add_explicit(&m->buckets[i], 1, memory_order_relaxed);
			break;
		}
	}
	atomic_fetch_add_explicit(&m->sum_us, us, memory_order_relaxed);
	atomic_fetch_add_explicit(&m->value, 1, memory_order_relaxed);
}

uint64_t metric_value(const struct metric *m)
{
	return atomic_load_explicit(&m->value, memory_order_relaxed);
}

static void write_seconds(struct buf *to, uint64_t us)
{
	buf_printf(to, "%llu.%06llu", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

static void write_histogram(const struct metric *m, struct buf *to)
{
	/* The count is what the buckets add up to, however others count meanwhile. */
	uint64_t below = 0, count = metric_value(m);
	const char *comma = *m->labels ? "," : "";
	for (size_t i = 0; i < m->bound_count; i++) {
		below += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
		buf_printf(to, "%s_bucket{%s%sle=\"", m->name, m->labels, comma);
		write_seconds(to, m->bounds[i]);
		buf_printf(to, "\"} %llu\n", (unsigned long long)below);
	}
	count = max_of(count, below);
	buf_printf(to, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", m->name, m->labels, comma,
	           (unsigned long long)count);
	buf_printf(to, *m->labels ? "%s_sum{%s} " : "%s_sum%s ", m->name, m->labels);
	write_seconds(to, atomic_load_explicit(&m->sum_us, memory_order_relaxed));
	buf_printf(to, *m->labels ? "\n%s_count{%s} %llu\n" : "\n%s_count%s %llu\n", m->name, m->labels,
	           (unsigned long long)count);
}

static void write_metric(const struct metric *m, struct buf *to)
{
	if (m->kind == HISTOGRAM) {
		write_histogram(m, to);
		return;
	}
	buf_printf(to, *m->labels ? "%s{%s} " : "%s%s ", m->name, m->labels);
	if (m->kind == GAUGE)
		buf_printf(to, "%lld\n", (long long)metric_value(m));
	else
		buf_printf(to, "%llu\n", (unsigned long long)metric_value(m));
}

void metrics_write(const struct metrics *set, struct buf *to)
{
	static const char *const kinds[] = {
		[COUNTER] = "counter",
		[GAUGE] = "gauge",
		[HISTOGRAM] = "histogram",
	};
	pthread_mutex_lock((pthread_mutex_t *)&set->lock);
	for (size_t i = 0; i < set->count; i++) {
		const struct metric *m = set->all[i];
		if (i == 0 || strcmp(m->name, set->all[i - 1]->name) != 0)
			buf_printf(to, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
			           kinds[m->kind]);
		write_metric(m, to);
	}
	pthread_mutex_unlock((pthread_mutex_t *)&set->lock);
}
