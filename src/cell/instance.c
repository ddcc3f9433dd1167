/*
 * Instances: allocation of state and memory in the executor's pool, resolution of imports, and
 * calls on the protected stack.
 */
#include "cell/instance.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cell/code.h"
#include "cell/snapshot/fill.h"
#include "cell/tasks/tasks.h"
#include "cell/trap.h"
#include "cell/waiters.h"
#include "cell/wasi/wasi.h"
#include "page/page.h"

enum {
	/* A 32-bit index plus a 32-bit offset plus the widest access stay inside. */
	INSTANCE_GUARD = CELL_PAGE_SIZE,
	/* What host functions may use of a cell's stack, the code of OpenSSL included. */
	INSTANCE_HOST_STACK = 128 * 1024,
	INSTANCE_TOUCH_MAX = 64 * 1024,
	INSTANCE_TOUCH_STEP = 4096,
};
#define INSTANCE_RESERVE ((8ull << 30) + INSTANCE_GUARD)

struct instance {
	struct instance_config config;
	struct mem_region *memory; /* of a module without one: empty */
	bool paged;                /* it is the pager's */
	struct mem_stack *stack;
	struct cell_instance *cell;
	struct cell_segment *segments;
	cell_function **imports;
	struct waiters *waiters;
	bool preparing;
	struct snapshot_fill *fill; /* what a snapshot has yet to bring; NULL: nothing */
};

static void host_trap(struct cell_instance *cell, uint32_t trap) __attribute__((noreturn));

static void host_trap(struct cell_instance *cell, uint32_t trap)
{
	(void)cell;
	const struct unwind_frame here = {.pointer = (uintptr_t)__builtin_frame_address(0)};
	trap_raise(trap, 0, "", &here);
}

static bool grow_memory(struct instance *in, uint64_t size)
{
	return (in->paged ? page_region_grow(in->memory, size, NULL)
	                  : mem_region_grow(in->memory, size, NULL)) == 0;
}

/* What idles gives way to what is needed. */
static bool grow(struct instance *in, uint64_t size)
{
	if (grow_memory(in, size))
		return true;
	if (!in->config.tasks)
		return false;
	tasks_give_way(in->config.tasks);
	return grow_memory(in, size);
}

static uint64_t host_memory_grow(struct cell_instance *cell, uint64_t pages)
{
	struct instance *in = instance_of(cell);
	const struct cell_image *image = in->config.code->image;
	uint64_t old = cell->memory_size / CELL_PAGE_SIZE;
	if ((uintptr_t)__builtin_frame_address(0) < cell->stack_limit)
		host_trap(cell, CELL_TRAP_STACK);
	if (pages > image->memory_pages_max || old + pages > image->memory_pages_max)
		return UINT64_MAX;
	uint64_t size = (old + pages) * CELL_PAGE_SIZE;
	if (pages && (size > in->config.heap || !grow(in, size)))
		return UINT64_MAX;
	cell->memory_size = size;
	return old;
}

/* The code's own instructions, though the host carries them out. */
static void *host_memmove(void *to, const void *from, uint64_t size)
{
	trap_copying(true);
	memmove(to, from, size);
	trap_copying(false);
	return to;
}

static void *host_memset(void *to, int byte, uint64_t size)
{
	trap_copying(true);
	memset(to, byte, size);
	trap_copying(false);
	return to;
}

static bool is_overdue(void *cell)
{
	return instance_overdue(cell);
}

static uint32_t host_memory_wait(struct cell_instance *cell, uint64_t address, uint32_t size,
                                 uint64_t expected, int64_t timeout_ns)
{
	const struct waiters_wait wait = {.at = instance_memory(cell, address, size),
	                                  .size = size,
	                                  .expected = expected,
	                                  .timeout_ns = timeout_ns,
	                                  .give_up = is_overdue,
	                                  .context = cell};
	if ((uintptr_t)__builtin_frame_address(0) < cell->stack_limit)
		host_trap(cell, CELL_TRAP_STACK);
	if (!wait.at || (size != 4 && size != 8) || address % size)
		host_trap(cell, CELL_TRAP_MEMORY);
	enum waiters_end end = waiters_wait(instance_of(cell)->waiters, &wait);
	if (end == WAITERS_GIVEN_UP && instance_overdue(cell))
		instance_trap(cell, CELL_TRAP_TIMEOUT, "while it waited to be notified");
	if (end == WAITERS_GIVEN_UP)
		instance_trap(cell, CELL_TRAP_HOST, "another thread of the cell ended it");
	return end;
}

