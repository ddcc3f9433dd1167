/* The four classes of a recording, in the order of the reference forests. */
#ifndef ECG_CLASSES_H
#define ECG_CLASSES_H

enum ecg_class {
	CLASS_NORMAL,
	CLASS_FIBRILLATION,
	CLASS_OTHER,
	CLASS_NOISE,
	CLASS_COUNT,
};

/* As labels.csv and the forest text write them. */
static const char CLASS_LETTERS[CLASS_COUNT + 1] = "NAO~";

/* The class of a label such as "A", -1 for anything else. */
static inline int class_of_label(const char *label)
{
	for (int i = 0; i < CLASS_COUNT; i++) {
		if (label[0] == CLASS_LETTERS[i] && label[1] == 0)
			return i;
	}
	return -1;
}

/* The most probable class; among equals the first. */
static inline int class_of_votes(const double votes[CLASS_COUNT])
{
	int best = 0;
	for (int i = 1; i < CLASS_COUNT; i++) {
		if (votes[i] > votes[best])
			best = i;
	}
	return best;
}

#endif
