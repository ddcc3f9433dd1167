/* cella volume create, verify, compact, rekey, mkdir, mv, rm: what keeps a volume in order. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/verb.h"
#include "cli/volume_verb.h"

enum { COMPACT_LEAST_DEAD = 25, DIRECTORY_MODE = 0755 };

int volume_create_command(struct volume_command *c, struct error *err)
{
	int rc = volume_place_create(&c->config, err);
	if (rc < 0 || c->options->quiet)
		return rc;
	rc = volume_place_open(&c->config, false, &c->place, err);
	if (rc < 0)
		return rc;
	printf("%s: a new volume\n%s: its key; without it nothing opens the volume, and with it anybody does\n"
	       "%s: its last commit; protects from an old copy as far as it cannot itself be put back\n",
	       c->config.path, volume_place_key(c->place), volume_place_root(c->place));
	return 0;
}

/* ---- verify */

struct verification {
	struct volume_command *c;
	json_t *damaged; /* NULL: it is printed as text */
};

static void report_damage(void *data, const char *path, int64_t block, const struct error *why)
{
	struct verification *w = data;
	const char *name = *path ? volume_shown(path) : "(the root directory)";
	volume_progress_hide(&w->c->progress);
	w->c->found = true;
	if (w->damaged)
		json_array_append_new(w->damaged, json_pack("{s:o, s:I, s:s}", "path", volume_json_text(path),
		                                            "block", (json_int_t)block, "why", why->text));
	else if (block < 0)
		printf("damaged  %s: %s\n", name, why->text);
	else
		printf("damaged  %s, block %lld: %s\n", name, (long long)block, why->text);
}

static void report_progress(void *data, uint64_t files, uint64_t bytes)
{
	struct verification *w = data;
	w->c->progress.files = files;
	w->c->progress.bytes = bytes;
	volume_progress_show(&w->c->progress);
}

int volume_verify_command(struct volume_command *c, struct error *err)
{
	struct verification w = {.c = c, .damaged = c->options->json ? json_array() : NULL};
	const struct volume_report report = {.data = &w,
	                                     .damaged = report_damage,
	                                     .progress = report_progress};
	struct volume_counts n;
	char size[VOLUME_SIZE_SIZE];
	volume_progress_init(&c->progress, "verified", c->options->quiet);
	int rc = volume_verify(c->v, &report, &n, err);
	volume_progress_hide(&c->progress);
	if (rc < 0) {
		json_decref(w.damaged);
		return rc;
	}
	if (c->options->json)
		return verb_print_json(json_pack("{s:I, s:I, s:I, s:I, s:o}", "files", (json_int_t)n.files,
		                                 "directories", (json_int_t)n.directories, "symlinks",
		                                 (json_int_t)n.symlinks, "bytes", (json_int_t)n.bytes,
		                                 "damaged", w.damaged),
		                       err);
	volume_print_size(n.bytes, size);
	printf("%llu file%s (%s), %llu director%s, %llu symlink%s: %llu damaged\n",
	       (unsigned long long)n.files, n.files == 1 ? "" : "s", size, (unsigned long long)n.directories,
	       n.directories == 1 ? "y" : "ies", (unsigned long long)n.symlinks, n.symlinks == 1 ? "" : "s",
	       (unsigned long long)n.damaged);
	return 0;
}

/* ---- space and keys */

/* With the next commit that finds no reader, or with compacting again. */
#define HELD "; others still read what was there before: compact again when they have ended"

int volume_compact_command(struct volume_command *c, struct error *err)
{
	struct volume_info before, after;
	char was[VOLUME_SIZE_SIZE], is[VOLUME_SIZE_SIZE];
	int rc = volume_info(c->v, &before, err);
	if (rc == 0)
		rc = volume_compact(c->v, c->options->all ? 0 : COMPACT_LEAST_DEAD, err);
	if (rc == 0)
		rc = volume_info(c->v, &after, err);
	if (rc < 0 || c->options->quiet)
		return rc;
	volume_print_size(before.stored, was);
	volume_print_size(after.stored, is);
	printf("%s before, %s now%s\n", was, is, after.held ? HELD : "");
	return 0;
}

