#include "cli/lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "cli/process.h"
#include "cli/scratch.h"

enum { LINES_PATH_MAX = SCRATCH_PATH_MAX + 40, LINES_OUTPUT_MAX = 1 << 30, LINES_OFFSET_MAX = 1 << 30 };

static int find_tool(const char *name, char path[LINES_PATH_MAX], struct error *err)
{
	char versioned[64];
	snprintf(versioned, sizeof(versioned), "%s-19", name);
	int rc = process_find(versioned, path, LINES_PATH_MAX, err);
	return rc < 0 ? process_find(name, path, LINES_PATH_MAX, err) : rc;
}

/* Run a tool; its output goes by way of a file, which has no limit that a pipe's reader would need. */
static int run_tool(char *const *words, const char *input, const char *output, struct buf *ret,
                    struct error *err)
{
	cleanup_close int in = open(input, O_RDONLY | O_CLOEXEC);
	cleanup_close int out = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const struct process_streams streams = {in, out, STDERR_FILENO};
	int status = 0;
	pid_t pid;
	if (in < 0 || out < 0)
		return error_errno(err, CELLA_EIO, "cannot open %s", in < 0 ? input : output);
	int rc = process_start(words, &streams, &pid, err);
	if (rc == 0)
		rc = process_wait(pid, &status, err);
	if (rc == 0 && status)
		return error_set(err, CELLA_EINVAL, "%s failed", words[0]);
	return rc < 0 ? rc : io_read_file(output, LINES_OUTPUT_MAX, ret, err);
}

/* For each of the addresses, one a line, an answer that ends with an empty line. */
static int symbolize(const char *file, const char *directory, const struct buf *addresses, bool inlined,
                     struct buf *ret, struct error *err)
{
	char tool[LINES_PATH_MAX], input[LINES_PATH_MAX], output[LINES_PATH_MAX], object[LINES_PATH_MAX + 8];
	snprintf(input, sizeof(input), "%s/addresses", directory);
	snprintf(output, sizeof(output), "%s/lines", directory);
	snprintf(object, sizeof(object), "--obj=%s", file);
	char *words[] = {tool, object, "--functions=none", inlined ? "--inlines" : "--no-inlines", NULL};
	int rc = find_tool("llvm-symbolizer", tool, err);
	if (rc == 0)
		rc = io_write_file(input, addresses->data, addresses->size, 0600, err);
	if (rc == 0)
		rc = run_tool(words, input, output, ret, err);
	unlink(input);
	unlink(output);
	return rc;
}

/* The next line of a text of lines, without its end; NULL: there is none. */
static char *next_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');
	if (!*line)
		return NULL;
	*at = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	return line;
}

/* "./pulse.c:50:2" to a file and a number. */
static bool parse_place(char *text, char **ret_file, uint32_t *ret_line)
{
	char *column = strrchr(text, ':');
	if (!column || text[0] == '?')
		return false;
	*column = '\0';
	char *line = strrchr(text, ':');
	if (!line)
		return false;
	*line = '\0';
	*ret_line = (uint32_t)strtoul(line + 1, NULL, 10);
	*ret_file = strncmp(text, "./", 2) == 0 ? text + 2 : text;
	return *ret_line > 0;
}

static int by_offset(const void *a, const void *b)
{
	uint32_t x = ((const struct wasm_line *)a)->offset, y = ((const struct wasm_line *)b)->offset;
	return (x > y) - (x < y);
}

/* The addresses of the rows of a line table as llvm-dwarfdump prints it: "0x0000000000000093   11 …". What
 * the linker left out has impossible ones. */
static int take_rows(char *table, uint32_t limit, struct lines *l, struct error *err)
{
	size_t room = 0;
	for (char *line; (line = next_line(&table));) {
		uint64_t address = strncmp(line, "0x", 2) == 0 ? strtoull(line, NULL, 16) : limit;
		if (address >= limit)
			continue;
		if (l->count == room) {
			room = room ? 2 * room : 1024;
			struct wasm_line *more = realloc(l->entries, room * sizeof(*more));
			if (!more)
				return error_set(err, CELLA_ENOMEM, "no memory for the program's lines");
			l->entries = more;
		}
		l->entries[l->count++] = (struct wasm_line){.offset = (uint32_t)address};
	}
	if (l->count)
		qsort(l->entries, l->count, sizeof(*l->entries), by_offset);
	size_t kept = 0;
	for (size_t i = 0; i < l->count; i++)
		if (kept == 0 || l->entries[kept - 1].offset != l->entries[i].offset)
			l->entries[kept++] = l->entries[i];
	l->count = kept;
	return 0;
}

