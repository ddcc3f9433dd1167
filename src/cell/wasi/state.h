/*
 * What the files of WASI share: the state, descriptors, memory files, and the functions behind
 * the imports (functions.c).
 *
 * A directory is known by its preopened directory and the path beneath it. A path that a cell
 * gives is looked up twice: lexically among the memory files, then, if there is none, by the
 * owner, or in the volume. Where no preopened directory reaches, there is the root: a directory without a
 * host that has memory files and the directories on the way to them only, in which a cell creates nothing.
 */
#ifndef CELL_WASI_STATE_H
#define CELL_WASI_STATE_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "cell/wasi/format.h"
#include "cell/wasi/wasi.h"
#include "volume/volume.h"

enum {
	WASI_DESCRIPTORS_MAX = 1024,
	WASI_PREOPENS_MAX = 64,
	WASI_FIRST_PREOPEN = 3,
	WASI_STRINGS_MAX = 1 << 20, /* bytes of arguments, and of the environment */
	WASI_IOVECS_MAX = 1024,
	WASI_SUBSCRIPTIONS_MAX = 1024,
	WASI_RIGHTS_FILE = WASI_FD_DATASYNC | WASI_FD_READ | WASI_FD_SEEK | WASI_FD_FDSTAT_SET_FLAGS |
	                   WASI_FD_SYNC | WASI_FD_TELL | WASI_FD_WRITE | WASI_FD_ADVISE | WASI_FD_ALLOCATE |
	                   WASI_FD_FILESTAT_GET | WASI_FD_FILESTAT_SET_SIZE | WASI_FD_FILESTAT_SET_TIMES |
	                   WASI_POLL_FD_READWRITE,
	WASI_RIGHTS_WRITING = WASI_FD_WRITE | WASI_FD_ALLOCATE | WASI_FD_FILESTAT_SET_SIZE,
	WASI_RIGHTS_DIRECTORY = WASI_FD_DATASYNC | WASI_FD_SYNC | WASI_FD_FDSTAT_SET_FLAGS |
	                        WASI_PATH_CREATE_DIRECTORY | WASI_PATH_CREATE_FILE | WASI_PATH_LINK_SOURCE |
	                        WASI_PATH_LINK_TARGET | WASI_PATH_OPEN | WASI_FD_READDIR |
	                        WASI_PATH_READLINK | WASI_PATH_RENAME_SOURCE | WASI_PATH_RENAME_TARGET |
	                        WASI_PATH_FILESTAT_GET | WASI_PATH_FILESTAT_SET_SIZE |
	                        WASI_PATH_FILESTAT_SET_TIMES | WASI_FD_FILESTAT_GET |
	                        WASI_FD_FILESTAT_SET_TIMES | WASI_PATH_SYMLINK | WASI_PATH_REMOVE_DIRECTORY |
	                        WASI_PATH_UNLINK_FILE,
	WASI_RIGHTS_STREAM = WASI_FD_FDSTAT_SET_FLAGS | WASI_FD_FILESTAT_GET | WASI_FD_SYNC |
	                     WASI_FD_DATASYNC | WASI_POLL_FD_READWRITE,
};

struct wasi_memory_file {
	TAILQ_ENTRY(wasi_memory_file) link; /* while it has a path; in the order of `inode` */
	uint64_t inode;
	uint32_t references; /* descriptors, and one while it has a path */
	char *path;          /* absolute and normal; NULL once it was dropped */
	uint8_t *data;
	size_t size;
	size_t capacity;
	uint64_t atime_ns, mtime_ns;
};

/* Names of a volume's directory that fd_readdir gave last, and the cookies behind them. */
struct wasi_volume_place {
	struct {
		uint64_t cookie;
		char name[VOLUME_NAME_MAX + 1];
	} recent[2];
};

enum wasi_kind { WASI_FREE, WASI_STREAM, WASI_DIRECTORY, WASI_FILE, WASI_MEMORY, WASI_VOLUME };

