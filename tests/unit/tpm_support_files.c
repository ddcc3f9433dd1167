/* What a TPM of our own hands out: logs, a quote, certificates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "base/io.h"
#include "tpm_soft.h"

enum {
	TYPE_CRTM = 8,
	TYPE_IPL = 0xD,
	TYPE_APPLICATION = 0x80000003,
	TYPE_VARIABLE = 0x80000001,
	IMA_PCR = 10,
	NAME_ALG = 2, /* where it stands in a public area */
};

struct soft_shape soft_shape(enum soft_kind kind)
{
	return (struct soft_shape){
		.kind = kind,
		.attributes = TPM_FIXED_TPM | TPM_FIXED_PARENT | TPM_SENSITIVE_DATA_ORIGIN | TPM_RESTRICTED |
	                      TPM_SIGN | 1 << 6,
		.bank = TPM_ALG_SHA256,
		.pcrs = 0x7FF,
		.secure_boot = 1,
		.last_prefix = "sha256:",
		.not_after = SOFT_TIME + SOFT_YEAR,
	};
}

/* ---- PCRs and logs ---- */

static const EVP_MD *digest_of(uint16_t alg)
{
	return alg == TPM_ALG_SHA1     ? EVP_sha1()
	       : alg == TPM_ALG_SHA384 ? EVP_sha384()
	       : alg == TPM_ALG_SHA512 ? EVP_sha512()
	                               : EVP_sha256();
}

static size_t digest(uint16_t alg, const void *data, size_t size, uint8_t to[CRYPTO_HASH_MAX])
{
	unsigned length;
	must(EVP_Digest(data, size, to, &length, digest_of(alg), NULL) > 0);
	return length;
}

static void extend(struct soft_files *f, uint16_t alg, unsigned pcr, const uint8_t *with, size_t size)
{
	uint8_t both[2 * CRYPTO_HASH_MAX];
	memcpy(both, f->pcrs[pcr], size);
	memcpy(both + size, with, size);
	digest(alg, both, 2 * size, f->pcrs[pcr]);
}

static void put_header(struct buf *log)
{
	static const uint16_t algs[][2] = {{TPM_ALG_SHA256, 32}, {TPM_ALG_SHA384, 48}, {TPM_ALG_SHA512, 64}};
	static const uint8_t zeros[20];
	struct buf event = {0};
	buf_put(&event, "Spec ID Event03", 16);
	buf_put_u32(&event, 0);
	buf_put_u32(&event, 0x02000200);
	buf_put_u32(&event, array_count(algs));
	for (size_t i = 0; i < array_count(algs); i++) {
		buf_put_u16(&event, algs[i][0]);
		buf_put_u16(&event, algs[i][1]);
	}
	buf_put_u8(&event, 0);
	buf_put_u32(log, 0);
	buf_put_u32(log, EVENT_NO_ACTION);
	buf_put(log, zeros, sizeof(zeros));
	buf_put_blob(log, event.data, event.size);
	buf_done(&event);
}

/* The event says `text` and has the digests of `data`. */
static void put_event(const struct soft_shape *s, struct soft_files *f, unsigned pcr, uint32_t type,
                      const struct buf *text, const struct buf *data)
{
	static const uint16_t algs[] = {TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512};
	buf_put_u32(&f->boot_log, pcr);
	buf_put_u32(&f->boot_log, type);
	buf_put_u32(&f->boot_log, array_count(algs));
	for (size_t i = 0; i < array_count(algs); i++) {
		uint8_t value[CRYPTO_HASH_MAX];
		const size_t size = digest(algs[i], data->data, data->size, value);
		buf_put_u16(&f->boot_log, algs[i]);
		buf_put(&f->boot_log, value, size);
		if (algs[i] == s->bank)
			extend(f, s->bank, pcr, value, size);
	}
	buf_put_blob(&f->boot_log, text->data, text->size);
}

static void put_text(const struct soft_shape *s, struct soft_files *f, unsigned pcr, uint32_t type,
                     const char *text, size_t size)
{
	struct buf data = {0};
	buf_put(&data, text, size);
	put_event(s, f, pcr, type, &data, &data);
	buf_done(&data);
}

