/*
 * WASI preview 1 as a cell sees it: numbers and structures in its linear memory
 * (wasi_snapshot_preview1.witx). Structures are copied whole to and from the cell; on the
 * little-endian machines that Cella runs on their layout is C's.
 */
#ifndef CELL_WASI_FORMAT_H
#define CELL_WASI_FORMAT_H

#include <assert.h>
#include <stdint.h>

#define WASI_MODULE "wasi_snapshot_preview1"

enum wasi_errno {
	WASI_SUCCESS = 0,
	WASI_E2BIG = 1,
	WASI_EACCES = 2,
	WASI_EAGAIN = 6,
	WASI_EBADF = 8,
	WASI_EBUSY = 10,
	WASI_EDQUOT = 19,
	WASI_EEXIST = 20,
	WASI_EFAULT = 21,
	WASI_EFBIG = 22,
	WASI_EILSEQ = 25,
	WASI_EINTR = 27,
	WASI_EINVAL = 28,
	WASI_EIO = 29,
	WASI_EISDIR = 31,
	WASI_ELOOP = 32,
	WASI_EMFILE = 33,
	WASI_EMLINK = 34,
	WASI_ENAMETOOLONG = 37,
	WASI_ENFILE = 41,
	WASI_ENODEV = 43,
	WASI_ENOENT = 44,
	WASI_ENOMEM = 48,
	WASI_ENOSPC = 51,
	WASI_ENOSYS = 52,
	WASI_ENOTDIR = 54,
	WASI_ENOTEMPTY = 55,
	WASI_ENOTSUP = 58,
	WASI_ENXIO = 60,
	WASI_EOVERFLOW = 61,
	WASI_EPERM = 63,
	WASI_EPIPE = 64,
	WASI_ERANGE = 68,
	WASI_EROFS = 69,
	WASI_ESPIPE = 70,
	WASI_ETXTBSY = 74,
	WASI_EXDEV = 75,
	WASI_ENOTCAPABLE = 76,
};

enum wasi_rights {
	WASI_FD_DATASYNC = 1 << 0,
	WASI_FD_READ = 1 << 1,
	WASI_FD_SEEK = 1 << 2,
	WASI_FD_FDSTAT_SET_FLAGS = 1 << 3,
	WASI_FD_SYNC = 1 << 4,
	WASI_FD_TELL = 1 << 5,
	WASI_FD_WRITE = 1 << 6,
	WASI_FD_ADVISE = 1 << 7,
	WASI_FD_ALLOCATE = 1 << 8,
	WASI_PATH_CREATE_DIRECTORY = 1 << 9,
	WASI_PATH_CREATE_FILE = 1 << 10,
	WASI_PATH_LINK_SOURCE = 1 << 11,
	WASI_PATH_LINK_TARGET = 1 << 12,
	WASI_PATH_OPEN = 1 << 13,
	WASI_FD_READDIR = 1 << 14,
	WASI_PATH_READLINK = 1 << 15,
	WASI_PATH_RENAME_SOURCE = 1 << 16,
	WASI_PATH_RENAME_TARGET = 1 << 17,
	WASI_PATH_FILESTAT_GET = 1 << 18,
	WASI_PATH_FILESTAT_SET_SIZE = 1 << 19,
	WASI_PATH_FILESTAT_SET_TIMES = 1 << 20,
	WASI_FD_FILESTAT_GET = 1 << 21,
	WASI_FD_FILESTAT_SET_SIZE = 1 << 22,
	WASI_FD_FILESTAT_SET_TIMES = 1 << 23,
	WASI_PATH_SYMLINK = 1 << 24,
	WASI_PATH_REMOVE_DIRECTORY = 1 << 25,
	WASI_PATH_UNLINK_FILE = 1 << 26,
	WASI_POLL_FD_READWRITE = 1 << 27,
};

enum wasi_filetype {
	WASI_FILETYPE_UNKNOWN = 0,
	WASI_FILETYPE_BLOCK_DEVICE = 1,
	WASI_FILETYPE_CHARACTER_DEVICE = 2,
	WASI_FILETYPE_DIRECTORY = 3,
	WASI_FILETYPE_REGULAR_FILE = 4,
	WASI_FILETYPE_SYMBOLIC_LINK = 7,
};

