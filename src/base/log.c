#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/printable.h"

static struct {
	const char *name;
	int fd;
	enum log_level level;
} sink = {"cella", STDERR_FILENO, LOG_LEVEL_WARN};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_open(const char *name, int fd, enum log_level level)
{
	sink.name = name;
	sink.fd = fd;
	sink.level = level;
}

void log_from_environment(const char *name)
{
	enum log_level level = LOG_LEVEL_WARN;
	const char *wanted = getenv("CELLA_LOG");
	for (size_t i = 0; wanted && i < array_count(level_names); i++)
		if (strcmp(wanted, level_names[i]) == 0)
			level = (enum log_level)i;
	log_open(name, STDERR_FILENO, level);
}

void log_write(enum log_level level, const char *format, ...)
{
	if (level > sink.level || sink.fd < 0)
		return;
	char line[1200];
	int head = snprintf(line, sizeof(line), "%s: %s: ", sink.name, level_names[level]);
	va_list args;
	va_start(args, format);
	int body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
	va_end(args);
	if (body < 0)
		return;
	size_t size = min_of((size_t)head + (size_t)body, sizeof(line) - 2);
	printable(line, size, false);
	line[size++] = '\n';
	ssize_t written = write(sink.fd, line, size);
	(void)written;
}
