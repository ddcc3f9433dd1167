/*
 * cella-cell: the executor. Hosts cells of one session for one job.
 *
 * Trusted: it sees plaintext. It is started by the launcher with the descriptors of
 * cell/launch_format.h and nothing else. Life:
 *
 *   start      protected pool, OpenSSL into the pool, on to a protected stack
 *   measure    the bundle: its identity, and which machine code in it this processor runs
 *   hello      a key pair; public key, identity and builder to the launcher, whose evidence repeats them
 *   provision  from the owner, under HPKE to that key: session, data key, what to run; then grants of CASes
 *   identify   where a grant says so: a key of the cell's own, certified by that CAS
 *   load       if identity and builder are those of the provisioning
 *   confine    Landlock and seccomp; from here on only open descriptors are of use
 *   run        the program (driver), or tasks until told to stop
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "cell/code.h"
#include "cell/identity.h"
#include "cell/launch_format.h"
#include "cell/owner/owner.h"
#include "cell/owner/volume.h"
#include "cell/provision.h"
#include "cell/sandbox.h"
#include "cell/spawner.h"
#include "cell/tasks/tasks.h"
#include "cell/trap.h"
#include "page/page.h"

enum {
	EXECUTOR_STACK = 256 * 1024,
	EXECUTOR_LEAST = 7 << 19, /* what the least program needs: stacks, heap, a linear memory of 1 MiB */
	EXECUTOR_CELL_STACK = 1 << 20,
	EXECUTOR_CACHE_MAX = 256 << 20,
	EXECUTOR_CACHE_PART = 16, /* of the protected memory, for volumes */
	EXECUTOR_CACHE_BESIDE = 4, /* times a volume's cache can be locked when it is chosen */
};

struct executor;
/* Who asks a grant's CAS for a certificate. */
struct executor_asker {
	struct executor *executor;
	uint32_t grant;
};

struct executor {
	struct mem_pool *pool;
	struct pager *pager; /* NULL: memory is not paged */
	struct launch_start start;
	uint64_t heap;
	struct crypto_key_pair *keys;
	struct owner *owner;
	struct provision *provision;
	struct provision *grants[PROVISION_GRANTS_MAX];
	struct seal_session *grant_sessions[PROVISION_GRANTS_MAX]; /* with their CASes; NULL: not needed */
	struct seal_session *session;
	struct bundle bundle;
	const struct bundle_artifact *artifact; /* of it: what will be loaded */
	struct code *code;
	struct owner_volume *volumes[PROVISION_VOLUMES_MAX];
	uint32_t volume_count;
	struct executor_asker askers[PROVISION_GRANTS_MAX];
	struct identity *identities[PROVISION_GRANTS_MAX]; /* of the cell, by the grants that give one */
	uint64_t begun_ns; /* clock_boot_ns before there was any evidence, hence before any grant */
	struct wasi *wasi;
	struct tasks *tasks;
	struct spawner *spawner;
	int exit_status;
};

/* Of the pool. What is paged has its own: the heap is of linear memories then. */
static uint64_t executor_budget(const struct launch_start *start)
{
	if (start->memory_level != MEM_PAGED)
		return start->heap;
	return PAGE_SECRETS + pager_tables(start->window, start->heap);
}

static int executor_page(struct executor *x, struct error *err)
{
	struct pager_config config = {
		.pool = x->pool,
		.window = x->start.window,
		.limit = x->start.heap,
		.file = x->start.page_file ? LAUNCH_FD_PAGES : -1,
	};
	if (x->start.memory_level != MEM_PAGED)
		return 0;
	int rc = pager_new(&config, &x->pager, err);
	if (rc == 0)
		trap_set_pager(x->pager);
	return rc;
}

static int executor_start(struct executor *x, struct error *err)
{
	struct launch_start *start = &x->start;
	size_t size;
	int rc = io_receive_message(LAUNCH_FD_LAUNCHER, start, sizeof(*start), &size, NULL, 0, NULL, err);
	if (rc == 0 && (size != sizeof(*start) || start->type != LAUNCH_START ||
	                start->version != LAUNCH_VERSION || start->memory_level >= MEM_LEVELS))
		rc = error_set(err, CELLA_EFORMAT, "the launcher's first message is malformed");
	if (rc == 0)
		rc = mem_level_check((enum mem_level)start->memory_level, EXECUTOR_LEAST, err);
	if (rc == 0)
		rc = mem_pool_new((enum mem_level)start->memory_level, executor_budget(start), &x->pool, err);
	if (rc < 0)
		return rc;
	x->heap = start->heap;
	mem_set_process_pool(x->pool);
	rc = crypto_init(x->pool, err);
	return rc < 0 ? rc : executor_page(x, err);
}

