#include "cli/context.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "crypto/key_file.h"

enum { FILE_MAX = 1 << 20 };

static int place(char to[CRYPTO_KEY_PATH_MAX], struct error *err)
{
	return crypto_key_file_place("CELLA_CONTEXTS", "contexts.json", "contexts", to, err);
}

/* An object with "contexts"; an empty one where there is no file. */
static int load(json_t **ret_json, struct error *err)
{
	char path[CRYPTO_KEY_PATH_MAX];
	cleanup_buf struct buf text = {0};
	struct stat st;
	json_error_t why;
	int rc = place(path, err);
	if (rc < 0)
		return rc;
	if (stat(path, &st) < 0 && errno == ENOENT) {
		*ret_json = json_pack("{s:{}}", "contexts");
		return *ret_json ? 0 : error_set(err, CELLA_ENOMEM, "no memory for contexts");
	}
	rc = io_read_file(path, FILE_MAX, &text, err);
	if (rc < 0)
		return rc;
	json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(json_object_get(json, "contexts"))) {
		json_decref(json);
		return error_set(err, CELLA_EFORMAT, "%s holds no contexts: line %d: %s", path, why.line,
		                 why.text);
	}
	*ret_json = json;
	return 0;
}

static void copy_text(const json_t *json, const char *member, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(json, member));
	snprintf(to, size, "%s", text ? text : "");
}

static struct context read_context(const char *name, const json_t *json)
{
	struct context c = {.epoch = (uint64_t)json_integer_value(json_object_get(json, "epoch")),
	                    .number = (uint64_t)json_integer_value(json_object_get(json, "number"))};
	snprintf(c.name, sizeof(c.name), "%s", name);
	copy_text(json, "url", c.url, sizeof(c.url));
	copy_text(json, "pin", c.pin, sizeof(c.pin));
	copy_text(json, "credential", c.credential, sizeof(c.credential));
	copy_text(json, "hash", c.hash, sizeof(c.hash));
	return c;
}

int context_load(const char *name, struct context *ret_context, struct error *err)
{
	json_t *json;
	int rc = load(&json, err);
	if (rc < 0)
		return rc;
	if (!name)
		name = json_string_value(json_object_get(json, "current"));
	const json_t *found = name ? json_object_get(json_object_get(json, "contexts"), name) : NULL;
	if (found)
		*ret_context = read_context(name, found);
	else
		rc = error_set(err, CELLA_ENOENT,
		               "no CAS is known%s%.60s: cella cas attest URL --pin KEY-HASH makes one known",
		               name ? " by the name " : "", name ? name : "");
	json_decref(json);
	return rc;
}

int context_save(const struct context *c, bool current, struct error *err)
{
	char path[CRYPTO_KEY_PATH_MAX];
	json_t *json;
	int rc = place(path, err);
	if (rc == 0)
		rc = load(&json, err);
	if (rc < 0)
		return rc;
	json_object_set_new(json_object_get(json, "contexts"), c->name,
	                    json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "url", c->url, "pin", c->pin,
	                              "credential", c->credential, "epoch", (json_int_t)c->epoch, "number",
	                              (json_int_t)c->number, "hash", c->hash));
	if (current)
		json_object_set_new(json, "current", json_string(c->name));
	cleanup_free char *text = json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS);
	json_decref(json);
	if (!text)
		return error_set(err, CELLA_ENOMEM, "no memory for contexts");
	rc = crypto_key_file_parents(path, err);
	return rc < 0 ? rc : io_write_file(path, text, strlen(text), 0600, err);
}

int context_each(context_fn *fn, void *arg, struct error *err)
{
	json_t *json, *value;
	const char *name;
	int rc = load(&json, err);
	if (rc < 0)
		return rc;
	const char *current = json_string_value(json_object_get(json, "current"));
	json_object_foreach(json_object_get(json, "contexts"), name, value)
	{
		struct context c = read_context(name, value);
		rc = fn(arg, &c, current && strcmp(current, name) == 0, err);
		if (rc < 0)
			break;
	}
	json_decref(json);
	return rc;
}
