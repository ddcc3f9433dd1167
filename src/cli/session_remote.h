/* The commands of cella session that talk to the current CAS. */
#ifndef CLI_SESSION_REMOTE_H
#define CLI_SESSION_REMOTE_H

#include <stdbool.h>

#include "base/error.h"

struct session_remote {
	const char *const *operands;
	int count;
	bool json;
	const char *volume_key, *volume_root; /* files; NULL: beside the volume */
};

int session_create_command(const struct session_remote *c, struct error *err) must_check;  /* FILE */
int session_read_command(const struct session_remote *c, struct error *err) must_check;    /* SESSION */
int session_list_command(const struct session_remote *c, struct error *err) must_check;
int session_delete_command(const struct session_remote *c, struct error *err) must_check;  /* SESSION */
int session_explain_command(const struct session_remote *c,
                            struct error *err) must_check; /* SESSION/SERVICE */
int session_volume_command(const struct session_remote *c,
                           struct error *err) must_check;  /* SESSION NAME VOL */

#endif
