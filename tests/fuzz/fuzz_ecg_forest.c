/* Forests: whatever forest_parse accepts can be walked and comes back from its text as it was. */
#include <stdio.h>
#include <stdlib.h>

#include "forest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answers(const struct forest *forest)
{
	float *row = calloc(forest->columns, sizeof(*row));
	for (uint32_t i = 0; row && i < forest->count; i++) {
		struct failure why;
		union tree_slot *slots;
		uint32_t count;
		double votes[CLASS_COUNT];
		if (forest_pack(&forest->trees[i], &slots, &count, &why) < 0)
			abort();
		tree_answer(slots, row, votes);
		if (!(votes[0] + votes[1] + votes[2] + votes[3] > 0.999))
			abort();
		free(slots);
	}
	free(row);
}

static void check_text(const struct forest *forest)
{
	char *first = NULL;
	char *second = NULL;
	size_t first_size = 0;
	size_t second_size = 0;
	struct failure why;
	struct forest copy;
	FILE *file = open_memstream(&first, &first_size);
	forest_print(forest, file);
	fclose(file);
	struct text t = text_of_file(fmemopen(first, first_size, "rb"), "printed");
	if (forest_parse(&t, &copy, &why) < 0)
		abort();
	text_close(&t);
	file = open_memstream(&second, &second_size);
	forest_print(&copy, file);
	fclose(file);
	if (first_size != second_size || memcmp(first, second, first_size) != 0)
		abort();
	forest_done(&copy);
	free(first);
	free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct failure why;
	struct forest forest;
	struct text t = text_of_file(fmemopen((void *)(uintptr_t)data, size, "rb"), "fuzz");
	if (forest_parse(&t, &forest, &why) == 0) {
		check_answers(&forest);
		check_text(&forest);
		forest_done(&forest);
	}
	text_close(&t);
	return 0;
}
