/*
 * TLS 1.3 (RFC 8446), and nothing older: the one module for it, for servers and clients, mutual where the
 * client has a certificate.
 *
 * Fixed: TLS_AES_256_GCM_SHA384 and TLS_CHACHA20_POLY1305_SHA256; X25519 and P-256; certificates with ECDSA
 * on P-256 or P-384, or Ed25519. No session tickets and no resumption, so that every connection proves its
 * key anew, and no early data, which could be replayed (RFC 8446, section 8).
 *
 * Whom a context trusts is a pinned key or a CA (crypto/x509.h); there is no store of the system's. Times of
 * certificates are checked against the caller's clock.
 *
 * crypto_init comes before everything else here: OpenSSL's memory, private keys and decrypted records among
 * it, then lies in its pool.
 *
 * A connection never blocks: what cannot go on yet gives CELLA_EAGAIN, and tls_wants says what to wait for.
 * It writes without SIGPIPE. One thread at a time has a connection; a context may be used by any number.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "crypto/x509.h"

enum { TLS_CAS_MAX = 8 };

/* The other end, once the handshake is over. */
struct tls_peer {
	char key_hash[CERT_KEY_HASH_SIZE]; /* "": it has shown no certificate */
	char common_name[CERT_COMMON_NAME_MAX + 1];
	bool by_ca; /* a trusted CA vouches for `names`; otherwise the key alone is proven, without names */
	char serial[2 * CERT_SERIAL_MAX + 1]; /* of the certificate, as cert_describe tells it */
	int64_t not_after;
	struct cert_names names;
};

enum tls_clients { TLS_CLIENTS_ANONYMOUS, TLS_CLIENTS_MAY_HAVE, TLS_CLIENTS_MUST_HAVE }; /* a certificate */

struct tls_options {
	/* The own certificate, the holder's first; a client may have none. */
	const struct cert_key *key;
	const struct cert *const *chain;
	size_t chain_count;
	int64_t (*now)(void *arg); /* seconds since 1970; any thread calls it */
	void *now_arg;
	const char *protocol; /* ALPN (RFC 7301), "http/1.1"; NULL: none is named */
	/* Whom it trusts; copied. For a client one of the first two, or CAs; with CAs a name. */
	const char *key_hash;
	const char *ca_key_hash;
	const struct cert *const *cas;
	size_t ca_count;
	const struct cert_name *name;
	/* A server's. */
	enum tls_clients clients;
	bool any_client_key; /* a certificate signed by its own key passes: the key alone is the identity */
	/* After all other checks: anything but 0 refuses the peer. Any thread calls it. NULL: no more checks.
	 * */
	int (*check)(void *arg, const struct tls_peer *peer, struct error *err);
	void *check_arg;
};

/* CELLA_EINVAL when a certificate does not belong to the key, or when a client would trust anybody. */
struct tls_context;
int tls_server_context(const struct tls_options *options, struct tls_context **ret_context,
                       struct error *err) must_check;
int tls_client_context(const struct tls_options *options, struct tls_context **ret_context,
                       struct error *err) must_check;
/* Connections hold references of their own. NULL is fine. */
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context);

struct tls;
/* Over a connected socket that does not block, which stays the caller's. `host`: what a client called the
 * server by, for SNI; an address and NULL are not sent. */
int tls_new(struct tls_context *context, int fd, const char *host, struct tls **ret_tls,
            struct error *err) must_check;
void tls_free(struct tls *tls);
/* 0 when it is over. CELLA_EAUTH: this side refuses the peer, or the peer this side; CELLA_EUNSUPPORTED: no
 * common version; CELLA_EFORMAT: what came is not TLS; CELLA_EIO, CELLA_ELOST: the connection broke or
 * ended. */
int tls_handshake(struct tls *tls, struct error *err) must_check;
/* At least one byte; *ret_size 0 when the peer has ended its side in order. A server's refusal of a client's
 * certificate arrives here (TLS 1.3 lets the client finish first). */
int tls_read(struct tls *tls, void *to, size_t size, size_t *ret_size, struct error *err) must_check;
/* At least one byte, of more than none. */
int tls_write(struct tls *tls, const void *from, size_t size, size_t *ret_size, struct error *err) must_check;
/* Tell the peer that no more comes, if that can be said at once. */
void tls_end(struct tls *tls);
/* POLLIN or POLLOUT, after CELLA_EAGAIN. */
short tls_wants(const struct tls *tls);
const struct tls_peer *tls_peer(const struct tls *tls);

#endif