static int dump_rows(const char *module, const char *directory, struct lines *l, struct error *err)
{
	cleanup_buf struct buf table = {0};
	char tool[LINES_PATH_MAX], output[LINES_PATH_MAX];
	snprintf(output, sizeof(output), "%s/rows", directory);
	char *words[] = {tool, "--debug-line", (char *)(uintptr_t)module, NULL};
	int rc = find_tool("llvm-dwarfdump", tool, err);
	if (rc == 0)
		rc = run_tool(words, "/dev/null", output, &table, err);
	unlink(output);
	buf_put_u8(&table, 0);
	if (rc == 0 && table.failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory for the program's lines");
	return rc < 0 ? rc : take_rows((char *)table.data, LINES_OFFSET_MAX, l, err);
}

static int place_rows(const char *module, const char *directory, struct lines *l, struct error *err)
{
	cleanup_buf struct buf addresses = {0};
	for (size_t i = 0; i < l->count; i++)
		buf_printf(&addresses, "0x%x\n", l->entries[i].offset);
	if (addresses.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for the program's lines");
	int rc = symbolize(module, directory, &addresses, false, &l->text, err);
	buf_put_u8(&l->text, 0);
	if (rc == 0 && l->text.failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory for the program's lines");
	if (rc < 0)
		return rc;
	char *at = (char *)l->text.data, *line, *file;
	for (size_t i = 0; i < l->count && (line = next_line(&at));)
		if (!*line)
			i++;
		else if (parse_place(line, &file, &l->entries[i].line))
			l->entries[i].file = file;
	return 0;
}

int lines_read(const char *directory, struct lines *ret, struct error *err)
{
	struct lines l = {0};
	struct error why;
	char module[LINES_PATH_MAX], tool[LINES_PATH_MAX];
	if (find_tool("llvm-dwarfdump", tool, &why) < 0 || find_tool("llvm-symbolizer", tool, &why) < 0) {
		log_warn("%s: backtraces will tell offsets, not lines; apt install llvm-19", why.text);
		return 0;
	}
	snprintf(module, sizeof(module), "%s/cell.wasm", directory);
	int rc = dump_rows(module, directory, &l, err);
	if (rc == 0 && l.count)
		rc = place_rows(module, directory, &l, err);
	if (rc < 0) {
		lines_done(&l);
		return error_prefix(err, rc, "the program's lines: ");
	}
	*ret = l;
	return 0;
}

void lines_done(struct lines *lines)
{
	free(lines->entries);
	buf_done(&lines->text);
	*lines = (struct lines){0};
}

/* " (+0x1a2b)" at the end of a backtrace's line. */
static char *address_of(char *line)
{
	char *at = strncmp(line, "  at ", 5) == 0 ? strrchr(line, '(') : NULL;
	return at && at > line && strncmp(at, "(+0x", 4) == 0 ? at - 1 : NULL;
}

static bool has_dwarf(const struct bundle_artifact *artifact)
{
	static const char name[] = ".debug_line";
	return memmem(artifact->image, artifact->image_size, name, sizeof(name)) != NULL;
}

/* Of the functions that were inlined at an address, the innermost that is the program's. */
static void put_place(char **answers, struct buf *ret)
{
	char *file, *line;
	uint32_t number;
	bool found = false;
	while ((line = next_line(answers)) && *line) {
		if (found || !parse_place(line, &file, &number) || strcmp(file, WASM_LINES_OURS) == 0)
			continue;
		found = true;
		if (strcmp(file, WASM_LINES_OFFSETS) == 0)
			buf_printf(ret, ", 0x%x", number);
		else
			buf_printf(ret, ", %s:%u", file, number);
	}
}

static int find_places(const struct bundle_artifact *artifact, const char *text, struct buf *ret,
                       struct error *err)
{
	cleanup_scratch struct scratch scratch = {0};
	cleanup_buf struct buf addresses = {0};
	cleanup_free char *copy = strdup(text);
	char image[LINES_PATH_MAX], *at = copy, *line, *address;
	while (copy && (line = next_line(&at)))
		if ((address = address_of(line)))
			buf_printf(&addresses, "0x%llx\n", strtoull(address + 3, NULL, 16));
	if (!copy || addresses.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a backtrace");
	int rc = scratch_make(NULL, &scratch, err);
	if (rc < 0)
		return rc;
	snprintf(image, sizeof(image), "%s/image", scratch.path);
	rc = io_write_file(image, artifact->image, artifact->image_size, 0600, err);
	return rc < 0 ? rc : symbolize(image, scratch.path, &addresses, true, ret, err);
}

int lines_of_trap(const struct bundle_artifact *artifact, const char *text, struct buf *ret,
                  struct error *err)
{
	cleanup_buf struct buf places = {0};
	cleanup_free char *copy = strdup(text);
	struct error why;
	bool known = has_dwarf(artifact), found = known && find_places(artifact, text, &places, &why) == 0;
	buf_put_u8(&places, 0);
	if (!copy || places.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a backtrace");
	if (known && !found)
		log_warn("no lines in this backtrace: %s", why.text);
	char *at = copy, *answers = (char *)places.data, *line, *address;
	for (const char *before = ""; (line = next_line(&at)); before = "\n") {
		address = known && !found ? NULL : address_of(line);
		if (address)
			*address = '\0';
		buf_printf(ret, "%s%s", before, line);
		if (address && found)
			put_place(&answers, ret);
	}
	buf_put_u8(ret, 0);
	return ret->failed ? error_set(err, CELLA_ENOMEM, "no memory for a backtrace") : 0;
}
