#include "guest.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/attributes.h"
#include "cell/waiters.h"

enum {
	STACK_SIZE = 1 << 20,
	GUARD_SIZE = 1 << 20,
	IMPORTS_MAX = 64, /* as many stubs as FORWARD makes */
	FIRST_REFERENCE = 1000, /* not 0: a function's index must not do for a reference */
};
/* For a memory. Enough for tests of those with 64-bit addresses, too. */
static const uint64_t reservation = (8ull << 30) + CELL_PAGE_SIZE;

struct memory {
	uint8_t *base;
	uint64_t size;
	uint64_t pages_max;
	struct waiters *waiters;
	struct memory *next;
};

struct guest {
	const struct image *image;
	struct cell_instance *instance;
	struct external *imported; /* by import */
	cell_function **functions; /* the same, as the instance sees it */
	void **links;
	struct memory *memory;
	struct guest *next;
};

/* Where a trap goes: the innermost call from the host. */
static sigjmp_buf *current_call;
static uint8_t *stack_guard;
static struct memory *memories;
static struct guest *guests;
static uint32_t next_reference = FIRST_REFERENCE;

struct memory *memory_new(uint64_t pages, uint64_t pages_max)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	uint8_t *base = mmap(NULL, reservation, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
	                     0);
	uint64_t size = pages * CELL_PAGE_SIZE;
	if (!memory || base == MAP_FAILED || pages > reservation / CELL_PAGE_SIZE ||
	    (size && mprotect(base, size, PROT_READ | PROT_WRITE) < 0)) {
		free(memory);
		return NULL;
	}
	*memory = (struct memory){.base = base, .size = size, .pages_max = pages_max, .next = memories};
	if (waiters_new(&memory->waiters, NULL) < 0)
		return NULL;
	memories = memory;
	return memory;
}

uint64_t memory_pages(const struct memory *memory)
{
	return memory->size / CELL_PAGE_SIZE;
}

__attribute__((noreturn)) static void trap(struct cell_instance *instance, uint32_t reason)
{
	(void)instance;
	siglongjmp(*current_call, (int)reason);
}

/* All instances that share the memory see it grow. */
static uint64_t memory_grow(struct cell_instance *instance, uint64_t pages)
{
	struct memory *memory = ((struct guest *)instance->host_data)->memory;
	uint64_t old = memory_pages(memory);
	if (pages > memory->pages_max - old)
		return UINT64_MAX;
	uint64_t size = (old + pages) * CELL_PAGE_SIZE;
	if (size > reservation || (size && mprotect(memory->base, size, PROT_READ | PROT_WRITE) < 0))
		return UINT64_MAX;
	memory->size = size;
	for (struct guest *g = guests; g; g = g->next)
		if (g->memory == memory)
			g->instance->memory_size = size;
	return old;
}

static void *host_memmove(void *to, const void *from, uint64_t size)
{
	return memmove(to, from, size);
}

static void *host_memset(void *to, int byte, uint64_t size)
{
	return memset(to, byte, size);
}

static uint32_t memory_wait(struct cell_instance *instance, uint64_t address, uint32_t size,
                            uint64_t expected, int64_t timeout_ns)
{
	const struct guest *guest = instance->host_data;
	const struct waiters_wait wait = {.at = instance->memory + address,
	                                  .size = size,
	                                  .expected = expected,
	                                  .timeout_ns = timeout_ns};
	return waiters_wait(guest->memory->waiters, &wait);
}

static uint32_t memory_notify(struct cell_instance *instance, uint64_t address, uint32_t count)
{
	const struct guest *guest = instance->host_data;
	return waiters_notify(guest->memory->waiters, instance->memory + address, count);
}

static void resolve(struct cell_instance *instance, uint32_t reference, struct cell_target *ret_target)
{
	for (struct guest *g = guests; g; g = g->next) {
		const struct cell_image *cell = g->image->cell;
		uint32_t index = reference - g->instance->first_reference;
		if (index >= cell->function_count || !cell->functions)
			continue;
		*ret_target = (struct cell_target){
			.instance = g->instance,
			.code = cell->functions[index].code,
			.signature = cell->signatures[cell->functions[index].type],
			.thrown = cell->tag_count > 0 ? (uint32_t *)g->instance->state : NULL,
		};
		return;
	}
	trap(instance, CELL_TRAP_HOST);
}

static const struct cell_host host = {
	.trap = trap,
	.memory_grow = memory_grow,
	.memory_wait = memory_wait,
	.memory_notify = memory_notify,
	.memmove = host_memmove,
	.memset = host_memset,
	.resolve = resolve,
};

