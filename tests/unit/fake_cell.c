#include "fake_cell.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static jmp_buf exit_landing;

/* Under cmocka as under a fuzzer: the end. */
static void demand(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "fake cell: %s\n", what);
		abort();
	}
}

struct instance *instance_of(struct cell_instance *cell)
{
	return cell->host_data;
}

struct wasi *instance_wasi(struct cell_instance *cell)
{
	return ((struct fake_cell *)cell->host_data)->wasi;
}

void instance_exit(struct cell_instance *cell, int32_t status)
{
	((struct fake_cell *)cell->host_data)->exit_status = status;
	longjmp(exit_landing, 1);
}

static int write_stream(void *data, int stream, const void *bytes, size_t size)
{
	struct fake_cell *fake = data;
	if (fake->owner_gone)
		return CELLA_ELOST;
	buf_put(&fake->streams[stream], bytes, size);
	return 0;
}

static ssize_t read_input(void *data, void *to, size_t size)
{
	struct fake_cell *fake = data;
	size_t take = min_of(size, fake->streams[0].size - fake->input_at);
	if (fake->owner_gone)
		return CELLA_ELOST;
	if (take)
		memcpy(to, fake->streams[0].data + fake->input_at, take);
	fake->input_at += take;
	return (ssize_t)take;
}

static int ask_path(void *data, const struct owner_path_request *request, const char *path,
                    const char *second, struct owner_path_reply *reply, void *reply_data, size_t capacity,
                    int *ret_fd)
{
	struct fake_cell *fake = data;
	cleanup_buf struct buf frame = {0};
	uint8_t answer[sizeof(*reply) + OWNER_PATH_MAX];
	size_t size = 0;
	fake->path_calls++;
	if (fake->owner_gone)
		return CELLA_ELOST;
	buf_put(&frame, request, sizeof(*request));
	buf_put(&frame, path, request->path_size);
	buf_put(&frame, second, request->second_size);
	struct error err;
	int rc = owner_paths_serve(fake->paths, frame.data, frame.size, answer, sizeof(answer), &size, ret_fd,
	                           &err);
	demand(rc == 0, err.text);
	memcpy(reply, answer, sizeof(*reply));
	demand(size == sizeof(*reply) + reply->size, "an answer of another size");
	memcpy(reply_data, answer + sizeof(*reply), min_of((size_t)reply->size, capacity));
	return 0;
}

static void add_directory(struct fake_cell *fake, struct wasi_config *config, struct wasi_preopen *preopens,
                          const char *host, const char *guest, uint32_t flags)
{
	struct error err;
	if (!host)
		return;
	int rc = owner_paths_add(fake->paths, host, flags & OWNER_PREOPEN_READ_ONLY, &err);
	demand(rc == 0, err.text);
	preopens[config->preopen_count++] = (struct wasi_preopen){.guest = guest, .flags = flags};
}

struct fake_cell *fake_cell_new(const char *const *arguments, size_t argument_count,
                                const struct wasi_file *files, size_t file_count, const char *writable,
                                const char *read_only)
{
	static const char *const environment[] = {"A=1", "B="};
	struct wasi_preopen preopens[2];
	struct error err = {0};
	struct fake_cell *fake = calloc(1, sizeof(*fake));
	demand(fake, "no memory");
	fake->exit_status = -1;
	fake->cell = calloc(1, sizeof(*fake->cell));
	fake->memory = malloc(FAKE_MEMORY); /* exactly: AddressSanitizer stands behind it */
	demand(fake->cell, "no memory");
	demand(fake->memory, "no memory");
	memset(fake->memory, 0xee, FAKE_MEMORY);
	*fake->cell =
		(struct cell_instance){.memory = fake->memory, .memory_size = FAKE_MEMORY, .host_data = fake};
	int rc = mem_pool_new(MEM_INSECURE_NONE, 64 << 20, &fake->pool, &err);
	if (rc == 0)
		rc = owner_paths_new(&fake->paths, &err);
	demand(rc == 0, err.text);
	struct wasi_config config = {
		.pool = fake->pool,
		.host = {fake, write_stream, read_input, ask_path},
		.arguments = arguments,
		.argument_count = argument_count,
		.environment = environment,
		.environment_count = array_count(environment),
		.preopens = preopens,
		.files = files,
		.file_count = file_count,
	};
	add_directory(fake, &config, preopens, writable, "/w", 0);
	add_directory(fake, &config, preopens, read_only, "/r", OWNER_PREOPEN_READ_ONLY);
	rc = wasi_new(&config, &fake->wasi, &err);
	demand(rc == 0, err.text);
	return fake;
}

void fake_cell_free(struct fake_cell *fake)
{
	wasi_free(fake->wasi);
	owner_paths_free(fake->paths);
	mem_pool_free(fake->pool);
	for (size_t i = 0; i < array_count(fake->streams); i++)
		buf_done(&fake->streams[i]);
	free(fake->memory);
	free(fake->cell);
	free(fake);
}

uint32_t fake_call(struct fake_cell *fake, const char *name, const uint64_t *arguments, size_t count)
{
	union cell_value v[16] = {0};
	for (size_t i = 0; i < wasi_function_count; i++) {
		const struct host_function *f = &wasi_functions[i];
		if (strcmp(f->name, name) != 0)
			continue;
		demand(count == strcspn(f->signature, ":"), name);
		for (size_t j = 0; j < count; j++)
			v[j].i64 = arguments[j];
		if (setjmp(exit_landing) == 0)
			f->function(fake->cell, v);
		return v[0].i32;
	}
	demand(false, name);
	return 0;
}

uint32_t fake_u32(const struct fake_cell *fake, uint32_t address)
{
	uint32_t value;
	memcpy(&value, fake->memory + address, sizeof(value));
	return value;
}

uint64_t fake_u64(const struct fake_cell *fake, uint32_t address)
{
	uint64_t value;
	memcpy(&value, fake->memory + address, sizeof(value));
	return value;
}

void fake_put_u32(struct fake_cell *fake, uint32_t address, uint32_t value)
{
	memcpy(fake->memory + address, &value, sizeof(value));
}

uint32_t fake_put(struct fake_cell *fake, uint32_t address, const char *text)
{
	memcpy(fake->memory + address, text, strlen(text));
	return (uint32_t)strlen(text);
}

bool instance_overdue(struct cell_instance *cell)
{
	(void)cell;
	return false;
}

/* Only a time-out raises one here, and there is none. */
void instance_trap(struct cell_instance *cell, uint32_t trap, const char *format, ...)
{
	(void)cell;
	(void)trap;
	(void)format;
	abort();
}
