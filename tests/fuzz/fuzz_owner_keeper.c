/* A question to a root keeper: only what is whole and of its own volume is asked, and answered in form. */
#include <stdlib.h>
#include <string.h>

#include "cli/job/owner_keeper.h"

enum { PREOPEN = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static unsigned asked;

static int fake_get(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint8_t ret_root[VOLUME_REFERENCE_SIZE],
                    struct error *err)
{
	(void)data;
	(void)err;
	asked++;
	memset(ret_root, volume[0], VOLUME_REFERENCE_SIZE);
	return 0;
}

static int fake_acquire(void *data, const uint8_t volume[VOLUME_ID_SIZE], bool take_over, uint64_t *ret_token,
                        struct error *err)
{
	(void)data;
	(void)volume;
	demand(!take_over);
	asked++;
	*ret_token = 1;
	return error_set(err, CELLA_EAGAIN, "%1000s", "another has it");
}

static int fake_swap(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                     const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                     struct error *err)
{
	(void)data;
	(void)volume;
	asked++;
	return token == 1 && from[0] != to[0] ? 0 : error_set(err, CELLA_EFENCED, "no");
}

static void fake_release(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token)
{
	(void)data;
	(void)volume;
	(void)token;
	asked++;
}

static int fake_begin_removal(void *data, const uint8_t volume[VOLUME_ID_SIZE], struct error *err)
{
	(void)data;
	asked++;
	return volume[0] ? 0 : error_set(err, CELLA_EAGAIN, "somebody reads");
}

static void fake_end_removal(void *data, const uint8_t volume[VOLUME_ID_SIZE])
{
	(void)data;
	(void)volume;
	asked++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct owner_keepers keepers = {.of[PREOPEN] = {.get = fake_get,
	                                                             .acquire = fake_acquire,
	                                                             .swap = fake_swap,
	                                                             .release = fake_release,
	                                                             .begin_removal = fake_begin_removal,
	                                                             .end_removal = fake_end_removal}};
	uint8_t answer[KEEPER_ANSWER_MAX];
	struct owner_keeper_reply reply;
	size_t answer_size = 0;
	asked = 0;
	int rc = owner_keepers_serve(&keepers, data, size, answer, &answer_size, NULL);
	demand(rc == 0 ? asked == 1 : rc == CELLA_EFORMAT && asked == 0);
	if (rc < 0)
		return 0;
	demand(size == sizeof(struct owner_keeper_request) && answer_size >= sizeof(reply));
	memcpy(&reply, answer, sizeof(reply));
	demand(reply.error <= 0 && answer_size == sizeof(reply) + reply.text_size &&
	       reply.text_size <= OWNER_KEEPER_TEXT_MAX);
	return 0;
}
