/* cella volume ls, cat, stat, info: what is in a volume. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/verb.h"
#include "cli/volume_verb.h"

/* ---- one file's description */

static json_t *describe(struct volume *v, const char *path, const struct volume_stat *st)
{
	char time[VOLUME_TIME_SIZE], mode[8], target[VOLUME_PATH_MAX];
	volume_print_time(st->modified_ns, time);
	snprintf(mode, sizeof(mode), "%04o", st->mode);
	json_t *entry = json_pack("{s:o, s:s, s:s, s:I, s:I, s:s, s:I}", "path", volume_json_text(path),
	                          "type", volume_type_name(st->type), "mode", mode, "links",
	                          (json_int_t)st->links, "size", (json_int_t)st->size, "modified", time,
	                          "modified_ns", (json_int_t)st->modified_ns);
	if (entry && st->type == VOLUME_SYMLINK && volume_readlink(v, path, target, NULL) == 0)
		json_object_set_new(entry, "target", volume_json_text(target));
	return entry;
}

static void print_mode(const struct volume_stat *st)
{
	static const char letters[] = "rwxrwxrwx";
	putchar(st->type == VOLUME_DIRECTORY ? 'd' : st->type == VOLUME_SYMLINK ? 'l' : '-');
	for (unsigned i = 0; i < sizeof(letters) - 1; i++)
		putchar(st->mode & (0400u >> i) ? letters[i] : '-');
}

/* A terminal gets no control characters; a pipe gets the name. */
static const char *name_for_output(const char *name)
{
	return isatty(STDOUT_FILENO) ? volume_shown(name) : name;
}

static void print_long(struct volume *v, const char *path, const char *name, const struct volume_stat *st)
{
	char time[VOLUME_TIME_SIZE], target[VOLUME_PATH_MAX];
	volume_print_time(st->modified_ns, time);
	print_mode(st);
	printf(" %3u %12llu %s %s", st->links, (unsigned long long)st->size, time, name_for_output(name));
	if (st->type == VOLUME_SYMLINK && volume_readlink(v, path, target, NULL) == 0)
		printf(" -> %s", name_for_output(target));
	putchar('\n');
}

/* ---- ls */

struct listing {
	struct volume_command *c;
	char path[VOLUME_PATH_MAX]; /* in the volume */
	size_t prefix;              /* of it, that is not printed */
	bool any;
};

