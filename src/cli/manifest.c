#include "cli/manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

int manifest_write(const struct manifest *m, char **ret_text, struct error *err)
{
	json_t *json = json_pack("{s:s, s:i, s:I, s:b}", "name", m->name, "version", MANIFEST_VERSION,
	                         "stack", (json_int_t)m->stack, "tasks", (int)m->tasks);
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_decref(json);
	if (!text)
		return error_set(err, CELLA_EINVAL, "the cell's name is not UTF-8: give one with --name");
	*ret_text = text;
	return 0;
}

static int read_fields(json_t *json, struct manifest *ret, struct error *err)
{
	const char *name;
	int version, tasks;
	json_int_t stack;
	if (json_unpack(json, "{s:s, s:i, s:I, s:b}", "name", &name, "version", &version, "stack", &stack,
	                "tasks", &tasks) < 0)
		return error_set(err, CELLA_EFORMAT, "the manifest lacks name, version, stack or tasks");
	if (version != MANIFEST_VERSION)
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "the manifest is of version %d; this Cella knows version %d", version,
		                 MANIFEST_VERSION);
	if (strlen(name) > MANIFEST_NAME_MAX || stack < 0)
		return error_set(err, CELLA_EFORMAT, "the manifest's name or stack is out of range");
	*ret = (struct manifest){.stack = (uint64_t)stack, .tasks = tasks != 0};
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	return 0;
}

int manifest_parse(const char *text, size_t size, struct manifest *ret, struct error *err)
{
	json_error_t why;
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return error_set(err, CELLA_EFORMAT, "the manifest is no JSON at byte %d: %s", why.position,
		                 why.text);
	int rc = read_fields(json, ret, err);
	json_decref(json);
	return rc;
}

bool bundle_uses_tasks(const struct bundle *bundle)
{
	struct manifest m;
	return manifest_parse(bundle->manifest, bundle->manifest_size, &m, NULL) == 0 && m.tasks;
}
