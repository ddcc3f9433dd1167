#include "cell/owner/frame.h"

enum {
	TEXT_MAX = 4096,
	QUESTION_SIZE = sizeof(struct owner_keeper_head) + SEAL_OVERHEAD +
	                sizeof(struct owner_keeper_request),
};

/* Sizes of bodies. */
static const struct {
	uint32_t least, most;
} sizes[] = {
	[OWNER_STREAM] = {SEAL_OVERHEAD, SEAL_OVERHEAD + OWNER_STREAM_MAX},
	[OWNER_INPUT] = {sizeof(uint32_t), sizeof(uint32_t)},
	[OWNER_PATH] = {sizeof(struct owner_path_request),
                        sizeof(struct owner_path_request) + 2 * OWNER_PATH_MAX},
	[OWNER_EXIT] = {SEAL_OVERHEAD + sizeof(struct owner_exit),
                        SEAL_OVERHEAD + sizeof(struct owner_exit) + TEXT_MAX},
	[OWNER_KEEPER] = {QUESTION_SIZE, QUESTION_SIZE},
	[OWNER_LAST] = {QUESTION_SIZE, QUESTION_SIZE},
	[OWNER_REFUSED] = {sizeof(int32_t), sizeof(int32_t) + TEXT_MAX},
};

int owner_frame_next(struct reader *r, struct owner_frame_view *ret_frame, struct error *err)
{
	struct reader ahead = *r;
	struct owner_frame head;
	*ret_frame = (struct owner_frame_view){0};
	if (reader_left(r) < sizeof(head))
		return 0;
	reader_copy(&ahead, &head, sizeof(head));
	if (head.type >= array_count(sizes) || sizes[head.type].most == 0)
		return error_set(err, CELLA_EFORMAT, "a frame of type %u", head.type);
	if (head.size < sizes[head.type].least || head.size > sizes[head.type].most)
		return error_set(err, CELLA_EFORMAT, "a frame of type %u and %u bytes", head.type, head.size);
	if (reader_left(&ahead) < head.size)
		return 0;
	*ret_frame = (struct owner_frame_view){.type = head.type,
	                                       .body = reader_bytes(&ahead, head.size),
	                                       .size = head.size};
	*r = ahead;
	return 0;
}
