/* What is allowed in a session but may not be meant. */
#include <string.h>

#include "cas/session_reference.h"

static bool mentions(const char *text, const char *secret)
{
	struct reference r;
	for (size_t at = 0; reference_next(text, at, &r); at = r.end)
		if (!r.problem && strcmp(r.name, secret) == 0)
			return true;
	return false;
}

static bool is(const char *name, const char *other)
{
	return name && strcmp(name, other) == 0;
}

static bool service_mentions(const struct session_service *service, const char *secret)
{
	for (size_t i = 0; i < service->command.count; i++)
		if (mentions(service->command.items[i], secret))
			return true;
	for (size_t i = 0; i < service->environment_count; i++)
		if (mentions(service->environment[i].value, secret))
			return true;
	return false;
}

static bool image_mentions(const struct session_image *image, const char *secret)
{
	for (size_t i = 0; i < image->file_count; i++)
		if (mentions(image->files[i].content, secret))
			return true;
	return false;
}

static bool secret_is_used(const struct session *s, const struct session_secret *secret)
{
	bool used = secret->exports.count > 0;
	for (size_t i = 0; i < s->secret_count && !used; i++)
		used = is(s->secrets[i].private_key, secret->name) || is(s->secrets[i].issuer, secret->name);
	for (size_t i = 0; i < s->volume_count && !used; i++)
		used = is(s->volumes[i].key, secret->name);
	for (size_t i = 0; i < s->image_count && !used; i++)
		used = image_mentions(&s->images[i], secret->name);
	for (size_t i = 0; i < s->service_count && !used; i++)
		used = service_mentions(&s->services[i], secret->name);
	return used;
}

static bool volume_is_used(const struct session *s, const struct session_volume *volume)
{
	bool used = volume->exports.count > 0;
	for (size_t i = 0; i < s->image_count; i++)
		for (size_t j = 0; j < s->images[i].volumes.count; j++)
			used |= is(s->images[i].volumes.items[j], volume->name);
	return used;
}

static bool image_is_used(const struct session *s, const struct session_image *image)
{
	for (size_t i = 0; i < s->service_count; i++)
		if (is(s->services[i].image, image->name))
			return true;
	return false;
}

static void remark_service(const struct session_service *service, struct buf *ret)
{
	for (size_t i = 0; i < service->alternative_count; i++) {
		const struct session_requirements *r = &service->alternatives[i];
		if (!r->cells.count && !r->builders.count)
			buf_printf(ret,
			           "service %s, alternative %zu: it names neither cell nor builder, so any "
			           "program gets its secrets\n",
			           service->name, i + 1);
		if (r->memory_level == MEM_INSECURE_NONE)
			buf_printf(ret,
			           "service %s, alternative %zu: memory_level insecure-none lets root on the "
			           "machine read its secrets\n",
			           service->name, i + 1);
	}
	if (!service->command.count)
		buf_printf(ret, "service %s: without a command, whoever starts it chooses its arguments\n",
		           service->name);
}

void session_remarks(const struct session *s, struct buf *ret)
{
	for (size_t i = 0; i < s->secret_count; i++) {
		if (!secret_is_used(s, &s->secrets[i]))
			buf_printf(ret, "secret %s: nothing uses it\n", s->secrets[i].name);
		if (s->secrets[i].origin == SESSION_GIVEN && s->secrets[i].kind <= SESSION_PRIVATE_KEY)
			buf_printf(
				ret,
				"secret %s: its value stands in the text, and the session's hash confirms a "
				"guess of it; a generated secret is safer\n",
				s->secrets[i].name);
	}
	for (size_t i = 0; i < s->volume_count; i++) {
		if (!volume_is_used(s, &s->volumes[i]))
			buf_printf(ret, "volume %s: nothing uses it\n", s->volumes[i].name);
		if (s->volumes[i].update == SESSION_NO_ROLLBACK_PROTECTION)
			buf_printf(ret, "volume %s: update_policy none accepts an old copy of it\n",
			           s->volumes[i].name);
	}
	for (size_t i = 0; i < s->image_count; i++)
		if (!image_is_used(s, &s->images[i]))
			buf_printf(ret, "image %s: no service uses it\n", s->images[i].name);
	for (size_t i = 0; i < s->service_count; i++)
		remark_service(&s->services[i], ret);
	if (s->update.who == SESSION_ANYBODY)
		buf_printf(ret, "access_policy: anybody may update it\n");
	if (s->update.who == SESSION_NOBODY)
		buf_printf(ret, "access_policy: nobody may ever update it\n");
}
