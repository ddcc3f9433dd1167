/*
 * The identity of an executor's cell: a P-256 key that is made here and stays here, and the certificate
 * that the CAS of a grant gives for it, as three memory files of the cell's, PATH/key.pem, cert.pem and
 * ca.pem.
 *
 * The certificate lives for an hour. It is renewed when half of its life is over and the cell opens one of
 * the files; each time the CAS judges the executor's evidence anew, so what was revoked gets none. The key
 * stays the same, so the files fit each other whenever each of them was opened. If no answer comes the old
 * certificate stays, and is asked for again no sooner than after a while.
 *
 * Time is a clock that nobody sets (clock_boot_ns), from before the question was asked: the host's wall
 * clock, which its owner moves as he likes, neither keeps a certificate in use nor ends it.
 */
#ifndef CELL_IDENTITY_H
#define CELL_IDENTITY_H

#include "cell/identity_question.h"
#include "cell/owner/format.h"
#include "cell/wasi/wasi.h"

enum {
	IDENTITY_RETRY_S = 60, /* after a renewal that failed */
	IDENTITY_PATH_MAX = 1040, /* of a file */
};

struct identity_config {
	struct mem_pool *pool;
	const char *path; /* absolute and normal; copied */
	/* Into `answer`, IDENTITY_ANSWER_MAX bytes. */
	int (*ask)(void *data, const struct owner_identity_request *question, uint8_t *answer,
	           size_t *ret_size, struct error *err);
	void *data;
	uint64_t (*now)(void); /* clock_boot_ns */
};

struct identity;
/* Makes the key and asks for the first certificate. */
int identity_new(const struct identity_config *config, struct identity **ret_identity,
                 struct error *err) must_check;
void identity_free(struct identity *identity);
/* IDENTITY_FILES of them; they point into the identity, and are other ones after a renewal. */
const struct wasi_file *identity_files(const struct identity *identity);
/* A file is opened: is it one of these, and are they newer ones now? */
bool identity_opened(struct identity *identity, const char *path);

#endif