/* The keeper gets the root that the volume's own hint leads to. Where it has one that counts already. */
int volume_trust_command(struct volume_command *c, struct error *err)
{
	char time[VOLUME_TIME_SIZE];
	struct volume_info info;
	c->config.any_copy = true;
	int rc = volume_place_open(&c->config, true, &c->place, err);
	if (rc < 0)
		return rc;
	c->v = volume_place_volume(c->place);
	rc = volume_publish(c->v, err);
	if (rc == 0)
		rc = volume_info(c->v, &info, err);
	if (rc < 0 || c->options->quiet)
		return rc;
	volume_print_time(info.time_ns, time);
	printf("%s: from now on the last commit is %llu, of %s: no earlier one is opened\n",
	       volume_place_root(c->place), (unsigned long long)info.counter, time);
	return 0;
}

int volume_rekey_command(struct volume_command *c, struct error *err)
{
	struct volume_rekeyed done;
	int rc = volume_place_rekey(&c->config, &done, err);
	if (rc < 0 || c->options->quiet)
		return rc;
	printf("everything lies under a new key%s; copies of the volume from before open with the old one%s\n",
	       done.went_on ? ", the one that an interrupted rekey had drawn" : "", done.held ? HELD : "");
	return 0;
}

/* ---- names */

int volume_make_directories(struct volume *v, const char *path, struct error *err)
{
	char part[VOLUME_PATH_MAX];
	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return error_set(err, CELLA_ELIMIT, "the path is too long");
	for (char *at = part + strspn(part, "/"); *at;) {
		char *end = at + strcspn(at, "/");
		char kept = *end;
		struct volume_stat st;
		*end = '\0';
		int rc = volume_mkdir(v, part, DIRECTORY_MODE, err);
		if (rc == CELLA_EEXIST) {
			rc = volume_stat(v, part, VOLUME_FOLLOW, &st, err);
			if (rc == 0 && st.type != VOLUME_DIRECTORY)
				rc = error_set(err, CELLA_EEXIST, "%s is no directory", volume_shown(part));
		}
		if (rc < 0)
			return rc;
		*end = kept;
		at = end + strspn(end, "/");
	}
	return 0;
}

int volume_mkdir_command(struct volume_command *c, struct error *err)
{
	for (int i = 0; i < c->count; i++) {
		int rc = volume_make_directories(c->v, c->operands[i], err);
		if (rc < 0)
			return error_prefix(err, rc, "%s: ", volume_shown(c->operands[i]));
	}
	return volume_commit(c->v, err);
}

int volume_mv_command(struct volume_command *c, struct error *err)
{
	int rc = volume_rename(c->v, c->operands[0], c->operands[1], err);
	if (rc < 0)
		return error_prefix(err, rc, "cannot rename %.200s to %.200s: ", volume_shown(c->operands[0]),
		                    volume_shown(c->operands[1]));
	return volume_commit(c->v, err);
}

static int remove_tree(struct volume *v, char path[VOLUME_PATH_MAX], struct error *err)
{
	struct volume_stat st;
	struct volume_entry entry;
	size_t size = strlen(path);
	int rc = volume_stat(v, path, VOLUME_NOFOLLOW, &st, err);
	if (rc < 0 || st.type != VOLUME_DIRECTORY)
		return rc < 0 ? rc : volume_unlink(v, path, err);
	while ((rc = volume_next(v, path, "", &entry, err)) == 0) {
		if (snprintf(path + size, VOLUME_PATH_MAX - size, "/%s", entry.name) >=
		    (int)(VOLUME_PATH_MAX - size))
			return error_set(err, CELLA_ELIMIT, "a path is too long");
		rc = remove_tree(v, path, err);
		path[size] = '\0';
		if (rc < 0)
			return rc;
	}
	return rc == CELLA_ENOENT ? volume_rmdir(v, path, err) : rc;
}

int volume_rm_command(struct volume_command *c, struct error *err)
{
	for (int i = 0; i < c->count; i++) {
		char path[VOLUME_PATH_MAX];
		int rc = snprintf(path, sizeof(path), "%s", c->operands[i]) >= (int)sizeof(path)
		                 ? error_set(err, CELLA_ELIMIT, "the path is too long")
		                 : 0;
		if (rc == 0)
			rc = c->options->recursive ? remove_tree(c->v, path, err)
			                           : volume_unlink(c->v, path, err);
		if (rc < 0)
			return error_prefix(err, rc, "cannot remove %.200s: ", volume_shown(c->operands[i]));
	}
	return volume_commit(c->v, err);
}
