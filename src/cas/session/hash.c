/* The canonical encoding of a session (docs/protocols/session.md), and its hash. */
#include <string.h>

#include "cas/session/claims.h"
#include "cas/session/session.h"

/* The second is of sessions that demand something of hardware, which others' encoding has no place for. */
static const char *const magics[] = {"cella session 1\n", "cella session 2\n"};

static void put_number(struct session_text *to, uint64_t v)
{
	uint8_t bytes[8];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	session_text_put(to, bytes, sizeof(bytes));
}

static void put_bytes(struct session_text *to, const void *bytes, size_t size)
{
	put_number(to, size);
	session_text_put(to, bytes, size);
}

static void put_string(struct session_text *to, const char *s)
{
	put_bytes(to, s, strlen(s));
}

/* What may be absent: 0, or 1 and what it is. */
static void put_optional(struct session_text *to, const char *s)
{
	put_number(to, s != NULL);
	if (s)
		put_string(to, s);
}

static void put_digest(struct session_text *to, const struct session_digest *digest)
{
	put_number(to, digest->given);
	if (digest->given)
		put_bytes(to, digest->hash, sizeof(digest->hash));
}

static void put_strings(struct session_text *to, const struct session_strings *s)
{
	put_number(to, s->count);
	for (size_t i = 0; i < s->count; i++)
		put_string(to, s->items[i]);
}

static void put_values(struct session_text *to, const struct session_values *v)
{
	put_number(to, v->count);
	for (size_t i = 0; i < v->count; i++)
		put_bytes(to, v->bytes + i * v->size, v->size);
}

static void put_bits(struct session_text *to, uint32_t bits, const char *const *names, size_t count)
{
	put_number(to, (uint64_t)__builtin_popcount(bits));
	for (size_t i = 0; i < count; i++)
		if (bits >> i & 1)
			put_string(to, names[i]);
}

static void put_claims(struct session_text *to, uint32_t host, uint32_t isolation)
{
	struct claim_names names;
	claim_names_of_host("", &names);
	put_bits(to, host, names.items, names.count);
	claim_names_of_isolation("", &names);
	put_bits(to, isolation, names.items, names.count);
}

static void put_import(struct session_text *to, const struct session_import *import)
{
	put_string(to, import->session);
	put_string(to, import->name);
	put_digest(to, &import->hash);
}

static void put_peers(struct session_text *to, const struct session_peers *peers)
{
	put_number(to, peers->count);
	for (size_t i = 0; i < peers->count; i++) {
		put_string(to, peers->items[i].session);
		put_digest(to, &peers->items[i].hash);
	}
}

static const char *const origin_names[] = {
	[SESSION_GIVEN] = "given",
	[SESSION_GENERATED] = "generated",
	[SESSION_IMPORTED] = "imported",
	[SESSION_UPLOADED] = "uploaded",
};

const char *session_origin_name(enum session_origin origin)
{
	return origin_names[origin];
}

static void put_secret(struct session_text *to, const struct session_secret *secret)
{
	put_string(to, secret->name);
	put_string(to, session_kind_name(secret->kind));
	put_string(to, origin_names[secret->origin]);
	if (secret->origin == SESSION_GIVEN) {
		put_bytes(to, secret->value, secret->value_size);
		put_optional(to, secret->private_key);
	}
	if (secret->origin == SESSION_IMPORTED)
		put_import(to, &secret->import);
	if (secret->origin == SESSION_GENERATED) {
		put_number(to, secret->size);
		put_optional(to, secret->private_key);
		put_optional(to, secret->issuer);
		put_optional(to, secret->common_name);
		put_strings(to, &secret->dns);
		put_number(to, secret->use);
		put_number(to, secret->valid_s);
	}
	put_peers(to, &secret->exports);
}

static void put_volume(struct session_text *to, const struct session_volume *volume)
{
	static const char *const updates[] = {"strict", "bounded", "none"};
	put_string(to, volume->name);
	put_string(to, volume->path);
	put_string(to, volume->writable ? "rw" : "ro");
	put_string(to, origin_names[volume->origin]);
	if (volume->origin == SESSION_GIVEN)
		put_string(to, volume->key);
	if (volume->origin == SESSION_IMPORTED)
		put_import(to, &volume->import);
	put_string(to, updates[volume->update]);
	put_number(to, volume->bound);
	put_peers(to, &volume->exports);
}

static void put_image(struct session_text *to, const struct session_image *image)
{
	put_string(to, image->name);
	put_strings(to, &image->volumes);
	put_number(to, image->file_count);
	for (size_t i = 0; i < image->file_count; i++) {
		put_string(to, image->files[i].path);
		put_string(to, image->files[i].content);
	}
}

static void put_needs(struct session_text *to, const struct session_need *needs, size_t count)
{
	put_number(to, count);
	for (size_t i = 0; i < count; i++) {
		put_string(to, session_machine_name(needs[i].machine));
		put_string(to, needs[i].policy);
		put_number(to, needs[i].max_age_s);
	}
}

