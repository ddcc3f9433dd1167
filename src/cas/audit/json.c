#include "cas/audit/json.h"

json_t *audit_entry_json(const struct audit_entry *e)
{
	json_t *what = json_loadb(e->what, e->what_size, JSON_REJECT_DUPLICATES, NULL);
	if (!what)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:s, s:s%, s:o}", "number", (json_int_t)e->number, "epoch",
	                 (json_int_t)e->epoch, "time", (json_int_t)(e->time_ns / 1000000000u), "kind",
	                 audit_kind_name(e->kind), "who", e->who, e->who_size, "what", what);
}
