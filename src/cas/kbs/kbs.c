/* The handshake: challenge, attestation, token; and the life of what it shares. */
#include "cas/kbs/kbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "cas/kbs/state.h"

/* ---- life */

int kbs_new(struct cas *cas, struct kbs **ret_kbs, struct error *err)
{
	struct kbs *kbs = calloc(1, sizeof(*kbs));
	if (!kbs)
		return error_set(err, CELLA_ENOMEM, "no memory for guests");
	kbs->cas = cas;
	TAILQ_INIT(&kbs->guests);
	pthread_mutex_init(&kbs->lock, NULL);
	pthread_mutex_init(&kbs->key_lock, NULL);
	kbs->used_ring = calloc(KBS_USED_MAX, sizeof(*kbs->used_ring));
	kbs->refusals = calloc(KBS_REFUSALS_MAX, sizeof(*kbs->refusals));
	int rc = kbs->used_ring && kbs->refusals ? 0 : error_set(err, CELLA_ENOMEM, "no memory for guests");
	if (rc == 0)
		rc = crypto_random(kbs->key, sizeof(kbs->key), err);
	if (rc < 0)
		kbs_free(kbs);
	else
		*ret_kbs = kbs;
	return rc;
}

void kbs_free(struct kbs *kbs)
{
	struct kbs_guest *guest;
	if (!kbs)
		return;
	while ((guest = TAILQ_FIRST(&kbs->guests))) {
		TAILQ_REMOVE(&kbs->guests, guest, next);
		kbs_guest_free(guest);
	}
	for (size_t i = 0; i < TOKEN_ALGORITHMS; i++)
		token_key_free(kbs->token_keys[i]);
	map_done(&kbs->used);
	free(kbs->used_ring);
	free(kbs->refusals);
	mem_wipe(kbs->key, sizeof(kbs->key));
	free(kbs);
}

/* ---- the challenge */

int kbs_auth(struct kbs *kbs, const void *body, size_t size, struct kbs_challenge *ret, struct error *err)
{
	struct kbs_challenge challenge = {0};
	struct kbs_ticket ticket;
	int rc = kbs_request_read(body, size, &challenge.request, err);
	if (rc == 0)
		rc = kbs_ticket_make(kbs->key, &challenge.request, cas_now_ns(kbs->cas), &ticket,
		                     challenge.cookie, err);
	if (rc == 0)
		rc = kbs_ticket_nonce(kbs->key, &ticket, challenge.nonce, err);
	if (rc == 0)
		*ret = challenge;
	return rc;
}

/* ---- the attestation */

struct attesting {
	struct kbs *kbs;
	const struct kbs_caller *caller;
	const void *body;
	size_t size;
	struct buf *token;
	struct error *err;
	int rc;
	struct kbs_guest *guest; /* until it is remembered */
	struct buf reasons; /* lines: why it is refused */
	char nonce[KBS_NONCE_SIZE];
};

/* One of this CAS, not too old, for the first time. CELLA_EAUTH becomes a reason. */
static int take_ticket(struct attesting *a, struct kbs_ticket *ret)
{
	struct error why = {.text = "the cookie kbs-session-id is not there once"};
	char cookie[KBS_COOKIE_SIZE];
	int rc = a->caller->cookies && kbs_cookie_find(a->caller->cookies, cookie) ? 0 : CELLA_EAUTH;
	if (rc == 0)
		rc = kbs_ticket_read(a->kbs->key, cookie, ret, &why);
	if (rc == 0)
		rc = kbs_ticket_use(a->kbs, ret, &why);
	if (rc == CELLA_EAUTH)
		buf_printf(&a->reasons, "cookie: %s\n", why.text);
	else if (rc < 0)
		*a->err = why;
	return rc == CELLA_EAUTH ? 0 : rc;
}

static int new_token_id(char ret[KBS_TOKEN_ID_SIZE], struct error *err)
{
	uint8_t bytes[(KBS_TOKEN_ID_SIZE - 1) / 2];
	int rc = crypto_random(bytes, sizeof(bytes), err);
	if (rc == 0)
		io_hex(bytes, sizeof(bytes), ret);
	return rc;
}

/* What is kept of it. */
static size_t guest_size(const struct kbs_guest *g)
{
	enum { KEY_SIZE = 8192 }; /* of a public key, as JSON and in OpenSSL */
	const struct kbs_evidence *e = &g->attestation.evidence;
	size_t size = sizeof(*g) + KEY_SIZE + g->attestation.runtime.size + e->report.size +
	              e->event_log.size;
	for (size_t i = 0; i < e->cert_count; i++)
		size += e->certs[i].size;
	return size;
}