enum wasi_fdflags {
	WASI_FDFLAG_APPEND = 1 << 0,
	WASI_FDFLAG_DSYNC = 1 << 1,
	WASI_FDFLAG_NONBLOCK = 1 << 2,
	WASI_FDFLAG_RSYNC = 1 << 3,
	WASI_FDFLAG_SYNC = 1 << 4,
	WASI_FDFLAGS = (1 << 5) - 1,
};

enum wasi_oflags {
	WASI_OFLAG_CREAT = 1 << 0,
	WASI_OFLAG_DIRECTORY = 1 << 1,
	WASI_OFLAG_EXCL = 1 << 2,
	WASI_OFLAG_TRUNC = 1 << 3,
	WASI_OFLAGS = (1 << 4) - 1,
};

enum wasi_fstflags {
	WASI_FSTFLAG_ATIM = 1 << 0,
	WASI_FSTFLAG_ATIM_NOW = 1 << 1,
	WASI_FSTFLAG_MTIM = 1 << 2,
	WASI_FSTFLAG_MTIM_NOW = 1 << 3,
	WASI_FSTFLAGS = (1 << 4) - 1,
};

enum {
	WASI_LOOKUP_SYMLINK_FOLLOW = 1,
	WASI_WHENCE_SET = 0,
	WASI_WHENCE_CUR = 1,
	WASI_WHENCE_END = 2,
	WASI_ADVICE_COUNT = 6,
	WASI_CLOCK_REALTIME = 0,
	WASI_CLOCK_MONOTONIC = 1,
	WASI_CLOCK_COUNT = 4,
	WASI_EVENTTYPE_CLOCK = 0,
	WASI_EVENTTYPE_FD_READ = 1,
	WASI_EVENTTYPE_FD_WRITE = 2,
	WASI_SUBSCRIPTION_ABSTIME = 1,
	WASI_PREOPENTYPE_DIR = 0,
};

struct wasi_iovec {
	uint32_t buffer;
	uint32_t size;
};
static_assert(sizeof(struct wasi_iovec) == 8, "layout");

struct wasi_fdstat {
	uint8_t filetype;
	uint8_t padding0;
	uint16_t flags;
	uint32_t padding1;
	uint64_t rights_base;
	uint64_t rights_inheriting;
};
static_assert(sizeof(struct wasi_fdstat) == 24, "layout");

struct wasi_filestat {
	uint64_t device;
	uint64_t inode;
	uint8_t filetype;
	uint8_t padding[7];
	uint64_t links;
	uint64_t size;
	uint64_t atime_ns;
	uint64_t mtime_ns;
	uint64_t ctime_ns;
};
static_assert(sizeof(struct wasi_filestat) == 64, "layout");

struct wasi_dirent {
	uint64_t next; /* cookie of the entry after this one */
	uint64_t inode;
	uint32_t name_size;
	uint8_t filetype;
	uint8_t padding[3];
};
static_assert(sizeof(struct wasi_dirent) == 24, "layout");

struct wasi_prestat {
	uint8_t type;
	uint8_t padding[3];
	uint32_t name_size;
};
static_assert(sizeof(struct wasi_prestat) == 8, "layout");

struct wasi_subscription {
	uint64_t userdata;
	uint8_t type;
	uint8_t padding0[7];
	union {
		struct {
			uint32_t id;
			uint32_t padding1;
			uint64_t timeout_ns;
			uint64_t precision_ns;
			uint16_t flags;
			uint8_t padding2[6];
		} clock;
		uint32_t descriptor;
	};
};
static_assert(sizeof(struct wasi_subscription) == 48, "layout");

struct wasi_event {
	uint64_t userdata;
	uint16_t error;
	uint8_t type;
	uint8_t padding0[5];
	uint64_t byte_count;
	uint16_t flags;
	uint8_t padding1[6];
};
static_assert(sizeof(struct wasi_event) == 32, "layout");

#endif
