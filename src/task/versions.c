#include "task/versions.h"

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/*
 * The content of a piece: `current`; with each of `parts` over it if there are any; or, while a
 * membership is open (turn.id not 0), what `turn` becomes, and `current` is where it began.
 */
struct piece {
	struct version_name name;
	char *path; /* name.path, owned; of the caller's memory */
	struct version_datum current;
	struct version_datum turn;
	uint64_t *parts; /* VERSIONS_PARTS_MAX, or NULL */
	size_t part_count;
	bool parts_closed; /* read since the last part: the next part starts from the merged content */
	bool resident;     /* the submitter's memory holds the content */
	bool written;      /* by the task numbered `task` */
	uint64_t task;     /* the last one that named it */
};

struct versions {
	struct version_memory memory;
	uint64_t *next_datum;
	void *buffers; /* trees of search.h: struct piece, ordered by address and by path */
	void *files;
	uint64_t task; /* counts versions_begin */
	struct version_sum number;
	uint64_t source_parts[VERSIONS_PARTS_MAX];
	uint64_t merge_parts[VERSIONS_PARTS_MAX];
	uint64_t *releases;
	size_t release_count;
	size_t release_capacity;
};

/* Pieces that overlap compare equal: the tree holds disjoint ones, so this is an order. */
static int compare_buffers(const void *a, const void *b)
{
	const struct version_name *x = a, *y = b;
	if (x->address < y->address)
		return y->address - x->address < x->size ? 0 : -1;
	return x->address - y->address < y->size ? 0 : 1;
}

static int compare_files(const void *a, const void *b)
{
	const struct version_name *x = a, *y = b;
	return strcmp(x->path, y->path);
}

int versions_new(uint64_t *next_datum, const struct version_memory *memory, struct versions **ret_versions,
                 struct error *err)
{
	struct versions *v = calloc(1, sizeof(*v));
	if (!v)
		return error_set(err, CELLA_ENOMEM, "no memory to keep the versions of task data");
	v->memory = *memory;
	v->next_datum = next_datum;
	*ret_versions = v;
	return 0;
}

static void piece_free(struct versions *v, struct piece *p)
{
	if (p->path)
		v->memory.free(v->memory.data, p->path);
	free(p->parts);
	free(p);
}

/* Out of its tree, which holds no more than pointers. */
static void piece_drop(struct versions *v, struct piece *p)
{
	tdelete(p, p->path ? &v->files : &v->buffers, p->path ? compare_files : compare_buffers);
	piece_free(v, p);
}

void versions_free(struct versions *v)
{
	if (!v)
		return;
	while (v->buffers)
		piece_drop(v, *(struct piece **)v->buffers);
	while (v->files)
		piece_drop(v, *(struct piece **)v->files);
	free(v->releases);
	free(v);
}

void versions_begin(struct versions *v, struct version_sum number)
{
	v->task++;
	v->number = number;
}

static uint64_t new_datum(struct versions *v)
{
	return (*v->next_datum)++;
}

/* What cannot be noted is never released: a loss of room in the store, not of correctness. */
static void release(struct versions *v, uint64_t datum)
{
	if (!datum)
		return;
	if (v->release_count == v->release_capacity) {
		size_t capacity = v->release_capacity ? v->release_capacity * 2 : 64;
		uint64_t *larger = reallocarray(v->releases, capacity, sizeof(*larger));
		if (!larger)
			return;
		v->releases = larger;
		v->release_capacity = capacity;
	}
	v->releases[v->release_count++] = datum;
}

static void release_parts(struct versions *v, struct piece *p)
{
	for (size_t i = 0; i < p->part_count; i++)
		release(v, p->parts[i]);
	p->part_count = 0;
}

static void release_content(struct versions *v, struct piece *p)
{
	release(v, p->current.id);
	release(v, p->turn.id);
	release_parts(v, p);
	p->current = p->turn = (struct version_datum){0};
}

static void **tree_of(struct versions *v, const struct version_name *name)
{
	return name->path ? &v->files : &v->buffers;
}

static struct piece *find(struct versions *v, const struct version_name *name)
{
	int (*compare)(const void *, const void *) = name->path ? compare_files : compare_buffers;
	struct piece **node = tfind(name, tree_of(v, name), compare);
	return node ? *node : NULL;
}

