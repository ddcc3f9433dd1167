/*
 * Root keepers: who says which root of a volume counts, and who may write.
 *
 * A keeper holds, for a volume, a *root reference* (64 bytes that name one commit; its first 8 are the
 * commit's counter) and a *fencing token*. Taking the lease gives a token larger than every one before; a
 * commit is one compare-and-swap of the reference that carries the token, and a token that is not the
 * largest is refused. So of two writers only one can commit, whatever either believes (leases and fencing:
 * Gray and Cheriton 1989, Burrows 2006).
 *
 * A keeper may be far away. Of one that has `answer`, `swap` only asks, and the answers come in the order of
 * the questions; several may be under way, each from the reference that the one before goes to.
 *
 * A keeper is trusted for freshness, never with keys.
 */
#ifndef VOLUME_KEEPER_H
#define VOLUME_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "volume/volume_format.h"

enum { VOLUME_KEEPER_LEASE_S = 60 };

struct volume_keeper {
	void *data;
	/* The reference; all zeros: it has none. */
	int (*get)(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint8_t ret_root[VOLUME_REFERENCE_SIZE],
	           struct error *err);
	/* CELLA_EAGAIN while another has it, unless `take_over`. */
	int (*acquire)(void *data, const uint8_t volume[VOLUME_ID_SIZE], bool take_over, uint64_t *ret_token,
	               struct error *err);
	/* From one reference to the next; 0 also if it holds that already. CELLA_EFENCED: the token is too
	 * old; CELLA_EAUTH: it holds another. Anything else: whether it did is not known, but where there is
	 * `answer`: then it was not asked. */
	int (*swap)(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
	            const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
	            struct error *err);
	/* To the oldest swap that is under way, whose errors these are; waits for it. NULL: `swap` itself has
	 * the answer. */
	int (*answer)(void *data, struct error *err);
	bool (*has_answer)(void *data); /* it need not be waited for */
	void (*release)(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token);
	/* Readers, as far as the keeper knows them (NULL: it knows none). From `hold` to `let_go` no writer
	 * removes what a root needs that `get` gives meanwhile. begin_removal: CELLA_EAGAIN while anybody
	 * holds it; else nobody can until end_removal. */
	int (*hold)(void *data, const uint8_t volume[VOLUME_ID_SIZE], struct error *err);
	void (*let_go)(void *data, const uint8_t volume[VOLUME_ID_SIZE]);
	int (*begin_removal)(void *data, const uint8_t volume[VOLUME_ID_SIZE], struct error *err);
	void (*end_removal)(void *data, const uint8_t volume[VOLUME_ID_SIZE]);
};

/*
 * A file. It protects from an old copy of the volume as far as the file itself cannot be put back: on the
 * owner's machine, not beside the volume. The lease is a lock on the file that lasts as long as its holder;
 * whoever takes over has one of its own, with the larger token.
 */
int volume_keeper_file(const char *path, struct volume_keeper *ret_keeper, struct error *err) must_check;
void volume_keeper_file_free(struct volume_keeper *keeper);

#endif
