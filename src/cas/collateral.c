#include "cas/collateral.h"

#include <stdio.h>
#include <string.h>

#include "attest/claims.h"
#include "attest/dcap/collateral_format.h"
#include "attest/tpm/ima_list.h"
#include "base/cleanup.h"
#include "cas/machines.h"
#include "cas/service_state.h"
#include "crypto/vendor_cert.h"

/* ---- reading it */

static void note_end(int64_t end, int64_t *first)
{
	*first = min_of(*first, end);
}

static void note_certs(const struct vendor_certs *set, size_t certs, size_t crls, int64_t *first)
{
	for (size_t i = certs; i < set->count; i++)
		note_end(vendor_cert_facts(set->certs[i])->not_after, first);
	for (size_t i = crls; i < set->crl_count; i++)
		note_end(vendor_crl_facts(set->crls[i])->next_update, first);
}

static int read_documents(const struct collateral_file *file, int64_t *first, struct error *err)
{
	struct tcb_info info;
	struct qe_identity identity;
	int rc = 0;
	if (file->tcb_info.bytes) {
		rc = tcb_info_read(file->tcb_info.bytes, file->tcb_info.size, &info, err);
		if (rc == 0) {
			note_end(info.next_update, first);
			tcb_info_done(&info);
		}
	}
	if (rc == 0 && file->qe_identity.bytes) {
		rc = qe_identity_read(file->qe_identity.bytes, file->qe_identity.size, &identity, err);
		if (rc == 0) {
			note_end(identity.next_update, first);
			qe_identity_done(&identity);
		}
	}
	return rc;
}

static int read_json(const struct tee_blob *blob, struct vendor_certs *set, int64_t *first, struct error *err)
{
	struct collateral_file file = {0};
	int rc = collateral_file_read(blob->data, blob->size, &file, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < file.cert_count; i++)
		rc = vendor_certs_add(set, file.certs[i], strlen(file.certs[i]), err);
	if (rc == 0)
		rc = read_documents(&file, first, err);
	collateral_file_done(&file);
	return rc;
}

static int read_list(const struct tee_blob *blob, struct error *err)
{
	cleanup_buf struct buf digests = {0};
	return ima_list_read(blob, &digests, err);
}

/* *ret_first: the first end in it. */
static int read_one(enum tee_kind kind, const struct tee_blob *blob, struct vendor_certs *set,
                    int64_t *ret_first, struct error *err)
{
	const size_t certs = set->count, crls = set->crl_count;
	const bool has_documents = kind == TEE_TDX || kind == TEE_SGX || kind == TEE_AZURE;
	const bool has_lists = kind == TEE_TPM || kind == TEE_AZURE;
	int64_t first = INT64_MAX;
	if (has_lists && ima_list_is(blob->data, blob->size)) {
		*ret_first = first;
		return read_list(blob, err);
	}
	int rc = has_documents && collateral_is_json(blob->data, blob->size)
	                 ? read_json(blob, set, &first, err)
	                 : vendor_certs_add(set, blob->data, blob->size, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", blob->name);
	note_certs(set, certs, crls, &first);
	*ret_first = first;
	return 0;
}

/* All that there is, and one more: can it be read, together? */
static int read_with(const struct collateral_set *there, enum tee_kind kind, const struct tee_blob *more,
                     int64_t *ret_ends, struct error *err)
{
	struct vendor_certs set = {0};
	int64_t ignored;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < there->count; i++)
		rc = read_one(kind, &there->blobs[i], &set, &ignored, err);
	if (rc == 0)
		rc = read_one(kind, more, &set, ret_ends, err);
	if (rc == 0 && (set.count > COLLATERAL_CERTIFICATES_MAX || set.crl_count > COLLATERAL_CRLS_MAX ||
	                there->count == COLLATERAL_FILES_MAX))
		rc = error_set(
			err, CELLA_ELIMIT,
			"collateral of one kind has %d files, %d certificates and %d CRLs at most: remove "
			"what has ended; certificates of single processors may come from the nodes",
			COLLATERAL_FILES_MAX, COLLATERAL_CERTIFICATES_MAX, COLLATERAL_CRLS_MAX);
	vendor_certs_done(&set);
	return rc;
}

/* ---- in the records */

struct listing {
	struct records *records;
	int (*fn)(struct listing *l, const struct cas_collateral *c, const struct records_collateral *held,
	          struct error *err);
	cas_collateral_fn *told;
	void *arg;
};

static int list_one(void *arg, const void *id, size_t id_size, uint64_t revision not_used, struct error *err)
{
	struct listing *l = arg;
	const uint8_t *bytes = id;
	struct records_collateral held = {0};
	struct cas_collateral c;
	if (id_size != 1 + sizeof(c.hash) || !tee_kind_of((enum tee_kind)bytes[0]))
		return error_set(err, CELLA_EFORMAT, "collateral in the records is of no known kind");
	memcpy(c.hash, bytes + 1, sizeof(c.hash));
	c.kind = (enum tee_kind)bytes[0];
	int rc = records_collateral_get(l->records, bytes[0], c.hash, &held, err);
	if (rc < 0)
		return rc;
	c.label = held.label;
	c.since_ns = held.since_ns;
	c.ends = held.ends;
	rc = l->fn(l, &c, &held, err);
	records_collateral_done(&held);
	return rc;
}

static int load_one(struct listing *l, const struct cas_collateral *c not_used,
                    const struct records_collateral *held, struct error *err)
{
	struct collateral_set *set = l->arg;
	if (set->count == COLLATERAL_FILES_MAX)
		return error_set(err, CELLA_EBUG, "more than %d files of collateral", COLLATERAL_FILES_MAX);
	struct buf *bytes = &set->bytes[set->count];
	buf_put(bytes, held->data, held->size);
	if (bytes->failed) {
		buf_done(bytes);
		return error_set(err, CELLA_ENOMEM, "no memory for collateral");
	}
	set->blobs[set->count++] = (struct tee_blob){bytes->data, bytes->size, "collateral"};
	return 0;
}

