#include "guest.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cell/waiters.h"

enum {
	IMPORTS_MAX = 16, /* functions from other guests */
	STACK_SIZE = 1 << 20,
	GUARD_SIZE = 1 << 20,
};
static const uint64_t reservation = (8ull << 30) +
                                    CELL_PAGE_SIZE; /* enough for tests of 64-bit memories, too */

struct guest {
	struct buf wasm;
	struct wasm_module *module;
	struct buf segment_bytes;
	struct cell_segment *segments;
	const struct cell_image *image;
	struct cell_instance *instance;
	cell_function **imports;
	struct waiters *waiters;
	bool stale;
	struct {
		struct guest *guest;
		cell_function *function;
	} targets[IMPORTS_MAX];
};

/* Where a trap goes: the innermost call into a guest. */
static sigjmp_buf *current_call;
static struct cell_instance *current_instance;
static uint8_t *stack_guard;

__attribute__((noreturn)) static void trap(struct cell_instance *instance, uint32_t reason)
{
	(void)instance;
	siglongjmp(*current_call, (int)reason);
}

static uint64_t memory_grow(struct cell_instance *instance, uint64_t pages)
{
	const struct guest *guest = instance->host_data;
	uint64_t old = instance->memory_size / CELL_PAGE_SIZE;
	if (pages > guest->image->memory_pages_max - old)
		return UINT64_MAX;
	uint64_t size = (old + pages) * CELL_PAGE_SIZE;
	if (size > reservation || (size && mprotect(instance->memory, size, PROT_READ | PROT_WRITE) < 0))
		return UINT64_MAX;
	instance->memory_size = size;
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
	return waiters_wait(guest->waiters, &wait);
}

static uint32_t memory_notify(struct cell_instance *instance, uint64_t address, uint32_t count)
{
	const struct guest *guest = instance->host_data;
	return waiters_notify(guest->waiters, instance->memory + address, count);
}

static const struct cell_host host = {.trap = trap,
                                      .memory_grow = memory_grow,
                                      .memory_wait = memory_wait,
                                      .memory_notify = memory_notify,
                                      .memmove = host_memmove,
                                      .memset = host_memset};

