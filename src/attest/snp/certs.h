/*
 * The certificates of SEV-SNP: which key signs reports, of what chip, product and TCB version (AMD 57230,
 * "Versioned Chip Endorsement Key Certificate and KDS Interface Specification", chapters 3 and 4).
 */
#ifndef ATTEST_SNP_CERTS_H
#define ATTEST_SNP_CERTS_H

#include "attest/snp/report.h"
#include "crypto/vendor_cert.h"

#define SNP_KEY_SERVER "https://kdsintf.amd.com/"

enum {
	SNP_LEAVES_MAX = 4,
	SNP_ROOTS_MAX = 3,
	SNP_RESERVED_LEVELS = 4, /* spl4 to spl7 */
	SNP_TEXT_SIZE = 128,
};

/* A VCEK or VLEK, with its chain. */
struct snp_leaf {
	const struct vendor_cert *cert;
	struct vendor_chain chain;
	enum snp_signing_key kind; /* SNP_NO_KEY: it is neither */
	enum snp_product product;
	char product_name[SNP_TEXT_SIZE];
	int levels[SNP_COMPONENTS]; /* -1: it does not say */
	int reserved_levels[SNP_RESERVED_LEVELS];
	uint8_t hwid[SNP_CHIP_ID_SIZE];
	size_t hwid_size; /* 0: it has none */
	char csp_id[SNP_TEXT_SIZE];
	const char *fault; /* what of its extensions is missing or malformed; NULL: nothing */
};

struct snp_certs {
	struct vendor_certs set;
	struct snp_leaf leaves[SNP_LEAVES_MAX];
	size_t count;
};

/* Of what a verification was given; nothing in it depends on time. CELLA_EFORMAT, CELLA_ELIMIT. */
int snp_certs_make(const struct tee_input *input, struct snp_certs **ret_certs, struct error *err) must_check;
void snp_certs_free(void *certs);

/* Claims of the certificate. */
void snp_leaf_claims(struct tee_verdict *verdict, const struct snp_leaf *leaf);

/* The address at AMD's key server of the certificate that a report needs, or "". A report of version 2
 * does not name its product, which stands there as PRODUCT: Milan, Genoa or Turin. */
const char *snp_certs_where(struct tee_verdict *verdict, const struct snp_report *report,
                            enum snp_product product);
/* Why there is none, and what else to do; NULL: there is one, or the report names no key. */
const char *snp_certs_why_nowhere(const struct snp_report *report);

#endif
