/*
 * cella evidence challenge and answer: is a TPM's attestation key in the TPM whose endorsement key is
 * certified? The verifier's half, and the machine's (attest/tpm/credential.h).
 */
#include <stdio.h>

#include "attest/driver/tpm.h"
#include "attest/tpm/tpm.h"
#include "base/io.h"
#include "cli/evidence/verb.h"

enum { CHALLENGE_MAX = 8192, CHALLENGE_MODE = 0644 };

static int make(const struct tpm_evidence *evidence, const uint8_t secret[TPM_CREDENTIAL_SECRET_SIZE],
                const char *path, struct error *err)
{
	cleanup_buf struct buf file = {0};
	struct tpm_credential credential = {0};
	const struct tpm_bytes *ek = &evidence->parts.ek_public;
	int rc = tpm_make_credential(ek->data, ek->size, &evidence->ak.name, secret,
	                             TPM_CREDENTIAL_SECRET_SIZE, &credential, err);
	if (rc < 0)
		return rc;
	tpm_credential_write(&credential, &file);
	tpm_credential_done(&credential);
	if (file.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a challenge");
	return io_write_file(path, file.data, file.size, CHALLENGE_MODE, err);
}

static int write_challenge(const struct tee_input *input, const char *path, struct error *err)
{
	struct tpm_evidence evidence;
	uint8_t secret[TPM_CREDENTIAL_SECRET_SIZE];
	char hex[2 * TPM_NAME_MAX + 1];
	int rc = tpm_evidence_read(input->evidence.data, input->evidence.size, &evidence, err);
	if (rc == 0)
		rc = crypto_random(secret, sizeof(secret), err);
	if (rc == 0)
		rc = make(&evidence, secret, path, err);
	if (rc < 0)
		return rc;
	io_hex(secret, sizeof(secret), hex);
	printf("the answer must be  %s\n", hex);
	io_hex(evidence.ak.name.bytes, evidence.ak.name.size, hex);
	printf("ak_names, if it is  %s\n", hex);
	mem_wipe(secret, sizeof(secret));
	return 0;
}

int evidence_challenge(const struct evidence_options *o, const struct tee_input *input, struct tee_verdict *v,
                       struct error *err)
{
	if (input->kind != TEE_TPM)
		return error_set(err, CELLA_EINVAL, "challenge is for evidence of a TPM: --tee tpm");
	if (!o->out)
		return error_set(err, CELLA_EINVAL, "--out is missing: the file that the challenge goes to");
	int rc = tpm_verify_enrolment(input, v, err);
	if (rc < 0)
		return rc;
	evidence_print_verdict(input, v);
	return tee_accepted(v) ? write_challenge(input, o->out, err) : 0;
}

int evidence_answer(const struct evidence_options *o, struct error *err)
{
	cleanup_buf struct buf file = {0}, secret = {0};
	struct tpm_credential credential = {0};
	char hex[2 * CRYPTO_HASH_MAX + 1];
	if (!o->evidence)
		return error_set(err, CELLA_EINVAL, "--evidence is missing: the challenge");
	int rc = io_read_file(o->evidence, CHALLENGE_MAX, &file, err);
	if (rc == 0)
		rc = tpm_credential_read(file.data, file.size, &credential, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", o->evidence);
	rc = driver_tpm_activate(&credential, &secret, err);
	tpm_credential_done(&credential);
	if (rc < 0)
		return rc;
	if (secret.size > CRYPTO_HASH_MAX)
		return error_set(err, CELLA_EIO, "the TPM gave a secret of %zu bytes", secret.size);
	io_hex(secret.data, secret.size, hex);
	printf("%s\n", hex);
	mem_wipe(secret.data, secret.size);
	return 0;
}
