#include "attest/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"

enum { STATUS_SIZE_MAX = 1 << 16 };

/* Reads one number and the blanks before it; false unless there is one below 2^64. */
static bool take_number(const char **at, int radix, uint64_t *ret)
{
	char *end;
	*at += strspn(*at, " \t");
	if (!**at || !strchr("0123456789abcdef", **at))
		return false;
	*ret = strtoull(*at, &end, radix);
	if (end == *at)
		return false;
	*at = end;
	return true;
}

/* Numbers up to the line's end: at most `capacity` are kept, all are counted. */
static bool take_numbers(const char *at, uint32_t *ret_numbers, size_t capacity, uint32_t *ret_count)
{
	uint64_t number;
	uint32_t count = 0;
	while (take_number(&at, 10, &number)) {
		if (number > UINT32_MAX)
			return false;
		if (count < capacity)
			ret_numbers[count] = (uint32_t)number;
		count++;
	}
	*ret_count = count;
	return at[strspn(at, " \t")] == '\0';
}

static bool take_one(const char *at, uint32_t *ret)
{
	uint32_t count;
	return take_numbers(at, ret, 1, &count) && count == 1;
}

static bool take_four(const char *at, uint32_t ret[4])
{
	uint32_t count;
	return take_numbers(at, ret, 4, &count) && count == 4;
}

static bool take_mask(const char *at, uint64_t *ret)
{
	return take_number(&at, 16, ret) && *at == '\0';
}

enum status_line {
	LINE_UID,
	LINE_GID,
	LINE_GROUPS,
	LINE_TRACER,
	LINE_DEPTH,
	LINE_SECCOMP,
	LINE_NO_NEW_PRIVS,
	LINE_INHERITABLE,
	LINE_PERMITTED,
	LINE_EFFECTIVE,
	LINE_BOUNDING,
	LINE_AMBIENT,
	LINE_COUNT,
};

static const char *const line_names[LINE_COUNT] = {
	[LINE_UID] = "Uid:",
	[LINE_GID] = "Gid:",
	[LINE_GROUPS] = "Groups:",
	[LINE_TRACER] = "TracerPid:",
	[LINE_DEPTH] = "NSpid:",
	[LINE_SECCOMP] = "Seccomp:",
	[LINE_NO_NEW_PRIVS] = "NoNewPrivs:",
	[LINE_INHERITABLE] = "CapInh:",
	[LINE_PERMITTED] = "CapPrm:",
	[LINE_EFFECTIVE] = "CapEff:",
	[LINE_BOUNDING] = "CapBnd:",
	[LINE_AMBIENT] = "CapAmb:",
};

static bool take_line(enum status_line line, const char *at, struct process_status *s)
{
	uint32_t flag = 0;
	switch (line) {
	case LINE_UID: return take_four(at, s->uid);
	case LINE_GID: return take_four(at, s->gid);
	case LINE_GROUPS: return take_numbers(at, NULL, 0, &s->group_count);
	case LINE_TRACER: return take_one(at, &s->tracer);
	case LINE_DEPTH: return take_numbers(at, NULL, 0, &s->depth) && s->depth > 0;
	case LINE_SECCOMP: return take_one(at, &s->filter_mode);
	case LINE_NO_NEW_PRIVS:
		if (!take_one(at, &flag) || flag > 1)
			return false;
		s->no_new_privs = flag;
		return true;
	case LINE_INHERITABLE: return take_mask(at, &s->inheritable);
	case LINE_PERMITTED: return take_mask(at, &s->permitted);
	case LINE_EFFECTIVE: return take_mask(at, &s->effective);
	case LINE_BOUNDING: return take_mask(at, &s->bounding);
	case LINE_AMBIENT: return take_mask(at, &s->ambient);
	case LINE_COUNT: break;
	}
	return false;
}

int process_status_parse(const char *text, size_t size, struct process_status *ret, struct error *err)
{
	struct process_status status = {0};
	uint32_t seen = 0;
	cleanup_free char *copy = strndup(text, size);
	if (!copy)
		return error_set(err, CELLA_ENOMEM, "no memory for a process's status");
	char *rest = copy;
	for (char *line; (line = strsep(&rest, "\n"));) {
		for (size_t i = 0; i < LINE_COUNT; i++) {
			size_t length = strlen(line_names[i]);
			if (strncmp(line, line_names[i], length) != 0)
				continue;
			if (seen & (1u << i) || !take_line((enum status_line)i, line + length, &status))
				return error_set(err, CELLA_EFORMAT,
				                 "a process's status has the line \"%.60s\"", line);
			seen |= 1u << i;
		}
	}
	for (size_t i = 0; i < LINE_COUNT; i++)
		if (!(seen & (1u << i)))
			return error_set(err, CELLA_EFORMAT, "a process's status lacks the line %s",
			                 line_names[i]);
	*ret = status;
	return 0;
}

int process_status_read(pid_t pid, struct process_status *ret, struct error *err)
{
	char path[48] = "/proc/self/status";
	cleanup_buf struct buf text = {0};
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	int rc = io_read_file(path, STATUS_SIZE_MAX, &text, err);
	if (rc < 0)
		return rc;
	rc = process_status_parse((const char *)text.data, text.size, ret, err);
	return rc < 0 ? error_prefix(err, rc, "%s: ", path) : 0;
}