static void put_variable(int value, struct buf *to)
{
	static const uint8_t guid[16] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
	                                 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
	buf_put(to, guid, sizeof(guid));
	buf_put_u64(to, 10);
	buf_put_u64(to, 1);
	for (const char *c = "SecureBoot"; *c; c++)
		buf_put_u16(to, (uint16_t)*c);
	buf_put_u8(to, (uint8_t)value);
}

static void put_secure_boot(const struct soft_shape *s, struct soft_files *f)
{
	struct buf text = {0}, data = {0};
	if (s->secure_boot < 0)
		return;
	put_variable(s->secure_boot, &text);
	put_variable(s->secure_boot_lies ? 0 : s->secure_boot, &data);
	put_event(s, f, 7, TYPE_VARIABLE, &text, &data);
	buf_done(&text);
	buf_done(&data);
}

static void boot(const struct soft_shape *s, struct soft_files *f)
{
	for (unsigned pcr = 17; pcr <= 22; pcr++)
		memset(f->pcrs[pcr], 0xFF, CRYPTO_HASH_MAX);
	put_header(&f->boot_log);
	put_text(s, f, 0, TYPE_CRTM, "firmware 1", 10);
	if (!s->secure_boot_late)
		put_secure_boot(s, f);
	for (unsigned pcr = 0; pcr < 8; pcr++)
		put_text(s, f, pcr, EVENT_SEPARATOR, "\0\0\0", 4);
	if (s->secure_boot_late)
		put_secure_boot(s, f);
	put_text(s, f, 4, TYPE_APPLICATION, "a boot loader", 13);
	put_text(s, f, 8, TYPE_IPL, "root=/dev/vda", 13);
	put_text(s, f, 9, TYPE_IPL, "a kernel", 8);
}

static void measure(const struct soft_shape *s, struct soft_files *f, const char *path, const char *prefix,
                    const uint8_t *file, bool is_violation)
{
	const size_t prefix_size = strnlen(prefix, 20) + 1;
	struct buf data = {0};
	uint8_t stated[CRYPTO_HASH_MAX] = {0}, value[CRYPTO_HASH_MAX];
	char hex[2 * 32 + 1], stated_hex[41], line[300];
	uint8_t contents[32] = {0};
	if (!is_violation)
		memcpy(contents, file, sizeof(contents));
	buf_put_u32(&data, (uint32_t)prefix_size + 32);
	buf_put(&data, prefix, prefix_size);
	buf_put(&data, contents, 32);
	buf_put_u32(&data, (uint32_t)strnlen(path, 100) + 1);
	buf_put(&data, path, strnlen(path, 100) + 1);
	size_t size = digest(s->bank, data.data, data.size, value);
	if (is_violation)
		memset(value, 0xFF, sizeof(value));
	else
		digest(TPM_ALG_SHA1, data.data, data.size, stated);
	extend(f, s->bank, IMA_PCR, value, size);
	buf_put_u32(&f->ima_binary, IMA_PCR);
	buf_put(&f->ima_binary, stated, 20);
	buf_put_blob(&f->ima_binary, "ima-ng", 6);
	buf_put_blob(&f->ima_binary, data.data, data.size);
	io_hex(contents, 32, hex);
	io_hex(stated, 20, stated_hex);
	const int length = snprintf(line, sizeof(line), "10 %s ima-ng %s%s %s\n", stated_hex, prefix, hex,
	                            path);
	buf_put(&f->ima_text, line, (size_t)length);
	buf_done(&data);
}

static void run(const struct soft_shape *s, struct soft_files *f)
{
	static const char *const paths[SOFT_FILES] = {"/usr/lib/systemd/systemd", "/usr/bin/cella",
	                                              "/etc/motd"};
	uint8_t value[CRYPTO_HASH_MAX], all[10 * 32];
	char line[200], hex[65];
	for (size_t i = 0; i < 10; i++)
		memcpy(all + 32 * i, f->pcrs[i], 32);
	digest(TPM_ALG_SHA256, all, sizeof(all), value);
	measure(s, f, "boot_aggregate", "sha256:", value, false);
	for (size_t i = 0; i < SOFT_FILES; i++) {
		digest(TPM_ALG_SHA256, paths[i], strnlen(paths[i], 100), value);
		const bool is_last = i == SOFT_FILES - 1;
		measure(s, f, paths[i], is_last ? s->last_prefix : "sha256:", value, s->violation && is_last);
		io_hex(value, 32, hex);
		const int length = snprintf(line, sizeof(line), "%s  %s\n", hex, paths[i]);
		buf_put(&f->list, line, (size_t)length);
	}
	digest(TPM_ALG_SHA256, f->list.data, f->list.size, value);
	io_hex(value, 32, f->list_hash);
}