static bool executor_wants(const uint8_t builder[CRYPTO_ED25519_SIZE], void *context)
{
	const struct launch_start *start = context;
	return bytes_are_zero(start->builder, CRYPTO_ED25519_SIZE) ||
	       memcmp(start->builder, builder, CRYPTO_ED25519_SIZE) == 0;
}

/* The bundle is measured once, before there is anything here to protect. Being sealed, it stays so. */
static int executor_measure(struct executor *x, struct error *err)
{
	struct stat st;
	int rc = io_check_sealed(LAUNCH_FD_BUNDLE, err);
	if (rc < 0)
		return error_prefix(err, rc, "cell bundle: ");
	if (fstat(LAUNCH_FD_BUNDLE, &st) < 0)
		return error_errno(err, CELLA_EIO, "cannot stat the cell bundle");
	void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, LAUNCH_FD_BUNDLE, 0);
	if (data == MAP_FAILED)
		return error_errno(err, CELLA_EIO, "cannot map the cell bundle");
	rc = bundle_parse(data, (size_t)st.st_size, &x->bundle, err);
	return rc < 0 ? rc : bundle_choose(&x->bundle, executor_wants, &x->start, &x->artifact, err);
}

static int executor_make_keys(struct executor *x, struct error *err)
{
	x->keys = mem_alloc(x->pool, sizeof(*x->keys));
	return x->keys ? crypto_x25519_generate(x->keys, err)
	               : error_set(err, CELLA_ENOMEM, "no protected memory for the executor's keys");
}

static int executor_hello(struct executor *x, int error, const char *text, struct error *err)
{
	struct launch_hello hello = {.type = LAUNCH_HELLO, .error = error};
	if (x->pool)
		hello.memory_level = mem_pool_level(x->pool);
	if (x->keys && x->artifact) {
		memcpy(hello.public_key, x->keys->public_key, sizeof(hello.public_key));
		memcpy(hello.cell, x->bundle.identity, sizeof(hello.cell));
		memcpy(hello.builder, x->artifact->builder, sizeof(hello.builder));
	}
	size_t size = strnlen(text, sizeof(hello.text) - 1);
	memcpy(hello.text, text, size);
	return io_send_message(LAUNCH_FD_LAUNCHER, &hello, sizeof(hello), NULL, 0, err);
}

/* Before there are keys: the launcher passes on why. */
static void executor_give_up(struct executor *x, const struct error *why)
{
	log_error("%s", why->text);
	if (executor_hello(x, why->code, why->text, NULL) < 0)
		log_error("the launcher is gone");
}

static int executor_receive(struct executor *x, enum owner_type type, struct provision **ret_provision,
                            struct error *err)
{
	uint8_t *data;
	size_t size;
	int rc = owner_receive_provision(x->owner, type, x->keys, &data, &size, err);
	if (rc < 0)
		return rc;
	rc = provision_read(data, size, x->pool, ret_provision, err);
	mem_free(x->pool, data);
	if (rc == 0 && ((*ret_provision)->role == PROVISION_GRANT) != (type == OWNER_GRANT))
		rc = error_set(err, CELLA_EFORMAT,
		               "a provisioning in the place of a grant, or a grant in its");
	return rc;
}

static int executor_provision(struct executor *x, struct error *err)
{
	int rc = executor_receive(x, OWNER_PROVISION, &x->provision, err);
	for (uint32_t i = 0; rc == 0 && i < x->provision->grants; i++) {
		rc = executor_receive(x, OWNER_GRANT, &x->grants[i], err);
		if (rc == 0)
			rc = provision_add_grant(x->provision, x->grants[i], i + 1, x->pool, err);
	}
	if (rc == 0)
		rc = provision_check_volumes(x->provision, err);
	if (rc < 0)
		return rc;
	/* Wiped: who takes the process later cannot open what was recorded now. */
	mem_free(x->pool, x->keys);
	x->keys = NULL;
	rc = seal_session_new(x->provision->data_key, &x->session, err);
	mem_wipe(x->provision->data_key, sizeof(x->provision->data_key));
	return rc;
}

static bool executor_accepts(const struct provision *p, const uint8_t builder[CRYPTO_ED25519_SIZE])
{
	for (uint32_t i = 0; i < p->builder_count; i++)
		if (memcmp(p->builders[i], builder, CRYPTO_ED25519_SIZE) == 0)
			return true;
	return false;
}