static uint32_t host_memory_notify(struct cell_instance *cell, uint64_t address, uint32_t count)
{
	if ((uintptr_t)__builtin_frame_address(0) < cell->stack_limit)
		host_trap(cell, CELL_TRAP_STACK);
	return waiters_notify(instance_of(cell)->waiters, cell->memory + address, count);
}

/* A cell shares nothing with other modules: what is not its own function is none. */
static void host_resolve(struct cell_instance *cell, uint32_t reference, struct cell_target *ret_target)
{
	(void)reference;
	(void)ret_target;
	host_trap(cell, CELL_TRAP_NULL_FUNCTION);
}

static const struct cell_host host = {
	.trap = host_trap,
	.memory_wait = host_memory_wait,
	.memory_notify = host_memory_notify,
	.memory_grow = host_memory_grow,
	.memmove = host_memmove,
	.memset = host_memset,
	.resolve = host_resolve,
};

static cell_function *find_host_function(const struct host_function *functions, size_t count,
                                         const struct cell_import *import)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(functions[i].name, import->name) == 0 &&
		    strcmp(functions[i].module, import->module) == 0 &&
		    strcmp(functions[i].signature, import->signature) == 0)
			return functions[i].function;
	return NULL;
}

static int refuse_import(const struct cell_import *import, struct error *err)
{
	static const char *const kinds[] =
		{[CELL_TABLE] = "table", [CELL_MEMORY] = "memory", [CELL_GLOBAL] = "global"};
	uint8_t kind = import->type.kind;
	return error_set(err, CELLA_EUNSUPPORTED, "a cell cannot import a %s (\"%s\".\"%s\"), only functions",
	                 kind < array_count(kinds) && kinds[kind] ? kinds[kind] : "thing of this kind",
	                 import->module, import->name);
}

static int instance_resolve(struct instance *in, struct error *err)
{
	const struct cell_image *image = in->config.code->image;
	in->imports = mem_alloc(in->config.pool, image->import_count * sizeof(*in->imports) + 1);
	if (!in->imports)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a cell's import table");
	for (uint32_t i = 0; i < image->import_count; i++) {
		const struct cell_import *import = &image->imports[i];
		if (import->type.kind != CELL_FUNCTION)
			return refuse_import(import, err);
		in->imports[i] = find_host_function(wasi_functions, wasi_function_count, import);
		if (!in->imports[i])
			in->imports[i] = find_host_function(task_functions, task_function_count, import);
		if (!in->imports[i])
			return error_set(
				err, CELLA_EUNSUPPORTED,
				"the cell imports %s.%s with signature %s, which Cella does not offer",
				import->module, import->name, import->signature);
	}
	return 0;
}

static int instance_segments(struct instance *in, struct error *err)
{
	struct reader r = reader_of(in->config.code->data, in->config.code->data_size);
	uint32_t count = reader_u32(&r);
	if (r.failed || count != in->config.code->image->segment_count)
		return error_set(err, CELLA_EFORMAT, "the cell's data segments do not fit its code");
	in->segments = mem_alloc(in->config.pool, count * sizeof(*in->segments) + 1);
	if (!in->segments)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a cell's segment table");
	for (uint32_t i = 0; i < count; i++) {
		in->segments[i].size = reader_u64(&r);
		in->segments[i].data = reader_bytes(&r, in->segments[i].size);
	}
	if (!reader_finished(&r))
		return error_set(err, CELLA_EFORMAT, "the cell's data segments are malformed at byte %zu",
		                 r.at);
	return 0;
}

/* However little of it is used: every address that code can form belongs to it. But for code that compares
 * 64-bit addresses, what the memory may grow to is enough. */
