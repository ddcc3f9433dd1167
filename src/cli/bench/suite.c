#include "cli/bench/suite.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "cli/resources.h"

/* A run repeats a short case for so long. */
static const char full_ms[] = "300", quick_ms[] = "1";

static void free_glob(glob_t *g)
{
	globfree(g);
}
#define cleanup_glob __attribute__((cleanup(free_glob)))

void suite_done(struct suite *s)
{
	arguments_done(&s->words);
	comparison_done(&s->comparison);
}

int suite_sources(struct suite *s, const char *folder, struct error *err)
{
	char pattern[BENCH_PATH_MAX];
	cleanup_glob glob_t sources = {0};
	int rc = resources_find(folder, pattern, sizeof(pattern) - sizeof("/*.c"), err);
	if (rc < 0)
		return rc;
	memcpy(pattern + strlen(pattern), "/*.c", sizeof("/*.c"));
	if (glob(pattern, 0, NULL, &sources) != 0)
		return error_set(err, CELLA_ENOENT, "cannot find the sources of %s, %s", s->name, pattern);
	for (size_t i = 0; i < sources.gl_pathc; i++)
		arguments_add(&s->words, sources.gl_pathv[i]);
	return 0;
}

/* The sources and options of both compilers, and whether there was memory for all. */
static int complete(const struct suite *s, struct arguments *command, const char *const *options,
                    struct error *err)
{
	for (; *options; options++)
		arguments_add(command, *options);
	for (size_t i = 0; i < s->words.count; i++)
		arguments_add(command, s->words.items[i]);
	return command->failed || s->words.failed
	               ? error_set(err, CELLA_ENOMEM, "no memory for a compiler's words")
	               : 0;
}

int suite_cell(const struct bench *b, struct suite *s, const char *const *options, struct error *err)
{
	char cell[BENCH_PATH_MAX];
	cleanup_arguments struct arguments command = {0};
	snprintf(cell, sizeof(cell), "%s/%s.cell", b->directory, s->name);
	const char *const words[] = {"cc", "-o", cell, "--keep", b->directory};
	for (size_t i = 0; i < array_count(words); i++)
		arguments_add(&command, words[i]);
	int rc = complete(s, &command, options, err);
	if (rc == 0)
		rc = bench_compile((const char *const *)command.items, command.count, false, err);
	return rc < 0 ? rc : comparison_add_cell(&s->comparison, cell, err);
}

int suite_native(const struct bench *b, struct suite *s, const char *contestant, const char *const *options,
                 struct error *err)
{
	char path[BENCH_PATH_MAX];
	cleanup_arguments struct arguments command = {0};
	snprintf(path, sizeof(path), "%s/%s-%s", b->directory, s->name, contestant);
	const char *const words[] = {"gcc", "-o", path};
	for (size_t i = 0; i < array_count(words); i++)
		arguments_add(&command, words[i]);
	int rc = complete(s, &command, options, err);
	if (rc < 0)
		return rc;
	arguments_add(&command, "-lm");
	struct contestant *one = comparison_add(&s->comparison, contestant);
	arguments_add(&one->command, path);
	if (command.failed || one->command.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for gcc's words");
	return bench_execute(command.items, NULL, NULL, err);
}

int suite_run(struct bench *b, struct suite *s, struct error *err)
{
	cleanup_buf struct buf names = {0};
	char *list[] = {s->comparison.contestants[1].command.items[0], "list", NULL};
	int rc = bench_execute(list, &names, NULL, err);
	buf_put_u8(&names, 0);
	if (rc < 0 || names.failed)
		return rc < 0 ? rc : error_set(err, CELLA_ENOMEM, "no memory for the cases' names");
	char *rest = (char *)names.data;
	for (char *name; rc == 0 && (name = strsep(&rest, "\n"));) {
		const char *words[] = {name, b->quick ? quick_ms : full_ms};
		if (*name)
			rc = comparison_case(b, &s->comparison, name, words, array_count(words), err);
	}
	return rc < 0 ? rc : comparison_end(b, &s->comparison, err);
}
