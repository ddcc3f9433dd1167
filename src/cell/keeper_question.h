/*
 * A question to the root keeper of a volume, as an executor asks it (struct owner_keeper_request), and its
 * answer: for whoever is the keeper, the owner's command line or a CAS. Both cross the way sealed, and
 * numbered (owner_keeper_id), so whoever sits between has neither an older root nor a lease to offer.
 */
#ifndef CELL_KEEPER_QUESTION_H
#define CELL_KEEPER_QUESTION_H

#include "base/error.h"
#include "cell/owner/format.h"
#include "volume/keeper.h"

enum { KEEPER_ANSWER_MAX = sizeof(struct owner_keeper_reply) + OWNER_KEEPER_TEXT_MAX };

/* CELLA_EFORMAT: what came is no question. */
int keeper_question_read(const void *bytes, size_t size, struct owner_keeper_request *ret_question,
                         struct error *err) must_check;
/* Asks the keeper, whose refusal is an answer, too. *ret_size: of the answer, KEEPER_ANSWER_MAX at most. */
void keeper_question_answer(const struct owner_keeper_request *question, const struct volume_keeper *keeper,
                            uint8_t ret_answer[KEEPER_ANSWER_MAX], size_t *ret_size);

#endif
