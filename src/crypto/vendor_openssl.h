/* The inside of makers' keys, certificates and CRLs, for the files vendor_*.c. */
#ifndef CRYPTO_VENDOR_OPENSSL_H
#define CRYPTO_VENDOR_OPENSSL_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/vendor_cert.h"

struct vendor_key {
	EVP_PKEY *pkey;
	enum vendor_key_kind kind;
};

struct vendor_cert {
	X509 *x509;
	struct vendor_key key; /* of which pkey is x509's */
	struct vendor_cert_facts facts;
};

struct vendor_crl {
	X509_CRL *crl;
	bool only_cas, only_others; /* what it is about, if it says so */
	struct vendor_crl_facts facts;
};

enum vendor_key_kind vendor_kind_of(const EVP_PKEY *pkey);
/* 0: it is not in the list. */
enum vendor_algorithm vendor_algorithm_of(const X509_ALGOR *algorithm);
/* Is a key of that kind what the algorithm signs with? */
bool vendor_key_suits(enum vendor_key_kind kind, enum vendor_algorithm algorithm);
/* The name as one line of printable text. */
int vendor_name_text(const X509_NAME *name, char ret_text[VENDOR_NAME_SIZE], struct error *err) must_check;

#endif
