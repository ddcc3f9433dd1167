/* Is a public key of Ed25519 one that somebody can have made? OpenSSL takes any 32 bytes for one. */
#include <openssl/bn.h>
#include <string.h>

#include "crypto/crypto.h"
#include "crypto/openssl.h"

static void context_cleanup(BN_CTX **c)
{
	BN_CTX_free(*c);
}
#define cleanup_context __attribute__((cleanup(context_cleanup)))

/* Of RFC 8032 section 5.1. */
static const char curve_p[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
static const char curve_d[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";

struct curve {
	BIGNUM *p, *d;
	BN_CTX *c;
};

/* -x^2 + y^2 = 1 + d x^2 y^2, so x^2 = u / v with u = y^2 - 1 and v = d y^2 + 1, which is a square exactly if
 * u v is one. `ret`: u v. */
static bool square_of_x(const struct curve *e, const BIGNUM *y2, BIGNUM *ret)
{
	cleanup_number BIGNUM *v = BN_new();
	return v && BN_mod_mul(v, e->d, y2, e->p, e->c) && BN_add_word(v, 1) && BN_copy(ret, y2) &&
	       BN_sub_word(ret, 1) && BN_mod_mul(ret, ret, v, e->p, e->c);
}

/* A point's double has y = 0, hence order 4, where x^2 = -y^2: d y^4 + 2 y^2 - 1 = 0. Together with y = 0, 1
 * and -1 these are the points whose order divides 8. `ret`: 0 exactly for those. */
static bool order_divides_eight(const struct curve *e, const BIGNUM *y, const BIGNUM *y2, BIGNUM *ret)
{
	cleanup_number BIGNUM *f = BN_new();
	if (!f || !BN_mod_mul(f, e->d, y2, e->p, e->c) || !BN_add_word(f, 2) ||
	    !BN_mod_mul(f, f, y2, e->p, e->c) || !BN_mod_sub(f, f, BN_value_one(), e->p, e->c))
		return false;
	return BN_mod_sub(ret, y2, BN_value_one(), e->p, e->c) && BN_mod_mul(ret, ret, y, e->p, e->c) &&
	       BN_mod_mul(ret, ret, f, e->p, e->c);
}

static int check(const struct curve *e, const BIGNUM *y, struct error *err)
{
	cleanup_number BIGNUM *y2 = BN_new(), *t = BN_new();
	if (!y2 || !t)
		return crypto_failed("examining a key of Ed25519", err);
	if (BN_cmp(y, e->p) >= 0)
		return error_set(err, CELLA_EINVAL,
		                 "it is no key of Ed25519: its number is not below the field's");
	if (!BN_mod_sqr(y2, y, e->p, e->c) || !order_divides_eight(e, y, y2, t))
		return crypto_failed("examining a key of Ed25519", err);
	if (BN_is_zero(t))
		return error_set(err, CELLA_EINVAL,
		                 "it is a key of Ed25519 of small order: anybody can sign under it");
	int root = square_of_x(e, y2, t) ? BN_kronecker(t, e->p, e->c) : -2;
	if (root < -1)
		return crypto_failed("examining a key of Ed25519", err);
	return root == 1 ? 0 : error_set(err, CELLA_EINVAL, "it is no key of Ed25519: no point of the curve");
}

int crypto_ed25519_check(const uint8_t public_key[CRYPTO_ED25519_SIZE], struct error *err)
{
	uint8_t bytes[CRYPTO_ED25519_SIZE];
	memcpy(bytes, public_key, sizeof(bytes));
	bytes[sizeof(bytes) - 1] &= 0x7f; /* the sign of x */
	cleanup_number BIGNUM *p = NULL, *d = NULL, *y = BN_lebin2bn(bytes, sizeof(bytes), NULL);
	cleanup_context BN_CTX *c = BN_CTX_new();
	if (!y || !c || !BN_hex2bn(&p, curve_p) || !BN_hex2bn(&d, curve_d))
		return crypto_failed("examining a key of Ed25519", err);
	return check(&(struct curve){p, d, c}, y, err);
}