/* ---- attestations ---- */

static void put_attest(uint16_t type, uint32_t magic, const struct tpm_name *signer, const void *extra,
                       size_t extra_size, struct buf *to)
{
	tpm_put_u32(to, magic);
	tpm_put_u16(to, type);
	tpm_put_2b(to, signer->bytes, signer->size);
	tpm_put_2b(to, extra, extra_size);
	tpm_put_u32(to, 0);
	tpm_put_u32(to, 123456);
	tpm_put_u32(to, 7);
	tpm_put_u32(to, 2);
	buf_put_u8(to, 1);
	tpm_put_u32(to, 0x20240101);
	tpm_put_u32(to, 0x00120000);
}

static uint32_t magic_of(bool is_wrong)
{
	return is_wrong ? 0xFF544348 : 0xFF544347;
}

static void put_sha1_bank(struct buf *values, struct buf *to)
{
	static const uint8_t bits[] = {3, 1 << 3 | 1 << 7, 0, 0};
	tpm_put_u16(to, TPM_ALG_SHA1);
	buf_put(to, bits, sizeof(bits));
	for (int i = 0; i < 2 * 20; i++)
		buf_put_u8(values, (uint8_t)(i < 20 ? 3 : 7));
}

static void put_quote(const struct soft_shape *s, const struct soft_files *f, const struct tpm_name *signer,
                      struct buf *values, struct buf *to)
{
	uint8_t found[CRYPTO_HASH_MAX];
	const size_t size = (size_t)EVP_MD_get_size(digest_of(s->bank));
	put_attest(TPM_QUOTE, magic_of(s->flaw == SOFT_MAGIC), signer, f->nonce, sizeof(f->nonce), to);
	tpm_put_u32(to, s->two_banks ? 2 : 1);
	if (s->two_banks)
		put_sha1_bank(values, to);
	tpm_put_u16(to, s->bank);
	buf_put_u8(to, 3);
	for (size_t i = 0; i < 3; i++)
		buf_put_u8(to, (uint8_t)(s->pcrs >> (8 * i)));
	for (size_t i = 0; i < TPM_PCRS; i++)
		if (s->pcrs >> i & 1)
			buf_put(values, f->pcrs[i], size);
	const size_t length = digest(soft_hash_of(s->kind), values->data ? values->data : (const uint8_t *)"",
	                             values->size, found);
	found[0] ^= s->flaw == SOFT_DIGEST;
	tpm_put_2b(to, found, length);
}

static struct tpm_name name_of(const struct buf *public)
{
	struct tpm_public area;
	must(tpm_public_read(public->data, public->size, &area, NULL) == 0);
	return area.name;
}

/* Of a key in the endorsement hierarchy, below one other. */
static struct tpm_name qualified(const struct tpm_name *parent, const struct tpm_name *name)
{
	uint8_t bytes[2 * TPM_NAME_MAX] = {0x40, 0, 0, 0x0B};
	struct tpm_name result = *parent;
	memcpy(bytes + 4, parent->bytes, parent->size);
	digest((uint16_t)(parent->bytes[0] << 8 | parent->bytes[1]), bytes, 4 + parent->size,
	       result.bytes + 2);
	memcpy(bytes, result.bytes, result.size);
	memcpy(bytes + result.size, name->bytes, name->size);
	struct tpm_name last = *name;
	digest((uint16_t)(name->bytes[0] << 8 | name->bytes[1]), bytes, result.size + name->size,
	       last.bytes + 2);
	return last;
}

