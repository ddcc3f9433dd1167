/* What a grant does to a job's provisioning. */
#include <string.h>

#include "cell/provision.h"

/* Only builders that all of them accept are left. */
static int accept_builders(struct provision *p, const struct provision *grant, struct error *err)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < p->builder_count; i++)
		for (uint32_t k = 0; k < grant->builder_count; k++)
			if (memcmp(p->builders[i], grant->builders[k], sizeof(p->builders[i])) == 0) {
				memmove(p->builders[kept++], p->builders[i], sizeof(p->builders[i]));
				break;
			}
	p->builder_count = kept;
	return kept ? 0 : error_set(err, CELLA_EAUTH, "the session's keys are for cells by other builders");
}

static size_t name_size(const char *variable)
{
	return strcspn(variable, "=");
}

static bool sets(const struct provision *p, const char *variable)
{
	size_t size = name_size(variable);
	for (uint32_t i = 0; i < p->environment_count; i++)
		if (name_size(p->environment[i]) == size && strncmp(p->environment[i], variable, size) == 0)
			return true;
	return false;
}

/* Of what earlier grants gave. */
static int check_variables(const struct provision *p, const struct provision *grant, struct error *err)
{
	for (uint32_t i = p->environment_count - p->granted_variables; i < p->environment_count; i++)
		if (sets(grant, p->environment[i]))
			return error_set(err, CELLA_EPERM, "two of the job's sessions set the variable %.*s",
			                 (int)name_size(p->environment[i]), p->environment[i]);
	return 0;
}

static int add_environment(struct provision *p, const struct provision *grant, struct mem_pool *pool,
                           struct error *err)
{
	uint32_t count = 0;
	int rc = check_variables(p, grant, err);
	if (rc < 0)
		return rc;
	const char **all = mem_alloc(pool, ((size_t)p->environment_count + grant->environment_count + 1) *
	                                           sizeof(*all));
	if (!all)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a session's variables");
	for (uint32_t i = 0; i < p->environment_count; i++)
		if (!sets(grant, p->environment[i]))
			all[count++] = p->environment[i];
	for (uint32_t i = 0; i < grant->environment_count; i++)
		all[count++] = grant->environment[i];
	mem_free(pool, (void *)p->environment);
	p->environment = all;
	p->environment_count = count;
	p->granted_variables += grant->environment_count;
	return 0;
}

static int add_arguments(struct provision *p, const struct provision *grant, struct mem_pool *pool,
                         struct error *err)
{
	if (grant->argument_count == 0)
		return 0;
	if (p->granted_arguments)
		return error_set(err, CELLA_EPERM, "two of the job's sessions say what its arguments are");
	p->granted_arguments = true;
	const char **all = mem_alloc(pool, ((size_t)grant->argument_count + 2) * sizeof(*all));
	if (!all)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a session's arguments");
	all[0] = p->argument_count ? p->arguments[0] : "";
	memcpy(all + 1, grant->arguments, grant->argument_count * sizeof(*all));
	mem_free(pool, (void *)p->arguments);
	p->arguments = all;
	p->argument_count = grant->argument_count + 1;
	return 0;
}

/* The job's preopened directory of this name; preopen_count if there is none. */
static uint32_t find_preopen(const struct provision *p, const char *guest)
{
	uint32_t i = 0;
	while (i < p->preopen_count && strcmp(p->preopens[i].guest, guest) != 0)
		i++;
	return i;
}

static int add_volume(struct provision *p, struct provision *grant, uint32_t number,
                      struct provision_volume *volume, struct error *err)
{
	const struct wasi_preopen *from = &grant->preopens[volume->preopen];
	uint32_t place = find_preopen(p, from->guest);
	if (place == p->preopen_count)
		return error_set(err, CELLA_EPERM,
		                 "the session has a volume for %s, which the job does not have: name it with "
		                 "--volume DIR:%s",
		                 from->guest, from->guest);
	struct wasi_preopen *to = &p->preopens[place];
	if (!(to->flags & OWNER_PREOPEN_GRANTED) || p->volume_count == PROVISION_VOLUMES_MAX)
		return error_set(err, CELLA_EPERM,
		                 "%s is a volume of the session, but the job has it from elsewhere",
		                 to->guest);
	to->flags &= ~(uint32_t)OWNER_PREOPEN_GRANTED;
	to->flags |= from->flags & OWNER_PREOPEN_READ_ONLY;
	struct provision_volume *added = &p->volumes[p->volume_count++];
	*added = *volume;
	added->preopen = place;
	added->grant = number;
	mem_wipe(volume, sizeof(*volume));
	return 0;
}

