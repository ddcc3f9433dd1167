/* cella run: run a program in protected cells on this machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/builder.h"
#include "cli/interrupt.h"
#include "cli/job/report.h"
#include "cli/job/session.h"
#include "cli/manifest.h"
#include "cli/verbs.h"
#include "page/page.h"

enum {
	RUN_BUNDLE_MAX = 1 << 30,
	RUN_EXECUTORS_MAX = 128,
	RUN_POOL = 4 << 20, /* the command line's own protected memory */
	RUN_LEAST = 2 << 20, /* of that, at once */
	RUN_PAGED_LEAST = 4 << 20, /* the same beside a window */
	RUN_HEAP_MIN_MIB = 8,
	RUN_HEAP_MAX_GIB = 16 << 10,
	RUN_WINDOW = 64 << 20,
	RUN_WINDOW_UNIT = 64 << 10,
};

enum run_memory { RUN_SECRET, RUN_PAGED, RUN_INSECURE_NONE, RUN_UNSAID }; /* as in the option's text */

struct run_options {
	int memory;
	uint64_t executors, heap, window, store_limit;
	const char *page_dir;
	struct option_list dirs, volumes, volume_keys, volume_roots, environment, builders, sessions;
	struct wasi_preopen preopens[PROVISION_PREOPENS_MAX]; /* of dirs, then of volumes; these then are the
	                                                       * host's names */
	struct job_outputs outputs;
	bool insecure_memory_none, quiet;
};

static const struct option run_table[] = {
	{"--memory", NULL, OPTION_CHOICE, "secret|paged|insecure-none",
         "level of memory protection; default secret; paged keeps a window of it in the clear",
         option_field(run_options, memory)},
	{"--insecure-memory-none", NULL, OPTION_FLAG, NULL, "the same as --memory insecure-none",
         option_field(run_options, insecure_memory_none)},
	{"--executors", NULL, OPTION_NUMBER, "N", "processes that run tasks; default: one per processor",
         option_field(run_options, executors)},
	{"--heap", NULL, OPTION_SIZE, "SIZE", "protected memory of each executor at most; default 2G",
         option_field(run_options, heap)},
	{"--window", NULL, OPTION_SIZE, "SIZE",
         "paged: memory of each executor that is in the clear at a time; default 64M, or what may be locked",
         option_field(run_options, window)},
	{"--page-dir", NULL, OPTION_TEXT, "DIR", "paged: where encrypted pages go; default: ordinary memory",
         option_field(run_options, page_dir)},
	{"--dir", NULL, OPTION_LIST, "HOST[:GUEST][:ro|:rw]",
         "a directory that the program may use; may be repeated", option_field(run_options, dirs)},
	{"--volume", NULL, OPTION_LIST, "DIR:GUEST[:ro|:rw]",
         "a volume (cella volume) that the program may use, opened inside of the cell; may be repeated",
         option_field(run_options, volumes)},
	{"--volume-key", NULL, OPTION_LIST, "FILE",
         "the key file of the first volume, of the second and so on; default: DIR.key",
         option_field(run_options, volume_keys)},
	{"--volume-root", NULL, OPTION_LIST, "FILE", "the same of root files; default: DIR.root",
         option_field(run_options, volume_roots)},
	{"--session", NULL, OPTION_LIST, "SESSION/SERVICE",
         "what the current CAS (cella cas) gives to this service of a session, if the cell proves to be it; "
         "volumes without a --volume-key then have their keys from there; may be repeated",
         option_field(run_options, sessions)},
	{"--env", NULL, OPTION_LIST, "K=V", "an environment variable of the program; may be repeated",
         option_field(run_options, environment)},
	{"--accept-builder", NULL, OPTION_LIST, "HEX", "a builder, beside your own, whose cells may run",
         option_field(run_options, builders)},
	{"--store-limit", NULL, OPTION_SIZE, "SIZE",
         "sealed task data kept in memory before it spills to disk; default 1G, 0: half of the memory",
         option_field(run_options, store_limit)},
	{"--graph", NULL, OPTION_TEXT, "FILE.dot|FILE.svg", "write the graph of tasks",
         option_field(run_options, outputs.graph)},
	{"--trace", NULL, OPTION_TEXT, "FILE.json", "write a trace for chrome://tracing or Perfetto",
         option_field(run_options, outputs.trace)},
	{"--record", NULL, OPTION_TEXT, "FILE.json",
         "write the job's record: how it ended, levels, identities, times, retries",
         option_field(run_options, outputs.record)},
	{"--quiet", "-q", OPTION_FLAG, NULL,
         "print neither progress nor the protection in force, unless that is insecure",
         option_field(run_options, quiet)},
};

