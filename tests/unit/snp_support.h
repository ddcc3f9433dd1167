/*
 * For tests of SEV-SNP: a maker of processors of our own. It certifies keys as AMD does (RSA-PSS with
 * SHA-384, P-384, the extensions of 57230), issues CRLs, and its processors sign reports; each thing can be
 * made wrong.
 */
#ifndef SNP_SUPPORT_H
#define SNP_SUPPORT_H

#include "attest/snp/report.h"
#include "attest/tee.h"
#include "base/buf.h"
#include "crypto/vendor_cert.h"

enum { MAKER_TIME = 1750000000, MAKER_YEAR = 31536000, MAKER_CERTS = 3 };

/* What is made; maker_shape gives one that is right. */
struct maker_shape {
	enum snp_product product;
	uint32_t version;          /* of the report */
	const char *product_name;  /* in the certificate */
	bool vlek;
	int levels[SNP_COMPONENTS]; /* of the certificate and the report; -1: it has none */
	int reserved_level;         /* spl4; -1: it is not there */
	uint8_t hwid[SNP_CHIP_ID_SIZE];
	size_t hwid_size; /* 0: no extension */
	const char *csp_id;
	int64_t not_before, not_after; /* of the leaf */
	/* What can be wrong. */
	const char *leaf_name, *ca_name; /* else SEV-VCEK and SEV-Milan and so on */
	bool hwid_wrapped;               /* in an OCTET STRING: allowed */
	bool level_twice;                /* the extension of the bootloader's level */
	bool level_malformed;            /* of the TEE's */
	bool leaf_by_another;            /* signed by a key that is not the CA's */
	bool leaf_p256;
	bool leaf_critical;              /* an unknown critical extension */
	bool ca_is_none;                 /* CA:FALSE */
	bool ca_without_usage;           /* keyCertSign is missing */
	int ca_salt;       /* of its signature: 48 */
	bool ca_by_another;
	bool root_by_another;            /* the root is not signed by itself */
	bool ca_sha256;                  /* signed with RSA-PSS and SHA-256 */
	bool root_path_length;           /* 0: the root allows no CA below it */
};
struct maker_shape maker_shape(enum snp_product product, uint32_t version, bool vlek);

/* The keys of it, once. */
int maker_start(void);
void maker_stop(void);

struct maker_files {
	struct buf leaf, ca, root; /* DER */
	struct buf report;
	struct vendor_root pin;
	char pin_hash[CERT_KEY_HASH_SIZE];
};
/* Certificates and a signed report. */
void maker_make(const struct maker_shape *shape, struct maker_files *files);
void maker_done(struct maker_files *files);
/* After a change of the report. */
void maker_sign(struct maker_files *files);

struct maker_crl {
	bool revokes_ca, revokes_another, by_another, critical, is_indirect;
	int64_t this_update, next_update; /* 0: it does not say */
};
void maker_make_crl(const struct maker_shape *shape, const struct maker_crl *crl, struct buf *der);

/* One question, and where it is put from. */
struct maker_question {
	struct tee_input input;
	struct tee_blob certs[MAKER_CERTS], crl;
	struct tee_policy *policy;
};
void maker_ask(const struct maker_files *files, struct maker_question *q);

/* As the host hands them out (GHCB). `efi`: the first numbers of the GUIDs little-endian. */
void maker_table(const struct maker_files *files, bool efi, struct buf *table);
void maker_pem(const struct buf *der, const char *name, struct buf *pem);

#endif