static void put_certification(const struct soft_shape *s, const struct tpm_name *ak,
                              const struct tpm_name *ak_qualified, struct buf *to, struct buf *signature)
{
	struct tpm_name name = *ak, where = *ak_qualified;
	name.bytes[5] ^= s->flaw == SOFT_CERTIFIES_ANOTHER;
	where.bytes[5] ^= s->flaw == SOFT_CERTIFIED_ELSEWHERE;
	put_attest(TPM_CERTIFY, magic_of(s->flaw == SOFT_CERTIFIED_MAGIC), ak, "", 0, to);
	tpm_put_2b(to, name.bytes, name.size);
	tpm_put_2b(to, where.bytes, where.size);
	soft_sign(s->flaw == SOFT_CERTIFIED_BY_ANOTHER ? soft_other_ec : soft_iak_key, TPM_ALG_ECDSA,
	          TPM_ALG_SHA256, to, signature);
}

static void sign_quote(const struct soft_shape *s, const struct buf *quote, struct buf *to)
{
	uint16_t scheme = soft_scheme_of(s->kind);
	EVP_PKEY *key = soft_ak_keys[s->kind];
	if (s->flaw == SOFT_BY_ANOTHER)
		key = scheme == TPM_ALG_ECDSA ? soft_other_ec : soft_other_rsa;
	if (s->flaw == SOFT_OTHER_SCHEME && scheme != TPM_ALG_ECDSA)
		scheme = scheme == TPM_ALG_RSASSA ? TPM_ALG_RSAPSS : TPM_ALG_RSASSA;
	soft_sign(key, scheme, soft_hash_of(s->kind), quote, to);
}

static size_t place_of(const struct buf *whole, const struct buf *part)
{
	const uint8_t *at = memmem(whole->data, whole->size, part->data, part->size);
	must(at);
	return (size_t)(at - whole->data);
}

static struct tpm_bytes bytes_of(const struct buf *b)
{
	return (struct tpm_bytes){b->data, b->size};
}

static void make_evidence(const struct soft_shape *s, struct soft_files *f)
{
	struct buf ak = {0}, ek = {0}, quote = {0}, signature = {0}, values = {0}, by = {0},
		   by_signature = {0};
	soft_ak_public(s->kind, s->attributes, &ak);
	soft_ek_public(SOFT_EK_RSA, &ek);
	if (s->flaw == SOFT_WEAK_NAME)
		ak.data[NAME_ALG + 1] = TPM_ALG_SHA1;
	const struct tpm_name ak_name = name_of(&ak), ek_name = name_of(&ek);
	struct tpm_name signer = qualified(&ek_name, &ak_name);
	signer.bytes[5] ^= s->flaw == SOFT_OTHER_PARENT;
	put_quote(s, f, &signer, &values, &quote);
	sign_quote(s, &quote, &signature);
	if (s->with_certification)
		put_certification(s, &ak_name, &signer, &by, &by_signature);
	const struct tpm_evidence_parts parts = {
		.ak_public = bytes_of(&ak),
		.quote = bytes_of(&quote),
		.signature = bytes_of(&signature),
		.values = bytes_of(&values),
		.hierarchy = tpm_endorsement,
		.parent_count = 1,
		.parents = {{ek_name.bytes, ek_name.size}},
		.ek_public = s->flaw == SOFT_NO_EK ? (struct tpm_bytes){0} : bytes_of(&ek),
		.certification = bytes_of(&by),
		.certification_signature = bytes_of(&by_signature),
	};
	tpm_evidence_write(&parts, &f->evidence);
	io_hex(ak_name.bytes, ak_name.size, f->ak_name);
	f->quote_at = place_of(&f->evidence, &quote);
	f->quote_size = quote.size;
	f->signature_at = place_of(&f->evidence, &signature);
	f->signature_size = signature.size;
	struct buf *const all[] = {&ak, &ek, &quote, &signature, &values, &by, &by_signature};
	for (size_t i = 0; i < array_count(all); i++)
		buf_done(all[i]);
}

/* ---- certificates ---- */

struct soft_cert {
	const char *subject, *issuer, *usage; /* an OID, or NULL */
	const char *names;                    /* constraints, or NULL */
	EVP_PKEY *key, *signer;
	bool is_ca;
	int64_t not_after;
};

static void set_name(X509_NAME *name, const char *text)
{
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)text, -1, -1, 0));
}

static void add_extension(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	must(e && X509_add_ext(x509, e, -1));
	X509_EXTENSION_free(e);
}

