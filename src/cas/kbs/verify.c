/* A guest's evidence, verified: by whatever policy, and as often as something is asked for. */
#include <string.h>

#include "attest/claims.h"
#include "cas/kbs/state.h"
#include "cas/machines.h"

int kbs_verify(struct kbs *kbs, const struct kbs_guest *guest, const struct tee_policy *policy,
               struct tee_verdict *ret_verdict, struct error *err)
{
	const struct kbs_evidence *e = &guest->attestation.evidence;
	struct tee_blob certs[KBS_CERTS_MAX];
	const struct tee_blob log = {e->event_log.data, e->event_log.size, NULL};
	for (size_t i = 0; i < e->cert_count; i++)
		certs[i] = (struct tee_blob){e->certs[i].data, e->certs[i].size, NULL};
	struct tee_input input = {.kind = guest->tee,
	                          .evidence = {e->report.data, e->report.size, NULL},
	                          .certs = certs,
	                          .cert_count = e->cert_count,
	                          .event_logs = &log,
	                          .event_log_count = e->event_log.size > 0,
	                          .report_data = guest->report_data,
	                          .report_data_size = guest->report_data_size,
	                          .policy = policy};
	memset(ret_verdict, 0, sizeof(*ret_verdict));
	return machines_evidence(kbs->cas, &input, ret_verdict, err);
}

void kbs_failures_print(const struct tee_verdict *verdict, const char *before, struct buf *ret)
{
	for (size_t i = 0; i < verdict->check_count; i++) {
		const struct tee_check *check = &verdict->checks[i];
		if (check->status == TEE_FAILED)
			buf_printf(ret, "%s%s: wanted %s, found %s\n", before, check->name, check->wanted,
			           check->found);
	}
}

json_t *kbs_describe(const struct kbs_guest *guest)
{
	const struct tee_kind_row *row = tee_kind_of(guest->tee);
	return json_pack("{s:s, s:s, s:o}", "guest", row ? row->name : "", "from", guest->address,
	                 "report_data", claims_hex(guest->report_data, guest->report_data_size));
}
