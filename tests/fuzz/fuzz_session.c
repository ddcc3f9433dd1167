/*
 * The text of a session: refused with a place and a reason, or a session of which all that is promised holds.
 * Names lead to what they name, references can be replaced, it has a hash, and cells can be judged by it.
 */
#include <stdlib.h>
#include <string.h>

#include "cas/session/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static int look_up(void *data, const char *name, struct session_value *ret_value, struct error *err)
{
	const struct session_secret *secret = session_secret(data, name);
	(void)err;
	demand(secret != NULL);
	*ret_value = (struct session_value){secret->kind, "x", 1};
	return 0;
}

static void expand(const struct session *s, const char *text, enum session_place place)
{
	cleanup_session_text struct session_text expanded = {0};
	struct session copy = *s;
	demand(session_expand(text, place, look_up, &copy, &expanded, NULL) == 0);
}

static void check_service(const struct session *s, const struct session_service *service)
{
	struct session_claims claims = {.enrolled = service->alternative_count % 2 == 0,
	                                .has_cell = true,
	                                .memory_level = MEM_SECRET,
	                                .host = 1,
	                                .isolation = 5};
	cleanup_buf struct buf told = {0};
	struct session_verdict v;
	demand(service->alternative_count > 0 && session_service(s, service->name) == service);
	demand(!service->image || session_image(s, service->image));
	for (size_t i = 0; i < service->command.count; i++)
		expand(s, service->command.items[i], SESSION_IN_STRING);
	for (size_t i = 0; i < service->environment_count; i++) {
		expand(s, service->environment[i].value, SESSION_IN_STRING);
		demand(i == 0 || strcmp(service->environment[i - 1].name, service->environment[i].name) < 0);
	}
	demand(session_verdict(service, &claims, &v, NULL) == 0);
	demand(v.accepted || v.failure_count > 0);
	session_verdict_print(&v, &told);
	demand(told.size > 0);
	session_verdict_done(&v);
}

static void check_secret(const struct session *s, const struct session_secret *secret)
{
	const struct session_secret *key = secret->private_key ? session_secret(s, secret->private_key)
	                                                       : NULL;
	demand(session_secret(s, secret->name) == secret && secret->kind < SESSION_KINDS);
	demand(!secret->private_key || (key && key->kind == SESSION_PRIVATE_KEY));
	demand((secret->origin == SESSION_GIVEN) == (secret->value_size > 0));
	demand((secret->origin == SESSION_IMPORTED) == (secret->import.session && secret->import.name));
	demand(secret->size <= SESSION_GENERATED_MAX);
}

static void check_session(const struct session *s)
{
	const struct session_requesters nobody = {NULL, 0};
	uint8_t hash[CRYPTO_SHA384_SIZE], creator[SESSION_KEY_HASH_SIZE] = {0};
	cleanup_buf struct buf remarks = {0};
	for (size_t i = 0; i < s->secret_count; i++)
		check_secret(s, &s->secrets[i]);
	for (size_t i = 0; i < s->volume_count; i++)
		demand(!s->volumes[i].key || session_secret(s, s->volumes[i].key));
	for (size_t i = 0; i < s->image_count; i++) {
		for (size_t j = 0; j < s->images[i].volumes.count; j++)
			demand(session_volume(s, s->images[i].volumes.items[j]) != NULL);
		for (size_t j = 0; j < s->images[i].file_count; j++)
			expand(s, s->images[i].files[j].content, SESSION_IN_FILE);
	}
	for (size_t i = 0; i < s->service_count; i++)
		check_service(s, &s->services[i]);
	demand(session_hash(s, hash, NULL) == 0);
	session_remarks(s, &remarks);
	demand((session_access(&s->update, "update", creator, &nobody, NULL) == 0) ==
	       (s->update.who == SESSION_ANYBODY));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct session_mistakes mistakes;
	struct session *s = NULL;
	struct error err;
	if (!ready)
		demand(crypto_init(NULL, NULL) == 0);
	ready = true;
	int rc = session_parse("file", data, size, NULL, &mistakes, &s, &err);
	demand(rc == 0 || rc == CELLA_EFORMAT);
	demand((rc == 0) == (mistakes.count == 0) && (rc == 0) == (s != NULL));
	if (rc < 0)
		demand(strncmp(err.text, "file:", 5) == 0 && mistakes.items[0].line > 0);
	else
		check_session(s);
	session_free(s);
	return 0;
}
