/* Writes the seeds of fuzz/tpm: tpm_seeds DIRECTORY. */
#include <stdio.h>
#include <string.h>

#include "attest/tpm/answer_format.h"
#include "azure_support.h"
#include "base/cleanup.h"
#include "base/io.h"

static int put(const char *directory, const char *name, char kind, const struct buf *body)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	cleanup_fclose FILE *file = fopen(path, "w");
	if (!file || fputc(kind, file) == EOF || fwrite(body->data, 1, body->size, file) != body->size) {
		fprintf(stderr, "tpm_seeds: cannot write %s\n", path);
		return 1;
	}
	return 0;
}

static int evidence(const char *directory, const char *name, const struct soft_shape *shape, bool text)
{
	struct soft_files f;
	cleanup_buf struct buf all = {0};
	soft_make(shape, &f);
	const struct buf *ima = text ? &f.ima_text : &f.ima_binary;
	buf_put_blob(&all, f.evidence.data, f.evidence.size);
	buf_put_blob(&all, f.boot_log.data, f.boot_log.size);
	buf_put_blob(&all, ima->data, ima->size);
	buf_put(&all, f.ak_cert.data, f.ak_cert.size);
	int status = put(directory, name, 'e', &all);
	if (shape->kind == SOFT_P256)
		status |= put(directory, "ima_binary", 'i', &f.ima_binary) |
		          put(directory, "ima_text", 'i', &f.ima_text) | put(directory, "list", 'l', &f.list);
	soft_done(&f);
	return status;
}

/* A credential for that key, and an answer that has it. */
static int messages(const char *directory, const struct buf *ek)
{
	struct tpm_public public;
	struct tpm_credential credential = {0};
	cleanup_buf struct buf file = {0}, said = {0};
	if (tpm_public_read(ek->data, ek->size, &public, NULL) < 0 ||
	    tpm_make_credential(ek->data, ek->size, &public.name, "a secret", 8, &credential, NULL) < 0)
		return 1;
	tpm_credential_write(&credential, &file);
	tpm_credential_done(&credential);
	const struct tpm_answer answer = {.count = 2,
	                                  .blobs = {{file.data, file.size}, {ek->data, ek->size}}};
	tpm_answer_write(&answer, &said);
	return put(directory, "credential", 'c', &file) | put(directory, "answer", 'a', &said);
}

static int paravisors(const char *directory)
{
	int status = 0;
	for (int tdx = 0; tdx < 2; tdx++) {
		const struct paravisor_shape shape = paravisor_shape(tdx);
		struct paravisor p;
		paravisor_make(&shape, &p);
		status |= put(directory, tdx ? "azure_tdx" : "azure_snp", 'h', &p.evidence);
		paravisor_done(&p);
	}
	return status;
}

int main(int count, char **words)
{
	static const char *const names[] = {"rsassa", "rsapss", "p256", "p384"};
	static const char *const ek_names[] = {"ek_rsa", "ek_p256", "ek_p384"};
	static const char policy[] =
		"{\"ak_names\": [\"000b00\"], \"pcrs\": {\"7\": "
		"\"0000000000000000000000000000000000000000000000000000000000000000\"}, \"crl\": \"required\"}";
	cleanup_buf struct buf text = {0};
	int status = 0;
	if (count != 2 || crypto_init(NULL, NULL) < 0 || paravisor_start() < 0) {
		fprintf(stderr, "usage: tpm_seeds DIRECTORY\n");
		return 2;
	}
	for (enum soft_kind kind = 0; kind < SOFT_KINDS; kind++) {
		struct soft_shape shape = soft_shape(kind);
		shape.with_certification = kind == SOFT_P384;
		shape.bank = kind == SOFT_RSAPSS ? TPM_ALG_SHA384 : TPM_ALG_SHA256;
		status |= evidence(words[1], names[kind], &shape, kind == SOFT_RSASSA);
	}
	for (enum soft_ek ek = 0; ek < SOFT_EKS; ek++) {
		cleanup_buf struct buf public = {0};
		soft_ek_public(ek, &public);
		status |= put(words[1], ek_names[ek], 'k', &public);
		status |= messages(words[1], &public);
	}
	status |= paravisors(words[1]);
	buf_put(&text, policy, sizeof(policy) - 1);
	status |= put(words[1], "policy", 'p', &text);
	paravisor_stop();
	return status;
}