int provision_add_file(struct provision *p, const struct wasi_file *file, struct error *err)
{
	for (uint32_t i = 0; i < p->file_count; i++)
		if (strcmp(p->files[i].path, file->path) == 0)
			return error_set(err, CELLA_EPERM, "two of the job's sessions inject the file %s",
			                 file->path);
	if (p->file_count == PROVISION_FILES_MAX)
		return error_set(err, CELLA_ELIMIT, "the job's sessions inject more than %d files",
		                 PROVISION_FILES_MAX);
	p->files[p->file_count++] = *file;
	return 0;
}

/* A grant may be anybody's, and so be its time: it does not lead the cell's clock far away from another's. */
static int add_time(struct provision *p, const struct provision *grant, struct error *err)
{
	static const uint64_t apart = PROVISION_TIMES_APART_S * 1000000000ull;
	uint64_t earlier = min_of(p->time_ns, grant->time_ns), later = max_of(p->time_ns, grant->time_ns);
	if (p->time_ns && later - earlier > apart)
		return error_set(err, CELLA_EPERM,
		                 "two of the job's sessions tell times that are %llu s apart, more than %d",
		                 (unsigned long long)((later - earlier) / 1000000000u),
		                 PROVISION_TIMES_APART_S);
	p->time_ns = later;
	return 0;
}

int provision_add_grant(struct provision *p, struct provision *grant, uint32_t number, struct mem_pool *pool,
                        struct error *err)
{
	if (memcmp(p->identity, grant->identity, sizeof(p->identity)) != 0)
		return error_set(err, CELLA_EAUTH, "the session's keys are for another cell");
	int rc = accept_builders(p, grant, err);
	if (rc == 0)
		rc = add_environment(p, grant, pool, err);
	if (rc == 0)
		rc = add_arguments(p, grant, pool, err);
	for (uint32_t i = 0; rc == 0 && i < grant->volume_count; i++)
		rc = add_volume(p, grant, number, &grant->volumes[i], err);
	for (uint32_t i = 0; rc == 0 && i < grant->file_count; i++)
		rc = provision_add_file(p, &grant->files[i], err);
	return rc == 0 ? add_time(p, grant, err) : rc;
}

/* "/a/b": nothing of it can be read in two ways. */
static bool is_normal(const char *path)
{
	if (strcmp(path, "/") == 0)
		return true;
	for (const char *at = path; *at; at += strcspn(at + 1, "/") + 1)
		if (*at != '/' || !at[1] || at[1] == '/' || strncmp(at + 1, "./", 2) == 0 ||
		    strcmp(at + 1, ".") == 0 || strncmp(at + 1, "../", 3) == 0 || strcmp(at + 1, "..") == 0)
			return false;
	return *path == '/';
}

static bool lies_in(const char *path, const char *directory)
{
	size_t size = strlen(directory);
	return strncmp(path, directory, size) == 0 && (path[size] == '/' || !path[size]);
}

static int check_granted(const struct provision *p, const struct provision_volume *volume, struct error *err)
{
	const char *granted = p->preopens[volume->preopen].guest;
	for (uint32_t i = 0; i < p->preopen_count; i++) {
		const char *other = p->preopens[i].guest;
		if (i != volume->preopen && (!is_normal(other) || lies_in(other, granted)))
			return error_set(err, CELLA_EPERM,
			                 "%s may not lie in, or be written otherwise than, %s, a volume of a "
			                 "session",
			                 other, granted);
	}
	for (uint32_t i = 0; i < p->file_count; i++)
		if (!is_normal(p->files[i].path) || lies_in(p->files[i].path, granted))
			return error_set(err, CELLA_EPERM,
			                 "the injected file %s lies in %s, a volume of a session",
			                 p->files[i].path, granted);
	return is_normal(granted) ? 0
	                          : error_set(err, CELLA_EPERM, "%s is no plain name of a volume", granted);
}

int provision_check_volumes(const struct provision *p, struct error *err)
{
	for (uint32_t i = 0; i < p->preopen_count; i++)
		if (p->preopens[i].flags & OWNER_PREOPEN_GRANTED)
			return error_set(
				err, CELLA_EPERM,
				"no session has keys for the volume %s: give --volume-key, or add it to "
				"the session",
				p->preopens[i].guest);
	for (uint32_t i = 0; i < p->volume_count; i++) {
		int rc = p->volumes[i].grant ? check_granted(p, &p->volumes[i], err) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}
