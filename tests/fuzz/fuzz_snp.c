/*
 * Do reports of SEV-SNP, certificates, CRLs, tables of them, policies and firmwares stay inside themselves?
 * Byte 0 says what follows: 'r' a report, with certificates behind it; 'p' a policy; 'f' the end of a
 * firmware.
 */
#include <stdlib.h>
#include <string.h>

#include "attest/snp/format.h"
#include "attest/snp/reference.h"
#include "attest/tee.h"
#include "crypto/crypto.h"
#include "fuzz_verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TIME = 1750000000 };

static void look_at(const struct tee_verdict *v)
{
	verdict_is_sound(v);
	if (tee_accepted(v) != (v->failed_count == 0 && v->check_count > 0))
		abort();
}

static void report(const uint8_t *data, size_t size)
{
	const size_t report_size = size < SNP_REPORT_SIZE ? size : SNP_REPORT_SIZE;
	const struct tee_blob certs = {data + report_size, size - report_size, "certs"};
	struct tee_verdict shown = {0}, first = {0}, again = {0};
	struct tee_chains *chains;
	struct tee_input input = {
		.kind = TEE_SNP,
		.evidence = {data, report_size, "report"},
		.certs = &certs,
		.cert_count = certs.size > 0,
		.time = TIME,
	};
	if (tee_chains_new(1, &chains, NULL) < 0)
		abort();
	input.chains = chains;
	const int rc = tee_verify(&input, &first, NULL);
	if (rc == 0) {
		look_at(&first);
		if (tee_verify(&input, &again, NULL) != 0 || again.failed_count != first.failed_count ||
		    again.check_count != first.check_count)
			abort(); /* what is remembered says the same */
	}
	input.chains = NULL;
	if ((tee_show(&input, &shown, NULL) == 0) != (rc == 0) || shown.claim_count != first.claim_count)
		abort();
	tee_verdict_done(&shown);
	tee_verdict_done(&first);
	tee_verdict_done(&again);
	tee_chains_free(chains);
}

/* At the end of a page, or two; what is before it is zero. */
static void firmware(const uint8_t *data, size_t size)
{
	const size_t whole = align_up(size + 1, (size_t)4096);
	uint8_t measurement[SNP_MEASUREMENT_SIZE];
	uint8_t *image = calloc(1, whole);
	if (!image)
		abort();
	memcpy(image + whole - size, data, size);
	struct reference_snp r = {.firmware = {image, whole, "firmware"}, .cpus = 2};
	(void)!reference_snp(&r, measurement, NULL);
	r.kernel = (struct tee_blob){"kernel", 6, "kernel"};
	r.command_line = "quiet";
	(void)!reference_snp(&r, measurement, NULL);
	free(image);
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
	if (data[0] == 'p' && tee_policy_read(TEE_SNP, data + 1, size - 1, &policy, NULL) == 0)
		tee_policy_free(policy);
	if (data[0] == 'f')
		firmware(data + 1, size - 1);
	if (data[0] == 'r')
		report(data + 1, size - 1);
	return 0;
}