const struct verb run_verb = {
	.name = "run",
	.operands = "FILE.cell [ARGUMENT...]",
	.summary = "run a program in protected cells",
	.description =
		"Runs the program's main in an executor of its own and its tasks in N others, whose memory\n"
		"not even root can read. What the program prints comes back sealed. Nothing of the host's\n"
		"files is visible but the directories given with --dir. A volume is opened in the\n"
		"executors' memory, with keys that only they get: the machine sees it sealed. What the\n"
		"program wrote to it is committed by its fsync, and when it ends. A session adds secrets and\n"
		"keys that a CAS gives to this cell alone, past whoever runs the job.\n"
		"Exit status: the program's own; 134 if it trapped; 125 if Cella failed; 126 if an executor\n"
		"or a cell was refused; 2 for a mistake in the options. SIGINT, SIGTERM and SIGHUP end the\n"
		"job in order, then cella itself: a shell shows 128 and the signal's number. The record is\n"
		"written in each of these cases. What it had not synced to a volume by then is lost; the leases\n"
		"of a session's volumes are given back if the CAS answers within a second. A signal that\n"
		"cella was started to ignore stays ignored: SIGINT in a script's background jobs\n"
		"(cella run ... &), SIGHUP under nohup.",
	.example =
		"cella run --executors 2 --dir recordings:/data:ro ecg.cell features --kind compact /data/A00001.mat",
	.table = {run_table, array_count(run_table), true},
	.operands_min = 1,
	.operands_max = VERB_ANY,
	.enter = verb_run,
};

/* HOST[:GUEST][:ro|:rw] in place: the guest's name defaults to the host's. What stands behind a GUEST that
 * is an absolute path can only be a mistyped mode. */
static int run_parse_dir(const char *option, char *text, struct wasi_preopen *preopen, struct error *err)
{
	char *colon = strrchr(text, ':');
	if (colon && (strcmp(colon, ":ro") == 0 || strcmp(colon, ":rw") == 0)) {
		*colon = '\0';
		preopen->flags = colon[2] == 'o' ? OWNER_PREOPEN_READ_ONLY : 0;
		colon = strrchr(text, ':');
	}
	if (colon)
		*colon = '\0';
	preopen->guest = colon ? colon + 1 : text;
	if (!text[0] || !preopen->guest[0])
		return error_set(err, CELLA_EINVAL,
		                 "%s wants HOST[:GUEST][:ro|:rw], such as recordings:/data:ro", option);
	if (colon && strstr(text, ":/"))
		return error_set(err, CELLA_EINVAL,
		                 "%s %s:%s: \"%s\" is neither ro nor rw; it wants HOST[:GUEST][:ro|:rw]",
		                 option, text, preopen->guest, preopen->guest);
	return 0;
}

static size_t run_guest_size(const char *guest)
{
	size_t size = strlen(guest);
	while (size > 1 && guest[size - 1] == '/')
		size--;
	return size;
}

/* The option that the preopened directory came from. */
static const char *run_option_of(const struct run_options *o, size_t number)
{
	return number < o->dirs.count ? "--dir" : "--volume";
}

static const char *run_host_of(const struct run_options *o, size_t number)
{
	return number < o->dirs.count ? o->dirs.items[number] : o->volumes.items[number - o->dirs.count];
}

/* Two directories of one name would hide one of them. */
static int run_check_guest(const struct run_options *o, size_t number, struct error *err)
{
	const char *guest = o->preopens[number].guest;
	size_t size = run_guest_size(guest);
	size_t i = 0;
	while (i < number && (run_guest_size(o->preopens[i].guest) != size ||
	                      strncmp(o->preopens[i].guest, guest, size) != 0))
		i++;
	return i == number ? 0
	                   : error_set(err, CELLA_EINVAL,
	                               "%s: both %s and %s are to be %s in the cell; give each its own name",
	                               run_option_of(o, number), run_host_of(o, i), run_host_of(o, number),
	                               guest);
}

/* Volumes whose keys are ours to give; those of the others come from sessions. */
static size_t run_own_volumes(const struct run_options *o)
{
	return o->sessions.count ? o->volume_keys.count : o->volumes.count;
}

