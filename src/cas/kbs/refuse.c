/* Refusals: a number for the guest, and for the operator everything, in the log and among the last ones. */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/printable.h"
#include "cas/kbs/state.h"
#include "cas/network.h"
#include "cas/refusals.h"

int kbs_refusal_id(char ret_id[KBS_REFUSAL_ID_SIZE], struct error *err)
{
	uint8_t bytes[(KBS_REFUSAL_ID_SIZE - 1) / 2];
	int rc = crypto_random(bytes, sizeof(bytes), err);
	if (rc == 0)
		io_hex(bytes, sizeof(bytes), ret_id);
	return rc;
}

int kbs_refused(const char *id, struct error *err)
{
	return error_set(err, CELLA_EAUTH,
	                 "refused (%s): the owner of the resource, or the operator of the CAS, can see why",
	                 id);
}

int kbs_own_failure(int rc, struct error *err)
{
	const bool misread = rc == CELLA_EINVAL || rc == CELLA_EFORMAT || rc == CELLA_EUNSUPPORTED ||
	                     rc == CELLA_ENOENT || rc == CELLA_EAUTH;
	return misread ? error_prefix(err, CELLA_EIO, "the CAS fails a guest: ") : rc;
}

/* Of one caller the oldest goes where there are many, otherwise the oldest of all. */
static void make_room(struct kbs *kbs, const char *address)
{
	const uint64_t network = network_of(address);
	size_t own = 0, oldest = 0;
	for (size_t i = kbs->refusal_count; i-- > 0;)
		if (network_of(kbs->refusals[i].address) == network) {
			own++;
			oldest = i;
		}
	if (own < KBS_ADDRESS_REFUSALS_MAX && kbs->refusal_count < KBS_REFUSALS_MAX)
		return;
	const size_t at = own < KBS_ADDRESS_REFUSALS_MAX ? 0 : oldest;
	kbs->refusal_count--;
	memmove(&kbs->refusals[at], &kbs->refusals[at + 1],
	        (kbs->refusal_count - at) * sizeof(*kbs->refusals));
}

static void remember(struct kbs *kbs, const char *id, const char *address, const char *text)
{
	pthread_mutex_lock(&kbs->lock);
	make_room(kbs, address);
	struct kbs_refusal *to = &kbs->refusals[kbs->refusal_count++];
	*to = (struct kbs_refusal){.time_ns = cas_now_ns(kbs->cas)};
	snprintf(to->id, sizeof(to->id), "%s", id);
	snprintf(to->address, sizeof(to->address), "%s", address);
	snprintf(to->text, sizeof(to->text), "%s", text);
	pthread_mutex_unlock(&kbs->lock);
}

int kbs_refuse_attestation(struct kbs *kbs, const char *address, struct buf *reasons, json_t *what,
                           struct error *err)
{
	char id[KBS_REFUSAL_ID_SIZE], text[KBS_REASON_MAX];
	int rc = kbs_refusal_id(id, err);
	if (rc < 0) {
		json_decref(what);
		return rc;
	}
	snprintf(text, sizeof(text), "%.*s", (int)min_of(reasons->size, sizeof(text) - 1),
	         reasons->data ? (const char *)reasons->data : "");
	printable(text, strlen(text), true);
	json_object_set_new(what, "id", json_string(id));
	json_object_set_new(what, "refused", json_string(text));
	char *json = json_dumps(what, JSON_COMPACT);
	const struct refusal refusal = {.kind = AUDIT_REFUSED,
	                                .who = "",
	                                .address = address,
	                                .what = json,
	                                .words = text,
	                                .of = {"", ""}};
	rc = json && !reasons->failed ? cas_refuse(kbs->cas, &refusal, err)
	                              : error_set(err, CELLA_ENOMEM, "no memory for the audit log");
	free(json);
	json_decref(what);
	if (rc < 0)
		return rc;
	remember(kbs, id, address, text);
	return kbs_refused(id, err);
}

int kbs_refusals(struct kbs *kbs, const struct cas_requester *who, kbs_refusal_fn *fn, void *arg,
                 struct error *err)
{
	int rc = cas_demand_owner(kbs->cas, who, "see whose attestation was refused", err);
	pthread_mutex_lock(&kbs->lock);
	for (size_t i = kbs->refusal_count; rc == 0 && i-- > 0;)
		rc = fn(arg, &kbs->refusals[i], err);
	pthread_mutex_unlock(&kbs->lock);
	return rc;
}