static int load(struct records *r, enum tee_kind kind, struct collateral_set *set, struct error *err)
{
	const uint8_t prefix = (uint8_t)kind;
	struct listing l = {.records = r, .fn = load_one, .arg = set};
	int rc = records_list(r, RECORDS_COLLATERAL, &prefix, 1, list_one, &l, err);
	if (rc < 0)
		collateral_set_done(set);
	else
		set->loaded = true;
	return rc;
}

int collateral_set_load(struct cas *cas, enum tee_kind kind, struct collateral_set *set, struct error *err)
{
	if (set->loaded)
		return 0;
	int rc = load(cas_records_lock(cas), kind, set, err);
	cas_records_unlock(cas);
	return rc;
}

void collateral_set_done(struct collateral_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		buf_done(&set->bytes[i]);
	*set = (struct collateral_set){0};
}

/* ---- what owners do */

struct collateral_change {
	enum tee_kind kind;
	struct records_collateral collateral;
	uint8_t hash[CRYPTO_SHA384_SIZE];
};

/* What lies there is read in the same step, so that two owners together stay within the limits. */
static int add(const struct cas_act *act, struct records *r, struct error *err)
{
	struct collateral_change *c = act->arg;
	struct collateral_set there = {0};
	const struct tee_blob more = {c->collateral.data, c->collateral.size, c->collateral.label};
	int rc = load(r, c->kind, &there, err);
	if (rc == 0)
		rc = read_with(&there, c->kind, &more, &c->collateral.ends, err);
	collateral_set_done(&there);
	return rc == 0 ? records_collateral_add(r, (uint8_t)c->kind, &c->collateral, c->hash, err) : rc;
}

static int remove_it(const struct cas_act *act, struct records *r, struct error *err)
{
	const struct collateral_change *c = act->arg;
	return records_collateral_remove(r, (uint8_t)c->kind, c->hash, err);
}

static int change(struct cas *cas, const struct cas_requester *who, enum audit_kind kind,
                  struct collateral_change *c,
                  int (*make)(const struct cas_act *act, struct records *r, struct error *err),
                  struct error *err)
{
	json_t *what = json_pack("{s:s, s:o}", "tee", tee_kind_of(c->kind)->name, "sha384",
	                         claims_hex(c->hash, sizeof(c->hash)));
	if (what && *c->collateral.label)
		json_object_set_new(what, "label", json_string(c->collateral.label));
	int rc = cas_do_act(cas, who, kind, what, make, c, err);
	if (rc == 0)
		machines_forget(cas->machines);
	return rc;
}

int cas_collateral_add(struct cas *cas, const struct cas_requester *who, enum tee_kind kind,
                       const char *label, const void *data, size_t size, int64_t *ret_ends, struct error *err)
{
	struct collateral_change c = {.kind = kind,
	                              .collateral = {.since_ns = cas_now_ns(cas),
	                                             .data = data,
	                                             .size = size}};
	int rc = cas_demand_owner(cas, who, "add collateral", err);
	if (rc == 0)
		rc = crypto_sha384(data, size, c.hash, err);
	if (rc < 0)
		return rc;
	snprintf(c.collateral.label, sizeof(c.collateral.label), "%s", label);
	rc = change(cas, who, AUDIT_COLLATERAL_ADDED, &c, add, err);
	if (rc == 0)
		*ret_ends = c.collateral.ends;
	return rc;
}

int cas_collateral_remove(struct cas *cas, const struct cas_requester *who, enum tee_kind kind,
                          const uint8_t hash[CRYPTO_SHA384_SIZE], struct error *err)
{
	struct collateral_change c = {.kind = kind};
	int rc = cas_demand_owner(cas, who, "remove collateral", err);
	if (rc < 0)
		return rc;
	memcpy(c.hash, hash, sizeof(c.hash));
	return change(cas, who, AUDIT_COLLATERAL_REMOVED, &c, remove_it, err);
}

static int tell_one(struct listing *l, const struct cas_collateral *c,
                    const struct records_collateral *held not_used, struct error *err)
{
	return l->told(l->arg, c, err);
}

int cas_collateral_list(struct cas *cas, const struct cas_requester *who, cas_collateral_fn *fn, void *arg,
                        struct error *err)
{
	int rc = cas_demand_owner(cas, who, "list collateral", err);
	if (rc < 0)
		return rc;
	struct listing l = {.records = cas_records_lock(cas), .fn = tell_one, .told = fn, .arg = arg};
	rc = records_list(l.records, RECORDS_COLLATERAL, "", 0, list_one, &l, err);
	cas_records_unlock(cas);
	return rc;
}

static int note_kind(struct listing *l, const struct cas_collateral *c,
                     const struct records_collateral *held not_used, struct error *err not_used)
{
	int64_t *ends = l->arg;
	note_end(c->ends, &ends[c->kind]);
	return 0;
}

int cas_collateral_ends(struct cas *cas, int64_t ret_ends[TEE_KINDS], struct error *err)
{
	int64_t ends[TEE_KINDS];
	struct listing l = {.records = cas_records_lock(cas), .fn = note_kind, .arg = ends};
	for (size_t i = 0; i < TEE_KINDS; i++)
		ends[i] = INT64_MAX;
	int rc = records_list(l.records, RECORDS_COLLATERAL, "", 0, list_one, &l, err);
	cas_records_unlock(cas);
	if (rc == 0)
		memcpy(ret_ends, ends, sizeof(ends));
	return rc;
}
