/* The confusion matrix of a classifier, and what follows from it. */
#ifndef ECG_CONFUSION_H
#define ECG_CONFUSION_H

#include <stdint.h>
#include <stdio.h>

#include "classes.h"

struct confusion {
	uint32_t counts[CLASS_COUNT][CLASS_COUNT]; /* [label][prediction] */
};

static inline void confusion_add(struct confusion *c, int label, int prediction)
{
	c->counts[label][prediction]++;
}

double confusion_accuracy(const struct confusion *c);
/* 2 TP / (2 TP + FP + FN), NaN if the class was neither a label nor a prediction. */
double confusion_f1(const struct confusion *c, int class);
void confusion_print(const struct confusion *c, FILE *file);

#endif
