/* The commands of cella session that talk to the current CAS. */
#ifndef CLI_SESSION_REMOTE_H
#define CLI_SESSION_REMOTE_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cas_client.h"

struct session_remote {
	const char *const *operands;
	int count;
	bool json;
	const char *volume_key, *volume_root; /* files; NULL: beside the volume */
};

/* What each of them begins with. */
struct session_cas {
	struct mem_pool *pool;
	struct context context;
	struct cas_client *client;
};
/* In secret memory where there is any: sessions hold secrets. The CAS is compared with what was seen before.
 * Zeroed before, and done also when it fails; the pool stays OpenSSL's until the process ends. */
int session_cas_open(struct session_cas *r, struct error *err) must_check;
void session_cas_done(struct session_cas *r);
#define cleanup_session_cas cleanup_with(session_cas_done)

int session_create_command(const struct session_remote *c, struct error *err) must_check;  /* FILE */
int session_read_command(const struct session_remote *c, struct error *err) must_check;    /* SESSION */
int session_list_command(const struct session_remote *c, struct error *err) must_check;
int session_delete_command(const struct session_remote *c, struct error *err) must_check;  /* SESSION */
int session_explain_command(const struct session_remote *c,
                            struct error *err) must_check; /* SESSION/SERVICE */
int session_volume_command(const struct session_remote *c,
                           struct error *err) must_check;  /* SESSION NAME VOL; session_volume.c */

#endif
