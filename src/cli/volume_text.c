/* What `cella volume` says, and how. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/printable.h"
#include "cli/volume_verb.h"

enum { SHOW_EVERY_MS = 200, SHOWN_NAMES = 4, NS_PER_S = 1000000000, NS_PER_MS = 1000000, KIB = 1024 };

void volume_progress_init(struct volume_progress *p, const char *what, bool quiet)
{
	*p = (struct volume_progress){.what = what,
	                              .wanted = !quiet && isatty(STDERR_FILENO),
	                              .begin_ns = clock_ns()};
}

void volume_progress_show(struct volume_progress *p)
{
	char size[VOLUME_SIZE_SIZE], rate[VOLUME_SIZE_SIZE];
	uint64_t now = p->wanted ? clock_ns() : 0;
	if (!p->wanted || now - p->shown_ns < (uint64_t)SHOW_EVERY_MS * NS_PER_MS)
		return;
	double seconds = (double)(now - p->begin_ns) / (double)NS_PER_S;
	volume_print_size(p->bytes, size);
	volume_print_size(seconds > 0 ? (uint64_t)((double)p->bytes / seconds) : 0, rate);
	fprintf(stderr, "\r\033[K%s: %llu files, %s, %s a second", p->what, (unsigned long long)p->files,
	        size, rate);
	fflush(stderr);
	p->shown_ns = now;
	p->shown = true;
}

void volume_progress_hide(struct volume_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

void volume_complain(struct volume_command *c, const char *format, ...)
{
	va_list args;
	volume_progress_hide(&c->progress);
	fflush(stdout);
	fputs("cella volume: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	c->found = true;
}

const char *volume_shown(const char *name)
{
	static char shown[SHOWN_NAMES][VOLUME_PATH_MAX];
	static unsigned next;
	char *to = shown[next++ % SHOWN_NAMES];
	snprintf(to, VOLUME_PATH_MAX, "%s", name);
	printable(to, strlen(to), false);
	return to;
}

int volume_descend(char path[VOLUME_PATH_MAX], const char *name, struct error *err)
{
	size_t size = strlen(path);
	const char *slash = size && path[size - 1] != '/' ? "/" : "";
	if (snprintf(path + size, VOLUME_PATH_MAX - size, "%s%s", slash, name) <
	    (int)(VOLUME_PATH_MAX - size))
		return 0;
	path[size] = '\0';
	return error_set(err, CELLA_ELIMIT, "the path of %.200s has more than %d bytes", volume_shown(name),
	                 VOLUME_PATH_MAX - 1);
}

int volume_join(char to[VOLUME_PATH_MAX], const char *path, const char *name, struct error *err)
{
	if (snprintf(to, VOLUME_PATH_MAX, "%s", path) >= VOLUME_PATH_MAX)
		return error_set(err, CELLA_ELIMIT, "the path has more than %d bytes", VOLUME_PATH_MAX - 1);
	return volume_descend(to, name, err);
}

void volume_last_name(const char *path, char to[256])
{
	size_t size = strlen(path);
	while (size > 1 && path[size - 1] == '/')
		size--;
	size_t from = size;
	while (from && path[from - 1] != '/')
		from--;
	snprintf(to, 256, "%.*s", (int)(size - from), path + from);
}

/* FNV-1a. */
void volume_part_name(const char *name, char to[VOLUME_PART_SIZE])
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
	snprintf(to, VOLUME_PART_SIZE, ".cella-part-%016llx", (unsigned long long)hash);
}

const char *volume_type_name(enum volume_type type)
{
	switch (type) {
	case VOLUME_FILE: return "file";
	case VOLUME_DIRECTORY: return "directory";
	case VOLUME_SYMLINK: return "symlink";
	}
	return "?";
}

json_t *volume_json_text(const char *text)
{
	json_t *value = json_string(text);
	return value ? value : json_string(volume_shown(text));
}

void volume_print_time(uint64_t ns, char to[VOLUME_TIME_SIZE])
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm tm;
	if (!gmtime_r(&seconds, &tm) || strftime(to, VOLUME_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(to, VOLUME_TIME_SIZE, "?");
}

void volume_print_size(uint64_t bytes, char to[VOLUME_SIZE_SIZE])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	double size = (double)bytes;
	size_t unit = 0;
	for (; size >= (double)KIB && unit + 1 < array_count(units); unit++)
		size /= (double)KIB;
	snprintf(to, VOLUME_SIZE_SIZE, "%.*f %s", unit ? 1 : 0, size, units[unit]);
}
