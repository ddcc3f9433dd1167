/* A question for a certificate, and its answer: what is accepted is whole, and says what it said. Byte
 * 0: which. */
#include <stdlib.h>
#include <string.h>

#include "cell/identity_question.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void question(const uint8_t *data, size_t size)
{
	struct owner_identity_request q;
	if (identity_question_read(data, size, &q, NULL) < 0)
		return;
	demand(identity_question_is(data, size) && size == sizeof(q));
	demand(q.public_size > 0 && q.public_size <= sizeof(q.public_key) && memcmp(&q, data, size) == 0);
}

static void answer(const uint8_t *data, size_t size)
{
	struct identity_answer a;
	cleanup_buf struct buf again = {0};
	if (identity_answer_read(data, size, &a, NULL) < 0)
		return;
	demand(a.life_s && a.certificate_size && a.ca_size && size <= IDENTITY_ANSWER_MAX);
	identity_answer_write(&a, &again);
	demand(again.size == size && memcmp(again.data, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return -1;
	if (data[0] == 'q')
		question(data + 1, size - 1);
	else
		answer(data + 1, size - 1);
	return 0;
}
