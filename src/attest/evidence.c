#include "attest/evidence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "attest/evidence_format.h"
#include "base/io.h"

static const char *const isolation_names[] = {
	"own-uid",       "user-namespace", "mount-namespace", "pid-namespace",       "net-namespace",
	"ipc-namespace", "uts-namespace",  "cgroup",          "no-inherited-filter", "no-new-privs",
};
static_assert(1u << array_count(isolation_names) == EVIDENCE_ISOLATION_ALL + 1u, "a name for each bit");

static const char *const host_names[] = {"lockdown-confidentiality", "yama-scope-3", "kexec-disabled"};
static_assert(1u << array_count(host_names) == EVIDENCE_HOST_ALL + 1u, "a name for each bit");

/* The names of the bits, separated by spaces, or "nothing". */
static const char *bit_names(uint32_t bits, const char *const *names, size_t count, char *to, size_t size)
{
	size_t used = 0;
	snprintf(to, size, "nothing");
	for (size_t i = 0; i < count && used < size; i++)
		if (bits & (1u << i))
			used += (size_t)snprintf(to + used, size - used, "%s%s", used ? " " : "", names[i]);
	return to;
}

const char *evidence_isolation_names(uint32_t bits, char *to, size_t size)
{
	return bit_names(bits, isolation_names, array_count(isolation_names), to, size);
}

const char *evidence_host_names(uint32_t bits, char *to, size_t size)
{
	return bit_names(bits, host_names, array_count(host_names), to, size);
}

static void put_text(struct buf *b, const char *text, size_t field_size)
{
	uint8_t *field = buf_reserve(b, field_size);
	if (field)
		memcpy(field, text, strnlen(text, field_size - 1));
}

static void put_body(struct buf *b, const struct evidence *e, const uint8_t launcher[CRYPTO_ED25519_SIZE])
{
	buf_put(b, EVIDENCE_MAGIC, EVIDENCE_MAGIC_SIZE);
	buf_put_u32(b, EVIDENCE_VERSION);
	buf_put(b, launcher, CRYPTO_ED25519_SIZE);
	buf_put(b, e->executor, sizeof(e->executor));
	buf_put(b, e->public_key, sizeof(e->public_key));
	buf_put(b, e->nonce, sizeof(e->nonce));
	buf_put_u32(b, e->memory_level);
	buf_put_u32(b, e->isolation);
	buf_put_u32(b, e->host);
	buf_put_u32(b, e->uid);
	buf_put_u64(b, e->heap);
	buf_put_u64(b, e->time_s);
	put_text(b, e->kernel, sizeof(e->kernel));
	put_text(b, e->machine, sizeof(e->machine));
}

int evidence_sign(const struct evidence *e, const struct crypto_signer *launcher, struct buf *ret,
                  struct error *err)
{
	if (e->isolation & ~(uint32_t)EVIDENCE_ISOLATION_ALL || e->host & ~(uint32_t)EVIDENCE_HOST_ALL)
		return error_set(err, CELLA_EBUG, "evidence with bits that its format does not have");
	size_t start = ret->size;
	put_body(ret, e, launcher->public_key);
	uint8_t *signature = buf_reserve(ret, CRYPTO_SIGNATURE_SIZE);
	if (!signature)
		return error_set(err, CELLA_ENOMEM, "no memory for evidence");
	int rc = crypto_sign(launcher, ret->data + start, EVIDENCE_BODY_SIZE, signature, err);
	if (rc < 0) {
		ret->size = start;
		return error_prefix(err, rc, "evidence: ");
	}
	return 0;
}

/* A string of a fixed field; false unless it ends inside and only NULs follow. */
static bool get_text(struct reader *r, char *to, size_t size)
{
	reader_copy(r, to, size);
	size_t length = strnlen(to, size);
	for (size_t i = length; i < size; i++)
		if (to[i])
			return false;
	return length < size;
}

static int parse(const void *data, size_t size, struct evidence *ret, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct evidence e = {0};
	const uint8_t *magic = reader_bytes(&r, EVIDENCE_MAGIC_SIZE);
	uint32_t version = reader_u32(&r);
	if (!magic || !crypto_equal(magic, EVIDENCE_MAGIC, EVIDENCE_MAGIC_SIZE))
		return error_set(err, CELLA_EFORMAT, "these %zu bytes are no evidence", size);
	if (version != EVIDENCE_VERSION)
		return error_set(err, CELLA_EFORMAT, "evidence of version %" PRIu32 ", this program knows %d",
		                 version, EVIDENCE_VERSION);
	reader_copy(&r, e.launcher, sizeof(e.launcher));
	reader_copy(&r, e.executor, sizeof(e.executor));
	reader_copy(&r, e.public_key, sizeof(e.public_key));
	reader_copy(&r, e.nonce, sizeof(e.nonce));
	e.memory_level = reader_u32(&r);
	e.isolation = reader_u32(&r);
	e.host = reader_u32(&r);
	e.uid = reader_u32(&r);
	e.heap = reader_u64(&r);
	e.time_s = reader_u64(&r);
	bool texts = get_text(&r, e.kernel, sizeof(e.kernel));
	texts = get_text(&r, e.machine, sizeof(e.machine)) && texts;
	reader_bytes(&r, CRYPTO_SIGNATURE_SIZE);
	if (!reader_finished(&r))
		return error_set(err, CELLA_EFORMAT, "evidence of %zu bytes, %d expected", size,
		                 EVIDENCE_SIZE);
	if (!texts)
		return error_set(err, CELLA_EFORMAT, "evidence with a malformed string");
	if (e.isolation & ~(uint32_t)EVIDENCE_ISOLATION_ALL || e.host & ~(uint32_t)EVIDENCE_HOST_ALL)
		return error_set(err, CELLA_EFORMAT, "evidence with unknown bits (isolation %#x, host %#x)",
		                 e.isolation, e.host);
	*ret = e;
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

int evidence_verify(const void *data, size_t size, const struct evidence_policy *policy,
                    struct evidence *ret_evidence, struct error *err)
{
	struct evidence e;
	struct refusal r = {0};
	int rc = parse(data, size, &e, err);
	if (rc < 0)
		return rc;
	const uint8_t *signature = (const uint8_t *)data + EVIDENCE_BODY_SIZE;
	rc = crypto_verify(e.launcher, data, EVIDENCE_BODY_SIZE, signature, NULL);
	if (rc == CELLA_EAUTH)
		refuse(&r, "its signature does not verify");
	else if (rc < 0)
		return error_set(err, rc, "evidence: cannot check its signature");
	demand_bytes(&r, "launcher", e.launcher, policy->launcher, sizeof(e.launcher));
	demand_bytes(&r, "executor", e.executor, policy->executor, sizeof(e.executor));
	demand_bytes(&r, "nonce", e.nonce, policy->nonce, sizeof(e.nonce));
	demand_level(&r, e.memory_level, policy->memory_level);
	demand_bits(&r, "isolation", e.isolation, policy->isolation, evidence_isolation_names);
	demand_bits(&r, "host", e.host, policy->host, evidence_host_names);
	if (r.used)
		return error_set(err, CELLA_EAUTH, "evidence refused: %s", r.text);
	*ret_evidence = e;
	return 0;
}