struct wasi_descriptor {
	enum wasi_kind kind;
	bool preopened;
	uint16_t flags; /* enum wasi_fdflags */
	int fd; /* of a file or directory on the host, or -1: the root, or a preopened one not opened yet */
	uint32_t preopen; /* of a file or directory of the host: index into the roots */
	char *path; /* the same: beneath the preopened directory; "" that itself */
	struct wasi_memory_file *file; /* WASI_MEMORY */
	struct volume_file *volume_file; /* WASI_VOLUME */
	struct wasi_volume_place *place; /* of a volume's directory; made when first needed */
	uint64_t offset; /* WASI_MEMORY, WASI_VOLUME; WASI_STREAM: which one */
	uint64_t base, inheriting; /* rights */
};

struct wasi_root {
	char *name; /* as the cell is told */
	char *absolute; /* normal */
	uint32_t flags; /* enum owner_preopen_flag */
	bool memory; /* no directory of the host */
	struct volume *volume; /* NULL: none */
};

/* Zero-terminated strings, one after another. */
struct wasi_strings {
	char *text;
	size_t size;
	size_t count;
};

/* A path that a cell gave, resolved as far as this side can. */
struct wasi_target {
	const struct wasi_root *root;
	struct wasi_memory_file *file; /* the memory file there, or NULL */
	uint32_t preopen;
	bool as_directory; /* it ended with a slash */
	char beneath[OWNER_PATH_MAX + 1];
	char absolute[OWNER_PATH_MAX + 1];
};

struct wasi_scratch {
	struct wasi_target first, second;
	char answer[OWNER_PATH_MAX];
	_Alignas(8) uint8_t entries[4096];
};

struct wasi {
	struct mem_pool *pool;
	struct wasi_host host;
	struct wasi_strings arguments, environment;
	struct wasi_root *roots; /* the preopened directories, then the one of memory files */
	uint32_t root_count;
	TAILQ_HEAD(, wasi_memory_file) files;
	const struct wasi_file *given; /* those of the config; borrowed */
	size_t given_count;
	void (*opening)(void *data, const char *path); /* as those of the config */
	void *opening_data;
	uint64_t told_ns, told_at_ns;
	uint64_t next_inode;
	uint32_t told; /* failures of volumes that standard error has named */
	uint64_t reported; /* bits of the unsupported functions that the log has named */
	struct wasi_descriptor *descriptors;
	uint32_t descriptor_count;
	struct wasi_scratch *scratch; /* of the call in progress; made when first needed */
};

/* The type of the functions behind the imports; they answer an enum wasi_errno. */
typedef uint32_t wasi_function(struct wasi *w, struct cell_instance *cell, const union cell_value *v);

/* wasi.c: descriptors */
uint32_t wasi_descriptor(struct wasi *w, uint32_t number, uint64_t rights, struct wasi_descriptor **ret);
/* A free one (to be filled at once), *ret_number its number; WASI_EMFILE. */
uint32_t wasi_descriptor_new(struct wasi *w, uint32_t *ret_number, struct wasi_descriptor **ret);
void wasi_descriptor_close(struct wasi *w, struct wasi_descriptor *d);
char *wasi_copy(struct wasi *w, const char *text); /* in protected memory; NULL: none is left */
uint32_t wasi_errno_of(int number);                /* from Linux's */
/* Wall clock: the host's, which is not trusted, or what was told. */
uint64_t wasi_now_ns(const struct wasi *w);

/* memory.c: memory files */
struct wasi_memory_file *wasi_memory_find(struct wasi *w, const char *absolute);
/* Does no preopened directory cover it, but the root? */
bool wasi_memory_in_root(const struct wasi *w, const struct wasi_memory_file *file);
/* Is it the root, or a directory on the way to a memory file that lies there? */
bool wasi_memory_has_directory(const struct wasi *w, const char *absolute);
/* A new empty one at the path, in place of what was there; NULL: no memory. */
struct wasi_memory_file *wasi_memory_new(struct wasi *w, const char *absolute);
void wasi_memory_unlink(struct wasi *w, struct wasi_memory_file *file);
void wasi_memory_unref(struct wasi *w, struct wasi_memory_file *file);
uint32_t wasi_memory_move(struct wasi *w, struct wasi_memory_file *file, const char *absolute);
uint32_t wasi_memory_resize(struct wasi *w, struct wasi_memory_file *file, uint64_t size);
size_t wasi_memory_read(const struct wasi_memory_file *file, uint64_t offset, void *to, size_t size);
uint32_t wasi_memory_write(struct wasi *w, struct wasi_memory_file *file, uint64_t offset, const void *from,
                           size_t size);
