#include "net/https_limits.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "crypto/crypto.h"

enum { SETS = 1024, WAYS = 4 };

static uint64_t big_endian(const uint8_t bytes[8])
{
	uint64_t number = 0;
	for (size_t i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

/* No /64 that is in use begins with sixteen ones. */
static uint64_t of_ipv4(const uint8_t bytes[4])
{
	uint8_t padded[8] = {0xff, 0xff, 0, 0, bytes[0], bytes[1], bytes[2], bytes[3]};
	return big_endian(padded);
}

uint64_t https_peer_of_address(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return of_ipv4(
			(const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr);
	if (address->sa_family != AF_INET6)
		return 0;
	const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	return IN6_IS_ADDR_V4MAPPED(six) ? of_ipv4(six->s6_addr + 12) : big_endian(six->s6_addr);
}

uint64_t https_peer_of_key(const char *key_hash)
{
	char digits[17] = {0};
	memcpy(digits, key_hash, 16);
	return strtoull(digits, NULL, 16);
}

struct https_counts {
	struct map map; /* struct count by peer */
};

struct count {
	unsigned number;
};

int https_counts_new(struct https_counts **ret_counts, struct error *err)
{
	struct https_counts *c = calloc(1, sizeof(*c));
	if (!c)
		return error_set(err, CELLA_ENOMEM, "no memory to count peers");
	*ret_counts = c;
	return 0;
}

void https_counts_free(struct https_counts *c)
{
	struct map_slot *slot;
	if (!c)
		return;
	for (size_t i = 0; (slot = map_next(&c->map, &i));)
		free(slot->value);
	map_done(&c->map);
	free(c);
}

bool https_counts_take(struct https_counts *c, uint64_t peer, unsigned most)
{
	struct count *count = map_get(&c->map, peer);
	if (count) {
		if (count->number >= most)
			return false;
		count->number++;
		return true;
	}
	count = calloc(1, sizeof(*count));
	if (!count || map_put(&c->map, peer, count) < 0) {
		free(count);
		return false;
	}
	count->number = 1;
	return true;
}

void https_counts_give(struct https_counts *c, uint64_t peer)
{
	struct count *count = map_get(&c->map, peer);
	if (count && --count->number == 0)
		free(map_take(&c->map, peer));
}

struct bucket {
	uint64_t peer;
	uint64_t used_ns; /* 0: free */
	uint64_t level;   /* in nanoseconds' worth of filling */
};

struct https_buckets {
	uint64_t full;  /* a second */
	uint64_t token; /* what one costs */
	uint64_t secret[2];
	struct bucket buckets[SETS][WAYS];
};

int https_buckets_new(unsigned per_s, struct https_buckets **ret_buckets, struct error *err)
{
	struct https_buckets *b = calloc(1, sizeof(*b));
	if (!b)
		return error_set(err, CELLA_ENOMEM, "no memory for limits of peers");
	int rc = crypto_random(b->secret, sizeof(b->secret), err);
	if (rc < 0) {
		free(b);
		return rc;
	}
	b->full = 1000000000;
	b->token = b->full / per_s;
	*ret_buckets = b;
	return 0;
}

void https_buckets_free(struct https_buckets *b)
{
	free(b);
}

/* Multiply-shift with a secret: who does not know it cannot choose who shares a set with whom. */
static struct bucket *set_of(struct https_buckets *b, uint64_t peer)
{
	__uint128_t product = (__uint128_t)(peer ^ b->secret[0]) * (b->secret[1] | 1);
	return b->buckets[((uint64_t)(product >> 64) ^ (uint64_t)product >> 32) % SETS];
}

bool https_buckets_take(struct https_buckets *b, uint64_t peer, uint64_t now_ns)
{
	struct bucket *set = set_of(b, peer), *mine = NULL, *oldest = &set[0];
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].used_ns > 0 && set[i].peer == peer)
			mine = &set[i];
		if (set[i].used_ns < oldest->used_ns)
			oldest = &set[i];
	}
	if (!mine) {
		mine = oldest;
		*mine = (struct bucket){peer, now_ns, b->full};
	}
	mine->level = min_of(b->full, mine->level + (now_ns - mine->used_ns));
	mine->used_ns = now_ns;
	if (mine->level < b->token)
		return false;
	mine->level -= b->token;
	return true;
}
