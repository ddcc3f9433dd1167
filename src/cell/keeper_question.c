#include "cell/keeper_question.h"

#include <string.h>

#include "base/buf.h"

int keeper_question_read(const void *bytes, size_t size, struct owner_keeper_request *ret_question,
                         struct error *err)
{
	struct owner_keeper_request q;
	struct reader r = reader_of(bytes, size);
	reader_copy(&r, &q, sizeof(q));
	if (!reader_finished(&r) || q.operation < OWNER_KEEPER_GET || q.operation > OWNER_KEEPER_END_REMOVAL)
		return error_set(err, CELLA_EFORMAT, "an executor's question to a root keeper is malformed");
	*ret_question = q;
	return 0;
}

static int ask(const struct owner_keeper_request *q, const struct volume_keeper *k,
               struct owner_keeper_reply *reply, struct error *err)
{
	switch (q->operation) {
	case OWNER_KEEPER_GET: return k->get(k->data, q->volume, reply->root, err);
	case OWNER_KEEPER_ACQUIRE: return k->acquire(k->data, q->volume, false, &reply->token, err);
	case OWNER_KEEPER_SWAP: return k->swap(k->data, q->volume, q->token, q->from, q->to, err);
	case OWNER_KEEPER_BEGIN_REMOVAL:
		return k->begin_removal ? k->begin_removal(k->data, q->volume, err) : 0;
	case OWNER_KEEPER_END_REMOVAL:
		if (k->end_removal)
			k->end_removal(k->data, q->volume);
		return 0;
	default: k->release(k->data, q->volume, q->token); return 0;
	}
}

void keeper_question_answer(const struct owner_keeper_request *question, const struct volume_keeper *keeper,
                            uint8_t ret_answer[KEEPER_ANSWER_MAX], size_t *ret_size)
{
	struct owner_keeper_reply reply = {0};
	struct error why = {0};
	reply.error = ask(question, keeper, &reply, &why);
	if (reply.error)
		reply.text_size = (uint32_t)strnlen(why.text, OWNER_KEEPER_TEXT_MAX);
	memcpy(ret_answer, &reply, sizeof(reply));
	memcpy(ret_answer + sizeof(reply), why.text, reply.text_size);
	*ret_size = sizeof(reply) + reply.text_size;
}
