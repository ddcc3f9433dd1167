#include "kbs_guest.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "attest/claims.h"
#include "attest/snp/format.h"
#include "attest/tee.h"
#include "guest_json.h"

enum { MEASURED = 0xa5 };

#define X4(s) s s s s
#define X16(s) X4(s) X4(s) X4(s) X4(s)
#define D48(s) X16(s) X16(s) X16(s)

struct dcap_files clinic_td;
struct tee_verdict clinic_td_says;

#define SESSION                                                                                  \
	"name: clinic/hospital\nversion: \"0.1\"\nsecrets:\n"                                    \
	"- {name: made, kind: ascii, size: 8, guests: [{snp: {measurement: " D48(                \
		"a5") "}}]}\n"                                                                   \
		      "- {name: fresh, kind: ascii, size: 8, guests: [{snp: {measurement: " D48( \
			      "a5") ", max_age: 1m}}]}\n"

void clinic_begin(struct clinic *p)
{
	struct error err;
	struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	*p = (struct clinic){0};
	shape.not_after = MAKER_TIME + 200;
	maker_make(&shape, &p->files);
	p->roots[0] = p->files.pin;
	p->roots[1] = clinic_td.pin;
	place_begin_at(&p->place, CLINIC_START, p->roots, array_count(p->roots));
	must(kbs_new(p->place.cas, &p->kbs, &err), &err);
	place_put(&p->place, SESSION);
}

void clinic_end(struct clinic *p)
{
	kbs_free(p->kbs);
	maker_done(&p->files);
	place_end(&p->place);
}

static json_t *coordinate(const EVP_PKEY *key, const char *which)
{
	uint8_t bytes[32];
	BIGNUM *n = NULL;
	assert_true(EVP_PKEY_get_bn_param(key, which, &n) > 0 && BN_bn2binpad(n, bytes, 32) == 32);
	BN_free(n);
	return claims_base64url(bytes, sizeof(bytes));
}

struct guest guest_new(struct clinic *p, const char *address)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct guest g = {.p = p, .address = address};
	g.key = json_pack("{s:s, s:s, s:s, s:o, s:o}", "kty", "EC", "crv", "P-256", "alg", "ECDH-ES+A256KW",
	                  "x", coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X), "y",
	                  coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y));
	EVP_PKEY_free(key);
	return g;
}

void guest_done(struct guest *g)
{
	json_decref(g->key);
	buf_done(&g->token);
}

void guest_auth(struct guest *g)
{
	cleanup_buf struct buf body = {0};
	struct error err;
	buf_printf(&body, "{\"version\":\"0.4.0\",\"tee\":\"%s\",\"extra-params\":\"\"}",
	           g->is_tdx ? "tdx" : "snp");
	must(kbs_auth(g->p->kbs, body.data, body.size, &g->challenge, &err), &err);
	snprintf(g->cookies, sizeof(g->cookies), "kbs-session-id=%s", g->challenge.cookie);
}

struct kbs_caller guest_caller(const struct guest *g)
{
	return (struct kbs_caller){.cookies = g->cookies, .address = g->address};
}

static json_t *snp_evidence(const struct guest *g, const uint8_t data[64])
{
	struct maker_files files = g->p->files;
	memcpy(files.report.data + SNP_AT_REPORT_DATA, data, SNP_REPORT_DATA_SIZE);
	memset(files.report.data + SNP_AT_MEASUREMENT, MEASURED, SNP_MEASUREMENT_SIZE);
	maker_sign(&files);
	return guest_snp(files.report.data, GUEST_NESTED, &files.leaf, g->bare ? NULL : &files.ca,
	                 g->bare ? NULL : &files.root);
}

static json_t *tdx_evidence(const uint8_t data[64])
{
	struct dcap_shape shape = dcap_shape(true, 4);
	shape.report_data = data;
	dcap_quote_again(&shape, &clinic_td);
	return json_pack("{s:o, s:n}", "quote", claims_base64url(clinic_td.quote.data, clinic_td.quote.size),
	                 "cc_eventlog");
}

