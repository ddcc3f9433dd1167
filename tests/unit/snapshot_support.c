#include "snapshot_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cell/trap.h"

struct mem_pool *pool;
struct seal_session *session, *other_session;
bool secret;

const uint8_t identity[CRYPTO_SHA384_SIZE] = {1, 2, 3};
const enum mem_level levels[2] = {MEM_INSECURE_NONE, MEM_SECRET};

static uint64_t chance_state = 1;

uint64_t chance(uint64_t below)
{
	chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
	return (chance_state >> 33) % below;
}

void needs_pool(void **state)
{
	(void)state;
	if (!pool)
		skip();
	chance_state = 7;
	/* cmocka puts its own handlers before each test. */
	assert_int_equal(trap_init(mem_process_pool(), NULL), 0);
}

void scatter(uint8_t *block, size_t count)
{
	for (size_t i = 0; i < count; i++)
		block[chance(BLOCK)] = (uint8_t)chance(256);
}

struct sealed seal(const struct snapshot *s)
{
	struct sealed out = {.form = {.size = snapshot_sealed_size(s), .object = 5, .version = 2}};
	out.form.in = out.bytes = malloc(out.form.size);
	assert_non_null(out.bytes);
	assert_int_equal(snapshot_seal(s, session, 5, 2, out.bytes, NULL), 0);
	return out;
}

int snapshot_begin(void **state)
{
	(void)state;
	static const uint8_t key[CRYPTO_KEY_SIZE] = {1}, other_key[CRYPTO_KEY_SIZE] = {2};
	struct mem_pool *keys;
	struct error err;
	bool protected = mem_level_check(MEM_SECRET, 128 * MIB, &err) == 0;
	if (mem_pool_new(protected ? MEM_SECRET : MEM_INSECURE_NONE, 64 * MIB, &keys, &err) < 0)
		return -1;
	mem_set_process_pool(keys);
	return crypto_init(keys, &err) < 0 || seal_session_new(key, &session, &err) < 0 ||
	                       seal_session_new(other_key, &other_session, &err) < 0
	               ? -1
	               : 0;
}

int snapshot_end(void **state)
{
	(void)state;
	seal_session_free(session);
	seal_session_free(other_session);
	return 0;
}

int pool_at(void **state)
{
	enum mem_level level = *(const enum mem_level *)*state;
	struct error err;
	secret = level == MEM_SECRET;
	pool = NULL;
	if (mem_level_check(level, 128 * MIB, &err) < 0) {
		print_message("skipped: %s: %s\n", mem_level_name(level), err.text);
		return 0;
	}
	return mem_pool_new(level, 256 * MIB, &pool, &err);
}

int pool_gone(void **state)
{
	(void)state;
	mem_pool_free(pool);
	return 0;
}
