#include "attest/evidence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "attest/evidence_format.h"
#include "attest/jws.h"
#include "base/base64url.h"
#include "base/io.h"

/* The names of the bits, separated by spaces, or "nothing". */
static const char *bit_names(uint32_t bits, const struct claims_names *names, char *to, size_t size)
{
	size_t used = 0;
	snprintf(to, size, "nothing");
	for (uint32_t i = 0; i < names->count && used < size; i++)
		if (bits & (1u << i))
			used += (size_t)snprintf(to + used, size - used, "%s%s", used ? " " : "",
			                         names->names[i]);
	return to;
}

const char *evidence_isolation_names(uint32_t bits, char *to, size_t size)
{
	return bit_names(bits, &evidence_isolation, to, size);
}

const char *evidence_host_names(uint32_t bits, char *to, size_t size)
{
	return bit_names(bits, &evidence_host, to, size);
}

int evidence_sign(const struct evidence *e, const struct crypto_signer *launcher, struct buf *ret,
                  struct error *err)
{
	struct jws_header header = {.type = EVIDENCE_TYPE};
	cleanup_buf struct buf claims = {0};
	const size_t start = ret->size;
	static_assert(sizeof(header.key_id) > (CRYPTO_ED25519_SIZE * 4 + 2) / 3, "it fits");
	base64url_encode(launcher->public_key, sizeof(launcher->public_key), header.key_id);
	int rc = claims_write(&evidence_claims, e, &claims, err);
	if (rc == 0)
		rc = jws_sign(&header, claims.data, claims.size, launcher, ret, err);
	if (rc == 0 && ret->size - start > EVIDENCE_SIZE_MAX) {
		ret->size = start;
		rc = error_set(err, CELLA_EBUG, "more than %d characters", EVIDENCE_SIZE_MAX);
	}
	return rc < 0 ? error_prefix(err, rc, "evidence: ") : 0;
}

/* The key that the header names. */
static int get_launcher(const struct jws *jws, uint8_t ret[CRYPTO_ED25519_SIZE], struct error *err)
{
	const char *kid = jws->header.key_id;
	if (strcmp(jws->header.type, EVIDENCE_TYPE) != 0)
		return error_set(err, CELLA_EFORMAT, "header: typ: \"%s\", and \"%s\" is expected",
		                 jws->header.type, EVIDENCE_TYPE);
	if (strlen(kid) != base64url_size(CRYPTO_ED25519_SIZE) || !base64url_decode(kid, strlen(kid), ret))
		return error_set(err, CELLA_EFORMAT, "header: kid: \"%s\" is no Ed25519 key in base64url",
		                 kid);
	return 0;
}

static int parse(const void *data, size_t size, struct evidence *ret, struct error *err)
{
	struct jws jws;
	cleanup_buf struct buf claims = {0};
	if (size > EVIDENCE_SIZE_MAX)
		return error_set(err, CELLA_EFORMAT, "%zu characters, at most %d are allowed", size,
		                 EVIDENCE_SIZE_MAX);
	int rc = jws_parse(data, size, &jws, err);
	if (rc == 0)
		rc = get_launcher(&jws, ret->launcher, err);
	if (rc == 0)
		rc = jws_verify(&jws, ret->launcher, &claims, err);
	if (rc == CELLA_EAUTH)
		return error_set(err, rc, "its signature does not hold under the key that it names");
	return rc < 0 ? rc : claims_read(&evidence_claims, claims.data, claims.size, ret, err);
}

int evidence_parse(const void *data, size_t size, struct evidence *ret_evidence, struct error *err)
{
	struct evidence e = {0};
	int rc = parse(data, size, &e, err);
	if (rc < 0)
		return error_prefix(err, rc, "evidence: ");
	*ret_evidence = e;
	return 0;
}

/* A list of sentences' ends in one text, each with both values. */
struct refusal {
	char text[sizeof(((struct error *)0)->text)];
	size_t used;
};

static void printf_like(2, 3) refuse(struct refusal *r, const char *format, ...)
{
	const size_t most = sizeof(r->text) - 1;
	if (r->used)
		r->used = min_of(r->used + (size_t)snprintf(r->text + r->used, most + 1 - r->used, "; "),
		                 most);
	va_list args;
	va_start(args, format);
	int size = vsnprintf(r->text + r->used, most + 1 - r->used, format, args);
	va_end(args);
	r->used = min_of(r->used + (size_t)max_of(size, 0), most);
}

/* Digests and keys are told apart by their first bytes. */
enum { SHOWN_BYTES = 8 };

static void demand_bytes(struct refusal *r, const char *what, const uint8_t *is, const uint8_t *demanded,
                         size_t size)
{
	char is_hex[2 * SHOWN_BYTES + 1], demanded_hex[2 * SHOWN_BYTES + 1];
	if (crypto_equal(is, demanded, size))
		return;
	io_hex(is, SHOWN_BYTES, is_hex);
	io_hex(demanded, SHOWN_BYTES, demanded_hex);
	refuse(r, "%s is %s..., demanded %s...", what, is_hex, demanded_hex);
}

static void demand_level(struct refusal *r, uint32_t is, uint32_t demanded)
{
	if (is >= MEM_LEVELS)
		refuse(r, "memory level %" PRIu32 " is unknown, demanded %" PRIu32, is, demanded);
	else if (demanded >= MEM_LEVELS || !mem_level_covers((enum mem_level)is, (enum mem_level)demanded))
		refuse(r, "memory level is %s, demanded %s", mem_level_name((enum mem_level)is),
		       demanded < MEM_LEVELS ? mem_level_name((enum mem_level)demanded) : "an unknown one");
}

static void demand_bits(struct refusal *r, const char *what, uint32_t is, uint32_t demanded,
                        const char *(*names)(uint32_t, char *, size_t))
{
	char missing_text[160], is_text[160];
	if ((is & demanded) == demanded)
		return;
	refuse(r, "%s lacks %s, has %s", what, names(demanded & ~is, missing_text, sizeof(missing_text)),
	       names(is, is_text, sizeof(is_text)));
}

int evidence_check(const struct evidence *e, const struct evidence_policy *policy, struct error *err)
{
	struct refusal r = {0};
	demand_bytes(&r, "launcher", e->launcher, policy->launcher, sizeof(e->launcher));
	demand_bytes(&r, "executor", e->executor, policy->executor, sizeof(e->executor));
	demand_bytes(&r, "cell", e->cell, policy->cell, sizeof(e->cell));
	demand_bytes(&r, "builder", e->builder, policy->builder, sizeof(e->builder));
	demand_bytes(&r, "nonce", e->nonce, policy->nonce, sizeof(e->nonce));
	demand_level(&r, e->memory_level, policy->memory_level);
	demand_bits(&r, "isolation", e->isolation, policy->isolation, evidence_isolation_names);
	demand_bits(&r, "host", e->host, policy->host, evidence_host_names);
	return r.used ? error_set(err, CELLA_EAUTH, "evidence refused: %s", r.text) : 0;
}

int evidence_verify(const void *data, size_t size, const struct evidence_policy *policy,
                    struct evidence *ret_evidence, struct error *err)
{
	struct evidence e;
	int rc = evidence_parse(data, size, &e, err);
	if (rc == 0)
		rc = evidence_check(&e, policy, err);
	if (rc < 0)
		return rc;
	*ret_evidence = e;
	return 0;
}