/* What was sent, of a guest that nobody knows yet. */
static int make_guest(struct attesting *a, const struct kbs_ticket *ticket)
{
	struct kbs_guest *g = calloc(1, sizeof(*g));
	if (!g)
		return error_set(a->err, CELLA_ENOMEM, "no memory for a guest");
	a->guest = g;
	g->tee = ticket->request.tee;
	memcpy(g->id, ticket->id, sizeof(g->id));
	snprintf(g->address, sizeof(g->address), "%s", a->caller->address);
	int rc = kbs_ticket_nonce(a->kbs->key, ticket, a->nonce, a->err);
	if (rc == 0)
		rc = kbs_attestation_read(g->tee, a->nonce, a->body, a->size, &g->attestation, a->err);
	if (rc < 0)
		return rc;
	const struct crypto_part runtime = {g->attestation.runtime.data, g->attestation.runtime.size};
	g->size = guest_size(g);
	g->report_data_size = crypto_hash_size(ticket->request.hash);
	static_assert(sizeof(g->report_data) == CRYPTO_HASH_MAX, "a hash has room");
	return crypto_hash(ticket->request.hash, &runtime, 1, g->report_data, a->err);
}

static void check_nonce(struct attesting *a)
{
	const struct kbs_attestation *sent = &a->guest->attestation;
	const size_t size = strlen(sent->nonce);
	char shown[KBS_NONCE_MAX + 1];
	if (!sent->has_nonce || (size == strlen(a->nonce) && crypto_equal(sent->nonce, a->nonce, size)))
		return;
	memcpy(shown, sent->nonce, size + 1);
	printable(shown, size, false);
	buf_printf(&a->reasons, "nonce: wanted the challenge's, %s, found %s\n", a->nonce, shown);
}

static int check_evidence(struct attesting *a, struct tee_verdict *ret_verdict)
{
	struct error why;
	int rc = kbs_verify(a->kbs, a->guest, NULL, ret_verdict, &why);
	if (rc == CELLA_EFORMAT || rc == CELLA_EUNSUPPORTED || rc == CELLA_ELIMIT || rc == CELLA_EINVAL) {
		buf_printf(&a->reasons, "evidence: wanted what can be understood, found: %s\n", why.text);
		return 0;
	}
	if (rc < 0) {
		*a->err = why;
		return kbs_own_failure(rc, a->err);
	}
	if (!tee_accepted(ret_verdict))
		kbs_failures_print(ret_verdict, "", &a->reasons);
	return 0;
}

static int accept(struct attesting *a, const struct kbs_ticket *ticket, const struct tee_verdict *verdict)
{
	struct kbs_guest *g = a->guest;
	const enum token_algorithm algorithm = ticket->request.version == KBS_0_1_1 ? TOKEN_RS256
	                                                                            : TOKEN_ES384;
	g->since_ns = cas_now_ns(a->kbs->cas);
	g->until_ns = g->since_ns + KBS_GUEST_S * 1000000000ull;
	int rc = new_token_id(g->token_id, a->err);
	if (rc == 0)
		rc = kbs_token_make(a->kbs, g, verdict, algorithm, a->token, a->err);
	if (rc == 0)
		rc = kbs_guest_add(a->kbs, g, a->err);
	if (rc < 0)
		return kbs_own_failure(rc, a->err);
	a->guest = NULL;
	kbs_guest_put_back(a->kbs, g);
	return 0;
}

static int refuse(struct attesting *a)
{
	json_t *what = a->guest ? kbs_describe(a->guest)
	                        : json_pack("{s:s, s:s}", "guest", "", "from", a->caller->address);
	return kbs_refuse_attestation(a->kbs, a->caller->address, &a->reasons, what, a->err);
}

static int judge(struct attesting *a)
{
	struct kbs_ticket ticket = {0};
	struct tee_verdict verdict = {0};
	int rc = take_ticket(a, &ticket);
	if (rc == 0 && a->reasons.size == 0)
		rc = make_guest(a, &ticket);
	if (rc == 0 && a->guest) {
		check_nonce(a);
		rc = check_evidence(a, &verdict);
	}
	if (rc == 0)
		rc = a->guest && !a->reasons.size && !a->reasons.failed ? accept(a, &ticket, &verdict)
		                                                        : refuse(a);
	tee_verdict_done(&verdict);
	return rc;
}

static void attest_at_desk(struct cas_desk *desk, void *arg)
{
	struct attesting *a = arg;
	(void)desk;
	a->rc = judge(a);
	kbs_guest_free(a->guest);
	buf_done(&a->reasons);
}

int kbs_attest(struct kbs *kbs, const struct kbs_caller *caller, const void *body, size_t size,
               struct buf *ret_token, struct error *err)
{
	struct error why;
	cleanup_buf struct buf token = {0};
	struct attesting a = {.kbs = kbs,
	                      .caller = caller,
	                      .body = body,
	                      .size = size,
	                      .token = &token,
	                      .err = err ? err : &why};
	cas_at_desk(kbs->cas, attest_at_desk, &a);
	if (a.rc < 0)
		return a.rc;
	buf_put(ret_token, token.data, token.size);
	return ret_token->failed ? error_set(err, CELLA_ENOMEM, "no memory for a token") : 0;
}