static int list_one(struct listing *l, struct error *err)
{
	const struct volume_options *o = l->c->options;
	const char *name = l->path + l->prefix;
	struct volume_stat st;
	if (!o->json && !o->lengthy) {
		puts(name_for_output(name));
		return 0;
	}
	int rc = volume_stat(l->c->v, l->path, VOLUME_NOFOLLOW, &st, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", volume_shown(l->path));
	if (!o->json) {
		print_long(l->c->v, l->path, name, &st);
		return 0;
	}
	json_t *entry = describe(l->c->v, l->path, &st);
	fputs(l->any ? ",\n" : "\n", stdout);
	rc = entry ? json_dumpf(entry, stdout, JSON_ENSURE_ASCII) : -1;
	json_decref(entry);
	l->any = true;
	return rc < 0 ? error_set(err, CELLA_EIO, "cannot print JSON") : 0;
}

static int list_directory(struct listing *l, struct error *err)
{
	struct volume_entry entry = {0};
	size_t size = strlen(l->path);
	int rc;
	while ((rc = volume_next(l->c->v, l->path, entry.name, &entry, err)) == 0) {
		rc = volume_descend(l->path, entry.name, err);
		if (rc == 0)
			rc = list_one(l, err);
		if (rc == 0 && l->c->options->recursive && entry.type == VOLUME_DIRECTORY)
			rc = list_directory(l, err);
		l->path[size] = '\0';
		if (rc < 0)
			break;
	}
	return rc == CELLA_ENOENT ? 0 : rc;
}

static int list_operand(struct listing *l, const char *path, struct error *err)
{
	struct volume_stat st;
	int rc = volume_stat(l->c->v, path, VOLUME_FOLLOW, &st, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", volume_shown(path));
	rc = volume_join(l->path, path, "", err); /* with a slash behind it */
	if (rc < 0)
		return rc;
	if (st.type == VOLUME_DIRECTORY) {
		l->prefix = l->c->count > 1 || l->c->options->json ? 0 : strlen(l->path);
		return list_directory(l, err);
	}
	snprintf(l->path, sizeof(l->path), "%s", path);
	l->prefix = 0;
	return list_one(l, err);
}

int volume_ls_command(struct volume_command *c, struct error *err)
{
	struct listing l = {.c = c};
	int rc = 0;
	if (c->options->json)
		putchar('[');
	if (c->count == 0)
		rc = list_operand(&l, "", err);
	for (int i = 0; rc == 0 && i < c->count; i++)
		rc = list_operand(&l, c->operands[i], err);
	if (c->options->json)
		fputs(l.any ? "\n]\n" : "]\n", stdout);
	return rc;
}

/* ---- cat, stat, info */

static int cat_one(struct volume_command *c, const char *path, uint8_t *buffer, struct error *err)
{
	struct volume_file *f;
	uint64_t offset = 0;
	size_t size;
	int rc = volume_file_open(c->v, path, 0, 0, &f, err), written = 0;
	if (rc < 0)
		return error_prefix(err, rc, "cannot read %.200s: ", volume_shown(path));
	do {
		rc = volume_file_read(f, offset, buffer, VOLUME_COPY_SIZE, &size, err);
		if (rc < 0)
			error_prefix(err, rc, "cannot read %.200s: ", volume_shown(path));
		else
			written = io_write_full(STDOUT_FILENO, buffer, size, err);
		offset += size;
	} while (rc == 0 && written == 0 && size);
	volume_file_close(f);
	return written < 0 ? error_prefix(err, written, "standard output: ") : rc;
}

int volume_cat_command(struct volume_command *c, struct error *err)
{
	uint8_t *buffer = mem_alloc(c->pool, VOLUME_COPY_SIZE);
	if (!buffer)
		return error_set(err, CELLA_ENOMEM, "no protected memory to read files");
	int rc = 0;
	for (int i = 0; rc == 0 && i < c->count; i++)
		rc = cat_one(c, c->operands[i], buffer, err);
	mem_free(c->pool, buffer);
	return rc;
}

static void print_stat(struct volume *v, const char *path, const struct volume_stat *st)
{
	char time[VOLUME_TIME_SIZE], target[VOLUME_PATH_MAX];
	volume_print_time(st->modified_ns, time);
	printf("path      %s\ntype      %s\n", name_for_output(path), volume_type_name(st->type));
	if (st->type == VOLUME_SYMLINK && volume_readlink(v, path, target, NULL) == 0)
		printf("target    %s\n", name_for_output(target));
	printf("size      %llu\nmode      %04o\nlinks     %u\nmodified  %s\n", (unsigned long long)st->size,
	       st->mode, st->links, time);
}

int volume_stat_command(struct volume_command *c, struct error *err)
{
	json_t *all = c->options->json ? json_array() : NULL;
	for (int i = 0; i < c->count; i++) {
		struct volume_stat st;
		const char *path = c->operands[i];
		int rc = volume_stat(c->v, path, VOLUME_NOFOLLOW, &st, err);
		if (rc < 0) {
			json_decref(all);
			return error_prefix(err, rc, "%s: ", volume_shown(path));
		}
		if (all)
			json_array_append_new(all, describe(c->v, path, &st));
		else
			print_stat(c->v, path, &st);
	}
	return all ? verb_print_json(all, err) : 0;
}

int volume_info_command(struct volume_command *c, struct error *err)
{
	const struct volume_keys *keys = volume_place_keys(c->place);
	char id[2 * VOLUME_ID_SIZE + 1], time[VOLUME_TIME_SIZE], stored[VOLUME_SIZE_SIZE],
		dead[VOLUME_SIZE_SIZE];
	struct volume_info info;
	int rc = volume_info(c->v, &info, err);
	if (rc < 0)
		return rc;
	bool kept = access(volume_place_root(c->place), F_OK) == 0;
	io_hex(keys->volume, VOLUME_ID_SIZE, id);
	volume_print_time(info.time_ns, time);
	if (c->options->json)
		return verb_print_json(json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:b}", "volume", id,
		                                 "commits", (json_int_t)info.counter, "last_commit", time,
		                                 "segments", (json_int_t)info.segments, "stored_bytes",
		                                 (json_int_t)info.stored, "dead_bytes", (json_int_t)info.dead,
		                                 "keys", (json_int_t)keys->count, "root_file", (int)kept),
		                       err);
	volume_print_size(info.stored, stored);
	volume_print_size(info.dead, dead);
	printf("volume       %s\ncommits      %llu, the last one %s\nsegments     %llu, %s\ndead         %s\n",
	       id, (unsigned long long)info.counter, time, (unsigned long long)info.segments, stored, dead);
	printf("keys         %zu%s\nroot file    %s\n", keys->count,
	       keys->count > 1 ? " (rekey was interrupted: run it again)" : "",
	       kept ? volume_place_root(c->place) : "none: it may be an old copy");
	return 0;
}
