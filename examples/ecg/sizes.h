/* How many tasks are under way at the same time, and how many elements their buffers have. */
#ifndef ECG_SIZES_H
#define ECG_SIZES_H

#include <cella/task.h>
#include <stddef.h>
#include <stdint.h>

#include "classes.h"
#include "feature_set.h"

static inline uint32_t tasks_under_way(uint32_t per_executor)
{
	int executors = cella_executors();
	return per_executor * (executors > 0 ? (uint32_t)executors : 1);
}

/* Features of so many rows. */
static inline size_t values_count(uint32_t rows, uint32_t columns)
{
	return (size_t)rows * columns;
}

static inline size_t values_count_of_kind(uint32_t rows, uint32_t kind)
{
	return values_count(rows, feature_columns((enum feature_kind)kind));
}

/* Probabilities of the classes for so many rows. */
static inline size_t votes_count(uint32_t rows)
{
	return (size_t)rows * CLASS_COUNT;
}

#endif
