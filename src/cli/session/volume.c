/* cella session volume: an owner's volume and what the CAS knows of it are brought to the same commit; or an
 * owner's signature under its handing over, where the session wants several. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attest/claims.h"
#include "base/buf.h"
#include "base/io.h"
#include "cas/session/signature.h"
#include "cli/place.h"
#include "cli/session/remote.h"
#include "cli/verb.h"
#include "cli/volume_key.h"
#include "volume/volume.h"

struct own_volume {
	struct volume_keys *keys;
	struct volume_keeper keeper;
	uint8_t root[VOLUME_REFERENCE_SIZE];
};

static int own_open(const struct session_remote *c, struct mem_pool *pool, struct own_volume *ret,
                    struct error *err)
{
	const char *volume = c->operands[2];
	char key[PLACE_PATH_MAX], root[PLACE_PATH_MAX];
	ret->keys = mem_alloc(pool, sizeof(*ret->keys));
	int rc = ret->keys ? 0 : error_set(err, CELLA_ENOMEM, "no protected memory for a volume's keys");
	if (rc == 0)
		rc = place_beside(c->volume_key, volume, ".key", key, err);
	if (rc == 0)
		rc = place_beside(c->volume_root, volume, ".root", root, err);
	if (rc == 0)
		rc = volume_keys_read(key, pool, ret->keys, err);
	if (rc == 0)
		rc = volume_keeper_file(root, &ret->keeper, err);
	if (rc == 0)
		rc = ret->keeper.get(ret->keeper.data, ret->keys->volume, ret->root, err);
	if (rc == 0 && bytes_are_zero(ret->root, sizeof(ret->root)))
		rc = error_set(err, CELLA_ENOENT,
		               "there is no root of the volume in %s: name its root file with --volume-root",
		               root);
	return rc;
}

static void own_done(struct mem_pool *pool, struct own_volume *own)
{
	if (own->keeper.data)
		volume_keeper_file_free(&own->keeper);
	if (own->keys)
		mem_free(pool, own->keys);
}

static json_t *own_json(const struct own_volume *own)
{
	json_t *list = json_array();
	for (size_t i = 0; i < own->keys->count; i++)
		json_array_append_new(list, claims_hex(own->keys->keys[i], CRYPTO_KEY_SIZE));
	return json_pack("{s:o, s:o, s:o}", "id", claims_hex(own->keys->volume, sizeof(own->keys->volume)),
	                 "root", claims_hex(own->root, sizeof(own->root)), "keys", list);
}

/* What the CAS knows: its root, zeros if it knows none of this volume, and whose job has the lease ("":
 * nobody's). */
struct known_volume {
	uint8_t root[VOLUME_REFERENCE_SIZE];
	char holder[256];
};

