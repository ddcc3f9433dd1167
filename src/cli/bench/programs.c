/* cella bench programs: SQLite, zlib and Lua at work as a cell, against gcc -O2. The sources are fetched. */
#include <string.h>

#include "cli/bench/suite.h"
#include "cli/resources.h"

static const char *const flags[] = {"-O2", "-w", NULL};

/* Unpack other people's sources; what is printed are words for the compilers, one a line. */
static int add_fetched(const struct bench *b, struct suite *s, struct error *err)
{
	char script[BENCH_PATH_MAX];
	cleanup_buf struct buf words = {0};
	int rc = resources_find("bench/programs/unpack.py", script, sizeof(script), err);
	if (rc < 0)
		return rc;
	char *unpack[] = {"python3", script, (char *)(uintptr_t)b->directory, NULL};
	rc = bench_execute(unpack, &words, NULL, err);
	buf_put_u8(&words, 0);
	if (rc < 0 || words.failed)
		return rc < 0 ? rc : error_set(err, CELLA_ENOMEM, "no memory for the programs' sources");
	char *rest = (char *)words.data;
	for (char *word; (word = strsep(&rest, "\n"));)
		if (*word)
			arguments_add(&s->words, word);
	return 0;
}

int bench_programs(struct bench *b, struct error *err)
{
	cleanup_suite struct suite s = {.name = "programs"};
	int rc = suite_sources(&s, "bench/trial", err);
	if (rc == 0)
		rc = suite_sources(&s, "bench/programs", err);
	if (rc == 0)
		rc = add_fetched(b, &s, err);
	if (b->quick)
		arguments_add(&s.words, "-DQUICK");
	if (rc == 0)
		rc = suite_cell(b, &s, flags, err);
	if (rc == 0)
		rc = suite_native(b, &s, "gcc -O2", flags, err);
	return rc < 0 ? rc : suite_run(b, &s, err);
}