/* The rest of the host's file `fd` appended. */
uint32_t wasi_memory_fill(struct wasi *w, struct wasi_memory_file *file, int fd);
void wasi_memory_stat(const struct wasi_memory_file *file, struct wasi_filestat *ret);

/* resolve.c: paths */
/* NULL: no memory. */
struct wasi_scratch *wasi_scratch(struct wasi *w);
/* Append `path` to the normal absolute path in `to` lexically; WASI_ENOTCAPABLE above the first
 * `floor` bytes. */
uint32_t wasi_path_join(char to[OWNER_PATH_MAX + 1], size_t floor, const char *path);
/* The rest of `absolute` beneath the directory ("" for itself), or NULL. */
const char *wasi_path_beneath(const char *directory, const char *absolute);
/* The path of `size` bytes at `address` in the cell, from the directory `number`, with these rights on it. */
uint32_t wasi_resolve(struct wasi *w, struct cell_instance *cell, uint32_t number, uint64_t rights,
                      uint32_t address, uint32_t size, struct wasi_target *ret);
/* The same for an absolute path of the host's side. */
uint32_t wasi_resolve_absolute(struct wasi *w, const char *path, struct wasi_target *ret);
/* An operation of the owner on the target (and a second one, or a text in its place). */
uint32_t wasi_ask(struct wasi *w, struct owner_path_request *request, const struct wasi_target *target,
                  const struct wasi_target *second, const char *text, size_t *ret_size, int *ret_fd);
/* Why the cell may not change the target: WASI_EROFS, WASI_ENOTCAPABLE; or WASI_SUCCESS. */
uint32_t wasi_may_change(const struct wasi_target *target);
void wasi_stat_of_owner(const struct owner_path_stat *from, struct wasi_filestat *ret);
/* What a descriptor of the host was opened by: root, preopen and the path beneath. */
void wasi_target_of(const struct wasi *w, const struct wasi_descriptor *d, struct wasi_target *ret);
/* The directory's descriptor on the host; opens a preopened one when it is first needed. */
uint32_t wasi_directory_fd(struct wasi *w, struct wasi_descriptor *d, int *ret_fd);
uint8_t wasi_filetype_of(uint32_t mode);

/* volume.c: preopened directories that are volumes */
/* What wasi_ask does, of a volume; the answer in the scratch memory. Not OWNER_PATH_OPEN. */
uint32_t wasi_volume_ask(struct wasi *w, const struct owner_path_request *request,
                         const struct wasi_target *target, const struct wasi_target *second, const char *text,
                         size_t *ret_size);
/* `flags` as OWNER_PATH_OPEN has them. Fills kind, path, preopen and what belongs to the kind. */
uint32_t wasi_volume_open(struct wasi *w, const struct wasi_target *target, uint32_t flags,
                          struct wasi_descriptor *d);
uint32_t wasi_volume_read(struct wasi *w, struct wasi_descriptor *d, uint64_t offset, void *to, size_t size,
                          size_t *ret_size);
uint32_t wasi_volume_write(struct wasi *w, struct wasi_descriptor *d, uint64_t offset, const void *from,
                           size_t size);
uint32_t wasi_volume_resize(struct wasi *w, struct wasi_descriptor *d, uint64_t size);
uint64_t wasi_volume_size(const struct wasi_descriptor *d);
void wasi_volume_stat(const struct wasi_descriptor *d, struct wasi_filestat *ret);
uint32_t wasi_volume_set_times(struct wasi *w, struct wasi_descriptor *d,
                               const struct owner_path_request *times);