char *guest_attestation(const struct guest *g)
{
	uint8_t data[64] = {0};
	json_t *runtime = json_pack("{s:s, s:s, s:O}", "additional-evidence", "", "nonce", g->challenge.nonce,
	                            "tee-pubkey", g->key);
	char *text = json_dumps(runtime, JSON_COMPACT | JSON_SORT_KEYS);
	assert_int_equal(crypto_sha384(text, strlen(text), data, NULL), 0);
	json_t *body = json_pack("{s:{s:s, s:O}, s:{s:o, s:s}}", "runtime-data", "nonce", g->challenge.nonce,
	                         "tee-pubkey", g->key, "tee-evidence", "primary_evidence",
	                         g->is_tdx ? tdx_evidence(data) : snp_evidence(g, data),
	                         "additional_evidence", "");
	char *all = json_dumps(body, JSON_COMPACT);
	free(text);
	json_decref(runtime);
	json_decref(body);
	return all;
}

int guest_attest(struct guest *g, struct error *err)
{
	const struct kbs_caller who = guest_caller(g);
	char *body = guest_attestation(g);
	g->token.size = 0;
	int rc = kbs_attest(g->p->kbs, &who, body, strlen(body), &g->token, err);
	free(body);
	return rc;
}

void guest_handshake(struct guest *g)
{
	struct error err;
	guest_auth(g);
	must(guest_attest(g, &err), &err);
}

int guest_get_with(struct guest *g, const struct kbs_caller *who, const char *tag)
{
	const struct kbs_path path = {"clinic", "hospital", tag};
	json_t *jwe = NULL;
	int rc = kbs_resource(g->p->kbs, who, &path, &jwe, NULL);
	assert_int_equal(rc == 0, jwe != NULL);
	json_decref(jwe);
	return rc;
}

int guest_get(struct guest *g, const char *tag)
{
	const struct kbs_caller who = guest_caller(g);
	return guest_get_with(g, &who, tag);
}

int guest_get_by_token(struct guest *g, const char *tag)
{
	cleanup_buf struct buf header = {0};
	buf_printf(&header, "Bearer %.*s", (int)g->token.size, (const char *)g->token.data);
	buf_put(&header, "", 1);
	const struct kbs_caller who = {.authorization = (const char *)header.data, .address = g->address};
	return guest_get_with(g, &who, tag);
}

int clinic_take_reasons(void *arg, const struct kbs_refusal *refusal, struct error *err)
{
	char *to = arg;
	(void)err;
	if (!*to)
		snprintf(to, KBS_REASON_MAX, "%s", refusal->text);
	return 0;
}

void clinic_check_reason(struct clinic *p, const char *words)
{
	char text[KBS_REASON_MAX] = "";
	struct error err;
	must(kbs_refusals(p->kbs, &p->place.owner, clinic_take_reasons, text, &err), &err);
	if (!strstr(text, words))
		fail_msg("%s: %s", words, text);
}

struct kbs_guest *guest_fake(uint64_t number, const char *address, size_t size, uint64_t now)
{
	struct kbs_guest *g = calloc(1, sizeof(*g));
	assert_non_null(g);
	memcpy(g->id, &number, sizeof(number));
	snprintf(g->token_id, sizeof(g->token_id), "%032llx", (unsigned long long)number);
	snprintf(g->address, sizeof(g->address), "%s", address);
	g->size = size;
	g->since_ns = now;
	g->until_ns = now + KBS_GUEST_S * 1000000000ull;
	return g;
}

int clinic_start(void **state)
{
	(void)state;
	if (crypto_init(NULL, NULL) < 0 || maker_start() < 0 || dcap_start() < 0)
		return -1;
	const struct dcap_shape shape = dcap_shape(true, 4);
	dcap_make(&shape, &clinic_td);
	return tee_show(&clinic_td.input, &clinic_td_says, NULL);
}

int clinic_stop(void **state)
{
	(void)state;
	tee_verdict_done(&clinic_td_says);
	dcap_done(&clinic_td);
	dcap_stop();
	maker_stop();
	return 0;
}
