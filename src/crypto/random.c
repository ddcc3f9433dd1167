#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <openssl/crypto.h>

#include "crypto/crypto.h"

int crypto_random(void *to, size_t size, struct error *err)
{
	uint8_t *at = to;
	while (size) {
		ssize_t got = getrandom(at, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_errno(err, CELLA_EIO, "the kernel gives no random bytes");
		at += got;
		size -= (size_t)got;
	}
	return 0;
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}

/*
 * The buffer stands in a page that the kernel clears in a forked child: zero left, so the child
 * fetches its own. It is small, so that a virtual machine resumed twice from one image has few
 * salts to repeat.
 */
struct crypto_salts {
	uint32_t left;
	uint8_t salts[16][CRYPTO_SALT_SIZE];
};

int crypto_salts_new(struct crypto_salts **ret_salts, struct error *err)
{
	struct crypto_salts *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	                              -1, 0);
	if (s == MAP_FAILED)
		return error_errno(err, CELLA_ENOMEM, "no memory for salts");
	if (madvise(s, sizeof(*s), MADV_WIPEONFORK) < 0) {
		munmap(s, sizeof(*s));
		return error_errno(err, CELLA_EUNSUPPORTED, "cannot keep salts from a forked process");
	}
	*ret_salts = s;
	return 0;
}

void crypto_salts_free(struct crypto_salts *s)
{
	if (s)
		munmap(s, sizeof(*s));
}

int crypto_salt(struct crypto_salts *s, uint8_t ret_salt[CRYPTO_SALT_SIZE], struct error *err)
{
	if (s->left == 0) {
		int rc = crypto_random(s->salts, sizeof(s->salts), err);
		if (rc < 0)
			return rc;
		s->left = array_count(s->salts);
	}
	memcpy(ret_salt, s->salts[--s->left], CRYPTO_SALT_SIZE);
	return 0;
}
