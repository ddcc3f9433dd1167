/*
 * WASI preview 1 for a cell: arguments, environment, clocks, random, files under preopened
 * directories, standard streams, exit. Everything else answers ENOSYS with one log line.
 *
 * The executor has no file system. Standard streams and operations on paths go to the owner
 * through `struct wasi_host`; reads and writes of open files go to the descriptors that came back, straight
 * between the kernel and the cell's protected memory.
 *
 * A preopened directory may be a volume (volume/volume.h), opened in this process: then its names are
 * resolved here, and the owner sees ciphertext only.
 *
 * Besides, a wasi has *memory files*: whole files in protected memory that lie over the
 * preopened directories. Task data of kind file are such files.
 *
 * Threats: every pointer, length, descriptor and path comes from an untrusted cell. The owner's
 * side resolves paths beneath the preopened directory (RESOLVE_BENEATH); this side checks form and rights.
 */
#ifndef CELL_WASI_H
#define CELL_WASI_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "cell/instance.h"
#include "cell/owner/format.h"

struct wasi_host {
	void *data;
	/* Standard output (1) or error (2). 0 or a CELLA_E*. */
	int (*write_stream)(void *data, int stream, const void *bytes, size_t size);
	/* Standard input: at most `size` bytes, 0 at the end, or a CELLA_E*. */
	ssize_t (*read_input)(void *data, void *to, size_t size);
	/* One operation on a path; the answer's data (at most `capacity` bytes) to `reply_data`,
	 * a descriptor to *ret_fd (else -1). 0 or a CELLA_E* if the owner is gone; the operation's own result
	 * is reply->error. */
	int (*path)(void *data, const struct owner_path_request *request, const char *path,
	            const char *second, struct owner_path_reply *reply, void *reply_data, size_t capacity,
	            int *ret_fd);
};

struct wasi_preopen {
	const char *guest; /* such as "/data" */
	uint32_t flags;    /* enum owner_preopen_flag */
	struct volume *volume; /* what it is, opened, where it is one; borrowed */
};

/* A memory file that is there from the start of each program. */
struct wasi_file {
	const char *path; /* absolute and normal */
	const void *data;
	size_t size;
};

struct wasi_config {
	struct mem_pool *pool;
	struct wasi_host host;
	const char *const *arguments;
	size_t argument_count;
	const char *const *environment; /* "K=V" */
	size_t environment_count;
	const struct wasi_preopen *preopens;
	size_t preopen_count;
	const struct wasi_file *files; /* lives as long as the wasi */
	size_t file_count;
	/* The cell opens the memory file of this name, which may be replaced first (wasi_file_put;
	 * `path` is good until then). NULL is fine. */
	void (*opening)(void *data, const char *path);
	void *opening_data;
	/* The time in ns since 1970, and clock_boot_ns then: CLOCK_REALTIME counts on from there. 0:
	 * nobody has said what time it is, so it is the host's clock. */
	uint64_t told_ns, told_at_ns;
};

/* Copies what the config points to, but for the files, into protected memory. */
int wasi_new(const struct wasi_config *config, struct wasi **ret_wasi, struct error *err) must_check;
void wasi_free(struct wasi *wasi); /* closes what is open */

extern const struct host_function wasi_functions[];
extern const size_t wasi_function_count;

/* Put a memory file at an absolute guest path (replaces one that is there). */
int wasi_file_put(struct wasi *wasi, const char *path, const void *data, size_t size,
                  struct error *err) must_check;
/* A whole file by its guest path, memory file or preopened, into protected memory of the pool
 * (mem_free it). */
int wasi_file_read(struct wasi *wasi, const char *path, uint8_t **ret_data, size_t *ret_size,
                   struct error *err) must_check;
/* Write a whole file beneath a preopened directory (created or replaced); as a memory file where no
 * preopened directory covers the path. */
int wasi_file_write(struct wasi *wasi, const char *path, const void *data, size_t size,
                    struct error *err) must_check;
/* Forget the memory file. */
void wasi_file_drop(struct wasi *wasi, const char *path);
/* How many descriptors are open, standard streams and preopened directories included. */
size_t wasi_open_count(const struct wasi *wasi);
/* Nothing of the last program stays for the next: closes every descriptor but standard streams and preopens,
 * and drops all memory files, whatever they are called by now; those of the config are as they were. Where
 * memory does not suffice for that there are no preopens. */
void wasi_reset(struct wasi *wasi);

#endif
