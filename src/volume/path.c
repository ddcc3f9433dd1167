/*
 * Paths and names. A path is walked from the root, component by component; symlinks are put in place of
 * themselves, within the volume. Names are bytes, none of them '/' or zero.
 */
#include <string.h>

#include "volume/volume_state.h"

struct walk {
	uint64_t above[VOLUME_DEPTH_MAX]; /* directories from the root to the one that the path ends in */
	size_t depth;              /* of them; 0: the path is the root's */
	char name[VOLUME_NAME_MAX + 1]; /* the last component; "": the path is a directory's, found */
	uint64_t number;           /* what it names; 0: nothing */
	enum volume_type type;
	char rest[VOLUME_PATH_MAX]; /* what is left of the path */
	unsigned symlinks;
};

static uint64_t parent_of(const struct walk *w)
{
	return w->above[w->depth - 1];
}

static int entry_find(struct volume *v, uint64_t directory, const char *name, uint64_t *ret_number,
                      enum volume_type *ret_type, struct error *err)
{
	struct tree_key key = tree_key_name(directory, name, strlen(name));
	struct item item;
	int rc = tree_get(v, &key, &item, err);
	if (rc < 0)
		return rc;
	if (item.value_size != VOLUME_ENTRY_SIZE || item.value[8] < VOLUME_FILE ||
	    item.value[8] > VOLUME_SYMLINK)
		return error_set(err, CELLA_EAUTH, "a directory's entry is malformed");
	memcpy(ret_number, item.value, sizeof(*ret_number));
	*ret_type = item.value[8];
	return 0;
}

static int entry_put(struct volume *v, const struct walk *w, uint64_t number, enum volume_type type,
                     struct error *err)
{
	struct tree_key key = tree_key_name(parent_of(w), w->name, strlen(w->name));
	uint8_t value[VOLUME_ENTRY_SIZE];
	memcpy(value, &number, sizeof(number));
	value[8] = (uint8_t)type;
	return tree_put(v, &key, value, sizeof(value), err);
}

static int entry_remove(struct volume *v, const struct walk *w, struct error *err)
{
	struct tree_key key = tree_key_name(parent_of(w), w->name, strlen(w->name));
	return tree_remove(v, &key, err);
}

/* The next component, taken off the rest; *ret_last: nothing comes behind it. */
static int take_component(struct walk *w, char name[VOLUME_NAME_MAX + 1], bool *ret_last, struct error *err)
{
	const char *at = w->rest + strspn(w->rest, "/");
	size_t size = strcspn(at, "/");
	if (size > VOLUME_NAME_MAX)
		return error_set(err, CELLA_ELIMIT, "a name of %zu bytes is too long: 255 at most", size);
	memcpy(name, at, size);
	name[size] = 0;
	at += size;
	at += strspn(at, "/");
	*ret_last = !*at;
	memmove(w->rest, at, strlen(at) + 1);
	return 0;
}

/* A symlink's target comes before the rest. */
static int put_symlink(struct volume *v, struct walk *w, uint64_t number, struct error *err)
{
	char target[VOLUME_TARGET_MAX];
	struct inode_record record;
	size_t size;
	if (++w->symlinks > SYMLINKS_MAX)
		return error_set(err, CELLA_ELIMIT, "more than %d symlinks lead to one another",
		                 SYMLINKS_MAX);
	int rc = inode_get(v, number, &record, (uint8_t *)target, &size, err);
	if (rc < 0)
		return rc;
	if (record.type != VOLUME_SYMLINK || size == 0)
		return error_set(err, CELLA_EAUTH, "a symlink is malformed");
	if (target[0] == '/')
		return error_set(err, CELLA_EPERM, "a symlink is absolute, so it leads out of the volume");
	size_t rest = strlen(w->rest) + 1; /* with its zero */
	if (size + 1 + rest > sizeof(w->rest))
		return error_set(err, CELLA_ELIMIT, "a path with its symlinks is longer than %d bytes",
		                 VOLUME_PATH_MAX - 1);
	memmove(w->rest + size + 1, w->rest, rest);
	memcpy(w->rest, target, size);
	w->rest[size] = '/';
	return 0;
}

static int enter(struct walk *w, uint64_t directory, struct error *err)
{
	if (w->depth == VOLUME_DEPTH_MAX)
		return error_set(err, CELLA_ELIMIT, "a path has more than %d directories", VOLUME_DEPTH_MAX);
	w->above[w->depth++] = directory;
	return 0;
}

