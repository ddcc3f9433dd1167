#include "cli/job/owner_keeper.h"

int owner_keepers_serve(const struct owner_keepers *keepers, const void *question, size_t size,
                        uint8_t ret_answer[KEEPER_ANSWER_MAX], size_t *ret_size, struct error *err)
{
	struct owner_keeper_request q;
	int rc = keeper_question_read(question, size, &q, err);
	if (rc < 0)
		return rc;
	if (q.preopen >= array_count(keepers->of) || !keepers->of[q.preopen].get)
		return error_set(err, CELLA_EFORMAT, "an executor asked for a root keeper it does not have");
	keeper_question_answer(&q, &keepers->of[q.preopen], ret_answer, ret_size);
	return 0;
}
