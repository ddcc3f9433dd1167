/*
 * TLS by libssl. The only file outside of src/crypto that includes OpenSSL's headers.
 *
 * The check of the peer's certificate is cert_check (crypto/x509.h), called by libssl in place of its own
 * (SSL_CTX_set_cert_verify_callback); that the peer has the certificate's key is libssl's to check, by the
 * handshake's CertificateVerify. The socket is reached by a BIO of our own, which never raises SIGPIPE.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "crypto/x509_openssl.h"

static const char suites[] = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256";
static const char signatures[] = "ECDSA+SHA256:ECDSA+SHA384:ed25519";

enum { PROTOCOL_MAX = 32, CERTIFICATES_MAX = 32768 };

struct tls_context {
	SSL_CTX *ssl;
	atomic_uint references;
	bool server;
	bool any_client_key;
	int64_t (*now)(void *arg);
	void *now_arg;
	int (*check)(void *arg, const struct tls_peer *peer, struct error *err);
	void *check_arg;
	uint8_t protocol[PROTOCOL_MAX]; /* as ALPN has it: its length, then the name */
	size_t ca_count;
	struct cert ca_holders[TLS_CAS_MAX];
	const struct cert *cas[TLS_CAS_MAX];
	/* Copies of what `rule` names. */
	char key_hash[CERT_KEY_HASH_SIZE], ca_key_hash[CERT_KEY_HASH_SIZE];
	char name_text[CERT_NAME_SIZE];
	struct cert_name name;
	struct cert_rule rule;
};

struct tls {
	struct tls_context *context;
	SSL *ssl;
	int fd;
	int socket_errno; /* of the last failure */
	short wants;
	bool broken; /* libssl allows nothing more */
	struct tls_peer peer;
	struct error refusal; /* why this side refuses the peer; code 0: it does not */
};

static int failed(const char *what, struct error *err)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);
	int rc = ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? CELLA_ENOMEM : CELLA_EBUG;
	error_set(err, rc, "%s failed in OpenSSL: %s", what, reason ? reason : "no reason given");
	ERR_clear_error();
	return rc;
}

/* The socket, as a BIO. */

