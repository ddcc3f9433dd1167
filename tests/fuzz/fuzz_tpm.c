/*
 * Do evidence of TPMs and of Azure's machines, certificates, boot logs, IMA logs, policies and public areas
 * stay inside themselves? Byte 0 says what follows: 'e' evidence, a boot log, an IMA log and certificates,
 * each of the first three behind its size; 'a' an answer of cella-tpm; 'c' a credential; 'h' evidence of
 * Azure's; 'i' an IMA log; 'k' a public area, for a credential; 'l' a list of files; 'p' a policy.
 * build/tests/unit/tpm_seeds DIRECTORY makes the seeds.
 */
#include <stdlib.h>
#include <string.h>

#include "attest/tee.h"
#include "attest/tpm/answer_format.h"
#include "attest/tpm/credential.h"
#include "attest/tpm/ima_list.h"
#include "attest/tpm/ima_log.h"
#include "fuzz_verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TIME = 1750000000 };

static void look_at(const struct tee_verdict *v)
{
	verdict_is_sound(v);
	if (tee_accepted(v) || v->check_count == 0)
		abort(); /* without a policy nobody's key is believed */
}

static void evidence(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);
	struct tee_blob blobs[3], certs = {.name = "certs"};
	struct tee_verdict verdict = {0}, shown = {0};
	for (size_t i = 0; i < 3; i++)
		blobs[i].data = reader_blob(&r, &blobs[i].size), blobs[i].name = "blob";
	certs.size = reader_left(&r);
	certs.data = reader_bytes(&r, certs.size);
	if (r.failed)
		return;
	const struct tee_input input = {
		.kind = TEE_TPM,
		.evidence = blobs[0],
		.certs = &certs,
		.cert_count = certs.size > 0,
		.event_logs = blobs + 1,
		.event_log_count = (blobs[1].size > 0) + (blobs[2].size > 0),
		.report_data = (const uint8_t *)"nonce",
		.report_data_size = 5,
		.time = TIME,
	};
	if (tee_verify(&input, &verdict, NULL) == 0)
		look_at(&verdict);
	(void)!tee_show(&input, &shown, NULL);
	tee_verdict_done(&verdict);
	tee_verdict_done(&shown);
}

static void ima(const uint8_t *data, size_t size)
{
	struct ima_log log;
	struct ima_entry entry;
	size_t count = 0, length = 0;
	ima_log_open(data, size, &log);
	while (ima_log_next(&log, &entry, NULL) > 0) {
		uint8_t value[CRYPTO_HASH_MAX] = {0};
		length += strlen(entry.path) + entry.size;
		if (++count != log.count || ima_extend(&entry, CRYPTO_SHA256, value, NULL) < 0 ||
		    (entry.hash >= 0 && crypto_equal(entry.digest, value, 1) && length == 0))
			abort();
	}
	ima_log_done(&log);
}

static void list(const uint8_t *data, size_t size)
{
	struct buf digests = {0};
	const struct tee_blob blob = {data, size, "list"};
	const bool is = ima_list_is(data, size);
	const int rc = ima_list_read(&blob, &digests, NULL);
	if (rc == 0 && (is != (size > 0) || is != (digests.size > 0) || digests.size > size / 2))
		abort();
	buf_done(&digests);
}

static void key(const uint8_t *data, size_t size)
{
	struct tpm_public public;
	struct tpm_credential credential = {0};
	if (tpm_public_read(data, size, &public, NULL) < 0)
		return;
	if (tpm_make_credential(data, size, &public.name, "a secret", 8, &credential, NULL) == 0 &&
	    (credential.blob.size == 0 || credential.secret.size == 0))
		abort();
	tpm_credential_done(&credential);
}

static void azure(const uint8_t *data, size_t size)
{
	struct tee_verdict verdict = {0}, shown = {0};
	const struct tee_input input = {.kind = TEE_AZURE,
	                                .evidence = {data, size, "evidence"},
	                                .time = TIME};
	const int rc = tee_verify(&input, &verdict, NULL);
	if (rc == 0)
		look_at(&verdict);
	if (tee_show(&input, &shown, NULL) != 0 && rc == 0)
		abort(); /* the other way there may be a signature that is none */
	tee_verdict_done(&verdict);
	tee_verdict_done(&shown);
}

static void answer(const uint8_t *data, size_t size)
{
	struct tpm_answer read, again;
	struct buf bytes = {0};
	if (tpm_answer_read(data, size, &read, NULL) < 0)
		return;
	tpm_answer_write(&read, &bytes);
	if (tpm_answer_read(bytes.data, bytes.size, &again, NULL) < 0 || again.code != read.code ||
	    again.count != read.count || bytes.size != size)
		abort();
	buf_done(&bytes);
}

static void credential(const uint8_t *data, size_t size)
{
	struct tpm_credential read;
	struct buf bytes = {0};
	if (tpm_credential_read(data, size, &read, NULL) < 0)
		return;
	tpm_credential_write(&read, &bytes);
	if (bytes.size != size || !crypto_equal(bytes.data, data, size))
		abort();
	buf_done(&bytes);
	tpm_credential_done(&read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct tee_policy *policy;
	if (!started && crypto_init(NULL, NULL) < 0)
		abort();
	started = true;
	if (size == 0)
		return -1;
	if (data[0] == 'p' && tee_policy_read(TEE_TPM, data + 1, size - 1, &policy, NULL) == 0)
		tee_policy_free(policy);
	if (data[0] == 'e')
		evidence(data + 1, size - 1);
	if (data[0] == 'a')
		answer(data + 1, size - 1);
	if (data[0] == 'c')
		credential(data + 1, size - 1);
	if (data[0] == 'h')
		azure(data + 1, size - 1);
	if (data[0] == 'i')
		ima(data + 1, size - 1);
	if (data[0] == 'l')
		list(data + 1, size - 1);
	if (data[0] == 'k')
		key(data + 1, size - 1);
	return 0;
}