static uint64_t instance_reserve(const struct cell_image *image, uint64_t most)
{
	return image->memory_address_bits == 64 ? max_of(most, (uint64_t)CELL_PAGE_SIZE) : INSTANCE_RESERVE;
}

static int instance_map(struct instance *in, const struct mem_veiled *shape, struct error *err)
{
	if (!in->config.pager || shape->maximum == 0)
		return mem_region_new_veiled(in->config.pool, shape, &in->memory, err);
	int rc = page_region_new(in->config.pager, shape->reserve, shape->maximum, shape->size, &in->memory,
	                         err);
	in->paged = rc == 0;
	return rc;
}

/* `from`: the snapshot that the memory is filled from, or NULL. */
static int instance_allocate(struct instance *in, const struct snapshot *from, struct error *err)
{
	const struct cell_image *image = in->config.code->image;
	uint64_t size = from ? snapshot_header(from)->memory_size : image->memory_pages * CELL_PAGE_SIZE;
	uint64_t most = min_of(image->memory_pages_max * CELL_PAGE_SIZE,
	                       in->config.heap & ~(uint64_t)(CELL_PAGE_SIZE - 1));
	struct mem_veiled shape = {.reserve = instance_reserve(image, most), .maximum = most, .size = size};
	if (from)
		snapshot_fill_veil(from, &shape.veil_from, &shape.veil_to);
	if (size > most)
		return error_set(err, CELLA_ELIMIT,
		                 "the cell needs %llu bytes of linear memory at once and --heap allows %llu",
		                 (unsigned long long)size, (unsigned long long)in->config.heap);
	in->cell = mem_alloc(in->config.pool, sizeof(*in->cell) + image->state_size);
	if (!in->cell)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a cell's state");
	int rc = mem_stack_new(in->config.pool, in->config.stack_size, &in->stack, err);
	if (rc == 0)
		rc = instance_map(in, &shape, err);
	if (rc == 0)
		rc = waiters_new(&in->waiters, err);
	if (rc == 0)
		rc = instance_segments(in, err);
	if (rc == 0)
		rc = instance_resolve(in, err);
	if (rc < 0)
		return error_prefix(err, rc, "cannot make a cell: ");
	*in->cell = (struct cell_instance){
		.memory = in->memory->base,
		.memory_size = size,
		.host = &host,
		.imports = in->imports,
		.segments = in->segments,
		.stack_limit = (uintptr_t)in->stack->low + INSTANCE_HOST_STACK,
		.host_data = in,
	};
	return 0;
}

struct instance_entry {
	struct instance *in;
	cell_function *function;
	void (*plain)(struct cell_instance *cell);
	union cell_value *v;
};

static void instance_entered(void *arg)
{
	struct instance_entry *e = arg;
	if (e->function)
		e->function(e->in->cell, e->v);
	else
		e->plain(e->in->cell);
}

static int instance_run(struct instance_entry *e, uint32_t timeout_ms, struct trap_report *report,
                        struct error *err)
{
	struct instance *in = e->in;
	struct trap_scope scope = {
		.code = in->config.code,
		.memory = in->memory,
		.stack = in->stack,
		.deadline_ns = timeout_ms ? clock_ns() + timeout_ms * 1000000ull : 0,
		.report = report,
		.fill = in->fill,
	};
	report->trap = CELL_TRAP_NONE;
	if (_setjmp(scope.landing) == 0) {
		trap_enter(&scope);
		mem_stack_call(in->stack, instance_entered, e);
		trap_leave(&scope);
		return 0;
	}
	trap_leave(&scope);
	waiters_close(in->waiters);
	if (report->trap == CELL_TRAP_TIMEOUT)
		return error_set(err, CELLA_ETIMEOUT, "%s", report->text);
	return error_set(err, CELLA_ETRAP, "%s", report->text);
}

static int instance_make(const struct instance_config *config, const struct snapshot *from,
                         struct instance **ret_instance, struct error *err)
{
	struct instance *in = mem_alloc(config->pool, sizeof(*in));
	if (!in)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a cell");
	in->config = *config;
	int rc = instance_allocate(in, from, err);
	if (rc < 0) {
		instance_free(in);
		return rc;
	}
	*ret_instance = in;
	return 0;
}

