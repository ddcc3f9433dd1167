#include "cli/driver.h"

#include <stdlib.h>
#include <string.h>

/* The word is so (EXACT), or so with the next word as its value (APART), or begins so (PREFIX); VALUE: APART
 * or PREFIX. The first that fits counts. */
enum match { EXACT, APART, PREFIX, VALUE };

/* What a word says beside its use. */
enum mark {
	NONE,
	NO_LINK,
	JOIN_OBJECTS,
	LANGUAGE,
	DEBUG,
	OPTIMIZE,
	DEPENDENCIES,
	DEPENDENCY_FILE,
	DEPENDENCY_TARGET,
	REFUSED
};

static const struct rule {
	const char *name;
	enum match match;
	enum driver_use use;
	enum mark mark;
} rules[] = {
	/* Nothing to link */
	{"-c", EXACT, DRIVER_COMPILE, NO_LINK},
	{"-S", EXACT, DRIVER_COMPILE, NO_LINK},
	{"-E", EXACT, DRIVER_COMPILE, NO_LINK},
	{"-M", EXACT, DRIVER_COMPILE, NO_LINK},
	{"-MM", EXACT, DRIVER_COMPILE, NO_LINK},
	{"-fsyntax-only", EXACT, DRIVER_COMPILE, NO_LINK},
	{"-###", EXACT, DRIVER_COMPILE, NO_LINK},
	{"-r", EXACT, DRIVER_BOTH, JOIN_OBJECTS},
	{"--version", EXACT, DRIVER_COMPILE, NO_LINK},
	{"-dumpmachine", EXACT, DRIVER_COMPILE, NO_LINK},
	{"-dumpversion", EXACT, DRIVER_COMPILE, NO_LINK},
	{"-print-", PREFIX, DRIVER_COMPILE, NO_LINK},
	{"--print-", PREFIX, DRIVER_COMPILE, NO_LINK},
	/* What no cell can be, and what every cell is */
	{"-shared", EXACT, DRIVER_DROP, REFUSED},
	{"-dynamiclib", EXACT, DRIVER_DROP, REFUSED},
	{"-fPIC", EXACT, DRIVER_DROP, NONE},
	{"-fpic", EXACT, DRIVER_DROP, NONE},
	{"-fPIE", EXACT, DRIVER_DROP, NONE},
	{"-fpie", EXACT, DRIVER_DROP, NONE},
	{"-pie", EXACT, DRIVER_DROP, NONE},
	{"-no-pie", EXACT, DRIVER_DROP, NONE},
	{"-static", EXACT, DRIVER_DROP, NONE},
	{"-static-pie", EXACT, DRIVER_DROP, NONE},
	{"-static-libgcc", EXACT, DRIVER_DROP, NONE},
	{"-rdynamic", EXACT, DRIVER_DROP, NONE},
	{"-pthread", EXACT, DRIVER_DROP, NONE},
	{"-Wl,-rpath", APART, DRIVER_DROP, NONE}, /* as libtool writes it: -Wl,-rpath -Wl,DIR */
	{"-Wl,-rpath,", PREFIX, DRIVER_DROP, NONE},
	{"-Wl,-rpath=", PREFIX, DRIVER_DROP, NONE},
	/* The preprocessor's and the compiler's words that have a value */
	{"-D", VALUE, DRIVER_COMPILE, NONE},
	{"-U", VALUE, DRIVER_COMPILE, NONE},
	{"-I", VALUE, DRIVER_COMPILE, NONE},
	{"-x", VALUE, DRIVER_COMPILE, LANGUAGE},
	{"-include", VALUE, DRIVER_COMPILE, NONE},
	{"-imacros", VALUE, DRIVER_COMPILE, NONE},
	{"-isystem", VALUE, DRIVER_COMPILE, NONE},
	{"-idirafter", VALUE, DRIVER_COMPILE, NONE},
	{"-iquote", VALUE, DRIVER_COMPILE, NONE},
	{"-iprefix", VALUE, DRIVER_COMPILE, NONE},
	{"-iwithprefixbefore", VALUE, DRIVER_COMPILE, NONE},
	{"-iwithprefix", VALUE, DRIVER_COMPILE, NONE},
	{"-isysroot", VALUE, DRIVER_COMPILE, NONE},
	{"-MF", VALUE, DRIVER_COMPILE, DEPENDENCY_FILE},
	{"-MT", VALUE, DRIVER_COMPILE, DEPENDENCY_TARGET},
	{"-MQ", VALUE, DRIVER_COMPILE, DEPENDENCY_TARGET},
	{"-MD", EXACT, DRIVER_COMPILE, DEPENDENCIES},
	{"-MMD", EXACT, DRIVER_COMPILE, DEPENDENCIES},
	{"-Xpreprocessor", APART, DRIVER_COMPILE, NONE},
	{"-Xassembler", APART, DRIVER_COMPILE, NONE},
	{"-Xclang", APART, DRIVER_COMPILE, NONE},
	{"-aux-info", APART, DRIVER_COMPILE, NONE},
	{"--param", VALUE, DRIVER_COMPILE, NONE},
	/* The linker's */
	{"-l", VALUE, DRIVER_LINK, NONE},
	{"-L", VALUE, DRIVER_LINK, NONE},
	{"-Wl,", PREFIX, DRIVER_LINK, NONE},
	{"-Xlinker", APART, DRIVER_LINK, NONE},
	{"-z", APART, DRIVER_LINK, NONE},
	{"-u", APART, DRIVER_LINK, NONE},
	{"-T", VALUE, DRIVER_LINK, NONE},
	{"-e", APART, DRIVER_LINK, NONE},
	{"-s", EXACT, DRIVER_LINK, NONE},
	{"-nostdlib", PREFIX, DRIVER_LINK, NONE},
	{"-nodefaultlibs", EXACT, DRIVER_LINK, NONE},
	{"-fuse-ld=", PREFIX, DRIVER_LINK, NONE},
	/* Both steps' */
	{"-flto", PREFIX, DRIVER_BOTH, NONE},
	{"-mllvm", VALUE, DRIVER_BOTH, NONE},
	{"-B", VALUE, DRIVER_BOTH, NONE},
	{"--sysroot", VALUE, DRIVER_BOTH, NONE},
	{"-target", APART, DRIVER_BOTH, NONE},
	{"-stdlib=", PREFIX, DRIVER_BOTH, NONE},
	{"-O", PREFIX, DRIVER_COMPILE, OPTIMIZE},
	{"-g0", EXACT, DRIVER_COMPILE, NONE},
	{"-g", PREFIX, DRIVER_COMPILE, DEBUG},
};

