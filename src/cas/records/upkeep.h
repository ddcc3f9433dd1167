/*
 * What is done to a CAS that is not running, by whoever runs it: its audit log is looked at, a backup is made
 * or put back, its keys are renewed. It opens with what seals it, as the CAS itself does.
 */
#ifndef CAS_UPKEEP_H
#define CAS_UPKEEP_H

#include "cas/records/records.h"

struct upkeep {
	const char *task; /* "audit", "audit-list", "audit-verify", "backup", "reseal", "restore", "rotate" */
	const char *file; /* of a backup */
	const char *session; /* audit-list: the entries of this one alone; NULL: all */
	uint64_t since_ns; /* audit-list: and since then */
	bool json; /* audit-list */
	struct vault_sealing sealing; /* reseal: the new one; a key file that is not there is made */
	uint64_t epoch; /* restore: the new epoch at least; 0: one more than the backup's */
	struct records_config records; /* directory, pool, sealing, insecure_older */
};

/* Says on standard output what was found or done. CELLA_EINVAL: there is no such task, or it wants a file. */
int upkeep_run(const struct upkeep *u, struct error *err) must_check;

#endif