int instance_new(const struct instance_config *config, struct instance **ret_instance, struct error *err)
{
	const struct cell_image *image = config->code->image;
	struct instance *in;
	struct trap_report report;
	int rc = instance_make(config, NULL, &in, err);
	if (rc < 0)
		return rc;
	struct instance_entry entry = {.in = in, .plain = image->initialize};
	rc = instance_run(&entry, 0, &report, err);
	if (rc == 0 && image->start) {
		entry.plain = image->start;
		rc = instance_run(&entry, 0, &report, err);
	}
	if (rc < 0) {
		instance_free(in);
		return rc;
	}
	*ret_instance = in;
	return 0;
}

static int instance_check_snapshot(const struct instance_config *config, const struct snapshot_header *h,
                                   struct error *err)
{
	const struct cell_image *image = config->code->image;
	if (!config->identity || memcmp(h->identity, config->identity, sizeof(h->identity)) != 0)
		return error_set(err, CELLA_EINVAL, "the snapshot is of another cell");
	if (h->abi_version != image->abi_version || h->translator_version != image->translator_version)
		return error_set(err, CELLA_EINVAL,
		                 "the snapshot was taken under version %u.%u of the translator, and the cell "
		                 "is built by %u.%u: build it with the same",
		                 h->abi_version, h->translator_version, image->abi_version,
		                 image->translator_version);
	if (h->state_size != image->state_size || h->memory_size < image->memory_pages * CELL_PAGE_SIZE)
		return error_set(err, CELLA_EINVAL, "the snapshot's state is not of the size of the cell's");
	return 0;
}

int instance_spawn(const struct instance_config *config, struct snapshot *snapshot,
                   struct instance **ret_instance, struct error *err)
{
	const struct snapshot_header *h = snapshot_header(snapshot);
	struct instance *in;
	int rc = instance_check_snapshot(config, h, err);
	if (rc == 0)
		rc = instance_make(config, snapshot, &in, err);
	if (rc < 0)
		return rc;
	const struct snapshot_target to = {config->pool, in->memory, in->paged};
	memcpy(in->cell->state, snapshot_state(snapshot), h->state_size);
	rc = snapshot_fill_new(&to, snapshot, &in->fill, err);
	if (rc < 0) {
		instance_free(in);
		return error_prefix(err, rc, "cannot restore a cell: ");
	}
	*ret_instance = in;
	return 0;
}

int instance_capture(struct instance *in, struct snapshot *base, struct snapshot **ret_snapshot,
                     struct error *err)
{
	const struct cell_image *image = in->config.code->image;
	struct snapshot_source source = {
		.identity = in->config.identity,
		.abi_version = image->abi_version,
		.translator_version = image->translator_version,
		.state = in->cell->state,
		.state_size = image->state_size,
		.memory = in->cell->memory,
		.memory_size = in->cell->memory_size,
		.region = in->memory,
		.paged = in->paged,
	};
	if (!source.identity)
		return error_set(err, CELLA_EINVAL, "a cell without an identity has no snapshots");
	int rc = in->fill ? snapshot_fill_range(in->fill, 0, source.memory_size, err) : 0;
	return rc < 0 ? rc : snapshot_capture(in->config.pool, &source, base, ret_snapshot, err);
}

void instance_free(struct instance *in)
{
	if (!in)
		return;
	struct mem_pool *pool = in->config.pool;
	snapshot_fill_free(in->fill);
	if (in->paged)
		page_region_free(in->memory);
	else
		mem_region_free(in->memory);
	mem_stack_free(in->stack);
	waiters_free(in->waiters);
	mem_free(pool, in->segments);
	mem_free(pool, in->imports);
	mem_free(pool, in->cell);
	mem_free(pool, in);
}