static int executor_load(struct executor *x, struct error *err)
{
	if (memcmp(x->bundle.identity, x->provision->identity, CRYPTO_SHA384_SIZE) != 0)
		return error_set(err, CELLA_EAUTH, "the cell bundle is not the one that the owner named");
	if (!executor_accepts(x->provision, x->artifact->builder))
		return error_set(err, CELLA_EAUTH,
		                 "the builder of the cell's machine code is none that the owner accepts");
	return code_map(x->artifact, &x->code, err);
}

static struct instance_config executor_cell(const struct executor *x)
{
	return (struct instance_config){
		.pool = x->pool,
		.code = x->code,
		.pager = x->pager,
		.heap = x->heap,
		.stack_size = EXECUTOR_CELL_STACK,
		.wasi = x->wasi,
		.tasks = x->tasks,
		.identity = x->provision->identity,
	};
}

static int executor_new_instance(void *data, uint32_t timeout_ms, struct instance **ret_instance,
                                 struct error *err)
{
	struct executor *x = data;
	return spawner_take(x->spawner, timeout_ms, ret_instance, err);
}

static void executor_give_way(void *data)
{
	struct executor *x = data;
	spawner_give_way(x->spawner);
}

/* Of each volume: a part of what the executor may have, and of what it can lock beside the program. */
static size_t executor_volume_cache(const struct executor *x)
{
	uint64_t share = executor_budget(&x->start) / EXECUTOR_CACHE_PART;
	size_t cache = (size_t)min_of(share, (uint64_t)VOLUME_CACHE_DEFAULT);
	enum mem_level level = (enum mem_level)x->start.memory_level;
	while (cache > VOLUME_CACHE_LEAST && mem_level_check(level, cache * EXECUTOR_CACHE_BESIDE, NULL) < 0)
		cache /= 2;
	return max_of(cache / max_of(x->provision->volume_count, 1u), (size_t)VOLUME_CACHE_LEAST);
}

/* What questions to the CAS of a grant are sealed by. */
static int executor_meet_keeper(struct executor *x, uint32_t grant, struct error *err)
{
	struct seal_session **session = &x->grant_sessions[grant - 1];
	int rc = *session ? 0 : seal_session_new(x->grants[grant - 1]->data_key, session, err);
	if (rc == 0)
		owner_set_grant(x->owner, grant, *session);
	return rc;
}

static int executor_ask_identity(void *data, const struct owner_identity_request *question, uint8_t *answer,
                                 size_t *ret_size, struct error *err)
{
	const struct executor_asker *asker = data;
	return owner_ask_identity(asker->executor->owner, asker->grant, question, answer, ret_size, err);
}

static int executor_identify_by(struct executor *x, uint32_t grant, struct error *err)
{
	struct executor_asker *asker = &x->askers[grant - 1];
	struct identity **identity = &x->identities[grant - 1];
	const struct identity_config config = {.pool = x->pool,
	                                       .path = x->grants[grant - 1]->identity_path,
	                                       .ask = executor_ask_identity,
	                                       .data = asker,
	                                       .now = clock_boot_ns};
	*asker = (struct executor_asker){x, grant};
	int rc = executor_meet_keeper(x, grant, err);
	if (rc == 0)
		rc = identity_new(&config, identity, err);
	for (size_t f = 0; rc == 0 && f < IDENTITY_FILES; f++)
		rc = provision_add_file(x->provision, &identity_files(*identity)[f], err);
	return rc;
}

/* By each grant that has a place for it. */
static int executor_identify(struct executor *x, struct error *err)
{
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < x->provision->grants; i++)
		if (*x->grants[i]->identity_path)
			rc = executor_identify_by(x, i + 1, err);
	return rc == 0 ? provision_check_volumes(x->provision, err) : rc;
}

/* Newer files in the place of those of the same names, for this program and the next. */
static void executor_replace_file(struct executor *x, const struct wasi_file *file)
{
	struct provision *p = x->provision;
	struct error why;
	for (uint32_t i = 0; i < p->file_count; i++)
		if (strcmp(p->files[i].path, file->path) == 0)
			p->files[i] = *file;
	if (wasi_file_put(x->wasi, file->path, file->data, file->size, &why) < 0)
		log_warn("%s", why.text);
}

