/*
 * Sealed objects from an attacker. What does not open leaves zeros; what opens (the seeds do)
 * seals and opens again.
 */
#include <stdlib.h>
#include <string.h>

#include "seal/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static struct seal_session *the_session(void)
{
	static const uint8_t key[CRYPTO_KEY_SIZE] = {1};
	static struct seal_session *session;
	if (!session)
		demand(crypto_init(NULL, NULL) == 0 && seal_session_new(key, &session, NULL) == 0);
	return session;
}

static void seal_again(const struct seal_id *id, const uint8_t *plain, size_t size)
{
	uint8_t *sealed = malloc(seal_size(size)), *out = malloc(size + 1);
	demand(sealed && out);
	demand(seal_object(the_session(), id, NULL, 0, plain, size, sealed, NULL) == 0);
	demand(seal_open(the_session(), id, NULL, 0, sealed, seal_size(size), out, size, NULL) == 0);
	demand(memcmp(plain, out, size) == 0);
	free(sealed);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_session *session = the_session();
	struct seal_id id;
	struct error err;
	size_t plain_size;
	if (seal_peek(data, size, &id, &plain_size, &err) < 0)
		return 0;
	demand(seal_size(plain_size) == size);
	uint8_t *out = malloc(plain_size + 1);
	demand(out);
	memset(out, 0xff, plain_size);
	if (seal_open(session, &id, NULL, 0, data, size, out, plain_size, &err) == 0) {
		seal_again(&id, out, plain_size);
	} else {
		for (size_t i = 0; i < plain_size; i++)
			demand(out[i] == 0);
	}
	free(out);
	return 0;
}
