/* cella volume: sealed files (docs/protocols/volume.md, docs/how-to/volumes.md). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/nearest.h"
#include "cli/interrupt.h"
#include "cli/verbs.h"
#include "cli/volume_verb.h"

/* Options that only some commands have. */
enum {
	FOR_JSON = 1,
	FOR_TAKE_OVER = 2,
	FOR_LENGTHY = 4,
	FOR_RECURSIVE = 8,
	FOR_SALVAGE = 16,
	FOR_ALL = 32,
	FOR_ANY_COPY = 64,
};

enum { MEMORY_SECRET, MEMORY_NONE };

static const struct option volume_table[] = {
	{"--key", NULL, OPTION_TEXT, "FILE", "the key file; default: VOL.key",
         option_field(volume_options, key)},
	{"--root", NULL, OPTION_TEXT, "FILE", "the root file; default: VOL.root",
         option_field(volume_options, root)},
	{"--any-copy", NULL, OPTION_FLAG, NULL,
         "read without a root file: believe the volume as it is found, be it an old copy",
         option_field(volume_options, any_copy)},
	{"--take-over", NULL, OPTION_FLAG, NULL,
         "write though another process does: that one can commit nothing more",
         option_field(volume_options, take_over)},
	{"--salvage", NULL, OPTION_FLAG, NULL,
         "export: pass over what is damaged; files with damage are called NAME.damaged, with holes there",
         option_field(volume_options, salvage)},
	{"--all", NULL, OPTION_FLAG, NULL, "compact: write everything anew",
         option_field(volume_options, all)},
	{"--long", "-l", OPTION_FLAG, NULL, "ls: mode, links, size and time of each",
         option_field(volume_options, lengthy)},
	{"--recursive", "-R", OPTION_FLAG, NULL, "ls, rm: what is in directories, too",
         option_field(volume_options, recursive)},
	{"--json", NULL, OPTION_FLAG, NULL, "ls, stat, info, verify: print JSON",
         option_field(volume_options, json)},
	{"--memory", NULL, OPTION_CHOICE, "secret|insecure-none",
         "where keys and plaintext lie in this process; default secret",
         option_field(volume_options, memory)},
	{"--quiet", "-q", OPTION_FLAG, NULL, "print no progress", option_field(volume_options, quiet)},
};

const struct verb volume_verb = {
	.name = "volume",
	.operands = "COMMAND VOL [OPERAND...]",
	.summary = "keep files sealed: import, list, read, export, verify",
	.description =
		"A volume is a tree of files, sealed: whoever holds its directory VOL sees noise, and can\n"
		"neither change a bit nor bring back an old copy unseen. VOL.key opens it: keep it, and\n"
		"keep it secret. VOL.root says what the last commit is: it protects from an old copy as\n"
		"far as it cannot itself be put back, so keep it away from VOL. Paths begin at the\n"
		"volume's root.\n"
		"create VOL  a new volume, with its key file and root file\n"
		"import VOL SOURCE... TARGET  copy files, directories and symlinks into it. One SOURCE\n"
		"         becomes TARGET; several, or any where TARGET ends with /, go into it. What is\n"
		"         there with the same size and time is passed over: so what was interrupted goes on\n"
		"export VOL PATH TARGET  copy out of it, likewise; never follows a symlink below TARGET\n"
		"ls VOL [PATH...]  list\n"
		"cat VOL PATH...  print files\n"
		"stat VOL PATH...  what is known of them\n"
		"info VOL  what is known of the volume: commits, space, keys\n"
		"verify VOL  read everything and name each damaged file and block\n"
		"compact VOL  give back the space of what was replaced and removed\n"
		"trust VOL  make a root file, where that is lost, of the volume as it is found\n"
		"rekey VOL  draw a new key, write everything anew under it, forget the old one\n"
		"mkdir VOL PATH...  make directories, with those on the way\n"
		"mv VOL FROM TO  rename, over a file that is there\n"
		"rm VOL PATH...  remove; -R for directories\n"
		"Exit status: 0; 1 if something failed, could not be copied or is damaged; 2 for a mistake\n"
		"in the options. SIGINT, SIGTERM and SIGHUP end an import in order, after a commit.",
	.example = "cella volume create ecg.vol\n"
		   "cella volume import ecg.vol recordings /2017\n"
		   "cella volume ls -l ecg.vol /2017\n"
		   "cella volume export ecg.vol /2017 copy",
	.table = {volume_table, array_count(volume_table), false},
	.operands_min = 2,
	.operands_max = VERB_ANY,
	.enter = verb_volume,
};

enum access { ACCESS_OWN, ACCESS_READ, ACCESS_WRITE };

