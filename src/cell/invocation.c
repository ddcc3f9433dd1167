#include "cell/invocation.h"

#include <string.h>

#include "cella/task_abi.h"

enum { POINTER_SIZE = 4 };

/* Writing. */

static void put(struct invocation_writer *w, const void *bytes, size_t size)
{
	if (w->failed || size > w->capacity - w->size) {
		w->failed = true;
		return;
	}
	if (size)
		memcpy(w->data + w->size, bytes, size);
	w->size += size;
}

static void put_part(struct invocation_writer *w, enum invocation_kind kind, enum version_access access,
                     uint32_t size, const struct version_source *from)
{
	struct invocation_part part = {
		.kind = (uint8_t)kind,
		.access = (uint8_t)access,
		.flags = from && from->base.members ? INVOCATION_STATE : 0,
		.parts = from ? (uint8_t)from->part_count : 0,
		.size = size,
	};
	put(w, &part, sizeof(part));
	if (w->in_collection)
		w->in_collection--;
	else
		w->parameter_count++;
}

static void put_state(struct invocation_writer *w, const struct version_source *from)
{
	if (!from || !from->base.members)
		return;
	struct invocation_state state = {
		.members = from->base.members,
		.sum_low = from->base.sum.low,
		.sum_high = from->base.sum.high,
	};
	put(w, &state, sizeof(state));
}

void invocation_begin(struct invocation_writer *w, uint8_t *data, size_t capacity)
{
	*w = (struct invocation_writer){.data = data, .capacity = capacity};
	put(w, &(struct invocation_head){0}, sizeof(struct invocation_head));
}

void invocation_value(struct invocation_writer *w, const void *bytes, uint32_t size)
{
	put_part(w, INVOCATION_VALUE, VERSION_IN, size, NULL);
	put(w, bytes, size);
}

void invocation_buffer(struct invocation_writer *w, enum version_access access, uint32_t size,
                       const struct version_source *from)
{
	put_part(w, INVOCATION_BUFFER, access, size, from);
	put_state(w, from);
}

void invocation_collection(struct invocation_writer *w, uint32_t rows, uint32_t columns)
{
	uint64_t elements = columns ? (uint64_t)rows * columns : rows;
	if (w->in_collection || elements > TASK_DATA_MAX) {
		w->failed = true;
		return;
	}
	put_part(w, INVOCATION_COLLECTION, VERSION_IN, rows, NULL);
	put(w, &columns, sizeof(columns));
	w->in_collection = (uint32_t)elements;
}

void invocation_file(struct invocation_writer *w, enum version_access access, const char *path, uint32_t size,
                     const struct version_source *from)
{
	put_part(w, INVOCATION_FILE, access, 0, from);
	put(w, &size, sizeof(size));
	put(w, path, size);
	put_state(w, from);
}

int invocation_end(struct invocation_writer *w, struct error *err)
{
	if (w->failed)
		return error_set(
			err, CELLA_ELIMIT,
			"the arguments passed by value are too large or too many: %zu bytes at most, and "
			"%d buffers in a collection",
			w->capacity, TASK_DATA_MAX);
	if (w->in_collection)
		return error_set(err, CELLA_EINVAL, "a collection lacks %u of its buffers", w->in_collection);
	struct invocation_head head = {.version = INVOCATION_VERSION, .parameter_count = w->parameter_count};
	memcpy(w->data, &head, sizeof(head));
	return 0;
}

/* Walking. */

void invocation_walk(struct invocation_walk *w, const uint8_t *data, size_t size,
                     const struct task_submit *submit)
{
	*w = (struct invocation_walk){.reader = reader_of(data, size), .counts = *submit};
	struct invocation_head head;
	reader_copy(&w->reader, &head, sizeof(head));
	w->failed = w->reader.failed || head.version != INVOCATION_VERSION;
	w->parameter_count = head.parameter_count;
	w->frame_size = align_up((uint64_t)head.parameter_count * POINTER_SIZE, CELLA_ABI_ALIGN);
}

static const struct {
	bool reads, writes, turn;
} accesses[] = {
	[VERSION_IN] = {true, false, false},          [VERSION_OUT] = {false, true, false},
	[VERSION_INOUT] = {true, true, false},        [VERSION_CONCURRENT] = {true, true, false},
	[VERSION_COMMUTATIVE] = {false, false, true},
};