/* A fault in a linear memory or in the stack's guard is a trap; others are real. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	uint8_t *at = info->si_addr;
	(void)context;
	if (current_call && at >= stack_guard && at < stack_guard + GUARD_SIZE)
		siglongjmp(*current_call, CELL_TRAP_STACK);
	for (const struct memory *m = memories; current_call && m; m = m->next)
		if (at >= m->base && at < m->base + reservation)
			siglongjmp(*current_call, CELL_TRAP_MEMORY);
	psiginfo(info, "a fault outside of any guest");
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigaction(signal, &action, NULL);
}

/* What an instance calls for an imported function: it goes on in the instance that the function is of. */
static void forward(struct cell_instance *instance, union cell_value *v, uint32_t number)
{
	const struct guest *guest = instance->host_data;
	guest->imported[number].function(guest->imported[number].instance, v);
}

#define FORWARD(n)                                                                  \
	static void forward##n(struct cell_instance *instance, union cell_value *v) \
	{                                                                           \
		forward(instance, v, 0##n);                                         \
	}
#define FORWARDS(n)   \
	FORWARD(n##0) \
	FORWARD(n##1) FORWARD(n##2) FORWARD(n##3) FORWARD(n##4) FORWARD(n##5) FORWARD(n##6) FORWARD(n##7)
#define NAMES(n)                                                                                  \
	forward##n##0, forward##n##1, forward##n##2, forward##n##3, forward##n##4, forward##n##5, \
		forward##n##6, forward##n##7
/* Their numbers are octal. */
FORWARDS(0)
FORWARDS(1)
FORWARDS(2)
FORWARDS(3)
FORWARDS(4)
FORWARDS(5)
FORWARDS(6)
FORWARDS(7)
static cell_function *const forwards[IMPORTS_MAX] = {NAMES(0), NAMES(1), NAMES(2), NAMES(3),
                                                     NAMES(4), NAMES(5), NAMES(6), NAMES(7)};

/* The specification's matching of external types (4.5.3). */
static bool matches(const struct cell_import *wanted, const struct external *found)
{
	const struct cell_type *w = &wanted->type, *f = &found->type;
	if (w->kind != f->kind)
		return false;
	switch (w->kind) {
	case CELL_FUNCTION: return strcmp(wanted->signature, found->signature) == 0;
	case CELL_GLOBAL: return w->value == f->value && w->changes == f->changes;
	default:
		return w->value == f->value && w->changes == f->changes && f->minimum >= w->minimum &&
		       (!w->bounded || (f->bounded && f->maximum <= w->maximum));
	}
}

static int connect_import(struct guest *guest, uint32_t number, guest_finder *find, void *context,
                          struct error *err)
{
	const struct cell_import *import = &guest->image->cell->imports[number];
	struct external *found = &guest->imported[number];
	if (!find(context, import->module, import->module_size, import->name, import->name_size, found))
		return error_set(err, CELLA_ENOENT, "unknown import: %s.%s", import->module, import->name);
	if (!matches(import, found))
		return error_set(err, CELLA_ENOENT, "incompatible import type: %s.%s", import->module,
		                 import->name);
	if (number >= IMPORTS_MAX && import->type.kind == CELL_FUNCTION)
		return error_set(err, CELLA_ELIMIT, "more than %d imports", IMPORTS_MAX);
	switch (import->type.kind) {
	case CELL_FUNCTION: guest->functions[number] = forwards[number]; break;
	case CELL_GLOBAL: guest->links[number] = found->global; break;
	case CELL_TABLE: guest->links[number] = &found->table; break;
	default: guest->memory = found->memory;
	}
	return 0;
}

static int make_instance(struct guest *guest, struct error *err)
{
	const struct cell_image *cell = guest->image->cell;
	size_t size = align_up(sizeof(*guest->instance) + cell->state_size, (size_t)16);
	struct cell_instance *instance = aligned_alloc(16, size);
	if (!guest->memory)
		guest->memory = memory_new(cell->memory_pages, cell->memory_pages_max);
	if (!instance || !guest->memory)
		return error_errno(err, CELLA_ENOMEM, "no memory for an instance");
	memset(instance, 0, size);
	instance->memory = guest->memory->base;
	instance->memory_size = guest->memory->size;
	instance->host = &host;
	instance->imports = guest->functions;
	instance->links = guest->links;
	instance->segments = guest->image->segments;
	instance->host_data = guest;
	instance->first_reference = next_reference;
	next_reference += cell->function_count;
	guest->instance = instance;
	guest->next = guests;
	guests = guest;
	return 0;
}

int guest_new(const struct image *image, guest_finder *find, void *context, struct guest **ret_guest,
              struct error *err)
{
	size_t count = image->cell->import_count + 1;
	struct guest *guest = calloc(1, sizeof(*guest));
	if (!guest)
		return error_set(err, CELLA_ENOMEM, "no memory for an instance");
	guest->image = image;
	guest->imported = calloc(count, sizeof(*guest->imported));
	guest->functions = calloc(count, sizeof(*guest->functions));
	guest->links = calloc(count, sizeof(*guest->links));
	if (!guest->imported || !guest->functions || !guest->links)
		return error_set(err, CELLA_ENOMEM, "no memory for an instance");
	for (uint32_t i = 0; i < image->cell->import_count; i++) {
		int rc = connect_import(guest, i, find, context, err);
		if (rc < 0)
			return rc;
	}
	int rc = make_instance(guest, err);
	if (rc == 0)
		*ret_guest = guest;
	return rc;
}

void guests_forget(void)
{
	guests = NULL;
	next_reference = FIRST_REFERENCE;
}

/* The import that stands at this index of a kind's space, or NULL: the module's own stand there. */
static const struct external *import_at(const struct guest *guest, uint8_t kind, uint32_t index)
{
	const struct cell_image *cell = guest->image->cell;
	for (uint32_t i = 0; i < cell->import_count; i++)
		if (cell->imports[i].type.kind == kind && index-- == 0)
			return &guest->imported[i];
	return NULL;
}

static struct external external_of(const struct guest *guest, const struct cell_export *export)
{
	const struct external *import = import_at(guest, export->type.kind, export->index);
	struct external e = {.type = export->type, .instance = guest->instance};
	void *own = guest->instance->state + export->offset;
	if (import) {
		e = *import;
	} else if (export->type.kind == CELL_TABLE) {
		e.table = (struct cell_table){.elements = own, .room = export->room};
	} else if (export->type.kind == CELL_MEMORY) {
		e.memory = guest->memory;
	} else {
		e.global = own;
		e.signature = export->signature;
		e.function = export->function;
	}
	if (e.table.elements)
		e.type.minimum = e.table.elements[0];
	if (e.memory)
		e.type.minimum = memory_pages(e.memory);
	return e;
}

bool guest_export(const struct guest *guest, const char *name, size_t size, struct external *ret)
{
	const struct cell_image *cell = guest->image->cell;
	for (uint32_t i = 0; i < cell->export_count; i++) {
		const struct cell_export *export = &cell->exports[i];
		if (export->name_size != size || memcmp(export->name, name, size) != 0)
			continue;
		*ret = external_of(guest, export);
		return true;
	}
	return false;
}

static void start(struct cell_instance *instance, union cell_value *v)
{
	const struct guest *guest = instance->host_data;
	(void)v;
	guest->image->cell->initialize(instance);
	if (guest->image->cell->start)
		guest->image->cell->start(instance);
}

static int call(struct cell_instance *instance, cell_function *function, union cell_value *v,
                uint32_t *ret_trap)
{
	sigjmp_buf here;
	sigjmp_buf *outer_call = current_call;
	int reason = sigsetjmp(here, 1);
	if (reason == 0) {
		current_call = &here;
		function(instance, v);
	}
	current_call = outer_call;
	*ret_trap = (uint32_t)reason;
	return reason ? CELLA_ETRAP : 0;
}

int guest_start(struct guest *guest, uint32_t *ret_trap)
{
	return call(guest->instance, start, NULL, ret_trap);
}

void external_get(const struct external *external, union cell_value *v)
{
	static const uint8_t sizes[] =
		{['i'] = 4, ['f'] = 4, ['r'] = 4, ['x'] = 4, ['l'] = 8, ['d'] = 8, ['v'] = 16};
	memset(v, 0, sizeof(*v));
	memcpy(v, external->global, sizes[external->type.value]);
}

int external_call(const struct external *external, union cell_value *v, uint32_t *ret_trap)
{
	return call(external->instance, external->function, v, ret_trap);
}

struct run {
	void (*fn)(void *);
	void *arg;
};

static void *run_on_stack(void *p)
{
	static uint8_t alternate[1 << 16];
	const struct run *run = p;
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	run->fn(run->arg);
	return NULL;
}

void guest_run(void (*fn)(void *), void *arg)
{
	struct run run = {.fn = fn, .arg = arg};
	pthread_attr_t attributes;
	pthread_t thread;
	size_t size = GUARD_SIZE + STACK_SIZE;
	stack_guard = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	                   -1, 0);
	if (stack_guard == MAP_FAILED || mprotect(stack_guard, GUARD_SIZE, PROT_NONE) < 0) {
		perror("mmap");
		exit(2);
	}
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack_guard + GUARD_SIZE, STACK_SIZE);
	if (pthread_create(&thread, &attributes, run_on_stack, &run) != 0) {
		perror("pthread_create");
		exit(2);
	}
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
}