static const struct command_row {
	const char *name;
	int least, most; /* operands behind VOL */
	unsigned options;
	enum access access;
	int (*run)(struct volume_command *c, struct error *err);
} commands[] = {
	{"create", 0, 0, 0, ACCESS_OWN, volume_create_command},
	{"import", 2, VERB_ANY, FOR_TAKE_OVER, ACCESS_WRITE, volume_import_command},
	{"export", 2, 2, FOR_SALVAGE | FOR_ANY_COPY, ACCESS_READ, volume_export_command},
	{"ls", 0, VERB_ANY, FOR_JSON | FOR_LENGTHY | FOR_RECURSIVE | FOR_ANY_COPY, ACCESS_READ,
         volume_ls_command},
	{"cat", 1, VERB_ANY, FOR_ANY_COPY, ACCESS_READ, volume_cat_command},
	{"stat", 1, VERB_ANY, FOR_JSON | FOR_ANY_COPY, ACCESS_READ, volume_stat_command},
	{"info", 0, 0, FOR_JSON | FOR_ANY_COPY, ACCESS_READ, volume_info_command},
	{"verify", 0, 0, FOR_JSON | FOR_ANY_COPY, ACCESS_READ, volume_verify_command},
	{"compact", 0, 0, FOR_ALL | FOR_TAKE_OVER, ACCESS_WRITE, volume_compact_command},
	{"trust", 0, 0, 0, ACCESS_OWN, volume_trust_command},
	{"rekey", 0, 0, FOR_TAKE_OVER, ACCESS_OWN, volume_rekey_command},
	{"mkdir", 1, VERB_ANY, FOR_TAKE_OVER, ACCESS_WRITE, volume_mkdir_command},
	{"mv", 2, 2, FOR_TAKE_OVER, ACCESS_WRITE, volume_mv_command},
	{"rm", 1, VERB_ANY, FOR_RECURSIVE | FOR_TAKE_OVER, ACCESS_WRITE, volume_rm_command},
};

static int check_use(const struct command_row *row, const struct volume_options *o, int count,
                     struct error *err)
{
	const struct verb_use uses[] = {
		{o->json, FOR_JSON, "--json"},
		{o->take_over, FOR_TAKE_OVER, "--take-over"},
		{o->lengthy, FOR_LENGTHY, "--long"},
		{o->recursive, FOR_RECURSIVE, "--recursive"},
		{o->salvage, FOR_SALVAGE, "--salvage"},
		{o->all, FOR_ALL, "--all"},
		{o->any_copy, FOR_ANY_COPY, "--any-copy"},
	};
	int rc = verb_check_uses(uses, array_count(uses), row->options, row->name, err);
	if (rc < 0)
		return rc;
	if (count < row->least || count > row->most)
		return error_set(err, CELLA_EINVAL, "%s wants %s operands behind the volume", row->name,
		                 count < row->least ? "more" : "fewer");
	return 0;
}

/* The pool, and with it OpenSSL. */
static int prepare(struct volume_command *c, struct error *err)
{
	const struct volume_options *o = c->options;
	enum mem_level level = o->memory == MEMORY_NONE ? MEM_INSECURE_NONE : MEM_SECRET;
	size_t cache;
	int rc = volume_place_cache(level, &cache, err);
	if (rc < 0)
		return error_prefix(err, rc, "no protected memory (--memory insecure-none does without): ");
	rc = mem_pool_new(level, VOLUME_PLACE_POOL, &c->pool, err);
	if (rc < 0)
		return rc;
	mem_set_process_pool(c->pool);
	c->config = (struct volume_place_config){.path = c->config.path,
	                                         .key = o->key,
	                                         .root = o->root,
	                                         .pool = c->pool,
	                                         .cache = cache,
	                                         .any_copy = o->any_copy,
	                                         .take_over = o->take_over};
	return crypto_init(c->pool, err);
}

/* With --any-copy, where there is no root file. */
static int say_what_is_believed(const struct volume_command *c, struct error *err)
{
	char time[VOLUME_TIME_SIZE];
	struct volume_info info;
	if (access(volume_place_root(c->place), F_OK) == 0)
		return 0;
	int rc = volume_info(c->v, &info, err);
	if (rc < 0)
		return rc;
	volume_print_time(info.time_ns, time);
	fprintf(stderr,
	        "cella volume: there is no root file: believed is commit %llu, of %s, which may not be the last\n",
	        (unsigned long long)info.counter, time);
	return 0;
}

static int run_command(const struct command_row *row, struct volume_command *c, struct error *err)
{
	int rc = prepare(c, err);
	if (rc == 0 && row->access != ACCESS_OWN) {
		rc = volume_place_open(&c->config, row->access == ACCESS_WRITE, &c->place, err);
		c->v = rc == 0 ? volume_place_volume(c->place) : NULL;
	}
	if (rc == 0 && c->config.any_copy)
		rc = say_what_is_believed(c, err);
	if (rc == 0)
		rc = row->run(c, err);
	volume_progress_hide(&c->progress);
	volume_place_free(c->place);
	return rc;
}

int verb_volume(int argc, char **argv)
{
	struct volume_options o = {0};
	struct error err = {0};
	int status, count;
	if (!verb_begin(&volume_verb, argc, argv, &o, &count, &status))
		return status;
	struct volume_command c = {.options = &o,
	                           .config.path = argv[2],
	                           .count = count - 2,
	                           .operands = argv + 3};
	size_t found = 0;
	int rc = verb_find_command(argv[1], commands, sizeof(commands[0]), array_count(commands), &found,
	                           &err);
	const struct command_row *row = &commands[found];
	if (rc == 0)
		rc = check_use(row, &o, c.count, &err);
	if (rc < 0)
		return verb_misuse(&volume_verb, &err);
	rc = run_command(row, &c, &err);
	if (rc == CELLA_ECANCELED) {
		verb_fail(&volume_verb, &err);
		fflush(stdout);
		return interrupt_pass();
	}
	if (rc < 0)
		return verb_fail(&volume_verb, &err);
	return c.found ? VERB_FAILED : VERB_DONE;
}