static const struct cell_export *find_export(const struct instance *in, const char *name,
                                             const char *signature)
{
	const struct cell_image *image = in->config.code->image;
	for (uint32_t i = 0; i < image->export_count; i++) {
		const struct cell_export *e = &image->exports[i];
		if (e->function && e->signature && strcmp(e->name, name) == 0 &&
		    (!signature || strcmp(e->signature, signature) == 0))
			return e;
	}
	return NULL;
}

bool instance_exports(const struct instance *in, const char *name)
{
	return find_export(in, name, NULL) != NULL;
}

int instance_call(struct instance *in, const char *name, const char *signature, union cell_value *v,
                  uint32_t timeout_ms, struct trap_report *ret_report, struct error *err)
{
	const struct cell_export *e = find_export(in, name, signature);
	if (!e)
		return error_set(err, CELLA_ENOENT, "the cell exports no function %s with signature %s", name,
		                 signature);
	struct instance_entry entry = {.in = in, .function = e->function, .v = v};
	return instance_run(&entry, timeout_ms, ret_report, err);
}

int instance_prepare(struct instance *in, const char *name, uint32_t timeout_ms,
                     struct trap_report *ret_report, struct error *err)
{
	in->preparing = true;
	int rc = instance_call(in, name, ":", NULL, timeout_ms, ret_report, err);
	in->preparing = false;
	return rc;
}

bool instance_is_preparing(struct cell_instance *cell)
{
	return instance_of(cell)->preparing;
}

void instance_lend_stack(struct instance *in, void (*fn)(void *), void *arg)
{
	mem_stack_call(in->stack, fn, arg);
}

struct instance *instance_of(struct cell_instance *cell)
{
	return cell->host_data;
}

struct wasi *instance_wasi(struct cell_instance *cell)
{
	return instance_of(cell)->config.wasi;
}

struct tasks *instance_tasks(struct cell_instance *cell)
{
	return instance_of(cell)->config.tasks;
}

void *instance_memory(struct cell_instance *cell, uint64_t address, uint64_t size)
{
	struct snapshot_fill *fill = instance_of(cell)->fill;
	if (address > cell->memory_size || size > cell->memory_size - address)
		return NULL;
	if (fill && snapshot_fill_range(fill, address, size, NULL) < 0)
		return NULL;
	return cell->memory + address;
}

void *instance_bytes(struct instance *in, uint64_t address, uint64_t size)
{
	return instance_memory(in->cell, address, size);
}

void instance_touch(struct cell_instance *cell, const void *at, size_t size)
{
	const uint8_t *from = at;
	size_t end = min_of(size, (size_t)INSTANCE_TOUCH_MAX);
	if (!instance_of(cell)->paged || size == 0)
		return;
	trap_copying(true);
	for (size_t i = 0; i < end; i += INSTANCE_TOUCH_STEP)
		(void)*(const volatile uint8_t *)(from + i);
	(void)*(const volatile uint8_t *)(from + end - 1);
	trap_copying(false);
}

size_t instance_pin(struct cell_instance *cell, const void *at, size_t size, bool write)
{
	struct instance *in = instance_of(cell);
	struct error err;
	size_t pinned = 0;
	if (!in->paged || size == 0)
		return size;
	int rc = page_pin(in->memory, at, size, write, &pinned, &err);
	if (rc < 0 && rc != CELLA_ELIMIT)
		instance_trap(cell, CELL_TRAP_HOST, "%s", err.text);
	return pinned;
}

void instance_unpin(struct cell_instance *cell, const void *at, size_t size)
{
	struct instance *in = instance_of(cell);
	if (in->paged && size)
		page_unpin(in->memory, at, size);
}

bool instance_overdue(struct cell_instance *cell)
{
	(void)cell;
	return trap_overdue();
}

void instance_trap(struct cell_instance *cell, uint32_t trap, const char *format, ...)
{
	(void)cell;
	char text[600];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	const struct unwind_frame here = {.pointer = (uintptr_t)__builtin_frame_address(0)};
	trap_raise(trap, 0, text, &here);
}

void instance_exit(struct cell_instance *cell, int32_t status)
{
	(void)cell;
	trap_raise(CELL_TRAP_EXIT, status, "", NULL);
}
