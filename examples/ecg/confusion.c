#include "confusion.h"

#include <inttypes.h>
#include <math.h>

double confusion_accuracy(const struct confusion *c)
{
	uint32_t right = 0;
	uint32_t all = 0;
	for (int i = 0; i < CLASS_COUNT; i++) {
		right += c->counts[i][i];
		for (int k = 0; k < CLASS_COUNT; k++)
			all += c->counts[i][k];
	}
	return all > 0 ? (double)right / all : NAN;
}

double confusion_f1(const struct confusion *c, int class)
{
	uint32_t labels = 0;
	uint32_t predictions = 0;
	for (int k = 0; k < CLASS_COUNT; k++) {
		labels += c->counts[class][k];
		predictions += c->counts[k][class];
	}
	return labels + predictions > 0 ? 2.0 * c->counts[class][class] / (labels + predictions) : NAN;
}

void confusion_print(const struct confusion *c, FILE *file)
{
	fprintf(file, "label  predicted");
	for (int k = 0; k < CLASS_COUNT; k++)
		fprintf(file, " %6c", CLASS_LETTERS[k]);
	fprintf(file, "\n");
	for (int i = 0; i < CLASS_COUNT; i++) {
		fprintf(file, "%-16c", CLASS_LETTERS[i]);
		for (int k = 0; k < CLASS_COUNT; k++)
			fprintf(file, " %6" PRIu32, c->counts[i][k]);
		fprintf(file, "\n");
	}
	fprintf(file, "%-16s", "F1");
	for (int i = 0; i < CLASS_COUNT; i++) {
		double f1 = confusion_f1(c, i);
		if (isnan(f1))
			fprintf(file, " %6s", "-");
		else
			fprintf(file, " %6.4f", f1);
	}
	fprintf(file, "\naccuracy         %6.4f\n", confusion_accuracy(c));
}
