/* Steps done to a volume and to its model at once; and what the model was at each commit. */
#ifndef VOLUME_SCRIPT_H
#define VOLUME_SCRIPT_H

#include "fake_disk.h"
#include "volume_model.h"

enum step_kind {
	MKDIR,
	RMDIR,
	UNLINK,
	RENAME,
	LINK,
	SYMLINK,
	WRITE,
	TRUNCATE,
	COMMIT,
	COMPACT,
	PUBLISH,
	REOPEN
};

struct step {
	enum step_kind kind;
	const char *path, *other;
	uint64_t at; /* offset, or size; of COMPACT, the least percentage that is dead */
	size_t size;
};

/* Of points that differ in where something happens, one in so many is tried: VOLUME_PART; 1 if it is not
 * set. */
size_t volume_part(void);

/* A volume and what it should be: now, at the last commit that was acknowledged, and at the one after it that
 * was asked for (NULL: none was). */
struct pair {
	struct volume *v;
	struct model *now, *committed, *asked;
	uint64_t serial; /* of writes; it is in what is written */
};

void pair_begin(struct pair *p, struct volume *v);
void pair_done(struct pair *p);
/* To both; to the model only if the volume did it. Any but REOPEN. */
int pair_step(struct pair *p, const struct step *step, struct error *err);
/* The volume was opened again: is it at the last commit, or at the one that was asked for? NULL, and the
 * model goes on from there; else how it differs. */
const char *pair_opened(struct pair *p, struct volume *v);

#endif
