/* Does walking any invocation stay inside it, and inside the frame that it says it needs? The
 * first six bytes are the counts of the submission. */
#include <stdlib.h>
#include <string.h>

#include "cell/invocation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct invocation_part_view *p, const struct task_submit *s)
{
	if (p->reads)
		must(p->input + 1 + p->part_count <= s->input_count);
	if (p->writes)
		must(p->output < s->output_count);
	if (p->takes_turn)
		must(p->commutative < s->commutative_count);
	must(p->offset <= UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct task_submit submit = {0};
	uint16_t counts[3];
	if (size < sizeof(counts))
		return 0;
	memcpy(counts, data, sizeof(counts));
	submit.input_count = counts[0] % (TASK_DATA_MAX + 1);
	submit.output_count = counts[1] % (TASK_DATA_MAX + 1);
	submit.commutative_count = counts[2] % (TASK_DATA_MAX + 1);
	struct invocation_walk w;
	struct invocation_part_view p;
	uint64_t end = 0;
	uint32_t sum = 0;
	invocation_walk(&w, data + sizeof(counts), size - sizeof(counts), &submit);
	while (invocation_next(&w, &p)) {
		check(&p, &submit);
		must(p.offset >= end || p.kind == INVOCATION_COLLECTION || !p.offset);
		end = p.offset;
		for (uint32_t i = 0; i < p.bytes_size; i++)
			sum += p.bytes[i];
	}
	if (invocation_walked(&w, NULL) == 0)
		must(w.frame_size <= UINT32_MAX && w.frame_size >= end);
	return sum == UINT32_MAX;
}