static void make_cert(const struct soft_cert *c, struct buf *to)
{
	unsigned char *der = NULL;
	X509 *x509 = X509_new();
	must(x509 && X509_set_version(x509, X509_VERSION_3));
	must(ASN1_INTEGER_set(X509_get_serialNumber(x509), 4711));
	set_name(X509_get_subject_name(x509), c->subject);
	set_name(X509_get_issuer_name(x509), c->issuer);
	must(ASN1_TIME_set(X509_getm_notBefore(x509), SOFT_TIME - SOFT_YEAR) &&
	     ASN1_TIME_set(X509_getm_notAfter(x509), c->not_after) && X509_set_pubkey(x509, c->key));
	add_extension(x509, NID_basic_constraints, c->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_extension(x509, NID_key_usage,
	              c->is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	if (c->usage)
		add_extension(x509, NID_ext_key_usage, c->usage);
	if (c->names)
		add_extension(x509, NID_name_constraints, c->names);
	must(X509_sign(x509, c->signer, EVP_sha256()) > 0);
	const int size = i2d_X509(x509, &der);
	must(size > 0);
	buf_put(to, der, (size_t)size);
	OPENSSL_free(der);
	X509_free(x509);
}

static void make_certs(const struct soft_shape *s, struct soft_files *f)
{
	struct vendor_cert *cert;
	struct soft_cert root = {.subject = "TPM root",
	                         .issuer = "TPM root",
	                         .key = soft_root_key,
	                         .signer = soft_root_key,
	                         .is_ca = true,
	                         .not_after = SOFT_TIME + 20LL * SOFT_YEAR};
	struct soft_cert ak = {.subject = "AK",
	                       .issuer = "TPM root",
	                       .usage = "2.23.133.8.3",
	                       .key = soft_ak_keys[s->kind],
	                       .signer = soft_root_key,
	                       .not_after = s->not_after};
	struct soft_cert ek = {.subject = "EK",
	                       .issuer = "TPM root",
	                       .usage = "2.23.133.8.1",
	                       .key = soft_ek_keys[SOFT_EK_RSA],
	                       .signer = soft_root_key,
	                       .not_after = s->not_after};
	if (s->flaw == SOFT_ROOT_NAMES)
		root.names = "critical,permitted;DNS:example.com";
	if (s->with_certification)
		ak.key = soft_iak_key;
	if (s->flaw == SOFT_CERT_OF_ANOTHER)
		ak.key = soft_other_rsa;
	if (s->flaw == SOFT_CERT_NO_USAGE)
		ak.usage = NULL;
	if (s->flaw == SOFT_CERT_EK_USAGE)
		ak.usage = "2.23.133.8.1,serverAuth";
	if (s->flaw == SOFT_CERT_BY_ANOTHER)
		ak.signer = soft_other_ec;
	if (s->flaw == SOFT_CERT_EXPIRED)
		ak.not_after = SOFT_TIME - 1;
	if (s->flaw == SOFT_EK_CERT_OF_ANOTHER)
		ek.key = soft_other_rsa;
	if (s->flaw == SOFT_EK_CERT_NO_USAGE)
		ek.usage = "clientAuth";
	make_cert(&root, &f->root);
	make_cert(&ak, &f->ak_cert);
	make_cert(&ek, &f->ek_cert);
	must(vendor_cert_read_der(f->root.data, f->root.size, &cert, NULL) == 0);
	memcpy(f->root_hash, vendor_cert_facts(cert)->key_hash, sizeof(f->root_hash));
	vendor_cert_free(cert);
}

void soft_make(const struct soft_shape *shape, struct soft_files *files)
{
	memset(files, 0, sizeof(*files));
	for (size_t i = 0; i < sizeof(files->nonce); i++)
		files->nonce[i] = shape->nonce ? shape->nonce[i] : (uint8_t)(0xA0 + i);
	boot(shape, files);
	run(shape, files);
	make_evidence(shape, files);
	make_certs(shape, files);
}

void soft_done(struct soft_files *files)
{
	struct buf *const all[] = {&files->evidence, &files->root,       &files->ak_cert,  &files->ek_cert,
	                           &files->boot_log, &files->ima_binary, &files->ima_text, &files->list};
	for (size_t i = 0; i < array_count(all); i++)
		buf_done(all[i]);
}
