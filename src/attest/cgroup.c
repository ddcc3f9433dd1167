#include "attest/cgroup.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

enum { PROC_FILE_MAX = 1 << 20, CONTROL_FILE_MAX = 4096 };

static int read_text(const char *path, size_t limit, struct buf *ret, struct error *err)
{
	int rc = io_read_file(path, limit, ret, err);
	buf_put_u8(ret, 0);
	return rc < 0 ? rc : ret->failed ? error_set(err, CELLA_ENOMEM, "no memory for %s", path) : 0;
}

/* One line of mountinfo: "id parent device root point options [tags] - type ..."; true for cgroup v2. */
static bool parse_mount(const char *line, char root[CGROUP_PATH_MAX], char point[CGROUP_PATH_MAX])
{
	const char *dash = strstr(line, " - cgroup2 ");
	const char *end = strchrnul(line, '\n');
	if (!dash || dash > end)
		return false;
	static_assert(CGROUP_PATH_MAX == 1024, "the widths in the format");
	return sscanf(line, "%*s %*s %*s %1023s %1023s", root, point) == 2;
}

static bool find_mount(const char *mountinfo, char root[CGROUP_PATH_MAX], char point[CGROUP_PATH_MAX])
{
	for (const char *line = mountinfo; *line;) {
		if (parse_mount(line, root, point))
			return true;
		line = strchrnul(line, '\n');
		line += *line == '\n';
	}
	return false;
}

static bool find_membership(const char *text, char own[CGROUP_PATH_MAX])
{
	const char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!line)
		return false;
	line = strchr(line, '/');
	size_t size = line ? strcspn(line, "\n") : 0;
	if (size == 0 || size >= CGROUP_PATH_MAX)
		return false;
	memcpy(own, line, size);
	own[size] = '\0';
	return true;
}

int cgroup_own(const char *mountinfo, const char *membership, char ret_mount[CGROUP_PATH_MAX],
               char ret_own[CGROUP_PATH_MAX], struct error *err)
{
	char root[CGROUP_PATH_MAX], point[CGROUP_PATH_MAX], own[CGROUP_PATH_MAX];
	if (!find_mount(mountinfo, root, point))
		return error_set(
			err, CELLA_EUNSUPPORTED,
			"no cgroup v2 tree is mounted: boot with systemd.unified_cgroup_hierarchy=1");
	if (!find_membership(membership, own))
		return error_set(err, CELLA_EUNSUPPORTED, "this process is in no cgroup v2 group");
	size_t above = strcmp(root, "/") == 0 ? 0 : strlen(root);
	bool inside = strncmp(own, root, above) == 0 && (own[above] == '/' || own[above] == '\0');
	if (!inside || strstr(own, "/.."))
		return error_set(err, CELLA_EPERM, "the cgroup %s lies outside of what is mounted on %s", own,
		                 point);
	const char *below = strcmp(own + above, "/") == 0 ? "" : own + above;
	snprintf(ret_mount, CGROUP_PATH_MAX, "%s", point);
	snprintf(ret_own, CGROUP_PATH_MAX, "%s", below);
	return 0;
}

static bool has_word(const char *text, const char *word)
{
	size_t size = strlen(word);
	for (const char *at = text; (at = strstr(at, word)); at += size)
		if ((at == text || at[-1] == ' ') && (at[size] == '\0' || strchr(" \n", at[size])))
			return true;
	return false;
}

/* Does this group hand both controllers down, and may this process make groups in it? */
static bool will_do(const char *directory)
{
	char path[CGROUP_PATH_MAX + 32];
	cleanup_buf struct buf text = {0};
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", directory);
	if (read_text(path, CONTROL_FILE_MAX, &text, NULL) < 0)
		return false;
	if (!has_word((const char *)text.data, "memory") || !has_word((const char *)text.data, "pids"))
		return false;
	snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	return access(directory, W_OK) == 0 && access(path, W_OK) == 0;
}

int cgroup_search(const char *mount, const char *own, char ret_directory[CGROUP_PATH_MAX], struct error *err)
{
	char directory[CGROUP_PATH_MAX];
	int size = snprintf(directory, sizeof(directory), "%s%s", mount, own);
	if (size < 0 || (size_t)size >= sizeof(directory))
		return error_set(err, CELLA_ELIMIT, "the path of the cgroup %s is too long", own);
	while (strlen(directory) >= strlen(mount)) {
		if (will_do(directory)) {
			memcpy(ret_directory, directory, sizeof(directory));
			return 0;
		}
		char *slash = strrchr(directory, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	return error_set(err, CELLA_EPERM,
	                 "no cgroup at or above %s%s hands the memory and pids controllers down to this "
	                 "user: run it in a delegated group (systemd-run --user --scope -p Delegate=yes ...)",
	                 mount, own);
}

int cgroup_find(char ret_directory[CGROUP_PATH_MAX], struct error *err)
{
	char mount[CGROUP_PATH_MAX], own[CGROUP_PATH_MAX];
	cleanup_buf struct buf mountinfo = {0}, membership = {0};
	int rc = read_text("/proc/self/mountinfo", PROC_FILE_MAX, &mountinfo, err);
	if (rc == 0)
		rc = read_text("/proc/self/cgroup", PROC_FILE_MAX, &membership, err);
	if (rc == 0)
		rc = cgroup_own((const char *)mountinfo.data, (const char *)membership.data, mount, own, err);
	return rc < 0 ? rc : cgroup_search(mount, own, ret_directory, err);
}