static int socket_write(BIO *bio, const char *from, int size)
{
	struct tls *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t n;
	do
		n = send(t->fd, from, (size_t)size, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		BIO_set_retry_write(bio);
	else if (n < 0)
		t->socket_errno = errno;
	return (int)n;
}

static int socket_read(BIO *bio, char *to, int size)
{
	struct tls *t = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t n;
	do
		n = recv(t->fd, to, (size_t)size, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		BIO_set_retry_read(bio);
	else if (n < 0)
		t->socket_errno = errno;
	else if (n == 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	return (int)n;
}

static long socket_control(BIO *bio, int command, long number not_used, void *pointer not_used)
{
	if (command == BIO_CTRL_EOF)
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *socket_method;

static void start(void)
{
	cert_start();
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) <= 0)
		return;
	socket_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
	if (socket_method && (BIO_meth_set_write(socket_method, socket_write) <= 0 ||
	                      BIO_meth_set_read(socket_method, socket_read) <= 0 ||
	                      BIO_meth_set_ctrl(socket_method, socket_control) <= 0)) {
		BIO_meth_free(socket_method);
		socket_method = NULL;
	}
}

/* The check of the peer. */

/* A client that nobody vouches for: its key is its name. */
static int check_own_key(const struct cert *const *chain, struct tls_peer *peer, struct cert_rule rule,
                         struct error *err)
{
	rule.key_hash = peer->key_hash;
	peer->names.count = 0;
	return cert_check(chain, 1, &rule, err);
}

static int check_chain(const struct tls_context *c, const struct cert *const *chain, size_t count,
                       struct tls_peer *ret_peer, struct error *err)
{
	struct cert_facts facts;
	struct cert_rule rule = c->rule;
	rule.now = c->now(c->now_arg);
	int rc = cert_describe(chain[0], &facts, err);
	if (rc < 0)
		return rc;
	struct tls_peer peer = {.not_after = facts.not_after, .names = facts.names};
	memcpy(peer.key_hash, facts.key_hash, sizeof(peer.key_hash));
	memcpy(peer.common_name, facts.common_name, sizeof(peer.common_name));
	memcpy(peer.serial, facts.serial, sizeof(peer.serial));
	if (c->server && c->any_client_key && count == 1 && facts.self_issued) {
		rc = check_own_key(chain, &peer, rule, err);
	} else {
		rc = cert_check(chain, count, &rule, err);
		peer.by_ca = !rule.key_hash;
		if (!peer.by_ca)
			peer.names.count = 0;
	}
	if (rc == 0 && c->check)
		rc = c->check(c->check_arg, &peer, err);
	if (rc == 0)
		*ret_peer = peer;
	return rc;
}

/* Which alert tells the peer most. */
static int verdict_of(const struct tls_context *c, const X509 *leaf)
{
	int64_t end;
	if (cert_time_of(X509_get0_notAfter(leaf), &end, NULL) == 0 && end < c->now(c->now_arg))
		return X509_V_ERR_CERT_HAS_EXPIRED;
	return X509_V_ERR_CERT_REJECTED;
}

static int on_certificate(X509_STORE_CTX *store, void *arg)
{
	const struct tls_context *c = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = SSL_get_app_data(ssl);
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
	struct cert certs[CERT_CHAIN_MAX];
	const struct cert *chain[CERT_CHAIN_MAX];
	int rc = 0, count = sk_X509_num(sent);
	if (count < 1 || count > CERT_CHAIN_MAX)
		rc = error_set(&t->refusal, CELLA_EAUTH, "it sent %d certificates: %d at most are accepted",
		               count, CERT_CHAIN_MAX);
	for (int i = 0; rc == 0 && i < count; i++) {
		certs[i].x509 = sk_X509_value(sent, i);
		chain[i] = &certs[i];
	}
	if (rc == 0)
		rc = check_chain(c, chain, (size_t)count, &t->peer, &t->refusal);
	if (rc == 0)
		return 1;
	X509_STORE_CTX_set_error(store, count < 1 ? X509_V_ERR_CERT_REJECTED
	                                          : verdict_of(c, X509_STORE_CTX_get0_cert(store)));
	return 0;
}

static int on_protocol(SSL *ssl not_used, const unsigned char **out, unsigned char *out_size,
                       const unsigned char *in, unsigned in_size, void *arg)
{
	const struct tls_context *c = arg;
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, out_size, c->protocol, c->protocol[0] + 1u, in, in_size) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Contexts. */

static int use_certificate(SSL_CTX *ssl, const struct tls_options *o, struct error *err)
{
	if (!o->key || o->chain_count == 0)
		return 0;
	if (SSL_CTX_use_certificate(ssl, o->chain[0]->x509) <= 0)
		return failed("taking the own certificate", err);
	if (SSL_CTX_use_PrivateKey(ssl, o->key->pkey) <= 0 || SSL_CTX_check_private_key(ssl) <= 0) {
		ERR_clear_error();
		return error_set(err, CELLA_EINVAL, "the own certificate does not belong to the private key");
	}
	for (size_t i = 1; i < o->chain_count; i++) {
		if (SSL_CTX_add1_chain_cert(ssl, o->chain[i]->x509) <= 0)
			return failed("taking the own certificate", err);
	}
	return 0;
}

static bool set_up(struct tls_context *c, const struct tls_options *o)
{
	SSL_CTX *s = c->ssl;
	int verify = !c->server                            ? SSL_VERIFY_PEER
	             : o->clients == TLS_CLIENTS_ANONYMOUS ? SSL_VERIFY_NONE
	             : o->clients == TLS_CLIENTS_MAY_HAVE  ? SSL_VERIFY_PEER
	                                                  : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_options(s, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
	                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(s, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                            SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(s, CERTIFICATES_MAX);
	SSL_CTX_set_verify(s, verify, NULL);
	SSL_CTX_set_cert_verify_callback(s, on_certificate, c);
	if (o->protocol && c->server)
		SSL_CTX_set_alpn_select_cb(s, on_protocol, c);
	else if (o->protocol && SSL_CTX_set_alpn_protos(s, c->protocol, c->protocol[0] + 1u) != 0)
		return false;
	return SSL_CTX_set_min_proto_version(s, TLS1_3_VERSION) > 0 &&
	       SSL_CTX_set_max_proto_version(s, TLS1_3_VERSION) > 0 &&
	       SSL_CTX_set_ciphersuites(s, suites) > 0 && SSL_CTX_set1_groups_list(s, groups) > 0 &&
	       SSL_CTX_set1_sigalgs_list(s, signatures) > 0 && SSL_CTX_set_num_tickets(s, 0) > 0 &&
	       SSL_CTX_set_max_early_data(s, 0) > 0;
}

static int copy_trust(struct tls_context *c, const struct tls_options *o, struct error *err)
{
	struct cert_rule *r = &c->rule;
	r->use = c->server ? CERT_FOR_CLIENT : CERT_FOR_SERVER;
	int rc = o->key_hash ? cert_key_hash_parse(o->key_hash, "the pin", c->key_hash, err) : 0;
	if (rc == 0 && o->ca_key_hash)
		rc = cert_key_hash_parse(o->ca_key_hash, "the pin", c->ca_key_hash, err);
	if (rc < 0)
		return rc;
	r->key_hash = o->key_hash ? c->key_hash : NULL;
	r->ca_key_hash = o->ca_key_hash ? c->ca_key_hash : NULL;
	if (o->ca_count > TLS_CAS_MAX)
		return error_set(err, CELLA_ELIMIT, "%zu CAs are too many: %d at most", o->ca_count,
		                 TLS_CAS_MAX);
	for (; c->ca_count < o->ca_count; c->ca_count++) {
		X509_up_ref(o->cas[c->ca_count]->x509);
		c->ca_holders[c->ca_count].x509 = o->cas[c->ca_count]->x509;
		c->cas[c->ca_count] = &c->ca_holders[c->ca_count];
	}
	r->cas = c->cas;
	r->ca_count = c->ca_count;
	if (!o->name)
		return 0;
	if (strlen(o->name->text) >= sizeof(c->name_text))
		return error_set(err, CELLA_EINVAL, "the name \"%.80s…\" is too long", o->name->text);
	memcpy(c->name_text, o->name->text, strlen(o->name->text) + 1);
	c->name = (struct cert_name){o->name->kind, c->name_text};
	r->name = &c->name;
	return 0;
}

static int check_options(const struct tls_options *o, bool server, struct error *err)
{
	if (server && (!o->key || o->chain_count == 0))
		return error_set(err, CELLA_EINVAL, "a TLS server needs a private key and a certificate");
	if (!server && !o->key_hash && !o->name)
		return error_set(err, CELLA_EINVAL,
		                 "a TLS client needs the hash of the server's key, or a CA and the server's "
		                 "name: with a CA alone every holder of its certificates would pass");
	if (!server && !o->key_hash && !o->ca_key_hash && o->ca_count == 0)
		return error_set(err, CELLA_EINVAL,
		                 "a TLS client needs the hash of the server's key or of its CA's");
	if (o->protocol && strlen(o->protocol) >= PROTOCOL_MAX)
		return error_set(err, CELLA_EINVAL, "the protocol's name \"%s\" is too long", o->protocol);
	return 0;
}

static int context_new(const struct tls_options *o, bool server, struct tls_context **ret_context,
                       struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int rc = check_options(o, server, err);
	if (rc < 0)
		return rc;
	pthread_once(&once, start);
	if (!socket_method)
		return failed("its start", err);
	struct tls_context *c = calloc(1, sizeof(*c));
	if (!c)
		return error_set(err, CELLA_ENOMEM, "no memory for TLS");
	atomic_init(&c->references, 1);
	c->server = server;
	c->any_client_key = o->any_client_key;
	c->now = o->now;
	c->now_arg = o->now_arg;
	c->check = o->check;
	c->check_arg = o->check_arg;
	if (o->protocol) {
		c->protocol[0] = (uint8_t)strlen(o->protocol);
		memcpy(c->protocol + 1, o->protocol, c->protocol[0]);
	}
	rc = copy_trust(c, o, err);
	c->ssl = rc == 0 ? SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()) : NULL;
	if (rc == 0 && (!c->ssl || !set_up(c, o)))
		rc = failed("setting TLS up", err);
	if (rc == 0)
		rc = use_certificate(c->ssl, o, err);
	if (rc < 0)
		tls_context_unref(c);
	else
		*ret_context = c;
	return rc;
}

int tls_server_context(const struct tls_options *options, struct tls_context **ret_context, struct error *err)
{
	return context_new(options, true, ret_context, err);
}

int tls_client_context(const struct tls_options *options, struct tls_context **ret_context, struct error *err)
{
	return context_new(options, false, ret_context, err);
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
	atomic_fetch_add(&c->references, 1);
	return c;
}

void tls_context_unref(struct tls_context *c)
{
	if (!c || atomic_fetch_sub(&c->references, 1) != 1)
		return;
	SSL_CTX_free(c->ssl);
	for (size_t i = 0; i < c->ca_count; i++)
		X509_free(c->ca_holders[i].x509);
	free(c);
}

/* Connections. */

static bool is_address(const char *host)
{
	uint8_t bytes[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

int tls_new(struct tls_context *context, int fd, const char *host, struct tls **ret_tls, struct error *err)
{
	struct tls *t = calloc(1, sizeof(*t));
	if (!t)
		return error_set(err, CELLA_ENOMEM, "no memory for a connection");
	t->context = tls_context_ref(context);
	t->fd = fd;
	t->ssl = SSL_new(context->ssl);
	BIO *bio = t->ssl ? BIO_new(socket_method) : NULL;
	if (!bio) {
		tls_free(t);
		return failed("making a connection", err);
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	if (context->server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	if (!context->server && host && !is_address(host) && SSL_set_tlsext_host_name(t->ssl, host) <= 0) {
		tls_free(t);
		return failed("naming the server", err);
	}
	*ret_tls = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	tls_context_unref(t->context);
	free(t);
}

/* libssl's reasons, for people. What begins with "alert" came from the peer. */
static const struct reason {
	int reason, code;
	const char *text;
} reasons[] = {
	{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, CELLA_EUNSUPPORTED,
         "the peer refuses TLS 1.3, and nothing older is spoken here"},
	{SSL_R_UNSUPPORTED_PROTOCOL, CELLA_EUNSUPPORTED,
         "the peer offers no TLS 1.3, and nothing older is spoken here"},
	{SSL_R_WRONG_SSL_VERSION, CELLA_EUNSUPPORTED,
         "the peer offers no TLS 1.3, and nothing older is spoken here"},
	{SSL_R_VERSION_TOO_LOW, CELLA_EUNSUPPORTED,
         "the peer offers no TLS 1.3, and nothing older is spoken here"},
	{SSL_R_WRONG_VERSION_NUMBER, CELLA_EFORMAT, "what the peer sends is not TLS"},
	{SSL_R_HTTP_REQUEST, CELLA_EFORMAT, "what the peer sends is HTTP without TLS"},
	{SSL_R_HTTPS_PROXY_REQUEST, CELLA_EFORMAT, "what the peer sends is a request to a proxy"},
	{SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, CELLA_EAUTH,
         "the server demands a client's certificate, and there is none"},
	{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, CELLA_EAUTH,
         "the client shows no certificate, and one is demanded"},
	{SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, CELLA_EAUTH,
         "the peer refuses our certificate: to it that is malformed, or its clock and ours differ"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, CELLA_EAUTH,
         "the peer says that our certificate has expired"},
	{SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, CELLA_EAUTH, "the peer says that our certificate is revoked"},
	{SSL_R_TLSV1_ALERT_UNKNOWN_CA, CELLA_EAUTH, "the peer does not trust the CA of our certificate"},
	{SSL_R_TLSV1_ALERT_ACCESS_DENIED, CELLA_EAUTH, "the peer refuses us"},
	{SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, CELLA_EUNSUPPORTED,
         "the peer finds no cipher or signature that both have"},
	{SSL_R_NO_SHARED_CIPHER, CELLA_EUNSUPPORTED,
         "the peer has none of the ciphers that are accepted here"},
	{SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, CELLA_EUNSUPPORTED,
         "the peer accepts no signature of our certificate's kind"},
	{SSL_R_NO_SUITABLE_KEY_SHARE, CELLA_EUNSUPPORTED,
         "the peer has none of the groups that are accepted here"},
	{SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, CELLA_EUNSUPPORTED,
         "the server does not speak the protocol that was asked for"},
	{SSL_R_NO_APPLICATION_PROTOCOL, CELLA_EUNSUPPORTED,
         "the peer does not speak the protocol that is spoken here"},
	{SSL_R_UNEXPECTED_EOF_WHILE_READING, CELLA_ELOST, "the peer ended the connection without saying so"},
};

static int by_reason(struct tls *t, struct error *err)
{
	unsigned long code = ERR_peek_error();
	const char *text = ERR_reason_error_string(code);
	int reason = ERR_GET_REASON(code);
	ERR_clear_error();
	if (t->refusal.code < 0)
		return error_set(err, CELLA_EAUTH, "%s", t->refusal.text);
	for (size_t i = 0; ERR_GET_LIB(code) == ERR_LIB_SSL && i < array_count(reasons); i++) {
		if (reasons[i].reason == reason)
			return error_set(err, reasons[i].code, "%s", reasons[i].text);
	}
	if (reason == ERR_R_MALLOC_FAILURE)
		return error_set(err, CELLA_ENOMEM, "no memory for TLS");
	return error_set(err, CELLA_EFORMAT, "TLS failed: %s", text ? text : "for no reason that it names");
}

static int by_errno(struct tls *t, struct error *err)
{
	ERR_clear_error();
	if (t->socket_errno == 0)
		return error_set(err, CELLA_ELOST, "the peer ended the connection without saying so");
	errno = t->socket_errno;
	return error_errno(err, CELLA_EIO, "the connection broke");
}

/* Why libssl's call gave `result`. */
static int outcome(struct tls *t, int result, struct error *err)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ: t->wants = POLLIN; return CELLA_EAGAIN;
	case SSL_ERROR_WANT_WRITE: t->wants = POLLOUT; return CELLA_EAGAIN;
	case SSL_ERROR_SYSCALL: t->broken = true; return by_errno(t, err);
	default: t->broken = true; return by_reason(t, err);
	}
}

int tls_handshake(struct tls *t, struct error *err)
{
	ERR_clear_error();
	int result = SSL_do_handshake(t->ssl);
	return result == 1 ? 0 : outcome(t, result, err);
}

int tls_read(struct tls *t, void *to, size_t size, size_t *ret_size, struct error *err)
{
	ERR_clear_error();
	size_t got;
	int result = SSL_read_ex(t->ssl, to, size, &got);
	if (result <= 0 && SSL_get_error(t->ssl, result) != SSL_ERROR_ZERO_RETURN)
		return outcome(t, result, err);
	*ret_size = result > 0 ? got : 0;
	return 0;
}

int tls_write(struct tls *t, const void *from, size_t size, size_t *ret_size, struct error *err)
{
	ERR_clear_error();
	size_t sent;
	int result = SSL_write_ex(t->ssl, from, size, &sent);
	if (result <= 0)
		return outcome(t, result, err);
	*ret_size = sent;
	return 0;
}

void tls_end(struct tls *t)
{
	if (t->broken || !SSL_is_init_finished(t->ssl))
		return;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

short tls_wants(const struct tls *t)
{
	return t->wants;
}

const struct tls_peer *tls_peer(const struct tls *t)
{
	return &t->peer;
}