/* The path has been walked up to a directory that has no name here: the root, or by "..". */
static void end_in_directory(struct walk *w)
{
	w->number = parent_of(w);
	w->type = VOLUME_DIRECTORY;
	w->name[0] = 0;
	w->depth--;
}

static int step(struct volume *v, struct walk *w, enum volume_follow follow, bool *ret_done,
                struct error *err)
{
	bool last;
	int rc = take_component(w, w->name, &last, err);
	if (rc < 0)
		return rc;
	if (!w->name[0] || strcmp(w->name, ".") == 0 || strcmp(w->name, "..") == 0) {
		if (w->name[0] && w->name[1] && --w->depth == 0)
			return error_set(err, CELLA_EPERM, "the path leads out of the volume by \"..\"");
		if (last)
			end_in_directory(w);
		*ret_done = last;
		return 0;
	}
	rc = entry_find(v, parent_of(w), w->name, &w->number, &w->type, err);
	if (rc == CELLA_ENOENT && last) {
		w->number = 0;
		*ret_done = true;
		return 0;
	}
	if (rc == CELLA_ENOENT)
		return error_set(err, rc, "there is no directory %s", w->name);
	if (rc < 0)
		return rc;
	if (w->type == VOLUME_SYMLINK && (!last || follow == VOLUME_FOLLOW))
		return put_symlink(v, w, w->number, err);
	*ret_done = last;
	if (last)
		return 0;
	return w->type == VOLUME_DIRECTORY ? enter(w, w->number, err)
	                                   : error_set(err, CELLA_ENOTDIR, "%s is no directory", w->name);
}

/* To the last component, which need not exist. */
static int walk(struct volume *v, const char *path, enum volume_follow follow, struct walk *w,
                struct error *err)
{
	bool done = false;
	size_t size = strlen(path);
	if (size >= sizeof(w->rest))
		return error_set(err, CELLA_ELIMIT, "a path of %zu bytes is too long", size);
	w->depth = 0;
	w->symlinks = 0;
	memcpy(w->rest, path, size + 1);
	int rc = enter(w, ROOT_INODE, err);
	while (rc == 0 && !done)
		rc = step(v, w, follow, &done, err);
	return rc;
}

static int walk_existing(struct volume *v, const char *path, enum volume_follow follow, struct walk *w,
                         struct error *err)
{
	int rc = walk(v, path, follow, w, err);
	if (rc == 0 && !w->number)
		rc = error_set(err, CELLA_ENOENT, "there is no %s", w->name);
	return rc;
}

/* To a name that may be given to something. */
static int walk_new(struct volume *v, const char *path, struct walk *w, struct error *err)
{
	int rc = walk(v, path, VOLUME_NOFOLLOW, w, err);
	if (rc == 0 && w->number)
		rc = error_set(err, CELLA_EEXIST, "%s exists", w->name[0] ? w->name : "the directory");
	return rc;
}

/* The directory that the path ends in has changed. */
static int touch_parent(struct volume *v, const struct walk *w, struct error *err)
{
	struct inode_record record;
	size_t size;
	int rc = inode_get(v, parent_of(w), &record, NULL, &size, err);
	if (rc < 0)
		return rc;
	record.modified_ns = record.changed_ns = volume_now_ns();
	return inode_update(v, parent_of(w), &record, err);
}

static int make(struct volume *v, const struct walk *w, enum volume_type type, uint16_t mode,
                const char *target, uint64_t *ret_number, struct error *err)
{
	uint64_t now = volume_now_ns(), number = v->next_inode++;
	size_t size = target ? strlen(target) : 0;
	struct inode_record record =
		{.type = type, .mode = mode, .links = 1, .size = size, .modified_ns = now, .changed_ns = now};
	int rc = inode_put(v, number, &record, target, size, err);
	if (rc == 0)
		rc = entry_put(v, w, number, type, err);
	if (rc == 0)
		rc = touch_parent(v, w, err);
	if (rc < 0)
		return volume_break(v, rc, err);
	if (ret_number)
		*ret_number = number;
	return 0;
}

