/* What is allowed in a session but may not be meant. */
#include <string.h>

#include "cas/session/reference.h"

/* For each secret of a session: does anything use it? */
struct uses {
	const struct session *session;
	bool used[SESSION_SECRETS_MAX];
};

static void use(struct uses *u, const char *name)
{
	const struct session_secret *secret = name ? session_secret(u->session, name) : NULL;
	if (secret)
		u->used[secret - u->session->secrets] = true;
}

static void use_mentioned(struct uses *u, const char *text)
{
	struct reference r;
	for (size_t at = 0; reference_next(text, at, &r); at = r.end)
		use(u, r.problem ? NULL : r.name);
}

static void find_uses(struct uses *u)
{
	const struct session *s = u->session;
	for (size_t i = 0; i < s->secret_count; i++) {
		u->used[i] |= s->secrets[i].exports.count > 0 || s->secrets[i].guest_count > 0;
		use(u, s->secrets[i].private_key);
		use(u, s->secrets[i].issuer);
	}
	for (size_t i = 0; i < s->volume_count; i++)
		use(u, s->volumes[i].key);
	for (size_t i = 0; i < s->image_count; i++)
		for (size_t j = 0; j < s->images[i].file_count; j++)
			use_mentioned(u, s->images[i].files[j].content);
	for (size_t i = 0; i < s->service_count; i++) {
		const struct session_service *service = &s->services[i];
		for (size_t j = 0; j < service->command.count; j++)
			use_mentioned(u, service->command.items[j]);
		for (size_t j = 0; j < service->environment_count; j++)
			use_mentioned(u, service->environment[j].value);
	}
}

static bool is(const char *name, const char *other)
{
	return name && strcmp(name, other) == 0;
}

static bool volume_is_used(const struct session *s, const struct session_volume *volume)
{
	bool used = volume->exports.count > 0;
	for (size_t i = 0; i < s->service_count; i++)
		used |= !s->services[i].image; /* which gets them all */
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

static void remark_machines(const struct session_service *service, size_t number,
                            const struct session_requirements *r, struct buf *ret)
{
	if (r->machines >> SESSION_TPM & 1)
		buf_printf(
			ret,
			"service %s, alternative %zu: machine tpm is named alone: TPMs have no common root, so "
			"none will do; {tpm: {...}} says whose it is and what must run there\n",
			service->name, number);
	for (size_t i = SESSION_SOFT + 1; i < SESSION_MACHINES; i++)
		if (i != SESSION_TPM && r->machines >> i & 1)
			buf_printf(
				ret,
				"service %s, alternative %zu: machine %s is named alone: any machine of the class "
				"will do, whatever runs on it, so only launchers count that are enrolled; "
				"{%s: {...}} says what must run there\n",
				service->name, number, session_machine_name((enum session_machine)i),
				session_machine_name((enum session_machine)i));
	for (size_t i = 0; i < r->need_count; i++)
		if (r->needs[i].open)
			buf_printf(
				ret,
				"service %s, alternative %zu: machine %s leaves open %s; so only launchers count "
				"that are enrolled\n",
				service->name, number, session_machine_name(r->needs[i].machine),
				r->needs[i].open);
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
		remark_machines(service, i + 1, r, ret);
	}
	if (!service->command.count)
		buf_printf(ret, "service %s: without a command, whoever starts it chooses its arguments\n",
		           service->name);
	if (service->offline_s && service->identity)
		buf_printf(ret,
		           "service %s: while it is offline it has no identity: only the CAS certifies it\n",
		           service->name);
}

static const char *last_part(const char *name)
{
	const char *slash = strrchr(name, '/');
	return slash ? slash + 1 : name;
}

/* REPOSITORY/TYPE/TAG (cas/kbs/kbs.h): NAMESPACE/NAME/SECRET. */
static bool has_resources(const struct session *s)
{
	const char *slash = strchr(s->name, '/');
	return slash && !strchr(slash + 1, '/');
}

void session_remarks(const struct session *s, struct buf *ret)
{
	struct uses uses = {.session = s};
	find_uses(&uses);
	for (size_t i = 0; i < s->secret_count; i++) {
		if (!uses.used[i])
			buf_printf(ret, "secret %s: nothing uses it\n", s->secrets[i].name);
		if (s->secrets[i].origin == SESSION_UPLOADED && !has_resources(s))
			buf_printf(
				ret,
				"secret %s: it can never be uploaded: only sessions with a name of two parts, "
				"such as clinic/%.63s, have resources\n",
				s->secrets[i].name, last_part(s->name));
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
			buf_printf(
				ret,
				"volume %s: update_policy none: an old copy of it is accepted until a job has ended in order\n",
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
