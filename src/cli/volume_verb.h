/*
 * Inside of `cella volume`: what its commands share. Each is a function on an open volume, or on a place for
 * one, in the table of cli/volume.c.
 */
#ifndef CLI_VOLUME_VERB_H
#define CLI_VOLUME_VERB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cli/volume_place.h"
#include "volume/volume.h"

enum { VOLUME_COPY_SIZE = 1 << 20 }; /* files are read and written by so many bytes */

struct volume_options {
	const char *key, *root;
	int memory;
	bool any_copy, take_over, json, lengthy, recursive, salvage, all, quiet;
};

/* The line on a terminal that says how far a command has come. */
struct volume_progress {
	bool shown, wanted;
	const char *what; /* such as "imported" */
	uint64_t files, bytes;
	uint64_t begin_ns, shown_ns;
};
void volume_progress_init(struct volume_progress *p, const char *what, bool quiet);
/* Where it is time for it. */
void volume_progress_show(struct volume_progress *p);
/* Before anything else is printed. */
void volume_progress_hide(struct volume_progress *p);

struct volume_command {
	const struct volume_options *options;
	struct volume_place_config config;
	struct mem_pool *pool;
	struct volume_place *place; /* NULL: the command opens none, or does it itself */
	struct volume *v;
	int count; /* of operands behind VOL */
	char **operands;
	struct volume_progress progress;
	bool found; /* damage, or what could not be done: exit status 1, though nothing failed as a whole */
};

int volume_create_command(struct volume_command *c, struct error *err) must_check;
int volume_import_command(struct volume_command *c, struct error *err) must_check;
int volume_export_command(struct volume_command *c, struct error *err) must_check;
int volume_ls_command(struct volume_command *c, struct error *err) must_check;
int volume_cat_command(struct volume_command *c, struct error *err) must_check;
int volume_stat_command(struct volume_command *c, struct error *err) must_check;
int volume_info_command(struct volume_command *c, struct error *err) must_check;
int volume_verify_command(struct volume_command *c, struct error *err) must_check;
int volume_compact_command(struct volume_command *c, struct error *err) must_check;
int volume_rekey_command(struct volume_command *c, struct error *err) must_check;
int volume_mkdir_command(struct volume_command *c, struct error *err) must_check;
int volume_trust_command(struct volume_command *c, struct error *err) must_check;
int volume_mv_command(struct volume_command *c, struct error *err) must_check;
int volume_rm_command(struct volume_command *c, struct error *err) must_check;

/* One line on standard error, "cella volume: ...", and exit status 1. */
void volume_complain(struct volume_command *c, const char *format, ...) printf_like(2, 3);

/* A name made fit for a terminal; valid until the next but three. */
const char *volume_shown(const char *name);
/* "PATH/NAME" in `to`, or in the place of `path`; or CELLA_ELIMIT, and `path` is as it was. */
int volume_descend(char path[VOLUME_PATH_MAX], const char *name, struct error *err) must_check;
int volume_join(char to[VOLUME_PATH_MAX], const char *path, const char *name, struct error *err) must_check;
/* In the volume, with those on the way. */
int volume_make_directories(struct volume *v, const char *path, struct error *err) must_check;
/* The last component, without slashes behind it. */
void volume_last_name(const char *path, char to[256]);

/* "prefix" and 16 digits that stand for `name`: what a copy is called until it is whole. */
enum { VOLUME_PART_SIZE = 40 };
void volume_part_name(const char *name, char to[VOLUME_PART_SIZE]);

const char *volume_type_name(enum volume_type type);
json_t *volume_json_text(const char *text); /* with '?' for what is no UTF-8 */

/* "2026-11-28T23:50:01Z" */
enum { VOLUME_TIME_SIZE = 32 };
void volume_print_time(uint64_t ns, char to[VOLUME_TIME_SIZE]);
/* "12.3 MiB" */
enum { VOLUME_SIZE_SIZE = 32 };
void volume_print_size(uint64_t bytes, char to[VOLUME_SIZE_SIZE]);

#endif