/* Of a file or directory: all that was written to its volume becomes a commit. */
uint32_t wasi_volume_sync(struct wasi *w, const struct wasi_descriptor *d);
/* The entry behind this cookie (0: the first), and the cookie behind that one. WASI_ENOENT: there is none. */
uint32_t wasi_volume_next(struct wasi *w, struct wasi_descriptor *d, uint64_t cookie,
                          struct volume_entry *ret_entry, uint64_t *ret_next);
/* A whole file, appended to a memory file; or created or replaced. */
uint32_t wasi_volume_load(struct wasi *w, const struct wasi_target *target, struct wasi_memory_file *to);
uint32_t wasi_volume_store(struct wasi *w, const struct wasi_target *target, const void *data, size_t size);

/* stat.c: what is known of files, times */
/* fstat, as the system call of that name: the C library's is newfstatat, which the sandbox refuses, as it may
 * be given a path that leads out of a directory. */
int wasi_fstat(int fd, struct stat *ret_stat);
/* From the flags and times of a call; what stays as it is becomes INT64_MIN. */
uint32_t wasi_times(const struct wasi *w, uint32_t flags, uint64_t atime_ns, uint64_t mtime_ns,
                    struct owner_path_request *ret);
void wasi_memory_set_times(struct wasi_memory_file *file, const struct owner_path_request *times);

/* Guest memory: `size` bytes of the cell at `address`, or NULL. It traps where they are lost
 * (instance_touch), so nothing may be held before. */
static inline void *wasi_bytes(struct cell_instance *cell, uint32_t address, uint64_t size)
{
	void *bytes = instance_memory(cell, address, size);
	if (bytes)
		instance_touch(cell, bytes, size);
	return bytes;
}

#define WASI_FUNCTIONS(X)                       \
	X(args_get, "ii:i")                     \
	X(args_sizes_get, "ii:i")               \
	X(environ_get, "ii:i")                  \
	X(environ_sizes_get, "ii:i")            \
	X(clock_res_get, "ii:i")                \
	X(clock_time_get, "ili:i")              \
	X(random_get, "ii:i")                   \
	X(sched_yield, ":i")                    \
	X(poll_oneoff, "iiii:i")                \
	X(fd_advise, "illi:i")                  \
	X(fd_allocate, "ill:i")                 \
	X(fd_close, "i:i")                      \
	X(fd_datasync, "i:i")                   \
	X(fd_fdstat_get, "ii:i")                \
	X(fd_fdstat_set_flags, "ii:i")          \
	X(fd_fdstat_set_rights, "ill:i")        \
	X(fd_filestat_get, "ii:i")              \
	X(fd_filestat_set_size, "il:i")         \
	X(fd_filestat_set_times, "illi:i")      \
	X(fd_pread, "iiili:i")                  \
	X(fd_prestat_get, "ii:i")               \
	X(fd_prestat_dir_name, "iii:i")         \
	X(fd_pwrite, "iiili:i")                 \
	X(fd_read, "iiii:i")                    \
	X(fd_readdir, "iiili:i")                \
	X(fd_renumber, "ii:i")                  \
	X(fd_seek, "ilii:i")                    \
	X(fd_sync, "i:i")                       \
	X(fd_tell, "ii:i")                      \
	X(fd_write, "iiii:i")                   \
	X(path_create_directory, "iii:i")       \
	X(path_filestat_get, "iiiii:i")         \
	X(path_filestat_set_times, "iiiilli:i") \
	X(path_link, "iiiiiii:i")               \
	X(path_open, "iiiiillii:i")             \
	X(path_readlink, "iiiiii:i")            \
	X(path_remove_directory, "iii:i")       \
	X(path_rename, "iiiiii:i")              \
	X(path_symlink, "iiiii:i")              \
	X(path_unlink_file, "iii:i")
#define WASI_DECLARE(name, signature) wasi_function wasi_##name;
WASI_FUNCTIONS(WASI_DECLARE)

/* What a program that only computes on files does not need; answered WASI_ENOSYS. */
#define WASI_UNSUPPORTED(X)      \
	X(proc_raise, "i:i")     \
	X(sock_accept, "iii:i")  \
	X(sock_recv, "iiiiii:i") \
	X(sock_send, "iiiii:i")  \
	X(sock_shutdown, "ii:i")

#endif
