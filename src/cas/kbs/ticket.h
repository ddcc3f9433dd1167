/*
 * Tickets: what a guest holds between challenge and attestation, as the cookie kbs-session-id. The CAS keeps
 * nothing for a handshake that has only begun, so that beginning many of them uses nothing up: what it has to
 * know stands in the ticket, under a MAC whose key is of this run alone.
 *
 *     u8 version, u8 kind of evidence, u8 hash, u8 negotiates, u64 milliseconds since 1970, 20 random bytes
 *     16 bytes of MAC over these 32
 *
 * all of it as 64 characters of base64url. The challenge's nonce is another value of the same function of
 * these 32 bytes, so that neither gives away the other.
 */
#ifndef CAS_KBS_TICKET_H
#define CAS_KBS_TICKET_H

#include "cas/kbs/message.h"

enum {
	KBS_ID_SIZE = 20,
	KBS_COOKIE_SIZE = 65,     /* with the end of the string */
	KBS_NONCE_SIZE = 45,      /* the same; 32 bytes in base64 */
	KBS_HANDSHAKE_S = 5 * 60, /* from challenge to attestation */
};

struct kbs_ticket {
	struct kbs_request request;
	uint64_t ms;
	uint8_t id[KBS_ID_SIZE];
};

/* With a fresh id. */
int kbs_ticket_make(const uint8_t key[CRYPTO_KEY_SIZE], const struct kbs_request *request, uint64_t now_ns,
                    struct kbs_ticket *ret, char ret_cookie[KBS_COOKIE_SIZE], struct error *err) must_check;
/* CELLA_EAUTH: it is none of this run of the CAS. Whether it is too old is not looked at. */
int kbs_ticket_read(const uint8_t key[CRYPTO_KEY_SIZE], const char *cookie, struct kbs_ticket *ret,
                    struct error *err) must_check;
int kbs_ticket_nonce(const uint8_t key[CRYPTO_KEY_SIZE], const struct kbs_ticket *ticket,
                     char ret_nonce[KBS_NONCE_SIZE], struct error *err) must_check;

/* The cookie kbs-session-id of a header (NULL: there is none); false if it is not there exactly once. */
bool kbs_cookie_find(const char *header, char ret_cookie[KBS_COOKIE_SIZE]);

#endif
