/*
 * Is a commit whole on the disk? Its root and all else that it added are sealed, so whoever reads it sees.
 * What it added lies behind the root before it, for a commit changes nothing that was there.
 */
#include "volume/volume_state.h"

struct whole {
	struct volume *v;
	const struct volume_pointer *since; /* what is not behind it is older */
	uint8_t *block; /* of a file, in protected memory as all of them */
	struct error *err;
};

static bool is_added(const struct whole *w, const struct volume_pointer *at)
{
	if (at->segment == SEGMENT_NONE)
		return false;
	return at->segment > w->since->segment ||
	       (at->segment == w->since->segment && at->block > w->since->block);
}

static int read_data(struct whole *w, const struct item *item)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i + VOLUME_POINTER_SIZE <= item->value_size; i += VOLUME_POINTER_SIZE) {
		struct volume_pointer at;
		memcpy(&at, item->value + i, sizeof(at));
		if (is_added(w, &at))
			rc = segment_read(w->v, VOLUME_KIND_DATA, &at, w->block, VOLUME_BLOCK_SIZE, w->err);
	}
	return rc;
}

static int read_node(struct whole *w, const struct volume_pointer *at, unsigned level);

static int read_items(struct whole *w, const uint8_t *node, unsigned level)
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < node_count(node); i++) {
		const struct item item = node_item(node, i);
		struct volume_pointer at;
		if (level == 0) {
			rc = tree_item_is_group(&item) ? read_data(w, &item) : 0;
		} else if (item.value_size == sizeof(at)) {
			memcpy(&at, item.value, sizeof(at));
			rc = is_added(w, &at) ? read_node(w, &at, level - 1) : 0;
		} else {
			rc = error_set(w->err, CELLA_EAUTH, "a node of the volume's tree is malformed");
		}
	}
	return rc;
}

static int read_node(struct whole *w, const struct volume_pointer *at, unsigned level)
{
	uint8_t *node = volume_alloc(w->v, VOLUME_NODE_SIZE);
	if (!node)
		return error_set(w->err, CELLA_ENOMEM, "no protected memory for a node of a volume's tree");
	int rc = segment_read(w->v, VOLUME_KIND_NODE, at, node, VOLUME_NODE_SIZE, w->err);
	if (rc == 0)
		rc = node_check(node, level, w->err);
	if (rc == 0)
		rc = read_items(w, node, level);
	mem_free(w->v->pool, node);
	return rc;
}

int root_is_whole(struct volume *v, const struct volume_root *root, const struct volume_pointer *before,
                  struct error *err)
{
	struct whole w = {.v = v, .since = before, .err = err};
	if (!is_added(&w, &root->top))
		return 0;
	w.block = mem_alloc(v->pool, VOLUME_BLOCK_SIZE);
	if (!w.block)
		return error_set(err, CELLA_ENOMEM, "no protected memory to read a commit");
	int rc = read_node(&w, &root->top, root->level);
	mem_free(v->pool, w.block);
	return rc;
}