static void put_requirements(struct session_text *to, const struct session_requirements *r, bool needs)
{
	const char *machines[SESSION_MACHINES];
	for (size_t i = 0; i < SESSION_MACHINES; i++)
		machines[i] = session_machine_name((enum session_machine)i);
	put_values(to, &r->cells);
	put_values(to, &r->builders);
	put_values(to, &r->executors);
	put_values(to, &r->launchers);
	put_string(to, mem_level_name(r->memory_level));
	put_bits(to, r->machines, machines, SESSION_MACHINES);
	if (needs)
		put_needs(to, r->needs, r->need_count);
	put_claims(to, r->host, r->isolation);
}

static void put_service(struct session_text *to, const struct session_service *service, bool needs)
{
	put_string(to, service->name);
	put_strings(to, &service->command);
	put_number(to, service->environment_count);
	for (size_t i = 0; i < service->environment_count; i++) {
		put_string(to, service->environment[i].name);
		put_string(to, service->environment[i].value);
	}
	put_optional(to, service->pwd);
	put_optional(to, service->image);
	put_number(to, service->offline_s);
	put_number(to, service->alternative_count);
	for (size_t i = 0; i < service->alternative_count; i++)
		put_requirements(to, &service->alternatives[i], needs);
	put_number(to, service->tolerate.memory_level);
	put_number(to, service->tolerate.machine);
	put_claims(to, service->tolerate.host, service->tolerate.isolation);
}

static void put_access(struct session_text *to, const struct session_access *a)
{
	static const char *const whos[] = {"none", "any", "keys"};
	put_string(to, a->identities.count ? "keys and cells" : whos[a->who]);
	if (a->who != SESSION_KEYS)
		return;
	put_number(to, a->creator);
	put_values(to, &a->keys);
	put_number(to, a->at_least);
	if (a->identities.count)
		put_strings(to, &a->identities);
}

/* Behind all that was there before there were any, so that other sessions have the hashes that they had. */
static void put_identities(struct session_text *to, const struct session *s)
{
	uint64_t count = 0;
	for (size_t i = 0; i < s->service_count; i++)
		count += s->services[i].identity != NULL;
	if (count == 0)
		return;
	put_string(to, "identities");
	put_number(to, count);
	for (size_t i = 0; i < s->service_count; i++)
		if (s->services[i].identity) {
			put_string(to, s->services[i].name);
			put_string(to, s->services[i].identity);
		}
}

static bool has_needs(const struct session *s)
{
	for (size_t i = 0; i < s->service_count; i++)
		for (size_t j = 0; j < s->services[i].alternative_count; j++)
			if (s->services[i].alternatives[j].need_count)
				return true;
	return false;
}

/* Behind all else, where other sessions end. */
static void put_guests(struct session_text *to, const struct session *s)
{
	size_t count = 0;
	for (size_t i = 0; i < s->secret_count; i++)
		count += s->secrets[i].guest_count > 0;
	if (count == 0)
		return;
	put_string(to, "guests");
	put_number(to, count);
	for (size_t i = 0; i < s->secret_count; i++)
		if (s->secrets[i].guest_count) {
			put_string(to, s->secrets[i].name);
			put_needs(to, s->secrets[i].guests, s->secrets[i].guest_count);
		}
}

void session_encode(const struct session *s, struct session_text *ret)
{
	const bool needs = has_needs(s);
	session_text_put(ret, magics[needs], strlen(magics[needs]));
	put_string(ret, s->name);
	put_digest(ret, &s->predecessor);
	put_number(ret, s->has_creator);
	if (s->has_creator)
		put_bytes(ret, s->creator, sizeof(s->creator));
	put_strings(ret, &s->namespaces);
	put_number(ret, s->secret_count);
	for (size_t i = 0; i < s->secret_count; i++)
		put_secret(ret, &s->secrets[i]);
	put_number(ret, s->volume_count);
	for (size_t i = 0; i < s->volume_count; i++)
		put_volume(ret, &s->volumes[i]);
	put_number(ret, s->image_count);
	for (size_t i = 0; i < s->image_count; i++)
		put_image(ret, &s->images[i]);
	put_number(ret, s->service_count);
	for (size_t i = 0; i < s->service_count; i++)
		put_service(ret, &s->services[i], needs);
	put_access(ret, &s->read);
	put_access(ret, &s->update);
	put_access(ret, &s->create);
	put_guests(ret, s);
	put_identities(ret, s);
}

int session_hash(const struct session *s, uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err)
{
	cleanup_session_text struct session_text encoding = {.pool = s->arena.pool};
	session_encode(s, &encoding);
	if (encoding.failed)
		return error_set(err, CELLA_ENOMEM, "no memory to hash the session %s", s->name);
	return crypto_sha384(encoding.data, encoding.size, ret_hash, err);
}
