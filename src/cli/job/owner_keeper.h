/* Root keepers of a job's volumes, as its executor asks for them (OWNER_KEEPER frames,
 * cell/owner/format.h). */
#ifndef CLI_OWNER_KEEPER_H
#define CLI_OWNER_KEEPER_H

#include "base/error.h"
#include "cell/keeper_question.h"
#include "cell/provision.h"
#include "volume/keeper.h"

/* By the index of the preopened directory; those without `get` are no volumes that the executor writes. */
struct owner_keepers {
	struct volume_keeper of[PROVISION_PREOPENS_MAX];
};

/* CELLA_EFORMAT: what came is no question, or of something that the executor has no keeper of. */
int owner_keepers_serve(const struct owner_keepers *keepers, const void *question, size_t size,
                        uint8_t ret_answer[KEEPER_ANSWER_MAX], size_t *ret_size,
                        struct error *err) must_check;

#endif
