/*
 * An endorsement: evidence of a machine's hardware that its launcher's key is that machine's. It goes from
 * the node to the CAS, and lies in the CAS's records as it came.
 *
 *     at  size
 *      0     4  magic    "CEN1"
 *      4     2  version  1
 *      6     2  kind     enum tee_kind
 *      8    32  launcher its Ed25519 public key
 *     40    32  nonce    the CAS's
 *     72     -  evidence u32 size, the bytes
 *      -     -  certificates: u32 number, then each u32 size, the bytes
 *      -     -  event logs: the same
 *      -    64  signature, Ed25519, by the launcher's key of the context below with its zero byte and all of
 *               the bytes before: nobody else speaks of that key
 *
 * The evidence's report data are SHA-512 of "cella launcher endorsement 1" with its zero byte, launcher,
 * nonce. All integers are little-endian. Of the machine it is worth what tee_verify makes of it.
 */
#ifndef ATTEST_ENDORSEMENT_FORMAT_H
#define ATTEST_ENDORSEMENT_FORMAT_H

#include <stdint.h>

#include "attest/driver/driver.h"
#include "attest/tee.h"
#include "crypto/crypto.h"

#define ENDORSEMENT_MAGIC 0x314e4543u /* "CEN1" */
#define ENDORSEMENT_CONTEXT "cella launcher endorsement 1"

enum {
	ENDORSEMENT_VERSION = 1,
	ENDORSEMENT_MAX = 768 << 10, /* bytes of one: anybody may send it, into protected memory */
	ENDORSEMENT_NONCE_SIZE = 32,
	ENDORSEMENT_BLOBS_MAX = DRIVER_BLOBS_MAX +
	                        8, /* certificates; event logs: a driver's, and a person's */
};

/* Decoded, it points into the bytes. */
struct endorsement {
	enum tee_kind kind;
	uint8_t launcher[CRYPTO_ED25519_SIZE];
	uint8_t nonce[ENDORSEMENT_NONCE_SIZE];
	struct tee_blob evidence;
	struct tee_blob certs[ENDORSEMENT_BLOBS_MAX];
	size_t cert_count;
	struct tee_blob event_logs[ENDORSEMENT_BLOBS_MAX];
	size_t event_log_count;
	const uint8_t *signature; /* CRYPTO_SIGNATURE_SIZE bytes; not for endorsement_encode */
};

/* What the evidence must be over. */
int endorsement_report_data(const uint8_t launcher[CRYPTO_ED25519_SIZE],
                            const uint8_t nonce[ENDORSEMENT_NONCE_SIZE],
                            uint8_t ret_report_data[TEE_REPORT_DATA_MAX], struct error *err) must_check;
/* Appends it, signed. `launcher` is the key of e->launcher. CELLA_ELIMIT. */
int endorsement_encode(const struct endorsement *e, const struct crypto_signer *launcher, struct buf *ret,
                       struct error *err) must_check;
/* The bytes that it was decoded from: CELLA_EAUTH if its launcher has not signed them. */
int endorsement_check_signature(const struct endorsement *e, const void *data, size_t size,
                                struct error *err) must_check;
/* CELLA_EFORMAT, CELLA_EUNSUPPORTED. */
int endorsement_decode(const void *data, size_t size, struct endorsement *ret_endorsement,
                       struct error *err) must_check;
/* Evidence, certificates, event logs and kind, borrowed; the rest of *input is not touched. */
void endorsement_input(const struct endorsement *e, struct tee_input *input);

#endif
