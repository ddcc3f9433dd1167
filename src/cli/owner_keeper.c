#include "cli/owner_keeper.h"

#include <string.h>

#include "base/buf.h"

static int ask(const struct volume_keeper *k, const struct owner_keeper_request *q,
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

int owner_keepers_serve(const struct owner_keepers *keepers, const void *question, size_t size,
                        uint8_t ret_answer[OWNER_KEEPER_ANSWER_MAX], size_t *ret_size, struct error *err)
{
	struct owner_keeper_request q;
	struct owner_keeper_reply reply = {0};
	struct error why = {0};
	struct reader r = reader_of(question, size);
	reader_copy(&r, &q, sizeof(q));
	if (!reader_finished(&r) || q.operation < OWNER_KEEPER_GET || q.operation > OWNER_KEEPER_END_REMOVAL)
		return error_set(err, CELLA_EFORMAT, "an executor's question to a root keeper is malformed");
	if (q.preopen >= array_count(keepers->of) || !keepers->of[q.preopen].get)
		return error_set(err, CELLA_EFORMAT, "an executor asked for a root keeper it does not have");
	reply.error = ask(&keepers->of[q.preopen], &q, &reply, &why);
	if (reply.error)
		reply.text_size = (uint32_t)strnlen(why.text, OWNER_KEEPER_TEXT_MAX);
	memcpy(ret_answer, &reply, sizeof(reply));
	memcpy(ret_answer + sizeof(reply), why.text, reply.text_size);
	*ret_size = sizeof(reply) + reply.text_size;
	return 0;
}