/* A fault in the memory of the instance that runs or in the stack's guard is a trap; others are real. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	uint8_t *at = info->si_addr;
	(void)context;
	if (current_call && at >= stack_guard && at < stack_guard + GUARD_SIZE)
		siglongjmp(*current_call, CELL_TRAP_STACK);
	for (struct cell_instance *i = current_instance; current_call && i; i = NULL)
		if (i->memory && at >= i->memory && at < i->memory + reservation)
			siglongjmp(*current_call, CELL_TRAP_MEMORY);
	psiginfo(info, "a fault outside of any guest");
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigaction(signal, &action, NULL);
}

static int run_compiler(const struct guest_tools *tools, const char *source, const char *image)
{
	const char *arguments[80] = {tools->compiler};
	size_t count = 1;
	for (size_t i = 0; tools->flags[i] && count < 70; i++)
		arguments[count++] = tools->flags[i];
	for (size_t i = 0; tools->target_flags[i] && count < 75; i++)
		arguments[count++] = tools->target_flags[i];
	arguments[count++] = tools->level;
	arguments[count++] = "-o";
	arguments[count++] = image;
	arguments[count++] = source;
	pid_t child = fork();
	if (child == 0) {
		execvp(arguments[0], (char *const *)arguments);
		_exit(127);
	}
	int status = -1;
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return status;
}

static int compile(const struct guest_tools *tools, struct guest *guest, struct error *err)
{
	static unsigned number;
	cleanup_buf struct buf text = {0};
	char source[4096], image[4096];
	snprintf(source, sizeof(source), "%s/guest%u.c", tools->directory, ++number);
	snprintf(image, sizeof(image), "%s/guest%u.so", tools->directory, number);
	int rc = wasm_translate(guest->module, &text, err);
	if (rc == 0)
		rc = io_write_file(source, text.data, text.size, 0600, err);
	if (rc < 0)
		return rc;
	int status = run_compiler(tools, source, image);
	if (status != 0)
		return error_set(err, CELLA_EBUG, "the compiler ended with status %d on %s", status, source);
	void *handle = dlopen(image, RTLD_NOW | RTLD_LOCAL);
	guest->image = handle ? dlsym(handle, "cella_image") : NULL;
	if (!guest->image)
		return error_set(err, CELLA_EBUG, "cannot load %s: %s", image, dlerror());
	if (!tools->keep) {
		unlink(source);
		unlink(image);
	}
	return 0;
}

static int read_segments(struct guest *guest, struct error *err)
{
	int rc = wasm_data_segments(guest->module, &guest->segment_bytes, err);
	if (rc < 0)
		return rc;
	struct reader r = reader_of(guest->segment_bytes.data, guest->segment_bytes.size);
	uint32_t count = reader_u32(&r);
	guest->segments = calloc(max_of(count, 1u), sizeof(*guest->segments));
	for (uint32_t i = 0; guest->segments && i < count; i++) {
		guest->segments[i].size = reader_u64(&r);
		guest->segments[i].data = reader_bytes(&r, guest->segments[i].size);
	}
	if (!guest->segments || !reader_finished(&r) || count != guest->image->segment_count)
		return error_set(err, CELLA_EBUG, "the data segments are not as they should be");
	return 0;
}

static int make_instance(struct guest *guest, struct error *err)
{
	const struct cell_image *image = guest->image;
	struct cell_instance *instance = aligned_alloc(16,
	                                               align_up(sizeof(*instance) + image->state_size, 16u));
	uint8_t *memory = mmap(NULL, reservation, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
	                       0);
	uint64_t size = image->memory_pages * CELL_PAGE_SIZE;
	guest->imports = calloc(image->import_count + 1, sizeof(*guest->imports));
	if (!instance || !guest->imports || memory == MAP_FAILED ||
	    (size && mprotect(memory, size, PROT_READ | PROT_WRITE) < 0))
		return error_errno(err, CELLA_ENOMEM, "no memory for an instance");
	memset(instance, 0, sizeof(*instance) + image->state_size);
	instance->memory = memory;
	instance->memory_size = size;
	instance->host = &host;
	instance->imports = guest->imports;
	instance->segments = guest->segments;
	instance->host_data = guest;
	guest->instance = instance;
	return 0;
}

int guest_load(const struct guest_tools *tools, const char *wasm_path, struct guest **ret_guest,
               struct error *err)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	if (!guest)
		return error_set(err, CELLA_ENOMEM, "no memory for a guest");
	int rc = waiters_new(&guest->waiters, err);
	if (rc == 0)
		rc = io_read_file(wasm_path, 64 << 20, &guest->wasm, err);
	if (rc == 0)
		rc = wasm_decode(guest->wasm.data, guest->wasm.size, &guest->module, err);
	if (rc == 0)
		rc = compile(tools, guest, err);
	if (rc == 0)
		rc = read_segments(guest, err);
	if (rc == 0)
		rc = make_instance(guest, err);
	if (rc < 0)
		return rc;
	*ret_guest = guest;
	return 0;
}

const struct cell_export *guest_export(const struct guest *guest, const char *name)
{
	for (uint32_t i = 0; i < guest->image->export_count; i++)
		if (strcmp(guest->image->exports[i].name, name) == 0 && guest->image->exports[i].function)
			return &guest->image->exports[i];
	return NULL;
}

/* A call of one guest by another: the callee's instance is that of the import's target. */
static void forward(struct cell_instance *instance, union cell_value *v, uint32_t number)
{
	struct guest *guest = instance->host_data;
	struct cell_instance *caller = current_instance;
	current_instance = guest->targets[number].guest->instance;
	guest->targets[number].function(current_instance, v);
	current_instance = caller;
}

#define FORWARD(n)                                                                  \
	static void forward##n(struct cell_instance *instance, union cell_value *v) \
	{                                                                           \
		forward(instance, v, n);                                            \
	}