static void place(struct invocation_walk *w, struct invocation_part_view *p, uint64_t size)
{
	p->offset = w->frame_size;
	w->frame_size += align_up(size, CELLA_ABI_ALIGN);
	if (w->frame_size > UINT32_MAX)
		w->failed = true;
}

/* The data that a buffer or file takes from the submission's arrays. Empty buffers are no data. */
static void take_data(struct invocation_walk *w, struct invocation_part_view *p,
                      const struct invocation_part *part)
{
	if (part->access >= array_count(accesses)) {
		w->failed = true;
		return;
	}
	p->reads = accesses[part->access].reads;
	p->writes = accesses[part->access].writes;
	p->takes_turn = accesses[part->access].turn;
	p->part_count = part->parts;
	p->input = w->input;
	p->output = w->output;
	p->commutative = w->commutative;
	w->input += p->reads ? 1u + part->parts : 0;
	w->output += p->writes;
	w->commutative += p->takes_turn;
	if (w->input > w->counts.input_count || w->output > w->counts.output_count ||
	    w->commutative > w->counts.commutative_count || (part->parts && !p->reads))
		w->failed = true;
	if (part->flags & INVOCATION_STATE) {
		struct invocation_state state;
		reader_copy(&w->reader, &state, sizeof(state));
		p->state.members = state.members;
		p->state.sum = (struct version_sum){state.sum_low, state.sum_high};
		if (!state.members || p->access == VERSION_OUT)
			w->failed = true;
	}
}

static void next_collection(struct invocation_walk *w, struct invocation_part_view *p)
{
	p->columns = reader_u32(&w->reader);
	uint64_t elements = p->columns ? (uint64_t)p->size * p->columns : p->size;
	if (!p->is_parameter || elements > TASK_DATA_MAX || p->size > TASK_DATA_MAX) {
		w->failed = true;
		return;
	}
	w->element = 0;
	w->elements = elements;
	place(w, p, (p->size + (p->columns ? elements : 0)) * POINTER_SIZE);
}

static void next_file(struct invocation_walk *w, struct invocation_part_view *p,
                      const struct invocation_part *part)
{
	p->bytes_size = reader_u32(&w->reader);
	p->bytes = reader_bytes(&w->reader, p->bytes_size);
	if (!p->is_parameter || part->size || !p->bytes_size || p->bytes_size > INVOCATION_PATH_MAX ||
	    !p->bytes || memchr(p->bytes, 0, p->bytes_size) || p->access > VERSION_INOUT) {
		w->failed = true;
		return;
	}
	place(w, p, p->bytes_size + 1u);
	take_data(w, p, part);
}

static void next_part(struct invocation_walk *w, struct invocation_part_view *p,
                      const struct invocation_part *part)
{
	switch (part->kind) {
	case INVOCATION_VALUE:
		p->bytes_size = part->size;
		p->bytes = reader_bytes(&w->reader, part->size);
		w->failed |= !p->is_parameter;
		place(w, p, part->size);
		break;
	case INVOCATION_BUFFER:
		place(w, p, part->size);
		if (part->size)
			take_data(w, p, part);
		break;
	case INVOCATION_COLLECTION: next_collection(w, p); break;
	case INVOCATION_FILE: next_file(w, p, part); break;
	default: w->failed = true;
	}
}

bool invocation_next(struct invocation_walk *w, struct invocation_part_view *ret_part)
{
	bool in_collection = w->element < w->elements;
	if (w->failed || (!in_collection && w->parameter == w->parameter_count))
		return false;
	struct invocation_part part;
	reader_copy(&w->reader, &part, sizeof(part));
	struct invocation_part_view p = {
		.kind = part.kind,
		.access = part.access,
		.size = part.size,
		.is_parameter = !in_collection,
		.parameter = w->parameter,
		.element = w->element,
	};
	if (in_collection) {
		p.parameter--;
		w->element++;
	} else {
		w->parameter++;
	}
	next_part(w, &p, &part);
	if (w->failed || w->reader.failed) {
		w->failed = true;
		return false;
	}
	*ret_part = p;
	return true;
}

int invocation_walked(const struct invocation_walk *w, struct error *err)
{
	if (w->failed || !reader_finished(&w->reader) || w->input != w->counts.input_count ||
	    w->output != w->counts.output_count || w->commutative != w->counts.commutative_count ||
	    w->parameter != w->parameter_count || w->element != w->elements)
		return error_set(err, CELLA_EFORMAT, "the invocation is malformed at byte %zu", w->reader.at);
	return 0;
}