int path_make_root(struct volume *v, struct error *err)
{
	uint64_t now = volume_now_ns();
	struct inode_record record = {.type = VOLUME_DIRECTORY,
	                              .mode = 0755,
	                              .links = 1,
	                              .modified_ns = now,
	                              .changed_ns = now};
	v->next_inode = ROOT_INODE + 1;
	return inode_put(v, ROOT_INODE, &record, NULL, 0, err);
}

int path_open(struct volume *v, const char *path, unsigned flags, uint16_t mode, uint64_t *ret_number,
              struct error *err)
{
	struct walk w;
	bool exclusive = flags & VOLUME_CREATE && flags & VOLUME_EXCLUSIVE;
	int rc = walk(v, path, flags & VOLUME_NO_SYMLINK || exclusive ? VOLUME_NOFOLLOW : VOLUME_FOLLOW, &w,
	              err);
	if (rc < 0)
		return rc;
	if (!w.number && !(flags & VOLUME_CREATE))
		return error_set(err, CELLA_ENOENT, "there is no %s", w.name);
	if (!w.number)
		return make(v, &w, VOLUME_FILE, mode, NULL, ret_number, err);
	if (exclusive)
		return error_set(err, CELLA_EEXIST, "%s exists", w.name);
	if (w.type == VOLUME_DIRECTORY)
		return error_set(err, CELLA_EISDIR, "%s is a directory", w.name[0] ? w.name : "it");
	if (w.type == VOLUME_SYMLINK)
		return error_set(err, CELLA_ELIMIT, "%s is a symlink", w.name);
	*ret_number = w.number;
	return 0;
}

int volume_stat(struct volume *v, const char *path, enum volume_follow follow, struct volume_stat *ret_stat,
                struct error *err)
{
	volume_locked(v);
	struct walk w;
	struct inode_record record;
	size_t size;
	int rc = walk_existing(v, path, follow, &w, err);
	if (rc == 0)
		rc = inode_get(v, w.number, &record, NULL, &size, err);
	if (rc == 0)
		inode_stat(w.number, &record, ret_stat);
	return rc;
}

int volume_mkdir(struct volume *v, const char *path, uint16_t mode, struct error *err)
{
	volume_locked(v);
	struct walk w;
	int rc = volume_may_write(v, err);
	if (rc == 0)
		rc = walk_new(v, path, &w, err);
	if (rc == 0 && w.depth == VOLUME_DEPTH_MAX) /* nothing could be made in it */
		rc = error_set(err, CELLA_ELIMIT, "directories are nested %d deep at most", VOLUME_DEPTH_MAX);
	return rc == 0 ? make(v, &w, VOLUME_DIRECTORY, mode, NULL, NULL, err) : rc;
}

int volume_symlink(struct volume *v, const char *target, const char *path, struct error *err)
{
	volume_locked(v);
	struct walk w;
	size_t size = strlen(target);
	int rc = volume_may_write(v, err);
	if (rc == 0 && (size == 0 || size > VOLUME_TARGET_MAX))
		rc = error_set(err, size ? CELLA_ELIMIT : CELLA_ENOENT,
		               "a symlink's target has 1 to %d bytes", VOLUME_TARGET_MAX);
	if (rc == 0)
		rc = walk_new(v, path, &w, err);
	return rc == 0 ? make(v, &w, VOLUME_SYMLINK, 0777, target, NULL, err) : rc;
}

int volume_readlink(struct volume *v, const char *path, char ret_target[VOLUME_PATH_MAX], struct error *err)
{
	volume_locked(v);
	struct walk w;
	struct inode_record record;
	size_t size;
	int rc = walk_existing(v, path, VOLUME_NOFOLLOW, &w, err);
	if (rc == 0 && w.type != VOLUME_SYMLINK)
		rc = error_set(err, CELLA_EINVAL, "%s is no symlink", w.name[0] ? w.name : "it");
	if (rc == 0)
		rc = inode_get(v, w.number, &record, (uint8_t *)ret_target, &size, err);
	if (rc == 0)
		ret_target[size] = 0;
	return rc;
}