/* The piece that begins at the name's address, whatever its size. */
static struct piece *find_start(struct versions *v, const struct version_name *name)
{
	struct version_name start = *name;
	start.size = 1;
	struct piece *p = find(v, &start);
	return p && (name->path || p->name.address == name->address) ? p : NULL;
}

static struct piece *piece_new(struct versions *v, const struct version_name *name)
{
	struct piece *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->name = *name;
	if (name->path) {
		size_t size = strlen(name->path) + 1;
		p->name.path = p->path = v->memory.alloc(v->memory.data, size);
		if (!p->path) {
			piece_free(v, p);
			return NULL;
		}
		memcpy(p->path, name->path, size);
	}
	if (!tsearch(p, tree_of(v, name), name->path ? compare_files : compare_buffers)) {
		piece_free(v, p);
		return NULL;
	}
	return p;
}

static void piece_remove(struct versions *v, struct piece *p)
{
	release_content(v, p);
	piece_drop(v, p);
}

static int check_known(const struct versions *v, const struct piece *p, const struct version_name *name,
                       enum version_access access, struct error *err)
{
	if (!p->path && p->name.address != name->address)
		return error_set(err, CELLA_EINVAL,
		                 "the buffer at 0x%" PRIx64 " (%" PRIu64
		                 " bytes) overlaps the one at 0x%" PRIx64 " (%" PRIu64
		                 " bytes), which belongs to tasks; call cella_wait_on or cella_forget "
		                 "for that one first",
		                 name->address, name->size, p->name.address, p->name.size);
	if (p->name.size != name->size)
		return error_set(err, CELLA_EINVAL,
		                 "the buffer at 0x%" PRIx64 " belongs to tasks with %" PRIu64
		                 " bytes and is named "
		                 "with %" PRIu64 "; call cella_wait_on or cella_forget for it first",
		                 name->address, p->name.size, name->size);
	if (p->task == v->task && (p->written || access != VERSION_IN))
		return error_set(err, CELLA_EINVAL, "one task names %s%s twice and writes it",
		                 p->path ? "the file " : "a buffer", p->path ? p->path : "");
	return 0;
}

/* Another kind of access than COMMUTATIVE: nobody joins any more. */
static void close_turn(struct versions *v, struct piece *p)
{
	if (!p->turn.id)
		return;
	release(v, p->current.id);
	p->current = p->turn;
	p->turn = (struct version_datum){0};
}

/* Another kind of access than CONCURRENT. A single part is the whole content. */
static void close_parts(struct versions *v, struct piece *p)
{
	if (p->part_count == 1) {
		release(v, p->current.id);
		p->current = (struct version_datum){.id = p->parts[0]};
		p->part_count = 0;
	}
	p->parts_closed = p->part_count > 0;
}

static void settle(struct versions *v, struct piece *p)
{
	close_turn(v, p);
	close_parts(v, p);
}

static struct version_source source_of(const struct piece *p, uint64_t copies[VERSIONS_PARTS_MAX])
{
	if (p->part_count)
		memcpy(copies, p->parts, p->part_count * sizeof(*copies));
	return (struct version_source){.base = p->current, .parts = copies, .part_count = p->part_count};
}

/* One datum in the place of all parts: the whole content, or, as a part, just the changes. */
static void merge(struct versions *v, struct piece *p, bool as_part, struct version_effect *effect)
{
	effect->merge_source = source_of(p, v->merge_parts);
	effect->merge = new_datum(v);
	release_parts(v, p);
	if (as_part) {
		p->parts[p->part_count++] = effect->merge;
		return;
	}
	release(v, p->current.id);
	p->current = (struct version_datum){.id = effect->merge};
}

static void replace(struct versions *v, struct piece *p, struct version_effect *effect)
{
	release_content(v, p);
	effect->output = new_datum(v);
	p->current = (struct version_datum){.id = effect->output};
}

static int access_in(struct versions *v, struct piece *p, struct version_effect *effect)
{
	settle(v, p);
	effect->source = source_of(p, v->source_parts);
	return 0;
}

static int access_out(struct versions *v, struct piece *p, struct version_effect *effect)
{
	replace(v, p, effect);
	return 0;
}

