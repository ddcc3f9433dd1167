#include "mem/level.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "mem/mapping.h"

static const char *const level_names[] = {
	[MEM_INSECURE_NONE] = "insecure-none",
	[MEM_SECRET] = "secret",
	[MEM_PAGED] = "paged",
};

const char *mem_level_name(enum mem_level level)
{
	return level_names[level];
}

bool mem_level_covers(enum mem_level level, enum mem_level demanded)
{
	static const int strength[] = {[MEM_INSECURE_NONE] = 0, [MEM_PAGED] = 1, [MEM_SECRET] = 2};
	return strength[level] >= strength[demanded];
}

int mem_level_parse(const char *name, enum mem_level *ret_level, struct error *err)
{
	for (size_t i = 0; i < array_count(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*ret_level = (enum mem_level)i;
			return 0;
		}
	}
	return error_set(err, CELLA_EINVAL,
	                 "unknown memory level %s: there are secret, paged and insecure-none", name);
}

/* memfd_secret(2) came with Linux 5.14, has to be enabled at boot before 6.5, and may be left out. */
static int refused_by_kernel(struct error *err)
{
	struct utsname u;
	unsigned major = 0, minor = 0;
	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return error_set(err, CELLA_EUNSUPPORTED, "this kernel has no memfd_secret");
	if (major < 5 || (major == 5 && minor < 14))
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "Linux %s has no memfd_secret: secret memory needs Linux 5.14 or later",
		                 u.release);
	return error_set(
		err, CELLA_EUNSUPPORTED,
		"secret memory is not enabled in this kernel (Linux %s): boot with secretmem.enable=1 "
		"(Debian: add it to GRUB_CMDLINE_LINUX in /etc/default/grub, run update-grub, reboot); "
		"it is on by default from Linux 6.5 where the kernel was built with CONFIG_SECRETMEM",
		u.release);
}

static int refused_by_limit(size_t size, struct error *err)
{
	struct rlimit limit = {0};
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return error_set(err, CELLA_ENOMEM, "the kernel gives no %zu bytes of secret memory now",
		                 size);
	return error_set(
		err, CELLA_ENOMEM,
		"no room for %zu KiB more of secret memory: RLIMIT_MEMLOCK is %llu KiB; raise it with "
		"`ulimit -l`, memlock in /etc/security/limits.conf, or LimitMEMLOCK=infinity in the "
		"systemd unit",
		size / 1024, (unsigned long long)limit.rlim_cur / 1024);
}

int level_refused(int number, size_t size, struct error *err)
{
	switch (number) {
	case ENOSYS: return refused_by_kernel(err);
	case EPERM:
	case EACCES:
		return error_set(
			err, CELLA_EPERM,
			"memfd_secret is forbidden here, by a seccomp filter or a container's profile: "
			"allow the system call memfd_secret in it");
	case EAGAIN: return refused_by_limit(size, err);
	case EMFILE:
	case ENFILE:
		return error_set(err, CELLA_ELIMIT,
		                 "no file descriptor is free for secret memory: raise `ulimit -n`");
	default:
		errno = number;
		return error_errno(err, CELLA_ENOMEM, "cannot map %zu bytes of %s memory", size,
		                   level_names[MEM_SECRET]);
	}
}

int mem_level_check(enum mem_level level, size_t size, struct error *err)
{
	size_t page = mapping_page_size();
	if (size > SIZE_MAX - page)
		return error_set(err, CELLA_ENOMEM, "%zu bytes are more than an address space", size);
	size = max_of(align_up(size, page), page);
	uint8_t *base = mapping_reserve(size, page);
	if (!base)
		return error_errno(err, CELLA_ENOMEM, "cannot reserve %zu bytes of address space", size);
	int rc = mapping_back(level, base, 0, size, err);
	mapping_release(base, size);
	return rc;
}
