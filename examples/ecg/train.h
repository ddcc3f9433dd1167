/* Training: each tree of the forest is a task. */
#ifndef ECG_TRAIN_H
#define ECG_TRAIN_H

#include <stdint.h>

#include "forest.h"
#include "tree.h"

int train_forest(const struct samples *samples, uint32_t trees, uint64_t seed, struct forest *ret,
                 struct failure *why) must_check;

#endif
