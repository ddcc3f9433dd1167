/*
 * Offline leases and launchers' statements: whatever the bytes, they are refused, or what was read is
 * written the same again, and judging it by other evidence ends in a refusal.
 */
#include <stdlib.h>
#include <string.h>

#include "attest/lease.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lease(const uint8_t *data, size_t size)
{
	static const struct evidence nobody;
	uint8_t head[LEASE_HEAD_SIZE];
	struct lease l;
	struct error err;
	if (lease_read(data, size, &l, &err) < 0)
		return;
	if (size != LEASE_HEAD_SIZE + l.grant_size || l.grant + l.grant_size != data + size ||
	    lease_write_head(&l, head, &err) < 0 || memcmp(head, data, sizeof(head)) != 0)
		abort();
	if (!bytes_are_zero(l.cell, sizeof(l.cell)) && lease_judge(&l, &nobody, l.boot, l.from_s, &err) == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct lease_keep keep;
	struct error err;
	if (!started && crypto_init(NULL, NULL) < 0)
		abort();
	started = true;
	check_lease(data, size);
	if (lease_keep_decode(data, size, &keep, &err) == 0 && size != LEASE_KEEP_SIZE)
		abort();
	return 0;
}