static int ask_known(struct session_cas *r, const char *target, const struct own_volume *own,
                     struct known_volume *ret, struct error *err)
{
	uint8_t id[VOLUME_ID_SIZE];
	json_t *answer = NULL;
	*ret = (struct known_volume){0};
	int rc = cas_client_json(r->client, "GET", target, NULL, &answer, err);
	if (rc == CELLA_ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	const char *hex = json_string_value(json_object_get(answer, "id"));
	const char *root = json_string_value(json_object_get(answer, "root"));
	const char *holder = json_string_value(json_object_get(answer, "holder"));
	if (!hex || !root || !holder || strlen(hex) != 2 * sizeof(id) || !io_unhex(hex, sizeof(id), id) ||
	    strlen(root) != 2 * sizeof(ret->root) || !io_unhex(root, sizeof(ret->root), ret->root))
		rc = error_set(err, CELLA_EFORMAT, "the CAS's answer holds no volume");
	else
		snprintf(ret->holder, sizeof(ret->holder), "%s", holder);
	json_decref(answer);
	/* Another volume had the name before: this one takes its place. */
	if (rc == 0 && memcmp(id, own->keys->volume, sizeof(id)) != 0)
		*ret = (struct known_volume){0};
	return rc;
}

/* A job has written since: its last commit is the volume's. */
static int follow(struct own_volume *own, const struct known_volume *known, struct error *err)
{
	struct volume_keeper *k = &own->keeper;
	uint64_t token;
	int rc = k->acquire(k->data, own->keys->volume, false, &token, err);
	if (rc < 0)
		return rc;
	rc = k->swap(k->data, own->keys->volume, token, own->root, known->root, err);
	k->release(k->data, own->keys->volume, token);
	return rc;
}

static int report(const struct session_remote *c, uint64_t commit, const char *newer,
                  const struct known_volume *known, struct error *err)
{
	const char *volume = c->operands[2];
	if (c->json)
		return verb_print_json(json_pack("{s:s, s:I, s:s, s:s}", "volume", volume, "commit",
		                                 (json_int_t)commit, "newer", newer, "holder", known->holder),
		                       err);
	if (strcmp(newer, "cas") == 0)
		printf("%s: the CAS knows a later commit, as a job wrote: the root file is at %" PRIu64
		       " now\n",
		       volume, commit);
	else
		printf("%s: the CAS has its keys, and knows its last commit, %" PRIu64 "\n", volume, commit);
	if (known->holder[0])
		printf("%s: it is being written to by %s\n", volume, known->holder);
	return 0;
}

/* Of two roots one has to come from the other. Where that cannot be seen, as commits between them were
 * compacted away, the number decides. */
static int check_line(const struct session_remote *c, struct session_cas *r, const struct own_volume *own,
                      const struct known_volume *known, struct error *err)
{
	bool mine_later = volume_counter_of(own->root) > volume_counter_of(known->root), descends = false;
	struct volume_config config = {.pool = r->pool,
	                               .keys = own->keys->keys,
	                               .key_count = own->keys->count,
	                               .cache = VOLUME_CACHE_LEAST};
	if (c->keep || bytes_are_zero(known->root, sizeof(known->root)) ||
	    crypto_equal(own->root, known->root, sizeof(own->root)))
		return 0;
	cleanup_close int directory = open(c->operands[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return error_errno(err, CELLA_ENOENT, "cannot open %s", c->operands[2]);
	int rc = volume_disk_directory(take_fd(&directory), &config.disk, err);
	if (rc < 0)
		return rc;
	if (volume_counter_of(own->root) != volume_counter_of(known->root))
		rc = volume_descends(&config, mine_later ? own->root : known->root,
		                     mine_later ? known->root : own->root, &descends, err);
	volume_disk_directory_free(&config.disk);
	if (rc == CELLA_EAUTH || rc == CELLA_ENOENT)
		return 0;
	if (rc < 0 || descends)
		return rc;
	return error_set(err, CELLA_EAUTH,
	                 "a job and its owner have both written to %s: commit %" PRIu64
	                 " of the CAS and commit "
	                 "%" PRIu64
	                 " here do not come from each other. Save what only one of them has, then say "
	                 "which counts: --keep cas or --keep mine",
	                 c->operands[2], volume_counter_of(known->root), volume_counter_of(own->root));
}

static bool takes_from_cas(const struct session_remote *c, const struct own_volume *own,
                           const struct known_volume *known)
{
	if (c->keep)
		return strcmp(c->keep, "cas") == 0;
	return volume_counter_of(known->root) > volume_counter_of(own->root);
}

/* Of what is handed over: this session as it is, and this root. */
static int sign_volume(const struct session_remote *c, struct session_cas *r, const struct own_volume *own,
                       struct error *err)
{
	uint8_t hash[CRYPTO_SHA384_SIZE];
	struct signature_statement s = {.action = SIGNATURE_VOLUME, .session = c->operands[0]};
	const struct signature_volume v = {.session_hash = hash,
	                                   .name = c->operands[1],
	                                   .id = own->keys->volume,
	                                   .id_size = sizeof(own->keys->volume),
	                                   .root = own->root,
	                                   .root_size = sizeof(own->root),
	                                   .keys = own->keys->keys,
	                                   .keys_size = own->keys->count * sizeof(own->keys->keys[0])};
	int rc = session_hash_of(c, r, s.session, hash, err);
	if (rc == 0)
		rc = signature_volume_digest(&v, s.digest, err);
	return rc == 0 ? session_sign(c, r, &s, err) : rc;
}

static int bring_together(const struct session_remote *c, struct session_cas *r, struct own_volume *own,
                          struct error *err)
{
	cleanup_buf struct buf target = {0}, signatures = {0};
	struct known_volume known;
	cas_client_target(&target, c->operands[0], "/volumes/", c->operands[1]);
	buf_put(&target, "", 1);
	if (target.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a request");
	const char *path = (const char *)target.data;
	int rc = session_signatures(c, &signatures, err);
	if (rc == 0)
		rc = ask_known(r, path, own, &known, err);
	/* Several have to sign for reading, too: the CAS itself refuses an older root. */
	if (rc == CELLA_EAUTH && c->signature_count)
		rc = 0;
	if (rc == 0)
		rc = check_line(c, r, own, &known, err);
	if (rc < 0)
		return rc;
	if (takes_from_cas(c, own, &known)) {
		rc = follow(own, &known, err);
		return rc < 0 ? rc : report(c, volume_counter_of(known.root), "cas", &known, err);
	}
	rc = cas_client_json_with(r->client, "PUT", path, (const char *)signatures.data, own_json(own), NULL,
	                          err);
	return rc < 0 ? rc : report(c, volume_counter_of(own->root), "here", &known, err);
}

/* Whoever holds the lease is fenced off. */
static int take_over(const struct session_remote *c, struct session_cas *r, struct error *err)
{
	cleanup_buf struct buf target = {0}, signatures = {0};
	int rc = session_signatures(c, &signatures, err);
	cas_client_target(&target, c->operands[0], "/volumes/", c->operands[1]);
	buf_put(&target, "/lease", sizeof("/lease"));
	if (rc == 0 && target.failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory for a request");
	if (rc == 0)
		rc = cas_client_json_with(r->client, "DELETE", (const char *)target.data,
		                          (const char *)signatures.data, NULL, NULL, err);
	if (rc == 0 && c->json && c->count == 2) /* with VOL its answer follows */
		rc = verb_print_json(json_pack("{s:s, s:s}", "session", c->operands[0], "free",
		                               c->operands[1]),
		                     err);
	else if (rc == 0 && !c->json)
		printf("volume %s of %s: nobody writes to it now; a job that did commits nothing more\n",
		       c->operands[1], c->operands[0]);
	return rc;
}

int session_volume_command(const struct session_remote *c, struct error *err)
{
	cleanup_session_cas struct session_cas r = {0};
	struct own_volume own = {0};
	if (c->keep && strcmp(c->keep, "mine") != 0 && strcmp(c->keep, "cas") != 0)
		return error_set(err, CELLA_EINVAL, "--keep is mine or cas");
	if (c->take_over && (c->sign || (c->signature_count && c->count > 2)))
		return error_set(
			err, CELLA_EINVAL,
			"--take-over stands without --sign, and signatures are for it alone: leave VOL out");
	int rc = session_cas_open(&r, err);
	if (rc == 0 && c->take_over)
		rc = take_over(c, &r, err);
	if (c->count == 2)
		return rc;
	if (rc == 0)
		rc = own_open(c, r.pool, &own, err);
	if (rc == 0)
		rc = c->sign ? sign_volume(c, &r, &own, err) : bring_together(c, &r, &own, err);
	own_done(r.pool, &own);
	return rc;
}
