#include "cas/api_answer.h"

#include <string.h>

#include "base/base64url.h"
#include "base/io.h"

struct cas_requester api_requester(const struct https_request *request)
{
	struct cas_requester who = {.address = https_address(request),
	                            .signatures = https_header(request, "cella-signatures")};
	const char *hash = https_peer(request)->key_hash;
	who.known = *hash && io_unhex(hash, sizeof(who.key), who.key);
	if (https_peer(request)->by_ca) {
		const char *name = cert_names_first(&https_peer(request)->names, CERT_URI);
		who.identity = name ? name : "";
		who.serial = https_peer(request)->serial;
		who.not_after = https_peer(request)->not_after;
	}
	return who;
}

void api_answer_error(struct cas_api *api, struct https_request *request, const struct error *err)
{
	if (err->code == CELLA_EPERM)
		metric_add(api->denied, 1);
	https_answer_error(request, err);
}

/* Takes `json`; NULL where memory ran out. */
void api_answer_json(struct https_request *request, unsigned status, json_t *json)
{
	struct error err;
	if (json) {
		https_answer_json(request, status, json);
	} else {
		error_set(&err, CELLA_ENOMEM, "no memory for an answer");
		https_answer_error(request, &err);
	}
	json_decref(json);
}

/* {name: list}, which is taken, or why there is none. */
void api_answer_list(struct cas_api *api, struct https_request *request, const char *name, json_t *list,
                     int rc, const struct error *err)
{
	if (rc < 0) {
		json_decref(list);
		api_answer_error(api, request, err);
	} else {
		api_answer_json(request, 200, json_pack("{s:o}", name, list));
	}
}

/* The body as an object of exactly these members, which are strings. */
int api_read_strings(const struct https_request *request, const char *const *names, const char **ret_values,
                     size_t count, json_t **ret_json, struct error *err)
{
	size_t size;
	const char *body = https_body(request, &size), *name;
	json_t *json = json_loadb(body ? body : "", size, JSON_REJECT_DUPLICATES, NULL), *value;
	if (!json_is_object(json)) {
		json_decref(json);
		return error_set(err, CELLA_EFORMAT, "the body is no JSON object");
	}
	for (size_t i = 0; i < count; i++)
		ret_values[i] = json_string_value(json_object_get(json, names[i]));
	json_object_foreach(json, name, value)
	{
		size_t i = 0;
		while (i < count && strcmp(names[i], name) != 0)
			i++;
		if (i == count || !json_is_string(value)) {
			error_set(err, CELLA_EFORMAT, "the member \"%.60s\" of the body is %s", name,
			          i == count ? "unknown" : "no string");
			json_decref(json);
			return CELLA_EFORMAT;
		}
	}
	for (size_t i = 0; i < count; i++)
		if (!ret_values[i]) {
			json_decref(json);
			return error_set(err, CELLA_EFORMAT, "the body has no member \"%s\"", names[i]);
		}
	*ret_json = json;
	return 0;
}

int api_read_hex(const char *hex, const char *what, void *ret, size_t size, struct error *err)
{
	return hex && strlen(hex) == 2 * size && io_unhex(hex, size, ret)
	               ? 0
	               : error_set(err, CELLA_EFORMAT, "%s has %zu hexadecimal digits", what, 2 * size);
}

int api_read_base64url(const char *text, const char *what, struct buf *ret, struct error *err)
{
	size_t size = strlen(text);
	uint8_t *to = buf_reserve(ret, base64url_bytes(size));
	return to && base64url_decode(text, size, to)
	               ? 0
	               : error_set(err, CELLA_EFORMAT, "%s is to be base64url without padding", what);
}
