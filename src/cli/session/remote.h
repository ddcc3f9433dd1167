/* The commands of cella session that talk to the current CAS. */
#ifndef CLI_SESSION_REMOTE_H
#define CLI_SESSION_REMOTE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cas_client.h"
#include "crypto/crypto.h"

struct session_remote {
	const char *const *operands;
	int count;
	bool json;
	const char *volume_key, *volume_root; /* files; NULL: beside the volume */
	const char *const *signatures; /* files of session sign */
	size_t signature_count;
	const char *action, *hash; /* of sign; NULL: "put" */
	uint64_t after; /* upload --sign with a hash: how often it was uploaded */
	bool take_over; /* volume: end the lease of whoever writes to it, first */
	bool sign; /* volume, upload: sign the handing over, and send nothing */
	const char *keep; /* of volume, where two have written: "mine", "cas"; NULL: it is refused then */
};

/* What each of them begins with. */
struct session_cas {
	struct mem_pool *pool;
	struct context context;
	struct cas_client *client;
};
/* Its memory, and crypto_init; session_cas_open does it where it was not done. */
int session_cas_prepare(struct session_cas *r, struct error *err) must_check;
/* In secret memory where there is any: sessions hold secrets. The CAS is compared with what was seen before.
 * Zeroed before, and done also when it fails; the pool stays OpenSSL's until the process ends. */
int session_cas_open(struct session_cas *r, struct error *err) must_check;
void session_cas_done(struct session_cas *r);
#define cleanup_session_cas cleanup_with(session_cas_done)

/* "cella-signatures: ..." of the files that were given, with a zero byte; nothing where there are none. */
int session_signatures(const struct session_remote *c, struct buf *ret_header, struct error *err) must_check;
/* Prints this owner's signature under it; which CAS it is for is filled in. */
struct signature_statement;
int session_sign(const struct session_remote *c, struct session_cas *r, struct signature_statement *statement,
                 struct error *err) must_check;
/* The session's hash, as --hash says; without it, from the CAS's list of those that this owner may read. */
int session_hash_of(const struct session_remote *c, struct session_cas *r, const char *session,
                    uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err) must_check;
/* FILE, or SESSION for other actions than put; sign.c */
int session_sign_command(const struct session_remote *c, struct error *err) must_check;

int session_create_command(const struct session_remote *c, struct error *err) must_check;  /* FILE */
int session_read_command(const struct session_remote *c, struct error *err) must_check;    /* SESSION */
int session_list_command(const struct session_remote *c, struct error *err) must_check;
int session_delete_command(const struct session_remote *c, struct error *err) must_check;  /* SESSION */
int session_explain_command(const struct session_remote *c,
                            struct error *err) must_check; /* SESSION/SERVICE, SESSION/SECRET */
/* NAMESPACE/NAME/SECRET FILE; upload.c */
int session_upload_command(const struct session_remote *c, struct error *err) must_check;
int session_volume_command(const struct session_remote *c,
                           struct error *err) must_check;  /* SESSION NAME [VOL]; volume.c */
/* FILE; asks no CAS; import.c */
int session_import_scone_command(const struct session_remote *c, struct error *err) must_check;

#endif
