#include "wasm/target.h"

#include <string.h>

#include "base/attributes.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

enum { HWCAP_FLOATING_POINT = 1 << 0, HWCAP_VECTORS = 1 << 1 }; /* of the kernel's ABI for aarch64 */

static const struct target {
	const char *name, *family;
} targets[] = {
	{"x86-64-v3", "x86_64"},
	{"x86-64-v2", "x86_64"},
	{"aarch64", "aarch64"},
};

static const struct target *find(const char *name)
{
	for (size_t i = 0; i < array_count(targets); i++)
		if (strcmp(targets[i].name, name) == 0)
			return &targets[i];
	return NULL;
}

const char *target_at(size_t index)
{
	return index < array_count(targets) ? targets[index].name : NULL;
}

bool target_is_known(const char *name)
{
	return find(name);
}

const char *target_family(const char *name)
{
	const struct target *t = find(name);
	return t ? t->family : NULL;
}

bool target_runs_here(const char *name)
{
#if defined(__x86_64__)
	if (strcmp(name, "x86-64-v3") == 0)
		return __builtin_cpu_supports("x86-64-v3");
	return strcmp(name, "x86-64-v2") == 0 && __builtin_cpu_supports("x86-64-v2");
#elif defined(__aarch64__)
	unsigned long needed = HWCAP_FLOATING_POINT | HWCAP_VECTORS;
	return strcmp(name, "aarch64") == 0 && (getauxval(AT_HWCAP) & needed) == needed;
#else
#error "Cella runs on x86-64 and aarch64"
#endif
}

const char *target_here(void)
{
	for (size_t i = 0; i < array_count(targets); i++)
		if (target_runs_here(targets[i].name))
			return targets[i].name;
	return NULL;
}
