/*
 * A provisioning: all that an executor needs to know to run its cell, from its job's owner, under
 * HPKE to the key that the executor's evidence vouches for.
 *
 * A grant has the same form and comes after it: what a CAS releases to this executor for a session
 * (docs/protocols/cas.md). It names the cell and the builders that it is for, and adds to the job:
 * its variables take the place of the job's, its arguments (if it has any) that of those behind the
 * program's name, each of its volumes is one that the job has without keys, and its files lie over what the
 * job has. Where it names a directory for an identity, the executor has a key of its own certified and puts
 * both there (cell/identity.h). It says what time it is at the CAS: that is the cell's clock. Its data key is
 * for questions to the CAS, as the root keeper of those volumes (cell/keeper_question.h) or for that
 * certificate (cell/identity_question.h).
 *
 * Layout (little-endian): u32 version, u32 executor, u32 role, u32 executor count, u32 grants to
 * come, 16 bytes session, 32 bytes data key, 48 bytes identity, u32 n and n * 32 bytes of builders,
 * then three lists, each u32 n and n strings (u32 size with the terminating zero, bytes): arguments,
 * environment, preopened directories (each followed by u32 flags), then u32 n and n volumes (u32 preopened
 * directory, id, root, u32 mode, u32 bound, u32 n and n * 32 bytes of keys); then what is a grant's alone:
 * u32 n and n files (a string, its absolute path; u32 size, bytes), u64 time, and a string, the directory of
 * the identity.
 */
#ifndef CELL_PROVISION_H
#define CELL_PROVISION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cell/wasi/wasi.h"
#include "crypto/crypto.h"
#include "volume/volume.h"

enum provision_role { PROVISION_DRIVER = 1, PROVISION_TASKS = 2, PROVISION_GRANT = 3 };

enum {
	PROVISION_VERSION = 5,
	PROVISION_GRANTS_MAX = 8,
	PROVISION_BUILDERS_MAX = 16,
	PROVISION_STRINGS_MAX = 65536,
	PROVISION_PREOPENS_MAX = 64,
	PROVISION_VOLUMES_MAX = 8,
	PROVISION_FILES_MAX = 256 + 3 * PROVISION_GRANTS_MAX, /* an image's, and those of identities */
	PROVISION_TIMES_APART_S = 300, /* what the times of two grants may differ by */
	PROVISION_SIZE_MAX = 1 << 20,
};
#define PROVISION_INFO "cella provision 5"
#define PROVISION_GRANT_INFO "cella grant 5"

/* A preopened directory that is a volume. */
struct provision_volume {
	uint32_t preopen; /* index of it */
	uint32_t key_count;
	uint8_t id[VOLUME_ID_SIZE];
	uint8_t root[VOLUME_REFERENCE_SIZE]; /* the commit that all executors of the job begin with */
	uint32_t mode; /* enum volume_mode: when a commit counts */
	uint32_t bound; /* of VOLUME_BOUNDED: commits */
	uint32_t grant; /* whose CAS is its root keeper, from 1; 0: the owner is. Not in the layout */
	uint8_t keys[VOLUME_KEYS_MAX][CRYPTO_KEY_SIZE]; /* the newest first */
};

struct provision {
	uint32_t executor;       /* the executor's number: from 1, never used twice in a session */
	uint32_t role;           /* enum provision_role */
	uint32_t executor_count; /* that may run tasks */
	uint32_t grants; /* so many follow */
	uint8_t session[16];
	uint8_t data_key[CRYPTO_KEY_SIZE]; /* of a grant: between executor and CAS */
	uint8_t identity[CRYPTO_SHA384_SIZE]; /* of the cell that may have the key */
	uint8_t builders[PROVISION_BUILDERS_MAX][CRYPTO_ED25519_SIZE]; /* whose artifacts may run */
	uint32_t builder_count;
	const char **arguments;
	uint32_t argument_count;
	const char **environment; /* "K=V" */
	uint32_t environment_count;
	struct wasi_preopen preopens[PROVISION_PREOPENS_MAX];
	uint32_t preopen_count;
	struct provision_volume volumes[PROVISION_VOLUMES_MAX];
	uint32_t volume_count;
	struct wasi_file files[PROVISION_FILES_MAX];
	uint32_t file_count;
	/* Since 1970: of a grant at its CAS when it was made, of a job the latest of its grants'. 0: none. */
	uint64_t time_ns;
	const char *identity_path; /* of a grant: the directory of the cell's identity; "": it has none */
	/* Of a job, not in the layout: what came with its grants. */
	bool granted_arguments;
	uint32_t granted_variables; /* the last so many of the environment */
};

/* Into protected memory of `pool`; the caller frees it with mem_free. */
int provision_write(const struct provision *p, struct mem_pool *pool, uint8_t **ret_data, size_t *ret_size,
                    struct error *err) must_check;

/* The provision and what it points to lie in protected memory of `pool`; provision_free it. */
int provision_read(const uint8_t *data, size_t size, struct mem_pool *pool, struct provision **ret_provision,
                   struct error *err) must_check;
void provision_free(struct mem_pool *pool, struct provision *p);

/* Add the grant of this number, from 1, to a job's provisioning, which then points into it: it is to
 * live as long. CELLA_EAUTH: it is for another cell or for other builders. CELLA_EPERM: it has a volume
 * that the job does not have, or whose keys the job has already; or a file, a variable or arguments that
 * another grant has, too, or a time that is far from another's: whoever runs the job chooses its
 * sessions, and none may change what another one says. */
int provision_add_grant(struct provision *p, struct provision *grant, uint32_t number, struct mem_pool *pool,
                        struct error *err) must_check;
/* One more file of the job's. CELLA_EPERM: it has one of that name; CELLA_ELIMIT. */
int provision_add_file(struct provision *p, const struct wasi_file *file, struct error *err) must_check;
/* After the last grant: CELLA_EPERM if a volume is still without keys, or if something else of the job's lies
 * over, or in, a volume that a grant gave. */
int provision_check_volumes(const struct provision *p, struct error *err) must_check;

#endif