int volume_link(struct volume *v, const char *from, const char *to, struct error *err)
{
	volume_locked(v);
	struct walk w;
	struct inode_record record;
	size_t size;
	int rc = volume_may_write(v, err);
	if (rc == 0)
		rc = walk_existing(v, from, VOLUME_NOFOLLOW, &w, err);
	if (rc == 0 && w.type == VOLUME_DIRECTORY)
		rc = error_set(err, CELLA_EISDIR, "a directory cannot have a second name");
	uint64_t number = w.number;
	enum volume_type type = w.type;
	if (rc == 0)
		rc = inode_get(v, number, &record, NULL, &size, err);
	if (rc == 0 && record.links >= VOLUME_LINKS_MAX)
		rc = error_set(err, CELLA_ELIMIT, "a file has %u names already", record.links);
	if (rc == 0)
		rc = walk_new(v, to, &w, err);
	if (rc < 0)
		return rc;
	record.links++;
	record.changed_ns = volume_now_ns();
	rc = inode_update(v, number, &record, err);
	if (rc == 0)
		rc = entry_put(v, &w, number, type, err);
	if (rc == 0)
		rc = touch_parent(v, &w, err);
	return volume_break(v, rc, err);
}

static int check_empty(struct volume *v, uint64_t directory, struct error *err)
{
	struct tree_key key = tree_key(directory, VOLUME_ITEM_ENTRY);
	struct item item;
	int rc = tree_next(v, &key, TREE_AT_OR_AFTER, &item, err);
	if (rc == 0 && tree_item_is(&item, directory, VOLUME_ITEM_ENTRY))
		return error_set(err, CELLA_ENOTEMPTY, "the directory is not empty");
	return rc == CELLA_ENOENT ? 0 : rc;
}

/* May what the path ends in be removed as a directory, or as anything else? */
static int check_removable(struct volume *v, const struct walk *w, bool directory, struct error *err)
{
	if (!w->name[0])
		return error_set(err, CELLA_EINVAL,
		                 "the path names a directory by \".\", \"..\" or as the root");
	if (directory && w->type != VOLUME_DIRECTORY)
		return error_set(err, CELLA_ENOTDIR, "%s is no directory", w->name);
	if (!directory && w->type == VOLUME_DIRECTORY)
		return error_set(err, CELLA_EISDIR, "%s is a directory", w->name);
	return directory ? check_empty(v, w->number, err) : 0;
}

static int remove_name(struct volume *v, const char *path, bool directory, struct error *err)
{
	struct walk w;
	int rc = volume_may_write(v, err);
	if (rc == 0)
		rc = walk_existing(v, path, VOLUME_NOFOLLOW, &w, err);
	if (rc == 0)
		rc = check_removable(v, &w, directory, err);
	if (rc < 0)
		return rc;
	rc = entry_remove(v, &w, err);
	if (rc == 0)
		rc = inode_drop_link(v, w.number, err);
	if (rc == 0)
		rc = touch_parent(v, &w, err);
	return volume_break(v, rc, err);
}

int volume_unlink(struct volume *v, const char *path, struct error *err)
{
	volume_locked(v);
	return remove_name(v, path, false, err);
}

int volume_rmdir(struct volume *v, const char *path, struct error *err)
{
	volume_locked(v);
	return remove_name(v, path, true, err);
}

static int move(struct volume *v, const struct walk *from, const struct walk *to, struct error *err)
{
	int rc = entry_put(v, to, from->number, from->type, err);
	if (rc == 0)
		rc = entry_remove(v, from, err);
	if (rc == 0 && to->number)
		rc = inode_drop_link(v, to->number, err);
	if (rc == 0)
		rc = touch_parent(v, from, err);
	if (rc == 0 && parent_of(to) != parent_of(from))
		rc = touch_parent(v, to, err);
	return volume_break(v, rc, err);
}

int volume_rename(struct volume *v, const char *from, const char *to, struct error *err)
{
	volume_locked(v);
	struct walk source, target;
	int rc = volume_may_write(v, err);
	if (rc == 0)
		rc = walk_existing(v, from, VOLUME_NOFOLLOW, &source, err);
	if (rc == 0)
		rc = walk(v, to, VOLUME_NOFOLLOW, &target, err);
	if (rc < 0)
		return rc;
	if (!source.name[0] || !target.name[0])
		return error_set(err, CELLA_EINVAL,
		                 "a path names a directory by \".\", \"..\" or as the root");
	for (size_t i = 0; i < target.depth; i++)
		if (target.above[i] == source.number)
			return error_set(err, CELLA_EINVAL, "a directory cannot be moved into itself");
	if (target.number == source.number)
		return 0;
	if (target.number)
		rc = check_removable(v, &target, source.type == VOLUME_DIRECTORY, err);
	return rc == 0 ? move(v, &source, &target, err) : rc;
}

