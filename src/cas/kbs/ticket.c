#include "cas/kbs/ticket.h"

#include <stdio.h>
#include <string.h>

#include "base/base64url.h"

enum { BODY_SIZE = 32, MAC_SIZE = 16, TICKET_SIZE = BODY_SIZE + MAC_SIZE, NONCE_BYTES = 32 };

#define COOKIE_NAME "kbs-session-id"

static void write_body(const struct kbs_ticket *ticket, uint8_t to[BODY_SIZE])
{
	to[0] = (uint8_t)ticket->request.version;
	to[1] = (uint8_t)ticket->request.tee;
	to[2] = (uint8_t)ticket->request.hash;
	to[3] = ticket->request.negotiates;
	for (size_t i = 0; i < 8; i++)
		to[4 + i] = (uint8_t)(ticket->ms >> (8 * i));
	memcpy(to + 12, ticket->id, KBS_ID_SIZE);
}

static void read_body(const uint8_t from[BODY_SIZE], struct kbs_ticket *ret)
{
	*ret = (struct kbs_ticket){.request = {.version = (enum kbs_version)from[0],
	                                       .tee = (enum tee_kind)from[1],
	                                       .hash = (enum crypto_hash)from[2],
	                                       .negotiates = from[3]}};
	for (size_t i = 0; i < 8; i++)
		ret->ms |= (uint64_t)from[4 + i] << (8 * i);
	memcpy(ret->id, from + 12, KBS_ID_SIZE);
}

static int derive(const uint8_t key[CRYPTO_KEY_SIZE], const char *label, const uint8_t body[BODY_SIZE],
                  void *ret, size_t size, struct error *err)
{
	uint8_t info[32 + BODY_SIZE] = {0};
	snprintf((char *)info, 32, "%s", label);
	memcpy(info + 32, body, BODY_SIZE);
	return crypto_hkdf(key, CRYPTO_KEY_SIZE, NULL, 0, info, sizeof(info), ret, size, err);
}

int kbs_ticket_make(const uint8_t key[CRYPTO_KEY_SIZE], const struct kbs_request *request, uint64_t now_ns,
                    struct kbs_ticket *ret, char ret_cookie[KBS_COOKIE_SIZE], struct error *err)
{
	struct kbs_ticket ticket = {.request = *request, .ms = now_ns / 1000000u};
	uint8_t bytes[TICKET_SIZE];
	int rc = crypto_random(ticket.id, sizeof(ticket.id), err);
	if (rc < 0)
		return rc;
	write_body(&ticket, bytes);
	rc = derive(key, "cella kbs cookie", bytes, bytes + BODY_SIZE, MAC_SIZE, err);
	if (rc < 0)
		return rc;
	base64url_encode(bytes, sizeof(bytes), ret_cookie);
	ret_cookie[KBS_COOKIE_SIZE - 1] = '\0';
	*ret = ticket;
	return 0;
}

int kbs_ticket_read(const uint8_t key[CRYPTO_KEY_SIZE], const char *cookie, struct kbs_ticket *ret,
                    struct error *err)
{
	uint8_t bytes[TICKET_SIZE], mac[MAC_SIZE];
	if (strlen(cookie) != KBS_COOKIE_SIZE - 1 || !base64url_decode(cookie, KBS_COOKIE_SIZE - 1, bytes))
		return error_set(err, CELLA_EAUTH, "the cookie " COOKIE_NAME " is none of this CAS");
	int rc = derive(key, "cella kbs cookie", bytes, mac, sizeof(mac), err);
	if (rc < 0)
		return rc;
	if (!crypto_equal(mac, bytes + BODY_SIZE, sizeof(mac)))
		return error_set(err, CELLA_EAUTH,
		                 "the cookie " COOKIE_NAME " is none of this CAS since it was started");
	read_body(bytes, ret);
	return 0;
}

int kbs_ticket_nonce(const uint8_t key[CRYPTO_KEY_SIZE], const struct kbs_ticket *ticket,
                     char ret_nonce[KBS_NONCE_SIZE], struct error *err)
{
	uint8_t body[BODY_SIZE], nonce[NONCE_BYTES];
	write_body(ticket, body);
	int rc = derive(key, "cella kbs nonce", body, nonce, sizeof(nonce), err);
	if (rc < 0)
		return rc;
	base64url_encode(nonce, sizeof(nonce), ret_nonce);
	for (char *c = ret_nonce; c < ret_nonce + KBS_NONCE_SIZE - 2; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c; /* as Trustee's are, with padding */
	memcpy(ret_nonce + KBS_NONCE_SIZE - 2, "=", 2);
	return 0;
}

bool kbs_cookie_find(const char *header, char ret_cookie[KBS_COOKIE_SIZE])
{
	size_t found = 0;
	for (const char *at = header; at && *at;) {
		at += strspn(at, " ;");
		const size_t size = strcspn(at, ";");
		const size_t name = strlen(COOKIE_NAME "=");
		if (strncmp(at, COOKIE_NAME "=", name) == 0) {
			found++;
			if (size - name >= KBS_COOKIE_SIZE)
				return false;
			memcpy(ret_cookie, at + name, size - name);
			ret_cookie[size - name] = '\0';
		}
		at += size;
	}
	return found == 1;
}
