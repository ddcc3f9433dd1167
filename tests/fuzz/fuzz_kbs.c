/*
 * What confidential guests send: the first byte says which. Requests, attestations of every kind of evidence,
 * and headers of cookies are read or refused with a sentence; what is read holds all that is promised, and
 * its runtime data is JSON again.
 */
#include <stdlib.h>
#include <string.h>

#include "cas/kbs/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void try_request(const void *data, size_t size)
{
	struct kbs_request r = {0};
	struct error err = {0};
	int rc = kbs_request_read(data, size, &r, &err);
	demand(rc == 0 || rc == CELLA_EFORMAT || rc == CELLA_EUNSUPPORTED);
	demand((rc < 0) == (err.text[0] != 0));
	if (rc == 0)
		demand(r.version < KBS_VERSIONS && r.tee < TEE_KINDS && strlen(kbs_hash_name(r.hash)) == 6);
}

static void check_runtime(const struct kbs_attestation *a)
{
	json_t *json = json_loadb((const char *)a->runtime.data, a->runtime.size, JSON_REJECT_DUPLICATES,
	                          NULL);
	demand(json_is_object(json));
	demand(strcmp(json_string_value(json_object_get(json, "nonce")), "a nonce") == 0);
	demand(json_equal(json_object_get(json, "tee-pubkey"), a->key_json));
	json_decref(json);
}

static void try_attestation(enum tee_kind tee, const void *data, size_t size)
{
	struct kbs_attestation a;
	struct error err = {0};
	int rc = kbs_attestation_read(tee, "a nonce", data, size, &a, &err);
	demand(rc == 0 || rc == CELLA_EFORMAT || rc == CELLA_EUNSUPPORTED);
	demand((rc < 0) == (err.text[0] != 0));
	if (rc == 0) {
		demand(a.key && a.evidence.report.size > 0 && a.evidence.cert_count <= KBS_CERTS_MAX);
		check_runtime(&a);
	}
	kbs_attestation_done(&a);
}

static void try_cookie(const void *data, size_t size)
{
	static const uint8_t key[CRYPTO_KEY_SIZE] = {1};
	char *header = malloc(size + 1), cookie[KBS_COOKIE_SIZE];
	struct kbs_ticket ticket;
	demand(header != NULL);
	memcpy(header, data, size);
	header[size] = '\0';
	if (kbs_cookie_find(header, cookie)) {
		demand(strlen(cookie) < KBS_COOKIE_SIZE);
		demand(kbs_ticket_read(key, cookie, &ticket, NULL) == CELLA_EAUTH);
	}
	free(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	if (!ready)
		demand(crypto_init(NULL, NULL) == 0);
	ready = true;
	if (size == 0)
		return 0;
	switch (data[0] % 5) {
	case 0: try_request(data + 1, size - 1); break;
	case 1: try_attestation(TEE_SNP, data + 1, size - 1); break;
	case 2: try_attestation(TEE_TDX, data + 1, size - 1); break;
	case 3: try_attestation(TEE_SGX, data + 1, size - 1); break;
	default: try_cookie(data + 1, size - 1); break;
	}
	return 0;
}