static int run_parse_dirs(struct run_options *o, struct error *err)
{
	size_t count = o->dirs.count + o->volumes.count;
	if (count > PROVISION_PREOPENS_MAX || o->volumes.count > PROVISION_VOLUMES_MAX)
		return error_set(err, CELLA_EINVAL,
		                 "--dir and --volume may be given %d times at most, --volume %d times",
		                 PROVISION_PREOPENS_MAX, PROVISION_VOLUMES_MAX);
	if (o->sessions.count > JOB_SESSIONS_MAX)
		return error_set(err, CELLA_EINVAL, "--session may be given %d times at most",
		                 JOB_SESSIONS_MAX);
	for (size_t i = 0; i < o->sessions.count; i++) {
		const char *slash = strrchr(o->sessions.items[i], '/');
		if (!slash || slash == o->sessions.items[i] || !slash[1])
			return error_set(
				err, CELLA_EINVAL,
				"--session %.100s: it wants SESSION/SERVICE, such as hospital/classify",
				o->sessions.items[i]);
	}
	if (o->volume_keys.count > o->volumes.count || o->volume_roots.count > o->volumes.count)
		return error_set(err, CELLA_EINVAL, "--volume-key and --volume-root are for a --volume each");
	for (size_t i = 0; i < count; i++) {
		char *text = (char *)(uintptr_t)run_host_of(o, i);
		int rc = run_parse_dir(run_option_of(o, i), text, &o->preopens[i], err);
		if (i >= o->dirs.count)
			o->preopens[i].flags |= OWNER_PREOPEN_VOLUME;
		if (i >= o->dirs.count + run_own_volumes(o))
			o->preopens[i].flags |= OWNER_PREOPEN_GRANTED;
		if (rc == 0)
			rc = run_check_guest(o, i, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run_open_dirs(const struct run_options *o, struct owner_paths *paths, struct error *err)
{
	for (size_t i = 0; i < o->dirs.count + o->volumes.count; i++) {
		bool read_only = o->preopens[i].flags & OWNER_PREOPEN_READ_ONLY;
		int rc = owner_paths_add(paths, run_host_of(o, i), read_only, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run_open_volumes(const struct run_options *o, struct mem_pool *pool,
                            struct job_volumes **ret_volumes, struct error *err)
{
	struct job_volume volumes[PROVISION_VOLUMES_MAX];
	for (size_t i = 0; i < run_own_volumes(o); i++) {
		size_t preopen = o->dirs.count + i;
		volumes[i] = (struct job_volume){
			.path = o->volumes.items[i],
			.key = i < o->volume_keys.count ? o->volume_keys.items[i] : NULL,
			.root = i < o->volume_roots.count ? o->volume_roots.items[i] : NULL,
			.preopen = (uint32_t)preopen,
			.read_only = o->preopens[preopen].flags & OWNER_PREOPEN_READ_ONLY,
		};
	}
	return job_volumes_open(volumes, (uint32_t)run_own_volumes(o), pool, ret_volumes, err);
}

static int run_parse_builders(const struct run_options *o, struct error *err)
{
	uint8_t key[CRYPTO_ED25519_SIZE];
	for (size_t i = 0; i < o->builders.count; i++) {
		int rc = builder_parse(o->builders.items[i], key, err);
		if (rc < 0)
			return error_prefix(err, rc, "--accept-builder: ");
	}
	return 0;
}

static int run_check_paging(struct run_options *o, struct error *err)
{
	if (o->memory != RUN_PAGED && (o->window || o->page_dir))
		return error_set(err, CELLA_EINVAL, "--window and --page-dir are for --memory paged");
	if (o->window && (o->window < PAGE_WINDOW_LEAST || o->window > o->heap))
		return error_set(err, CELLA_EINVAL, "--window: at least %dM, and at most as much as --heap",
		                 PAGE_WINDOW_LEAST >> 20);
	o->window = o->window & ~(uint64_t)(RUN_WINDOW_UNIT - 1);
	return 0;
}

/* As large as what may be locked allows, unless it was given. */
static int run_choose_window(const struct run_options *o, uint64_t *ret_window, struct error *err)
{
	uint64_t window = o->window ? o->window : min_of((uint64_t)RUN_WINDOW, o->heap);
	for (;; window /= 2) {
		int rc = mem_level_check(MEM_PAGED, window + PAGE_WINDOW_MORE + RUN_PAGED_LEAST, err);
		if (rc == 0)
			*ret_window = window;
		if (rc == 0 || o->window || window / 2 < PAGE_WINDOW_LEAST)
			return rc;
	}
}

static int run_check(struct run_options *o, struct error *err)
{
	if (o->insecure_memory_none && o->memory != RUN_UNSAID && o->memory != RUN_INSECURE_NONE)
		return error_set(err, CELLA_EINVAL,
		                 "--insecure-memory-none and --memory ask for two levels: give one of them");
	if (o->memory == RUN_UNSAID)
		o->memory = o->insecure_memory_none ? RUN_INSECURE_NONE : RUN_SECRET;
	if (o->executors == 0 || o->executors > RUN_EXECUTORS_MAX)
		return error_set(err, CELLA_EINVAL, "--executors %llu: at least 1 and at most %d",
		                 (unsigned long long)o->executors, RUN_EXECUTORS_MAX);
	for (size_t i = 0; i < o->environment.count; i++)
		if (!strchr(o->environment.items[i], '=') || o->environment.items[i][0] == '=')
			return error_set(err, CELLA_EINVAL, "--env wants K=V");
	if (o->heap >> 20 < RUN_HEAP_MIN_MIB || o->heap >> 30 > RUN_HEAP_MAX_GIB)
		return error_set(err, CELLA_EINVAL, "--heap: at least %dM and at most %dG", RUN_HEAP_MIN_MIB,
		                 RUN_HEAP_MAX_GIB);
	int rc = run_check_paging(o, err);
	if (rc == 0)
		rc = run_parse_dirs(o, err);
	if (rc == 0)
		rc = run_parse_builders(o, err);
	return rc < 0 ? rc : job_outputs_check(&o->outputs, err);
}

/* What a job borrows. */
struct run_inputs {
	struct buf data;
	struct bundle bundle;
	const struct bundle_artifact *artifact;
	int bundle_fd;
	struct owner_paths *paths;
	struct job_volumes *volumes;
	struct job_sessions *sessions;
	struct mem_pool *pool; /* of the volumes' keys */
};

static void run_inputs_done(struct run_inputs *in)
{
	buf_done(&in->data);
	cleanup_close_fn(&in->bundle_fd);
	owner_paths_free(in->paths);
	job_volumes_free(in->pool, in->volumes);
	job_sessions_free(in->sessions);
}

/* Read and measure the bundle; it must hold machine code for this machine by the user or by a builder whom
 * they named. */
static int run_load_bundle(const struct run_options *o, const char *path, struct run_inputs *in,
                           struct error *err)
{
	int rc = io_read_file(path, RUN_BUNDLE_MAX, &in->data, err);
	if (rc == 0)
		rc = bundle_parse(in->data.data, in->data.size, &in->bundle, err);
	if (rc == 0)
		rc = bundle_verify_all(&in->bundle, err);
	if (rc == 0)
		rc = builder_choose(&in->bundle, o->builders.items, o->builders.count, &in->artifact, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", path);
	return io_sealed_memfd("cella-bundle", in->data.data, in->data.size, false, &in->bundle_fd, err);
}

static void run_options_done(struct run_options *o)
{
	option_list_done(&o->dirs);
	option_list_done(&o->volumes);
	option_list_done(&o->volume_keys);
	option_list_done(&o->volume_roots);
	option_list_done(&o->environment);
	option_list_done(&o->builders);
	option_list_done(&o->sessions);
}

static int run_status(int rc, const struct job_result *result)
{
	if (rc == 0)
		return result->status;
	if (result->signal)
		return JOB_STATUS_SIGNAL + result->signal;
	return result->refused || rc == CELLA_EAUTH ? JOB_STATUS_REFUSED : JOB_STATUS_FAILED;
}

struct run_call {
	const struct job_config *config;
	struct job_result *result;
	struct error *err;
	int rc;
};

static void run_on_stack(void *arg)
{
	struct run_call *call = arg;
	call->rc = job_run(call->config, call->result, call->err);
}

/* The session's keys are made and used on a stack in protected memory, as everywhere. */
static int run_protected(const struct job_config *config, struct job_result *result, struct error *err)
{
	struct mem_stack *stack;
	struct run_call call = {.config = config, .result = result, .err = err};
	int rc = mem_stack_new(config->pool, JOB_STACK, &stack, err);
	if (rc < 0)
		return rc;
	mem_stack_call(stack, run_on_stack, &call);
	mem_stack_free(stack);
	return call.rc;
}

static struct job_config run_config(const struct run_options *o, char **arguments, uint32_t argument_count)
{
	static const char *const words[] = {"secret", "paged", "insecure-none"};
	static const enum mem_level levels[] = {MEM_SECRET, MEM_PAGED, MEM_INSECURE_NONE};
	return (struct job_config){
		.memory = words[o->memory],
		.memory_level = levels[o->memory],
		.heap = o->heap,
		.page_directory = o->page_dir,
		.executors = (uint32_t)o->executors,
		.store_limit = o->store_limit,
		.arguments = (const char *const *)arguments,
		.argument_count = argument_count,
		.environment = o->environment.items,
		.environment_count = (uint32_t)o->environment.count,
		.preopens = o->preopens,
		.preopen_count = (uint32_t)(o->dirs.count + o->volumes.count),
		.progress = !o->quiet && isatty(STDERR_FILENO),
		.events = o->outputs.graph || o->outputs.trace || o->outputs.record,
	};
}

/* Everything that can fail before the first process of the job is started. */
static int run_prepare(const struct run_options *o, struct run_inputs *in, struct job_config *config,
                       struct error *err)
{
	int rc = o->memory == RUN_PAGED ? run_choose_window(o, &config->window, err)
	                                : mem_level_check(config->memory_level, RUN_LEAST, err);
	if (rc == 0)
		rc = mem_pool_new(config->memory_level, RUN_POOL, &config->pool, err);
	if (rc < 0)
		return rc;
	mem_set_process_pool(config->pool);
	rc = crypto_init(config->pool, err);
	if (rc == 0)
		rc = run_load_bundle(o, config->arguments[0], in, err);
	if (rc < 0)
		return rc;
	config->bundle = &in->bundle;
	config->artifact = in->artifact;
	config->bundle_fd = in->bundle_fd;
	config->uses_tasks = bundle_uses_tasks(&in->bundle);
	rc = owner_paths_new(&in->paths, err);
	config->paths = in->paths;
	if (rc == 0)
		rc = run_open_dirs(o, in->paths, err);
	in->pool = config->pool;
	if (rc == 0)
		rc = run_open_volumes(o, config->pool, &in->volumes, err);
	config->volumes = in->volumes;
	if (rc == 0 && o->sessions.count)
		rc = job_sessions_open(o->sessions.items, o->sessions.count, config->pool, &in->sessions,
		                       err);
	config->grants = in->sessions ? job_sessions_grants(in->sessions) : NULL;
	return rc;
}

/* The record is written however the job ended; of two failures both are told, and the first one counts. */
static int run_report(const struct run_options *o, const struct job_config *config, struct job_result *result,
                      int rc, struct error *err)
{
	struct error why;
	result->status = run_status(rc, result);
	int reported = job_report(config, result, &o->outputs, rc < 0 ? err->text : result->trap, &why);
	cleanup_close_fn(&result->event_log);
	if (reported < 0 && rc < 0)
		verb_fail(&run_verb, err);
	if (reported < 0)
		*err = why;
	return rc < 0 ? rc : reported;
}

static void run_print_levels(const struct job_config *c)
{
	fprintf(stderr, "cella run: memory %s, machine soft\n", c->memory);
	if (c->window)
		fprintf(stderr, "cella run: a window of %llu KiB in the clear, encrypted pages in %s\n",
		        (unsigned long long)c->window >> 10,
		        c->page_directory ? c->page_directory : "memory");
}

static int run_job(const struct run_options *o, char **arguments, uint32_t argument_count,
                   struct job_result *result, struct error *err)
{
	cleanup_with(run_inputs_done) struct run_inputs in = {.bundle_fd = -1};
	struct job_config config = run_config(o, arguments, argument_count);
	int rc = job_outputs_clear(&o->outputs, err);
	if (rc < 0)
		return rc;
	rc = run_prepare(o, &in, &config, err);
	if (rc == 0 && (!o->quiet || o->memory == RUN_INSECURE_NONE))
		run_print_levels(&config);
	if (rc == 0)
		rc = run_protected(&config, result, err);
	return run_report(o, &config, result, rc, err);
}

static uint64_t run_processors(void)
{
	return (uint64_t)min_of(max_of(sysconf(_SC_NPROCESSORS_ONLN), 1L), (long)RUN_EXECUTORS_MAX);
}

int verb_run(int argc, char **argv)
{
	cleanup_with(run_options_done) struct run_options o = {.memory = RUN_UNSAID,
	                                                       .executors = run_processors(),
	                                                       .heap = 2ull << 30,
	                                                       .store_limit = 1ull << 30};
	struct job_result result = {.event_log = -1};
	struct error err;
	int status, count;
	if (!verb_begin(&run_verb, argc, argv, &o, &count, &status))
		return status;
	if (run_check(&o, &err) < 0) {
		verb_fail(&run_verb, &err);
		return VERB_USAGE;
	}
	int rc = run_job(&o, argv + 1, (uint32_t)count, &result, &err);
	if (rc < 0)
		verb_fail(&run_verb, &err);
	return result.signal ? interrupt_pass() : run_status(rc, &result);
}
