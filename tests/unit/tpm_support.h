/*
 * For tests of TPMs: one of our own. It has attestation keys of each kind and endorsement keys, activates
 * credentials, boots by a log, measures files as Linux's IMA does, and quotes; a maker certifies its keys.
 * Each thing can be made wrong.
 */
#ifndef TPM_SUPPORT_H
#define TPM_SUPPORT_H

#include "attest/tee.h"
#include "attest/tpm/credential.h"
#include "attest/tpm/evidence_format.h"
#include "base/buf.h"

enum { SOFT_TIME = 1750000000, SOFT_YEAR = 31536000, SOFT_FILES = 3, SOFT_NONCE_SIZE = 32 };

enum soft_kind { SOFT_RSASSA, SOFT_RSAPSS, SOFT_P256, SOFT_P384, SOFT_KINDS };
enum soft_ek { SOFT_EK_RSA, SOFT_EK_P256, SOFT_EK_P384, SOFT_EKS };

enum soft_flaw {
	SOFT_RIGHT,
	SOFT_BY_ANOTHER,       /* another key signed the quote */
	SOFT_OTHER_SCHEME,     /* the right key, with a scheme that is not its own */
	SOFT_MAGIC,            /* not TPM_GENERATED: what a key that is not restricted may sign */
	SOFT_WEAK_NAME,        /* the AK is named by SHA-1, of which two keys may have one name */
	SOFT_OTHER_PARENT,     /* the AK lies below another key than the quote says */
	SOFT_DIGEST,           /* of the PCRs, signed */
	SOFT_CERT_OF_ANOTHER,  /* the AK's certificate is of another key, as are the next */
	SOFT_CERT_NO_USAGE,
	SOFT_CERT_EK_USAGE,
	SOFT_CERT_BY_ANOTHER,
	SOFT_CERT_EXPIRED,
	SOFT_ROOT_NAMES,        /* the root constrains the names of what it certifies */
	SOFT_CERTIFIES_ANOTHER, /* the certification is of another name */
	SOFT_CERTIFIED_BY_ANOTHER,
	SOFT_CERTIFIED_MAGIC,
	SOFT_CERTIFIED_ELSEWHERE, /* below another parent than the quote says */
	SOFT_EK_CERT_OF_ANOTHER,
	SOFT_EK_CERT_NO_USAGE,
	SOFT_NO_EK,
	SOFT_FLAWS,
};

/* soft_shape gives one that is right. */
struct soft_shape {
	enum soft_kind kind;
	uint32_t attributes; /* of the AK */
	uint16_t bank;       /* TPM_ALG_SHA256 */
	uint32_t pcrs;       /* bits */
	bool two_banks;      /* before that one SHA-1, of PCRs 3 and 7 */
	bool with_certification; /* by a key that has a certificate; else the AK has one */
	int secure_boot; /* of the log: 1 on, 0 off, -1 it does not say */
	bool secure_boot_late;  /* behind the separator, where it is worth nothing */
	bool secure_boot_lies;  /* the event says on, and its digest is that of off */
	bool violation;         /* the last file measured was open for writing */
	const char *last_prefix; /* of the last file's digest: "sha256:" */
	int64_t not_after;
	const uint8_t *nonce; /* SOFT_NONCE_SIZE bytes that are quoted, or NULL */
	enum soft_flaw flaw;
};
struct soft_shape soft_shape(enum soft_kind kind);

int soft_start(void);
void soft_stop(void);

struct soft_files {
	struct buf evidence;
	struct buf root, ak_cert, ek_cert; /* DER */
	struct buf boot_log, ima_text, ima_binary;
	struct buf list;         /* of the files that are measured, as sha256sum writes it */
	uint8_t nonce[SOFT_NONCE_SIZE];
	uint8_t pcrs[TPM_PCRS][CRYPTO_HASH_MAX];
	char ak_name[2 * TPM_NAME_MAX + 1];
	char root_hash[CERT_KEY_HASH_SIZE], list_hash[CERT_KEY_HASH_SIZE];
	/* Where the signed parts stand in the evidence. */
	size_t quote_at, quote_size, signature_at, signature_size;
};
void soft_make(const struct soft_shape *shape, struct soft_files *files);
void soft_done(struct soft_files *files);

/* Public areas. */
void soft_ak_public(enum soft_kind kind, uint32_t attributes, struct buf *to);
void soft_ek_public(enum soft_ek ek, struct buf *to);
/* TPM2_ActivateCredential: false where a TPM refuses. */
bool soft_activate(enum soft_ek ek, const struct tpm_name *ak, const struct tpm_credential *credential,
                   uint8_t ret_secret[CRYPTO_HASH_MAX], size_t *ret_size);

#endif
