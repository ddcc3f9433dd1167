/*
 * Runs a cell by the executor's own loader, instances, traps and WASI, but without launcher, owner and
 * sandbox, which need more of a kernel than an emulator of one processor's programs has:
 *
 *     cell-host [--target NAME] FILE.cell [ARGUMENT…]
 *
 * runs the artifact for the target (by default the one that an executor would take), prints what the cell
 * prints, and exits with its status; 134 and the report on standard error if it traps.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cell/code.h"
#include "cell/trap.h"
#include "cell/wasi/wasi.h"
#include "wasm/target.h"

enum { HEAP = 1 << 30, STACK = 1 << 20, FILE_MAX = 1 << 28, TRAP_STATUS = 134, FAILED_STATUS = 125 };

static int write_stream(void *data, int stream, const void *bytes, size_t size)
{
	(void)data;
	return io_write_full(stream, bytes, size, NULL);
}

static ssize_t read_input(void *data, void *to, size_t size)
{
	(void)data;
	return read(STDIN_FILENO, to, size);
}

/* It has no directories, so nobody asks. */
static int ask_path(void *data, const struct owner_path_request *request, const char *path,
                    const char *second, struct owner_path_reply *reply, void *reply_data, size_t capacity,
                    int *ret_fd)
{
	(void)data, (void)request, (void)path, (void)second, (void)reply, (void)reply_data, (void)capacity;
	(void)ret_fd;
	return CELLA_ELOST;
}

static bool accepts_all(const uint8_t builder[CRYPTO_ED25519_SIZE], void *context)
{
	(void)builder, (void)context;
	return true;
}

static int choose(const struct bundle *bundle, const char *target, const struct bundle_artifact **ret,
                  struct error *err)
{
	if (!target)
		return bundle_choose(bundle, accepts_all, NULL, ret, err);
	for (size_t i = 0; i < bundle->artifact_count; i++)
		if (strcmp(bundle->artifacts[i].target, target) == 0) {
			*ret = &bundle->artifacts[i];
			return bundle_verify(bundle, *ret, err);
		}
	return error_set(err, CELLA_ENOENT, "the cell has no machine code for %s", target);
}

struct job {
	const char *target;
	char **arguments; /* the cell's path first */
	size_t argument_count;
	struct mem_pool *pool;
	int status;
};

static int run(struct job *j, struct code *code, struct error *err)
{
	struct wasi *wasi = NULL;
	struct instance *instance;
	struct trap_report report = {0};
	const struct wasi_config config = {
		.pool = j->pool,
		.host = {NULL, write_stream, read_input, ask_path},
		.arguments = (const char *const *)j->arguments,
		.argument_count = j->argument_count,
	};
	int rc = trap_init(j->pool, err);
	if (rc == 0)
		rc = wasi_new(&config, &wasi, err);
	const struct instance_config parts = {.pool = j->pool,
	                                      .code = code,
	                                      .heap = HEAP / 2,
	                                      .stack_size = STACK,
	                                      .wasi = wasi};
	if (rc == 0)
		rc = instance_new(&parts, &instance, err);
	if (rc == 0)
		rc = instance_call(instance, "_start", ":", NULL, 0, &report, err);
	if (rc == 0 || (rc == CELLA_ETRAP && report.trap == CELL_TRAP_EXIT)) {
		j->status = report.status;
		return 0;
	}
	if (rc == CELLA_ETRAP)
		j->status = TRAP_STATUS;
	return rc;
}

static int load_and_run(struct job *j, struct error *err)
{
	cleanup_buf struct buf data = {0};
	struct bundle bundle;
	const struct bundle_artifact *artifact;
	struct code *code;
	int rc = mem_pool_new(MEM_INSECURE_NONE, HEAP, &j->pool, err);
	if (rc == 0)
		rc = crypto_init(NULL, err);
	if (rc == 0)
		rc = io_read_file(j->arguments[0], FILE_MAX, &data, err);
	if (rc == 0)
		rc = bundle_parse(data.data, data.size, &bundle, err);
	if (rc == 0)
		rc = choose(&bundle, j->target, &artifact, err);
	if (rc == 0)
		rc = code_map(artifact, &code, err);
	return rc < 0 ? rc : run(j, code, err);
}

int main(int argc, char **argv)
{
	struct job j = {.status = FAILED_STATUS, .arguments = argv + 1, .argument_count = (size_t)argc - 1};
	struct error err;
	if (argc > 3 && strcmp(argv[1], "--target") == 0) {
		j.target = argv[2];
		j.arguments += 2;
		j.argument_count -= 2;
	}
	if (j.argument_count == 0) {
		fputs("usage: cell-host [--target NAME] FILE.cell [ARGUMENT...]\n", stderr);
		return FAILED_STATUS;
	}
	if (load_and_run(&j, &err) < 0)
		fprintf(stderr, "cell-host: %s\n", err.text);
	return j.status;
}
