/*
 * Who does too much: how many of something each peer has at once, and token buckets.
 *
 * A peer is 64 bits: an IPv4 address, the /64 of an IPv6 address, or the beginning of a key's hash.
 */
#ifndef NET_HTTPS_LIMITS_H
#define NET_HTTPS_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

uint64_t https_peer_of_address(const struct sockaddr *address);
/* Of a hash of a key in hexadecimal. */
uint64_t https_peer_of_key(const char *key_hash);

/* How many each has; who has none takes no memory. */
struct https_counts;
int https_counts_new(struct https_counts **ret_counts, struct error *err) must_check;
void https_counts_free(struct https_counts *counts);
/* One more, unless that makes more than `most` or memory runs out. */
bool https_counts_take(struct https_counts *counts, uint64_t peer, unsigned most);
void https_counts_give(struct https_counts *counts, uint64_t peer);

/*
 * Token buckets of `per_s` tokens that fill in a second, in a table of fixed size: 1,024 sets of four, a
 * peer's set chosen by a secret hash. In a full set the bucket that was used longest ago makes room, and its
 * owner begins anew, so that somebody with thousands of addresses gets more than one has; the limit of all
 * connections together is what holds against that.
 */
struct https_buckets;
int https_buckets_new(unsigned per_s, struct https_buckets **ret_buckets, struct error *err) must_check;
void https_buckets_free(struct https_buckets *buckets);
/* Takes a token; false when there is none. */
bool https_buckets_take(struct https_buckets *buckets, uint64_t peer, uint64_t now_ns);

#endif
