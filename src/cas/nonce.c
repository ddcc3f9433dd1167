#include "cas/nonce.h"

#include <string.h>

#include "cas/attest.h"
#include "cas/service_state.h"

enum { NONCE_SIGNED = 16, AHEAD_MS = 1000 };

static int nonce_mac(const struct cas *cas, const uint8_t nonce[NONCE_SIGNED], uint8_t ret_mac[NONCE_SIGNED],
                     struct error *err)
{
	struct crypto_prf *prf;
	int rc = crypto_prf_new(cas->nonce_key, &prf, err);
	if (rc < 0)
		return rc;
	rc = crypto_prf_block(prf, nonce, ret_mac, err);
	crypto_prf_free(prf);
	return rc;
}

int cas_nonce(struct cas *cas, uint8_t ret_nonce[CAS_NONCE_SIZE], struct error *err)
{
	uint64_t ms = cas_now_ns(cas) / 1000000u;
	uint8_t nonce[CAS_NONCE_SIZE];
	memcpy(nonce, &ms, sizeof(ms));
	int rc = crypto_random(nonce + sizeof(ms), NONCE_SIGNED - sizeof(ms), err);
	if (rc == 0)
		rc = nonce_mac(cas, nonce, nonce + NONCE_SIGNED, err);
	if (rc == 0)
		memcpy(ret_nonce, nonce, sizeof(nonce));
	return rc;
}

int nonce_look(const struct cas *cas, const uint8_t nonce[CAS_NONCE_SIZE], struct nonce_age *ret_age,
               struct error *err)
{
	uint8_t mac[NONCE_SIGNED];
	const uint64_t now = cas_now_ns(cas) / 1000000u;
	int rc = nonce_mac(cas, nonce, mac, err);
	if (rc < 0)
		return rc;
	*ret_age = (struct nonce_age){0};
	if (!crypto_equal(mac, nonce + NONCE_SIGNED, sizeof(mac)))
		return 0;
	ret_age->own = true;
	memcpy(&ret_age->ms, nonce, sizeof(ret_age->ms));
	ret_age->age_s = ((int64_t)now - (int64_t)ret_age->ms) / 1000;
	ret_age->ahead = ret_age->ms > now + AHEAD_MS;
	return 0;
}
