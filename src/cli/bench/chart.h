/* A picture of benchmark rows: bars with their intervals, a panel and a scale for each unit of each. */
#ifndef CLI_BENCH_CHART_H
#define CLI_BENCH_CHART_H

#include "cli/bench/bench.h"

int bench_chart(const struct bench *b, const char *path, struct error *err) must_check;

#endif