static void executor_opening(void *data, const char *path)
{
	struct executor *x = data;
	for (uint32_t i = 0; i < x->provision->grants; i++)
		if (x->identities[i] && identity_opened(x->identities[i], path))
			for (size_t f = 0; f < IDENTITY_FILES; f++)
				executor_replace_file(x, &identity_files(x->identities[i])[f]);
}

/* At the commit that the job began with. Only the driver writes. */
static int executor_open_volume(struct executor *x, const struct provision_volume *volume, size_t cache,
                                struct error *err)
{
	struct wasi_preopen *preopen = &x->provision->preopens[volume->preopen];
	if (x->provision->role != PROVISION_DRIVER)
		preopen->flags |= OWNER_PREOPEN_READ_ONLY;
	const struct owner_volume_config config = {
		.owner = x->owner,
		.pool = x->pool,
		.volume = volume,
		.guest = preopen->guest,
		.cache = cache,
		.writable = !(preopen->flags & OWNER_PREOPEN_READ_ONLY),
		.shared = preopen->flags & OWNER_PREOPEN_SHARED,
	};
	int rc = config.writable && volume->grant ? executor_meet_keeper(x, volume->grant, err) : 0;
	if (rc == 0)
		rc = owner_volume_open(&config, &x->volumes[x->volume_count], err);
	if (rc == 0)
		preopen->volume = owner_volume_of(x->volumes[x->volume_count++]);
	return rc;
}

/* What opens them is wiped. */
static int executor_open_volumes(struct executor *x, struct error *err)
{
	struct provision *p = x->provision;
	size_t cache = p->volume_count ? executor_volume_cache(x) : 0;
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < p->volume_count; i++)
		rc = executor_open_volume(x, &p->volumes[i], cache, err);
	mem_wipe(p->volumes, sizeof(p->volumes));
	for (uint32_t i = 0; i < p->grants; i++)
		mem_wipe(x->grants[i]->data_key, sizeof(x->grants[i]->data_key));
	return rc;
}

/* What the program has written is there when it has ended, as in a file. Of several volumes each is tried. */
static int executor_commit_volumes(struct executor *x, struct error *err)
{
	int first = 0;
	if (x->volume_count)
		wasi_reset(x->wasi); /* closes their files */
	for (uint32_t i = 0; i < x->volume_count; i++) {
		struct error why;
		int rc = owner_volume_commit(x->volumes[i], &why);
		if (rc < 0 && first == 0) {
			first = rc;
			*err = why;
		} else if (rc < 0) {
			log_error("%s", why.text);
		}
	}
	return first;
}

static void executor_close_volumes(struct executor *x)
{
	if (x->volume_count)
		wasi_reset(x->wasi);
	for (uint32_t i = 0; i < x->volume_count; i++)
		owner_volume_free(x->volumes[i]);
	x->volume_count = 0;
}

static int executor_prepare(struct executor *x, struct error *err)
{
	const struct provision *p = x->provision;
	owner_set_session(x->owner, x->session, p->executor);
	int rc = executor_identify(x, err);
	if (rc == 0)
		rc = executor_open_volumes(x, err);
	if (rc < 0)
		return rc;
	struct wasi_config wasi = {
		.pool = x->pool,
		.host = owner_wasi_host(x->owner),
		.arguments = p->arguments,
		.argument_count = p->argument_count,
		.environment = p->environment,
		.environment_count = p->environment_count,
		.preopens = p->preopens,
		.preopen_count = p->preopen_count,
		.files = p->files,
		.file_count = p->file_count,
		.opening = executor_opening,
		.opening_data = x,
		.told_ns = p->time_ns,
		.told_at_ns = x->begun_ns,
	};
	rc = trap_init(x->pool, err);
	if (rc == 0)
		rc = wasi_new(&wasi, &x->wasi, err);
	if (rc < 0)
		return rc;
	struct tasks_config tasks = {
		.pool = x->pool,
		.session = x->session,
		.executor = p->executor,
		.executor_count = p->executor_count,
		.cache_limit = min_of(executor_budget(&x->start) / 4, (uint64_t)EXECUTOR_CACHE_MAX),
		.agent = LAUNCH_FD_AGENT,
		.owner = LAUNCH_FD_OWNER,
		.data = x,
		.new_instance = executor_new_instance,
		.give_way = executor_give_way,
		.wasi = x->wasi,
	};
	rc = tasks_new(&tasks, &x->tasks, err);
	if (rc < 0)
		return rc;
	struct instance_config cell = executor_cell(x);
	return spawner_new(&cell, &x->spawner, err);
}

/* Status of a program that trapped, as a shell shows one that aborted. */
enum { EXECUTOR_TRAP_STATUS = 134, EXECUTOR_FAILED_STATUS = 125 };

