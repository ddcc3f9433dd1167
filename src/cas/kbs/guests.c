/* Guests that have attested, and tickets that were used: each a bounded set, of which the oldest goes. */
#include <stdlib.h>
#include <string.h>

#include "cas/kbs/state.h"
#include "cas/network.h"

void kbs_guest_free(struct kbs_guest *guest)
{
	if (!guest)
		return;
	kbs_attestation_done(&guest->attestation);
	free(guest);
}

static void unlist(struct kbs *kbs, struct kbs_guest *guest)
{
	TAILQ_REMOVE(&kbs->guests, guest, next);
	kbs->guest_count--;
	kbs->evidence_size -= guest->size;
	guest->listed = false;
	if (guest->users == 0)
		kbs_guest_free(guest);
}

static void drop_old(struct kbs *kbs, uint64_t now_ns)
{
	struct kbs_guest *first;
	while ((first = TAILQ_FIRST(&kbs->guests)) && first->until_ns <= now_ns)
		unlist(kbs, first);
}

/* So that one caller cannot take the place of all others, its own oldest goes first. */
static void bound_network(struct kbs *kbs, uint64_t network)
{
	struct kbs_guest *oldest = NULL, *g;
	size_t count = 0;
	TAILQ_FOREACH(g, &kbs->guests, next)
	if (g->network == network) {
		oldest = oldest ? oldest : g;
		count++;
	}
	if (count >= KBS_ADDRESS_GUESTS_MAX)
		unlist(kbs, oldest);
}

int kbs_guest_add(struct kbs *kbs, struct kbs_guest *guest, struct error *err)
{
	if (guest->size > KBS_EVIDENCE_MAX)
		return error_set(err, CELLA_ELIMIT, "%zu bytes of evidence are too many", guest->size);
	pthread_mutex_lock(&kbs->lock);
	drop_old(kbs, cas_now_ns(kbs->cas));
	guest->network = network_of(guest->address);
	bound_network(kbs, guest->network);
	while (kbs->guest_count >= KBS_GUESTS_MAX ||
	       (kbs->guest_count > 0 && kbs->evidence_size + guest->size > KBS_EVIDENCE_MAX))
		unlist(kbs, TAILQ_FIRST(&kbs->guests));
	TAILQ_INSERT_TAIL(&kbs->guests, guest, next);
	kbs->guest_count++;
	kbs->evidence_size += guest->size;
	guest->listed = true;
	guest->users = 1;
	pthread_mutex_unlock(&kbs->lock);
	return 0;
}

static bool is_named(const struct kbs_guest *g, const uint8_t *id, const char *token_id)
{
	return id ? crypto_equal(g->id, id, KBS_ID_SIZE)
	          : crypto_equal(g->token_id, token_id, KBS_TOKEN_ID_SIZE);
}

/* By a clock that may have been set back since. */
static bool is_current(const struct kbs_guest *g, uint64_t now_ns)
{
	return g->since_ns <= now_ns + KBS_AHEAD_MS * 1000000ull && now_ns < g->until_ns;
}

int kbs_guest_find(struct kbs *kbs, const uint8_t *id, const char *token_id, struct kbs_guest **ret_guest,
                   struct error *err)
{
	const uint64_t now = cas_now_ns(kbs->cas);
	struct kbs_guest *g;
	pthread_mutex_lock(&kbs->lock);
	drop_old(kbs, now);
	TAILQ_FOREACH(g, &kbs->guests, next)
	if (is_named(g, id, token_id) && is_current(g, now)) {
		g->users++;
		break;
	}
	pthread_mutex_unlock(&kbs->lock);
	if (!g)
		return error_set(err, CELLA_ENOENT, "the guest has not attested, or too long ago");
	*ret_guest = g;
	return 0;
}

void kbs_guest_put_back(struct kbs *kbs, struct kbs_guest *guest)
{
	pthread_mutex_lock(&kbs->lock);
	if (--guest->users == 0 && !guest->listed)
		kbs_guest_free(guest);
	pthread_mutex_unlock(&kbs->lock);
}

static uint64_t key_of(const struct kbs_ticket *ticket)
{
	uint64_t key;
	memcpy(&key, ticket->id, sizeof(key));
	return key;
}

/* The place of the oldest one, which is forgotten: whatever is as old is not good any more. */
static struct kbs_used *make_place(struct kbs *kbs)
{
	if (kbs->used_count < KBS_USED_MAX)
		return &kbs->used_ring[kbs->used_count++];
	struct kbs_used *place = &kbs->used_ring[kbs->used_at];
	kbs->used_at = (kbs->used_at + 1) % KBS_USED_MAX;
	kbs->forgotten_ms = max_of(kbs->forgotten_ms, place->ms);
	map_take(&kbs->used, place->key);
	return place;
}

static int note_used(struct kbs *kbs, const struct kbs_ticket *ticket, struct error *err)
{
	const uint64_t key = key_of(ticket);
	if (map_get(&kbs->used, key))
		return error_set(err, CELLA_EAUTH, "the cookie was used before: begin a new handshake");
	if (ticket->ms <= kbs->forgotten_ms)
		return error_set(err, CELLA_EAUTH,
		                 "so many handshakes came since the challenge that it is not known whether "
		                 "the cookie was used before: begin a new handshake");
	if (map_put(&kbs->used, key, kbs) < 0)
		return error_set(err, CELLA_ENOMEM, "no memory to note a handshake");
	*make_place(kbs) = (struct kbs_used){key, ticket->ms};
	return 0;
}

int kbs_ticket_use(struct kbs *kbs, const struct kbs_ticket *ticket, struct error *err)
{
	const uint64_t now = cas_now_ns(kbs->cas) / 1000000u;
	if (ticket->ms > now + KBS_AHEAD_MS ||
	    (now > ticket->ms && now - ticket->ms > KBS_HANDSHAKE_S * 1000ull))
		return error_set(err, CELLA_EAUTH,
		                 "the challenge is older than %d seconds: begin a new handshake",
		                 KBS_HANDSHAKE_S);
	pthread_mutex_lock(&kbs->lock);
	int rc = note_used(kbs, ticket, err);
	pthread_mutex_unlock(&kbs->lock);
	return rc;
}