FORWARD(0)
FORWARD(1)
FORWARD(2)
FORWARD(3)
FORWARD(4)
FORWARD(5)
FORWARD(6)
FORWARD(7)
FORWARD(8)
FORWARD(9)
FORWARD(10)
FORWARD(11)
FORWARD(12)
FORWARD(13)
FORWARD(14)
FORWARD(15)
static cell_function *const forwards[IMPORTS_MAX] = {forward0,  forward1,  forward2,  forward3,
                                                     forward4,  forward5,  forward6,  forward7,
                                                     forward8,  forward9,  forward10, forward11,
                                                     forward12, forward13, forward14, forward15};

static void print_nothing(struct cell_instance *instance, union cell_value *v)
{
	(void)instance;
	(void)v;
}

static cell_function *find_spectest(const struct cell_import *import)
{
	static const struct {
		const char *name;
		const char *signature;
	} functions[] = {
		{"print", ":"},      {"print_i32", "i:"},      {"print_i64", "l:"},      {"print_f32", "f:"},
		{"print_f64", "d:"}, {"print_i32_f32", "if:"}, {"print_f64_f64", "dd:"},
	};
	for (size_t i = 0; i < array_count(functions); i++)
		if (strcmp(functions[i].name, import->name) == 0 &&
		    strcmp(functions[i].signature, import->signature) == 0)
			return print_nothing;
	return NULL;
}

static int connect_import(struct guest *guest, uint32_t number, guest_finder *find, void *context,
                          struct error *err)
{
	const struct cell_import *import = &guest->image->imports[number];
	if (strcmp(import->module, "spectest") == 0) {
		guest->imports[number] = find_spectest(import);
	} else if (number < IMPORTS_MAX) {
		struct guest *from = find(context, import->module);
		const struct cell_export *export = from ? guest_export(from, import->name) : NULL;
		if (export && export->signature && strcmp(export->signature, import->signature) == 0) {
			guest->targets[number].guest = from;
			guest->targets[number].function = export->function;
			guest->imports[number] = forwards[number];
		}
	}
	if (!guest->imports[number])
		return error_set(err, CELLA_ENOENT, "no import %s.%s of type %s", import->module,
		                 import->name, import->signature);
	return 0;
}

struct call {
	cell_function *function;
	union cell_value *v;
};

static void initialize(struct cell_instance *instance, union cell_value *v)
{
	const struct guest *guest = instance->host_data;
	(void)v;
	guest->image->initialize(instance);
	if (guest->image->start)
		guest->image->start(instance);
}

static int call(struct guest *guest, cell_function *function, union cell_value *v, uint32_t *ret_trap)
{
	sigjmp_buf here;
	sigjmp_buf *outer_call = current_call;
	struct cell_instance *outer_instance = current_instance;
	int reason = sigsetjmp(here, 1);
	if (reason == 0) {
		current_call = &here;
		current_instance = guest->instance;
		function(guest->instance, v);
	}
	current_call = outer_call;
	current_instance = outer_instance;
	*ret_trap = (uint32_t)reason;
	return reason ? CELLA_ETRAP : 0;
}

int guest_start(struct guest *guest, guest_finder *find, void *context, uint32_t *ret_trap, struct error *err)
{
	for (uint32_t i = 0; i < guest->image->import_count; i++) {
		int rc = connect_import(guest, i, find, context, err);
		if (rc < 0)
			return rc;
	}
	return call(guest, initialize, NULL, ret_trap);
}

int guest_call(struct guest *guest, const struct cell_export *export, union cell_value *v, uint32_t *ret_trap)
{
	return call(guest, export->function, v, ret_trap);
}

void guest_mark_stale(struct guest *guest)
{
	guest->stale = true;
}

bool guest_is_stale(const struct guest *guest)
{
	for (size_t i = 0; i < IMPORTS_MAX; i++)
		if (guest->targets[i].guest && guest_is_stale(guest->targets[i].guest))
			return true;
	return guest->stale;
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