static struct owner_exit driver_end(int rc, const struct trap_report *report, const struct error *why)
{
	if (rc == 0)
		return (struct owner_exit){0};
	if (rc == CELLA_ETRAP && report->trap == CELL_TRAP_EXIT)
		return (struct owner_exit){.status = report->status};
	if (rc == CELLA_ETRAP || rc == CELLA_ETIMEOUT)
		return (struct owner_exit){.status = EXECUTOR_TRAP_STATUS, .trap = report->trap};
	return (struct owner_exit){.status = EXECUTOR_FAILED_STATUS, .error = why->code};
}

/* However the program ended, but if Cella itself failed. That it cannot be kept fails the job. */
static void executor_keep_volumes(struct executor *x, struct owner_exit *end, struct error *why)
{
	struct error failed = {0};
	int rc = executor_commit_volumes(x, &failed);
	if (rc < 0 && end->trap) {
		log_error("%s", failed.text);
	} else if (rc < 0) {
		*end = (struct owner_exit){.status = EXECUTOR_FAILED_STATUS, .error = rc};
		*why = failed;
	}
}

static int executor_drive(struct executor *x, struct error *err)
{
	struct instance *program = NULL;
	struct trap_report report = {0};
	struct error why = {0};
	struct instance_config cell = executor_cell(x);
	int rc = instance_new(&cell, &program, &why);
	if (rc == 0)
		rc = instance_call(program, "_start", ":", NULL, 0, &report, &why);
	struct owner_exit end = driver_end(rc, &report, &why);
	if (!end.trap && !end.error) {
		report.trap = CELL_TRAP_HOST; /* if one of its tasks has failed for good */
		rc = tasks_finish(x->tasks, &why);
		if (rc < 0)
			end = driver_end(rc, &report, &why);
	}
	if (!end.error)
		executor_keep_volumes(x, &end, &why);
	executor_close_volumes(x);
	instance_free(program);
	return owner_send_exit(x->owner, &end, end.trap || end.error ? why.text : "", err);
}

static int executor_serve(struct executor *x, struct error *err)
{
	uint32_t measures;
	int rc = executor_provision(x, err);
	if (rc == 0)
		rc = executor_load(x, err);
	if (rc == 0)
		rc = executor_prepare(x, err);
	if (rc == 0)
		rc = sandbox_enter(&measures, err);
	if (rc < 0) {
		owner_send_refused(x->owner, err);
		return rc;
	}
	log_info("confined by the measures %#x of cell/sandbox.h", measures);
	if (x->provision->role == PROVISION_DRIVER)
		return executor_drive(x, err);
	rc = tasks_serve(x->tasks, err);
	/* What its tasks have printed is counted: nobody can cut off the last of it. */
	return rc < 0 ? rc : owner_send_exit(x->owner, &(struct owner_exit){0}, "", err);
}

/* Everything that may hold a secret runs on the protected stack, from here on. */
static void executor_run(void *arg)
{
	struct executor *x = arg;
	struct error err = {0};
	x->begun_ns = clock_boot_ns();
	int rc = executor_measure(x, &err);
	if (rc == 0)
		rc = executor_make_keys(x, &err);
	if (rc == 0)
		rc = owner_new(LAUNCH_FD_OWNER, x->pool, &x->owner, &err);
	if (rc < 0) {
		executor_give_up(x, &err);
		x->exit_status = 1;
		return;
	}
	rc = executor_hello(x, 0, "", &err);
	if (rc == 0)
		rc = executor_serve(x, &err);
	/* That the job is over is no news to its owner. */
	if (rc < 0)
		log_write(rc == CELLA_ELOST ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "%s", err.text);
	x->exit_status = rc < 0;
}

int main(void)
{
	static struct executor x;
	struct error err = {0};
	struct mem_stack *stack = NULL;
	log_open("cella-cell", LAUNCH_FD_LOG, LOG_LEVEL_WARN);
	signal(SIGPIPE, SIG_IGN); /* that nobody reads the log any more is no reason to end */
	int rc = sandbox_early(&err);
	if (rc == 0)
		rc = executor_start(&x, &err);
	if (rc == 0)
		rc = mem_stack_new(x.pool, EXECUTOR_STACK, &stack, &err);
	if (rc < 0) {
		executor_give_up(&x, &err);
		return 1;
	}
	mem_stack_call(stack, executor_run, &x);
	mem_set_process_pool(NULL);
	_exit(x.exit_status);
}
