#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cas/audit/format.h"
#include "cas/parties.h"
#include "cas_place.h"

enum { POOL = 16 << 20 };

void must(int rc, const struct error *err)
{
	if (rc < 0)
		fail_msg("%s", err->text);
}

static uint64_t clock_of(void *arg)
{
	return *(const uint64_t *)arg;
}

static void read_owner(struct place *p)
{
	struct error err;
	struct cert *chain[CERT_CHAIN_MAX];
	struct cert_facts facts;
	size_t size, count = 0;
	uint8_t *pem = cas_read(p->owner_file, &size);
	must(cert_read_pem(pem, size, chain, &count, &err), &err);
	must(cert_describe(chain[0], &facts, &err), &err);
	must(cas_key_parse(facts.key_hash, "key", p->owner.key, &err), &err);
	p->owner.known = true;
	p->owner.address = "192.0.2.1";
	for (size_t i = 0; i < count; i++)
		cert_free(chain[i]);
	free(pem);
}

void place_begin_at(struct place *p, uint64_t now_ns, const struct vendor_root *roots, size_t root_count)
{
	struct error err;
	const char *tmp = getenv("TMPDIR");
	*p = (struct place){.now = now_ns};
	snprintf(p->directory, sizeof(p->directory), "%s/attest.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(p->directory));
	snprintf(p->cas_directory, sizeof(p->cas_directory), "%.400s/cas", p->directory);
	snprintf(p->key_file, sizeof(p->key_file), "%.400s/key", p->directory);
	snprintf(p->owner_file, sizeof(p->owner_file), "%.400s/owner", p->directory);
	must(vault_key_file_create(p->key_file, &err), &err);
	p->config = (struct cas_config){.directory = p->cas_directory,
	                                .sealing = {.kind = VAULT_KEY_FILE, .key_file = p->key_file},
	                                .memory = MEM_INSECURE_NONE,
	                                .test_roots = roots,
	                                .test_root_count = root_count,
	                                .now = clock_of,
	                                .now_arg = &p->now};
	must(cas_create(&p->config, p->owner_file, &p->cas, &err), &err);
	must(mem_pool_new(MEM_INSECURE_NONE, POOL, &p->pool, &err), &err);
	must(crypto_signer_generate(&p->launcher, &err), &err);
	read_owner(p);
	must(cas_party_add(p->cas, &p->owner, RECORDS_LAS, p->launcher.public_key, "here", &err), &err);
}

void place_begin(struct place *p)
{
	place_begin_at(p, NOON, NULL, 0);
}

void place_again(struct place *p)
{
	struct error err;
	cas_close(p->cas);
	must(cas_open(&p->config, &p->cas, &err), &err);
}

void place_end(struct place *p)
{
	static const char *const files[] =
		{"cas/vault", "cas/cas.db", "cas/cas.db-wal", "cas/cas.db-shm", "cas/head",
	         "cas/lock",  "key",        "owner"};
	char path[2 * CAS_PATH_MAX];
	cas_close(p->cas);
	mem_pool_free(p->pool);
	for (size_t i = 0; i < array_count(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->directory, files[i]);
		unlink(path);
	}
	rmdir(p->cas_directory);
	assert_int_equal(rmdir(p->directory), 0);
}

/* ---- what is put, and what is asked */

int place_try_put(struct place *p, const char *text, struct error *err)
{
	struct cas_session_facts facts;
	return cas_session_put(p->cas, &p->owner, text, strlen(text), &facts, err);
}

void place_put(struct place *p, const char *text)
{
	struct error err;
	must(place_try_put(p, text, &err), &err);
}

/* With the hash that is there as its predecessor. */
void place_update(struct place *p, const char *name, const char *text)
{
	struct error err;
	struct cas_session_facts facts;
	cleanup_buf struct buf old = {0}, changed = {0};
	char hash[2 * CRYPTO_SHA384_SIZE + 1];
	must(cas_session_read(p->cas, &p->owner, name, &facts, &old, &err), &err);
	io_hex(facts.hash, sizeof(facts.hash), hash);
	buf_printf(&changed, "predecessor: %s\n%s", hash, text);
	must(cas_session_put(p->cas, &p->owner, changed.data, changed.size, &facts, &err), &err);
}

/* One that all is right with, and a nonce of now. */
void place_start(struct place *p, struct executor *x)
{
	struct error err;
	*x = (struct executor){.says = {.machine = "soft",
	                                .kernel = "6.1.0",
	                                .memory_level = MEM_SECRET,
	                                .isolation = EVIDENCE_OWN_UID,
	                                .uid = 1 << 30,
	                                .heap = 1 << 20}};
	memset(x->says.cell, 0x44, sizeof(x->says.cell));
	memset(x->says.builder, 0x55, sizeof(x->says.builder));
	memset(x->says.executor, 0x11, sizeof(x->says.executor));
	must(crypto_x25519_generate(&x->pair, &err), &err);
	memcpy(x->says.public_key, x->pair.public_key, sizeof(x->says.public_key));
	must(cas_nonce(p->cas, x->says.nonce, &err), &err);
}

int place_ask_as(struct place *p, const struct crypto_signer *launcher, const struct executor *x,
                 const char *session, const char *service, struct buf *ret_grant)
{
	struct error err;
	cleanup_buf struct buf token = {0};
	must(evidence_sign(&x->says, launcher, &token, &err), &err);
	const struct cas_attestation a = {.session = session,
	                                  .service = service,
	                                  .evidence = token.data,
	                                  .evidence_size = token.size,
	                                  .peer = "192.0.2.7"};
	int rc = cas_attest(p->cas, &a, ret_grant, NULL, &err);
	if (rc < 0 && rc != CELLA_EAUTH)
		fail_msg("%s", err.text);
	if (rc < 0)
		assert_non_null(strstr(err.text, "the CAS refused: the session's owner can see why"));
	return rc;
}

int place_ask(struct place *p, const struct executor *x, const char *session, struct buf *ret_grant)
{
	return place_ask_as(p, &p->launcher, x, session, "s", ret_grant);
}

/* The newest refusal's reasons have these words. */
void place_assert_reason(struct place *p, const char *session, const char *words)
{
	struct records_refusal *r = malloc(sizeof(*r));
	struct error err;
	assert_non_null(r);
	must(cas_session_refusal(p->cas, &p->owner, session, "s", 0, r, &err), &err);
	if (!strstr(r->text, words))
		fail_msg("\"%s\" is not in \"%s\"", words, r->text);
	free(r);
}

void place_assert_refused(struct place *p, const struct executor *x, const char *session, const char *words)
{
	cleanup_buf struct buf grant = {0};
	assert_int_equal(place_ask(p, x, session, &grant), CELLA_EAUTH);
	assert_int_equal(grant.size, 0);
	place_assert_reason(p, session, words);
}

struct provision *place_open_grant(struct place *p, const struct executor *x, const struct buf *grant)
{
	struct error err;
	struct provision *opened = NULL;
	uint8_t *plain = mem_alloc(p->pool, grant->size);
	assert_non_null(plain);
	must(crypto_hpke_open(&x->pair, PROVISION_GRANT_INFO, strlen(PROVISION_GRANT_INFO), NULL, 0,
	                      grant->data, grant->size, plain, &err),
	     &err);
	must(provision_read(plain, grant->size - CRYPTO_HPKE_OVERHEAD, p->pool, &opened, &err), &err);
	mem_free(p->pool, plain);
	return opened;
}

/* What a new executor has: provision_free it. */
struct provision *place_granted(struct place *p, const char *session)
{
	cleanup_buf struct buf grant = {0};
	struct executor x;
	place_start(p, &x);
	assert_int_equal(place_ask(p, &x, session, &grant), 0);
	return place_open_grant(p, &x, &grant);
}

void place_assert_granted(struct place *p, const struct executor *x, const char *session)
{
	cleanup_buf struct buf grant = {0};
	assert_int_equal(place_ask(p, x, session, &grant), 0);
	provision_free(p->pool, place_open_grant(p, x, &grant));
}

/* ---- the log */

struct search {
	const char *words;
	size_t found;
};

static int search_entry(void *arg, uint64_t number, const void *data, size_t size, struct error *err)
{
	struct search *s = arg;
	struct audit_entry e;
	(void)number;
	must(audit_entry_decode(data, size, &e, err), err);
	s->found += memmem(e.what, e.what_size, s->words, strlen(s->words)) != NULL;
	return 0;
}

/* Entries of the log with these words. */
size_t place_in_log(struct place *p, const char *words)
{
	struct search s = {.words = words};
	struct error err;
	const struct cas_storage *storage = records_storage(cas_records_lock(p->cas));
	must(storage->log_each(storage->data, 1, search_entry, &s, &err), &err);
	cas_records_unlock(p->cas);
	return s.found;
}
