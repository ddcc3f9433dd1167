/* An entry of the audit log as JSON. */
#ifndef CAS_AUDIT_JSON_H
#define CAS_AUDIT_JSON_H

#include <jansson.h>

#include "cas/audit/format.h"

/* {"number", "epoch", "time" (seconds since 1970), "kind", "who", "what": an object}. NULL where memory ran
 * out, or `what` is no JSON. */
json_t *audit_entry_json(const struct audit_entry *e);

#endif