static bool rule_fits(const struct rule *r, const char *word)
{
	bool whole = r->match == EXACT || r->match == APART;
	return whole ? strcmp(word, r->name) == 0 : strncmp(word, r->name, strlen(r->name)) == 0;
}

static bool is_source(const char *path)
{
	static const char *const endings[] = {"c",   "i",   "s",   "S", "sx",  "cc", "cp",
	                                      "cpp", "cxx", "c++", "C", "CPP", "ii"};
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
	for (size_t i = 0; dot && i < array_count(endings); i++)
		if (strcmp(dot + 1, endings[i]) == 0)
			return true;
	return false;
}

void driver_init(struct driver *d)
{
	*d = (struct driver){.links = true};
}

void driver_done(struct driver *d)
{
	free(d->words);
	*d = (struct driver){0};
}

static int add(struct driver *d, struct driver_word word, struct error *err)
{
	struct driver_word *words = realloc(d->words, (d->count + 1) * sizeof(*words));
	if (!words)
		return error_set(err, CELLA_ENOMEM, "no memory for the command line");
	d->words = words;
	words[d->count++] = word;
	return 0;
}

static int take_file(struct driver *d, const char *path, struct error *err)
{
	bool source = d->language || is_source(path);
	d->source_count += source;
	d->object_count += !source;
	return add(d,
	           (struct driver_word){.text = path,
	                                .language = d->language,
	                                .use = source ? DRIVER_SOURCE : DRIVER_OBJECT},
	           err);
}

static void note(struct driver *d, enum mark mark, const char *word, const char *value)
{
	switch (mark) {
	case NO_LINK: d->links = false; return;
	case JOIN_OBJECTS:
		d->joins_objects = true;
		d->links = false;
		return;
	case LANGUAGE: d->language = strcmp(value, "none") == 0 ? NULL : value; return;
	case DEBUG: d->debugs = true; return;
	case OPTIMIZE: d->optimizes = true; return;
	case DEPENDENCIES: d->dependencies = word; return;
	case DEPENDENCY_FILE: d->names_dependencies = true; return;
	case DEPENDENCY_TARGET: d->names_target = true; return;
	case NONE:
	case REFUSED: return;
	}
}

static int take_option(struct driver *d, const struct rule *r, const char *word, const char *next,
                       bool *ret_took_next, struct error *err)
{
	size_t size = strlen(r->name);
	bool apart = r->match == APART || (r->match == VALUE && !word[size]);
	if (r->mark == REFUSED)
		return error_set(
			err, CELLA_EUNSUPPORTED,
			"%s: a cell is one program and loads no libraries; link archives (.a) instead", word);
	if (apart && !next)
		return error_set(err, CELLA_EINVAL, "%s needs a value", word);
	note(d, r->mark, word, apart ? next : word + min_of(size, strlen(word)));
	*ret_took_next = apart;
	return add(d, (struct driver_word){.text = word, .value = apart ? next : NULL, .use = r->use}, err);
}

int driver_take(struct driver *d, const char *word, const char *next, bool *ret_took_next, struct error *err)
{
	*ret_took_next = false;
	if (word[0] != '-' || !word[1])
		return take_file(d, word, err);
	for (const struct rule *r = rules; r < rules + array_count(rules); r++)
		if (rule_fits(r, word))
			return take_option(d, r, word, next, ret_took_next, err);
	return add(d, (struct driver_word){.text = word, .use = DRIVER_COMPILE}, err);
}

const struct driver_word *driver_first_input(const struct driver *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->words[i].use == DRIVER_SOURCE || d->words[i].use == DRIVER_OBJECT)
			return &d->words[i];
	return NULL;
}