static int update(struct volume *v, const char *path, enum volume_follow follow, const uint16_t *mode,
                  const uint64_t *modified_ns, struct error *err)
{
	struct walk w;
	struct inode_record record;
	size_t size;
	int rc = volume_may_write(v, err);
	if (rc == 0)
		rc = walk_existing(v, path, follow, &w, err);
	if (rc == 0)
		rc = inode_get(v, w.number, &record, NULL, &size, err);
	if (rc < 0)
		return rc;
	if (mode)
		record.mode = *mode & 07777;
	if (modified_ns)
		record.modified_ns = *modified_ns;
	record.changed_ns = volume_now_ns();
	return inode_update(v, w.number, &record, err);
}

int volume_set_mode(struct volume *v, const char *path, uint16_t mode, struct error *err)
{
	volume_locked(v);
	return update(v, path, VOLUME_FOLLOW, &mode, NULL, err);
}

int volume_set_modified(struct volume *v, const char *path, enum volume_follow follow, uint64_t modified_ns,
                        struct error *err)
{
	volume_locked(v);
	return update(v, path, follow, NULL, &modified_ns, err);
}

/* The item that comes next, past what cannot be read. */
static int next_readable(struct volume *v, struct tree_key *key, struct item *ret_item, bool *ret_damage,
                         struct error *err)
{
	int rc = tree_next(v, key, TREE_AFTER, ret_item, err);
	while (rc == CELLA_EAUTH) {
		struct tree_key behind;
		*ret_damage = true;
		rc = tree_skip(v, key, &behind, err);
		if (rc < 0)
			return error_set(err, CELLA_EAUTH, "the rest of the directory cannot be read");
		*key = behind;
		rc = tree_next(v, key, TREE_AT_OR_AFTER, ret_item, err);
	}
	return rc;
}

int entry_next(struct volume *v, uint64_t directory, const char *after, enum entry_damage damage,
               struct volume_entry *ret_entry, struct error *err)
{
	struct tree_key key = tree_key_name(directory, after, strlen(after));
	struct volume_entry entry = {0};
	struct item item;
	int rc = damage == ENTRY_PASS_DAMAGE ? next_readable(v, &key, &item, &entry.after_damage, err)
	                                     : tree_next(v, &key, TREE_AFTER, &item, err);
	if (rc < 0)
		return rc;
	size_t size = item.key_size - VOLUME_KEY_PREFIX;
	if (!tree_item_is(&item, directory, VOLUME_ITEM_ENTRY))
		return entry.after_damage
		               ? error_set(err, CELLA_EAUTH, "the rest of the directory cannot be read")
		               : error_set(err, CELLA_ENOENT, "the directory ends here");
	if (size == 0 || item.value_size != VOLUME_ENTRY_SIZE ||
	    memchr(item.key + VOLUME_KEY_PREFIX, 0, size))
		return error_set(err, CELLA_EAUTH, "a directory's entry is malformed");
	memcpy(entry.name, item.key + VOLUME_KEY_PREFIX, size);
	memcpy(&entry.inode, item.value, sizeof(entry.inode));
	entry.type = item.value[8];
	*ret_entry = entry;
	return 0;
}

static int next_at_path(struct volume *v, const char *path, const char *after, enum entry_damage damage,
                        struct volume_entry *ret_entry, struct error *err)
{
	struct walk w;
	int rc = strlen(after) > VOLUME_NAME_MAX ? error_set(err, CELLA_EINVAL, "a name is too long")
	                                         : walk_existing(v, path, VOLUME_FOLLOW, &w, err);
	if (rc == 0 && w.type != VOLUME_DIRECTORY)
		rc = error_set(err, CELLA_ENOTDIR, "%s is no directory", w.name);
	return rc == 0 ? entry_next(v, w.number, after, damage, ret_entry, err) : rc;
}

int volume_next(struct volume *v, const char *path, const char *after, struct volume_entry *ret_entry,
                struct error *err)
{
	volume_locked(v);
	return next_at_path(v, path, after, ENTRY_STOP_AT_DAMAGE, ret_entry, err);
}

int volume_next_readable(struct volume *v, const char *path, const char *after,
                         struct volume_entry *ret_entry, struct error *err)
{
	volume_locked(v);
	return next_at_path(v, path, after, ENTRY_PASS_DAMAGE, ret_entry, err);
}
