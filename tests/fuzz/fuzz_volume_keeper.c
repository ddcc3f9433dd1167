/* A root file of any bytes: it is refused, or the lease, a commit and what is read then agree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "volume/keeper.h"

enum { SLOT_SIZE = 512, SLOTS = 2, DIGEST_AT = 104 }; /* keeper_file.c */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* The first byte says which slots get the digest of what is in them, to be believed. */
static size_t fill(int fd, const uint8_t *data, size_t size)
{
	uint8_t bytes[SLOTS * SLOT_SIZE] = {0};
	uint8_t digests = size ? data[0] : 0;
	size = size ? size - 1 : 0;
	size = size < sizeof(bytes) ? size : sizeof(bytes);
	if (size)
		memcpy(bytes, data + 1, size);
	for (unsigned i = 0; i < SLOTS; i++)
		if (digests & 1 << i && size >= i * SLOT_SIZE + DIGEST_AT + CRYPTO_SHA384_SIZE)
			demand(crypto_sha384(bytes + (size_t)i * SLOT_SIZE, DIGEST_AT,
			                     bytes + (size_t)i * SLOT_SIZE + DIGEST_AT, NULL) == 0);
	demand(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, size, 0) == (ssize_t)size);
	return size;
}

static void commit(struct volume_keeper *k, const uint8_t volume[VOLUME_ID_SIZE],
                   const uint8_t from[VOLUME_REFERENCE_SIZE])
{
	uint8_t to[VOLUME_REFERENCE_SIZE], now[VOLUME_REFERENCE_SIZE], other[VOLUME_REFERENCE_SIZE];
	uint64_t token;
	struct error err;
	demand(k->acquire(k->data, volume, false, &token, &err) == 0);
	for (size_t i = 0; i < sizeof(to); i++) {
		to[i] = (uint8_t)(from[i] + 1);
		other[i] = (uint8_t)(from[i] + 2);
	}
	demand(k->swap(k->data, volume, token - 1, from, to, &err) == CELLA_EFENCED);
	demand(k->swap(k->data, volume, token, other, to, &err) == CELLA_EAUTH);
	demand(k->swap(k->data, volume, token, from, to, &err) == 0);
	demand(k->get(k->data, volume, now, &err) == 0 && memcmp(now, to, sizeof(now)) == 0);
	k->release(k->data, volume, token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[64];
	struct volume_keeper keeper;
	uint8_t volume[VOLUME_ID_SIZE] = {0}, root[VOLUME_REFERENCE_SIZE];
	struct error err;
	if (fd < 0) {
		demand(crypto_init(NULL, NULL) == 0);
		fd = memfd_create("root", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	size_t written = fill(fd, data, size);
	if (written >= 8 + VOLUME_ID_SIZE)
		memcpy(volume, data + 1 + 8, VOLUME_ID_SIZE); /* the first slot's */
	demand(volume_keeper_file(path, &keeper, &err) == 0);
	int rc = keeper.get(keeper.data, volume, root, &err);
	demand(rc == 0 || rc == CELLA_EFORMAT || rc == CELLA_EAUTH);
	if (rc == 0)
		commit(&keeper, volume, root);
	volume_keeper_file_free(&keeper);
	return 0;
}
