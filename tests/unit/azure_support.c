#include "azure_support.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "attest/azure/format.h"
#include "attest/snp/format.h"
#include "base/base64url.h"
#include "base/io.h"
#include "tpm_soft.h"

enum { REPORT_TAIL = 64 }; /* the index is larger than what is in it */

static const char vm_id[] = "5E1F0F4A-0000-4000-8000-0123456789AB";

struct paravisor_shape paravisor_shape(bool is_tdx)
{
	return (struct paravisor_shape){.is_tdx = is_tdx,
	                                .hash = 1,
	                                .with_user_data = true,
	                                .tpm = soft_shape(SOFT_RSASSA)};
}

int paravisor_start(void)
{
	return soft_start() < 0 || maker_start() < 0 || dcap_start() < 0 ? -1 : 0;
}

void paravisor_stop(void)
{
	soft_stop();
	maker_stop();
	dcap_stop();
}

/* ---- the runtime data ---- */

static void put_number(const EVP_PKEY *key, struct buf *to)
{
	BIGNUM *n = NULL;
	uint8_t bytes[512];
	char text[700];
	must(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n));
	const size_t size = (size_t)BN_bn2bin(n, bytes);
	base64url_encode(bytes, size, text);
	buf_put(to, text, base64url_size(size));
	BN_free(n);
}

static void put_runtime(const struct paravisor_shape *s, const struct paravisor *p, struct buf *to)
{
	char hex[129];
	io_hex(p->report_data, sizeof(p->report_data), hex);
	buf_printf(
		to,
		"{\"keys\":[{\"kid\":\"HCLEkPub\",\"key_ops\":[\"encrypt\"],\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");
	put_number(soft_ek_keys[SOFT_EK_RSA], to);
	buf_printf(
		to,
		"\"},{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");
	put_number(s->flaw == PARAVISOR_OTHER_KEY ? soft_other_rsa : soft_ak_keys[SOFT_RSASSA], to);
	buf_printf(
		to,
		"\"}],\"vm-configuration\":{\"console-enabled\":true,\"secure-boot\":true,\"tpm-enabled\":true,"
		"\"vmUniqueId\":\"%s\"}",
		vm_id);
	buf_printf(to, s->with_user_data ? ",\"user-data\":\"%s\"}" : "}", hex);
}

static void hash_runtime(const struct paravisor_shape *s, const struct buf *runtime, uint8_t to[64])
{
	static const EVP_MD *(*const hashes[])(void) = {NULL, EVP_sha256, EVP_sha384, EVP_sha512};
	unsigned size;
	memset(to, 0, 64);
	must(EVP_Digest(runtime->data, runtime->size, to, &size, hashes[s->hash](), NULL) > 0);
	to[0] ^= s->flaw == PARAVISOR_OTHER_RUNTIME;
	to[63] ^= s->flaw == PARAVISOR_HASH_TAIL;
}

/* ---- the report ---- */

static uint32_t type_of(const struct paravisor_shape *s)
{
	return s->flaw == PARAVISOR_VBS              ? AZURE_VBS
	       : s->flaw == PARAVISOR_TRUSTED_LAUNCH ? AZURE_TRUSTED_LAUNCH
	       : s->is_tdx                           ? AZURE_TDX
	                                             : AZURE_SNP;
}

static void put_report(const struct paravisor_shape *s, const struct paravisor *p, const struct buf *runtime,
                       struct buf *to)
{
	static const uint8_t zeros[AZURE_REPORT_FIELD];
	buf_put(to, "HCLA", 4);
	buf_put_u32(to, 2);
	buf_put_u32(to, (uint32_t)(32 + AZURE_REPORT_FIELD + 20 + runtime->size));
	buf_put_u32(to, 2);
	buf_put(to, zeros, 16);
	if (s->is_tdx) /* a TDREPORT, which nobody but the processor can check */
		buf_put(to, zeros, AZURE_REPORT_FIELD);
	else
		buf_put(to, p->snp.report.data, AZURE_REPORT_FIELD);
	buf_put_u32(to, (uint32_t)(20 + runtime->size));
	buf_put_u32(to, 1);
	buf_put_u32(to, type_of(s));
	buf_put_u32(to, s->flaw == PARAVISOR_UNKNOWN_HASH ? 9 : s->hash);
	buf_put_u32(to, (uint32_t)runtime->size);
	buf_put(to, runtime->data, runtime->size);
	buf_put(to, zeros, REPORT_TAIL);
}

static void make_hardware(const struct paravisor_shape *s, const uint8_t report_data[64], struct paravisor *p)
{
	const struct maker_shape maker = maker_shape(SNP_MILAN, 3, false);
	struct dcap_shape dcap = dcap_shape(true, 4);
	if (s->is_tdx) {
		dcap.report_data = report_data;
		dcap_make(&dcap, &p->tdx);
		return;
	}
	maker_make(&maker, &p->snp);
	memcpy(p->snp.report.data + SNP_AT_REPORT_DATA, report_data, 64);
	p->snp.report.data[SNP_AT_VMPL] = s->vmpl;
	maker_sign(&p->snp);
}

static void set_input(struct paravisor *p)
{
	p->certs[0] = (struct tee_blob){p->snp.leaf.data, p->snp.leaf.size, "leaf"};
	p->certs[1] = (struct tee_blob){p->snp.ca.data, p->snp.ca.size, "ca"};
	p->certs[2] = (struct tee_blob){p->snp.root.data, p->snp.root.size, "root"};
	p->logs[0] = (struct tee_blob){p->tpm.boot_log.data, p->tpm.boot_log.size, "boot"};
	p->logs[1] = (struct tee_blob){p->tpm.ima_binary.data, p->tpm.ima_binary.size, "ima"};
	if (p->is_tdx)
		p->input = p->tdx.input;
	else
		p->input = (struct tee_input){.certs = p->certs,
		                              .cert_count = 3,
		                              .test_roots = &p->snp.pin,
		                              .test_root_count = 1,
		                              .time = MAKER_TIME};
	p->input.kind = TEE_AZURE;
	p->input.policy = NULL;
	p->input.evidence = (struct tee_blob){p->evidence.data, p->evidence.size, "evidence"};
	p->input.event_logs = p->logs;
	p->input.event_log_count = 2;
	p->input.report_data = p->report_data;
	p->input.report_data_size = sizeof(p->report_data);
}

void paravisor_make(const struct paravisor_shape *shape, struct paravisor *p)
{
	uint8_t report_data[64];
	struct buf runtime = {0};
	memset(p, 0, sizeof(*p));
	p->is_tdx = shape->is_tdx;
	soft_make(&shape->tpm, &p->tpm);
	memcpy(p->report_data, p->tpm.nonce, sizeof(p->tpm.nonce));
	put_runtime(shape, p, &runtime);
	hash_runtime(shape, &runtime, report_data);
	make_hardware(shape, report_data, p);
	put_report(shape, p, &runtime, &p->report);
	const struct azure_evidence evidence = {
		.report = {p->report.data, p->report.size},
		.quote = {p->tdx.quote.data, shape->flaw == PARAVISOR_NO_QUOTE ? 0 : p->tdx.quote.size},
		.tpm = {p->tpm.evidence.data, p->tpm.evidence.size},
	};
	azure_evidence_write(&evidence, &p->evidence);
	buf_done(&runtime);
	set_input(p);
}

void paravisor_done(struct paravisor *p)
{
	soft_done(&p->tpm);
	if (p->is_tdx)
		dcap_done(&p->tdx);
	else
		maker_done(&p->snp);
	buf_done(&p->report);
	buf_done(&p->evidence);
}
