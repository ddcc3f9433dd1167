/* cella bench kernels: PolyBench's kernels as a cell, against gcc and other engines of WebAssembly. */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench_compare.h"
#include "cli/bench_peers.h"
#include "cli/resources.h"

/* A run repeats a short kernel for so long. */
static const char full_ms[] = "300", quick_ms[] = "1";

static const char *const exact_flags[] = {"-march=x86-64-v3", "-ffp-contract=off", NULL};
static const char *const native_flags[] = {"-march=native", NULL};

static void free_glob(glob_t *g)
{
	globfree(g);
}
#define cleanup_glob __attribute__((cleanup(free_glob)))

static int find_sources(glob_t *ret, struct error *err)
{
	char pattern[BENCH_PATH_MAX];
	int rc = resources_find("bench/kernels", pattern, sizeof(pattern) - sizeof("/*.c"), err);
	if (rc < 0)
		return rc;
	memcpy(pattern + strlen(pattern), "/*.c", sizeof("/*.c"));
	if (glob(pattern, 0, NULL, ret) != 0)
		return error_set(err, CELLA_ENOENT, "cannot find the kernels' sources, %s", pattern);
	return 0;
}

static int build_native(const struct bench *b, const glob_t *sources, const char *const *flags,
                        const char *path, struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	arguments_add(&command, "gcc");
	arguments_add(&command, "-O3");
	for (; *flags; flags++)
		arguments_add(&command, *flags);
	if (b->quick)
		arguments_add(&command, "-DQUICK");
	for (size_t i = 0; i < sources->gl_pathc; i++)
		arguments_add(&command, sources->gl_pathv[i]);
	arguments_add(&command, "-o");
	arguments_add(&command, path);
	arguments_add(&command, "-lm");
	if (command.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for gcc's command line");
	return bench_execute(command.items, NULL, NULL, err);
}

static int add_native(const struct bench *b, struct comparison *c, const char *name, const glob_t *sources,
                      const char *const *flags, struct error *err)
{
	char path[BENCH_PATH_MAX];
	snprintf(path, sizeof(path), "%s/kernels-%s", b->directory, name);
	struct contestant *one = comparison_add(c, name);
	arguments_add(&one->command, path);
	return build_native(b, sources, flags, path, err);
}

/* The cell. What it is made from is left in the scratch directory, too. */
static int add_cell(const struct bench *b, struct comparison *c, const glob_t *sources, struct error *err)
{
	char cell[BENCH_PATH_MAX];
	const char *words[BENCH_WORDS_MAX] = {"cc", "-o", cell, "--keep", b->directory};
	size_t count = 5;
	snprintf(cell, sizeof(cell), "%s/kernels.cell", b->directory);
	if (b->quick)
		words[count++] = "-DQUICK";
	for (size_t i = 0; i < sources->gl_pathc && count < array_count(words); i++)
		words[count++] = sources->gl_pathv[i];
	int rc = bench_compile(words, count, false, err);
	return rc < 0 ? rc : comparison_add_cell(c, cell, err);
}

/* A peer that is not to be had is a row. */
static int add_peers(struct bench *b, struct comparison *c, struct error *err)
{
	char module[BENCH_PATH_MAX];
	struct error why;
	int rc = 0;
	snprintf(module, sizeof(module), "%s/cell.wasm", b->directory);
	for (size_t i = 0; rc == 0 && i < bench_peer_count; i++) {
		cleanup_arguments struct arguments command = {0};
		rc = bench_peers[i].prepare(b, module, &command, &why);
		if (rc < 0) {
			rc = bench_failed(b, "all", bench_peers[i].name, rc, &why, err);
			continue;
		}
		comparison_add(c, bench_peers[i].name)->command = command;
		command = (struct arguments){0};
	}
	return rc;
}

static int add_all(struct bench *b, struct comparison *c, struct error *err)
{
	cleanup_glob glob_t sources = {0};
	int rc = find_sources(&sources, err);
	if (rc == 0)
		rc = add_cell(b, c, &sources, err);
	if (rc == 0)
		rc = add_native(b, c, "gcc", &sources, exact_flags, err);
	if (rc == 0)
		rc = add_native(b, c, "gcc-native", &sources, native_flags, err);
	if (rc < 0)
		return rc;
	c->contestants[c->count - 1].rounds_otherwise = true; /* it contracts */
	return b->peers ? add_peers(b, c, err) : 0;
}

int bench_kernels(struct bench *b, struct error *err)
{
	cleanup_comparison struct comparison c = {0};
	cleanup_buf struct buf names = {0};
	int rc = add_all(b, &c, err);
	if (rc < 0)
		return rc;
	char *list[] = {c.contestants[1].command.items[0], "list", NULL};
	rc = bench_execute(list, &names, NULL, err);
	buf_put_u8(&names, 0);
	if (rc < 0 || names.failed)
		return rc < 0 ? rc : error_set(err, CELLA_ENOMEM, "no memory for the kernels' names");
	char *rest = (char *)names.data;
	for (char *kernel; rc == 0 && (kernel = strsep(&rest, "\n"));) {
		const char *words[] = {kernel, b->quick ? quick_ms : full_ms};
		if (*kernel)
			rc = comparison_case(b, &c, kernel, words, array_count(words), err);
	}
	return rc < 0 ? rc : comparison_end(b, &c, err);
}
