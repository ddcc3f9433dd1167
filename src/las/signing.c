#include "las/signing.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "crypto/key_file.h"
#include "las/bounds.h"

struct signing {
	struct mem_pool *pool;
	struct mem_stack *stack; /* in `pool`, as is the key */
	struct crypto_signer *signer;
	struct error unprotected; /* why `pool` is no secret memory */
};

/* Soft to hard, and the hard one, where that is a privilege that it has, to what the key needs. */
static void raise_lock_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return;
	const rlim_t hard = limit.rlim_max, wanted = max_of(hard, (rlim_t)LAS_KEY_BUDGET);
	limit = (struct rlimit){wanted, wanted};
	if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		return;
	limit = (struct rlimit){hard, hard};
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

static int open_pool(struct signing *s, struct error *err)
{
	raise_lock_limit();
	if (mem_level_check(MEM_SECRET, LAS_KEY_BUDGET, &s->unprotected) == 0)
		return mem_pool_new(MEM_SECRET, LAS_KEY_BUDGET, &s->pool, err);
	log_warn("the signing key lies in ordinary memory: %s", s->unprotected.text);
	return mem_pool_new(MEM_INSECURE_NONE, LAS_KEY_BUDGET, &s->pool, err);
}

/* A use of the key, on the stack. */
struct use {
	struct signing *s;
	signing_fn *fn; /* or */
	void *data;
	const struct evidence *evidence; /* NULL: to have the key, */
	const char *key_file;            /* from here; NULL: a new one */
	struct buf *to;
	struct error *err;
	int rc;
};

static void use_on_stack(void *data)
{
	struct use *use = data;
	if (use->fn)
		use->rc = use->fn(use->data, use->s->signer, use->err);
	else if (use->evidence)
		use->rc = evidence_sign(use->evidence, use->s->signer, use->to, use->err);
	else if (use->key_file)
		use->rc = crypto_key_file_read(use->key_file, "the launcher's key", use->s->signer, use->err);
	else
		use->rc = crypto_signer_generate(use->s->signer, use->err);
}

static int use_key(struct use *use)
{
	mem_stack_call(use->s->stack, use_on_stack, use);
	mem_stack_wipe(use->s->stack);
	return use->rc;
}

static int make_key(struct signing *s, const char *key_file, struct error *err)
{
	struct use use = {.s = s, .key_file = key_file, .err = err};
	int rc = open_pool(s, err);
	if (rc == 0)
		rc = crypto_init(s->pool, err);
	if (rc == 0)
		rc = mem_stack_new(s->pool, LAS_KEY_STACK, &s->stack, err);
	if (rc < 0)
		return rc;
	s->signer = mem_alloc(s->pool, sizeof(*s->signer));
	if (!s->signer)
		return error_set(err, CELLA_ENOMEM, "no protected memory for the signing key");
	return use_key(&use);
}

int signing_new(const char *key_file, struct signing **ret_signing, struct error *err)
{
	struct signing *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for the signing key");
	int rc = make_key(s, key_file, err);
	if (rc < 0) {
		signing_free(s);
		return rc;
	}
	*ret_signing = s;
	return 0;
}

void signing_free(struct signing *s)
{
	if (!s)
		return;
	mem_stack_free(s->stack);
	mem_pool_free(s->pool);
	free(s);
}

const uint8_t *signing_public_key(const struct signing *s)
{
	return s->signer->public_key;
}

int signing_sign(struct signing *s, const struct evidence *e, struct buf *ret, struct error *err)
{
	struct use use = {.s = s, .evidence = e, .to = ret, .err = err};
	if (e->memory_level >= MEM_SECRET && mem_pool_level(s->pool) < MEM_SECRET)
		return error_set(err, CELLA_EPERM,
		                 "the launcher vouches for no secret memory, for its own key has none: %s",
		                 s->unprotected.text);
	return use_key(&use);
}

int signing_use(struct signing *s, signing_fn *fn, void *data, struct error *err)
{
	struct use use = {.s = s, .fn = fn, .data = data, .err = err};
	return use_key(&use);
}

enum mem_level signing_level(const struct signing *s)
{
	return mem_pool_level(s->pool);
}