static int access_inout(struct versions *v, struct piece *p, struct version_effect *effect)
{
	access_in(v, p, effect);
	replace(v, p, effect);
	return 0;
}

static int access_concurrent(struct versions *v, struct piece *p, struct version_effect *effect)
{
	if (!p->parts && !(p->parts = calloc(VERSIONS_PARTS_MAX, sizeof(*p->parts))))
		return CELLA_ENOMEM;
	close_turn(v, p);
	if (p->part_count && p->parts_closed)
		merge(v, p, false, effect);
	else if (p->part_count == VERSIONS_PARTS_MAX)
		merge(v, p, true, effect);
	p->parts_closed = false;
	effect->source.base = p->current;
	effect->output = p->parts[p->part_count++] = new_datum(v);
	return 0;
}

static int access_commutative(struct versions *v, struct piece *p, struct version_effect *effect)
{
	if (!p->turn.id) {
		settle(v, p);
		if (p->part_count)
			merge(v, p, false, effect);
		p->turn.id = new_datum(v);
	}
	p->turn.members++;
	version_sum_add(&p->turn.sum, &v->number);
	effect->source.base = p->current;
	effect->final = p->turn.id;
	return 0;
}

static const struct {
	int (*act)(struct versions *v, struct piece *p, struct version_effect *effect);
	bool reads, writes;
} rules[] = {
	[VERSION_IN] = {access_in, true, false},
	[VERSION_OUT] = {access_out, false, true},
	[VERSION_INOUT] = {access_inout, true, true},
	[VERSION_CONCURRENT] = {access_concurrent, true, true},
	[VERSION_COMMUTATIVE] = {access_commutative, true, true},
};

/* Tasks take over the submitter's own content. */
static int adopt(struct versions *v, const struct version_name *name, bool reads, struct piece **ret_piece,
                 struct version_effect *effect, struct error *err)
{
	struct piece *p = piece_new(v, name);
	if (!p)
		return error_set(err, CELLA_ENOMEM, "no memory to keep the versions of task data");
	if (reads) {
		p->current.id = effect->put = new_datum(v);
		p->resident = true;
	}
	*ret_piece = p;
	return 0;
}

int versions_access(struct versions *v, const struct version_name *name, enum version_access access,
                    struct version_effect *ret_effect, struct error *err)
{
	struct version_effect effect = {0};
	struct piece *p = find(v, name);
	int rc = p ? check_known(v, p, name, access, err)
	           : adopt(v, name, rules[access].reads, &p, &effect, err);
	if (rc < 0)
		return rc;
	rc = rules[access].act(v, p, &effect);
	if (rc < 0)
		return error_set(err, rc, "no memory to keep the versions of task data");
	p->task = v->task;
	p->written = rules[access].writes;
	p->resident = p->resident && !p->written;
	*ret_effect = effect;
	return 0;
}

int versions_current(struct versions *v, const struct version_name *name, struct version_source *ret_source,
                     uint64_t *ret_size, bool *ret_resident)
{
	struct piece *p = find_start(v, name);
	if (!p)
		return CELLA_ENOENT;
	settle(v, p);
	*ret_source = source_of(p, v->source_parts);
	*ret_size = p->name.size;
	*ret_resident = p->resident;
	return 0;
}

bool versions_find(struct versions *v, const struct version_name *name, struct version_name *ret_name)
{
	struct piece *p = find(v, name);
	if (p)
		*ret_name = p->name;
	return p != NULL;
}

void versions_return(struct versions *v, const struct version_name *name, bool shared)
{
	struct piece *p = find_start(v, name);
	if (p && shared)
		p->resident = true;
	else if (p)
		piece_remove(v, p);
}

void versions_forget(struct versions *v, const struct version_name *name)
{
	struct piece *p = find_start(v, name);
	if (p)
		piece_remove(v, p);
}

void versions_forget_all(struct versions *v)
{
	while (v->buffers)
		piece_remove(v, *(struct piece **)v->buffers);
	while (v->files)
		piece_remove(v, *(struct piece **)v->files);
}

size_t versions_take_releases(struct versions *v, const uint64_t **ret_data)
{
	size_t count = v->release_count;
	*ret_data = v->releases;
	v->release_count = 0;
	return count;
}
