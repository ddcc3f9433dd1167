/*
 * Metrics of a daemon: counters, gauges and histograms, written as Prometheus reads them (text format 0.0.4).
 *
 * A metric is made once and lives as long as its set; to count is one atomic addition, on any thread. Names,
 * labels and values are seen by whoever may read the metrics: never a secret, and nothing of which there is
 * no bound, such as a peer's key.
 */
#ifndef NET_METRICS_H
#define NET_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { METRICS_MAX = 1024, METRIC_LABELS_MAX = 4, METRIC_BOUNDS_MAX = 16 };

struct metrics;
int metrics_new(struct metrics **ret_metrics, struct error *err) must_check;
void metrics_free(struct metrics *metrics);

/* `name` as cella_https_requests_total, `help` a sentence for all metrics of that name; labels end with one
 * whose name is NULL. Copied. */
struct metric_label {
	const char *name, *value;
};
struct metric_shape {
	const char *name, *help;
	struct metric_label labels[METRIC_LABELS_MAX];
};

/* CELLA_EINVAL for a name or label that Prometheus would not take, CELLA_EEXIST for what is there already or
 * is of another kind under that name. Those of one name are best made one after another. */
struct metric;
int metrics_counter(struct metrics *metrics, const struct metric_shape *shape, struct metric **ret_metric,
                    struct error *err) must_check;
int metrics_gauge(struct metrics *metrics, const struct metric_shape *shape, struct metric **ret_metric,
                  struct error *err) must_check;
/* `bounds` in microseconds, rising; written as seconds, as Prometheus wants them. */
int metrics_histogram(struct metrics *metrics, const struct metric_shape *shape, const uint64_t *bounds,
                      size_t bound_count, struct metric **ret_metric, struct error *err) must_check;

/* On NULL they do nothing. */
void metric_add(struct metric *counter, uint64_t number);
void metric_change(struct metric *gauge, int64_t by);
void metric_set(struct metric *gauge, int64_t value);
void metric_observe_us(struct metric *histogram, uint64_t us);
uint64_t metric_value(const struct metric *metric);

/* Appended; what was counted before is in it. */
void metrics_write(const struct metrics *metrics, struct buf *to);
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
