/*
 * The owner's channel: a stream socket between an executor and the owner's command line.
 *
 * Frame: struct owner_frame, then `size` bytes; a frame may carry one descriptor.
 * Plaintext crosses it sealed only. Path names of preopened directories and the descriptors of files
 * in them cross it in the clear: those directories are in the clear on the host anyway. So do the names of
 * the files that a volume is stored in; what is in the volume, and its names, stay in the executor.
 *
 *   owner -> executor   PROVISION   HPKE (info "cella provision 5") of a provisioning (cell/provision.h)
 *   owner -> executor   GRANT       HPKE (info "cella grant 5") of a grant, by a CAS; after PROVISION, which
 *                                   says how many come
 *   executor -> owner   STREAM      sealed record (owner_stream_id) of standard output (1) or error (2)
 *   executor -> owner   INPUT       u32: wants so many bytes of standard input at most; answered by
 *                                   INPUT: sealed record (stream 0; empty: end)
 *   executor -> owner   PATH        struct owner_path_request, path, second path; answered by PATH:
 *                                   struct owner_path_reply, data, one descriptor
 *   executor -> owner   KEEPER      struct owner_keeper_head; sealed (owner_keeper_id): struct
 *                                   owner_keeper_request; answered by KEEPER: head; sealed: struct
 *                                   owner_keeper_reply, text. Of a grant's keeper the owner passes both on to
 *                                   the CAS and back; where none comes back, head.error and why, in the
 *                                   clear. To a CAS also struct owner_identity_request, answered by
 *                                   what cell/identity_question.h says. Several may be under way to a
 *                                   CAS: their answers come in order, between other frames
 *   executor -> owner   LAST        as KEEPER, to a grant's keeper: a question that the owner keeps, and asks
 *                                   if the executor ends without EXIT. It has no answer, and is numbered
 *                                   behind all others (owner_last_number)
 *   executor -> owner   EXIT        sealed record (owner_exit_id): struct owner_exit, text
 *   executor -> owner   REFUSED     in the clear: i32 code, text: why it gives up before it runs a cell
 */
#ifndef CELL_OWNER_FORMAT_H
#define CELL_OWNER_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "seal/seal.h"
#include "volume/volume_format.h"

enum {
	OWNER_STREAM_MAX = 1 << 16, /* plaintext of a stream record */
	OWNER_PATH_MAX = 4096,
	OWNER_KEEPER_TEXT_MAX = 512,
};

enum owner_type {
	OWNER_PROVISION = 1,
	OWNER_STREAM,
	OWNER_INPUT,
	OWNER_PATH,
	OWNER_EXIT,
	OWNER_REFUSED,
	OWNER_KEEPER,
	OWNER_GRANT,
	OWNER_LAST,
};

struct owner_frame {
	uint32_t type;
	uint32_t size;
};

enum owner_path_operation {
	OWNER_PATH_OPEN = 1,   /* answered with a descriptor of a file or directory */
	OWNER_PATH_STAT,       /* struct owner_path_stat */
	OWNER_PATH_MKDIR,
	OWNER_PATH_UNLINK,
	OWNER_PATH_RMDIR,
	OWNER_PATH_RENAME,     /* second path */
	OWNER_PATH_READLINK,   /* the target */
	OWNER_PATH_SYMLINK,    /* path: where, second path: the target */
	OWNER_PATH_LINK,       /* second path: the new name */
	OWNER_PATH_SET_TIMES,
};

struct owner_path_request {
	uint32_t operation;
	uint32_t preopen;        /* index of the preopened directory of `path` */
	uint32_t second_preopen; /* of the second path */
	uint32_t flags; /* of open: O_* bits as WASI's path_open means them, enum owner_path_flag */
	int64_t atime_ns, mtime_ns; /* SET_TIMES; INT64_MIN: leave */
	uint32_t path_size;
	uint32_t second_size;
};
enum owner_path_flag {
	OWNER_PATH_READ = 1,
	OWNER_PATH_WRITE = 2,
	OWNER_PATH_CREATE = 4,
	OWNER_PATH_EXCLUSIVE = 8,
	OWNER_PATH_TRUNCATE = 16,
	OWNER_PATH_DIRECTORY = 32,
	OWNER_PATH_APPEND = 64,
	OWNER_PATH_FOLLOW = 128, /* follow a symlink as the last component */
};

enum owner_preopen_flag {
	OWNER_PREOPEN_READ_ONLY = 1,
	OWNER_PREOPEN_VOLUME = 2, /* what the owner has there is a volume, as it is stored */
	OWNER_PREOPEN_SHARED = 4, /* a volume that executors for tasks read */
	OWNER_PREOPEN_GRANTED = 8, /* a volume whose keys come with a grant */
};

struct owner_path_reply {
	int32_t error; /* 0 or an errno of Linux */
	uint32_t size; /* of what follows */
};

struct owner_path_stat {
	uint64_t device, inode, links, size;
	int64_t atime_ns, mtime_ns, ctime_ns;
	uint32_t mode; /* Linux st_mode */
	uint32_t reserved;
};

/* To the root keeper of the volume that is a preopened directory (volume/keeper.h). */
struct owner_keeper_head {
	uint32_t grant; /* whose CAS is the keeper, from 1; 0: the owner is */
	int32_t error;  /* of an answer: 0 or a CELLA_E* */
};
enum owner_keeper_operation {
	OWNER_KEEPER_GET = 1,
	OWNER_KEEPER_ACQUIRE,
	OWNER_KEEPER_SWAP,
	OWNER_KEEPER_RELEASE,
	OWNER_KEEPER_BEGIN_REMOVAL,
	OWNER_KEEPER_END_REMOVAL
};

struct owner_keeper_request {
	uint32_t operation;
	uint32_t preopen;
	uint64_t token; /* of swap and release */
	uint8_t volume[VOLUME_ID_SIZE];
	uint8_t from[VOLUME_REFERENCE_SIZE], to[VOLUME_REFERENCE_SIZE]; /* of swap */
};

/* To the CAS of a grant: certify this key. As long as the others, from which it cannot be told. */
enum { OWNER_IDENTITY_CERTIFY = 16, OWNER_IDENTITY_PUBLIC_MAX = 152 };
struct owner_identity_request {
	uint32_t operation; /* OWNER_IDENTITY_CERTIFY, which is no enum owner_keeper_operation */
	uint32_t public_size;
	uint8_t public_key[OWNER_IDENTITY_PUBLIC_MAX]; /* SubjectPublicKeyInfo, then zeros */
};

struct owner_keeper_reply {
	int32_t error; /* 0 or a CELLA_E* */
	uint32_t text_size; /* why */
	uint64_t token; /* of acquire */
	uint8_t root[VOLUME_REFERENCE_SIZE]; /* of get */
};

struct owner_exit {
	int32_t status; /* of the program */
	uint32_t trap; /* enum cell_trap; CELL_TRAP_NONE: it ended by itself */
	uint32_t text_size; /* trap and backtrace, or why Cella failed */
	int32_t error; /* a CELLA_E* if Cella itself failed */
};

static_assert(sizeof(struct owner_frame) == 8, "no padding");
static_assert(sizeof(struct owner_path_request) == 40, "no padding");
static_assert(sizeof(struct owner_path_reply) == 8, "no padding");
static_assert(sizeof(struct owner_path_stat) == 64, "no padding");
static_assert(sizeof(struct owner_keeper_head) == 8, "no padding");
static_assert(sizeof(struct owner_keeper_request) == 160, "no padding");
static_assert(sizeof(struct owner_identity_request) == sizeof(struct owner_keeper_request), "one size");
static_assert(sizeof(struct owner_keeper_reply) == 80, "no padding");
static_assert(sizeof(struct owner_exit) == 16, "no padding");

/* The n-th record of a stream (0, 1, 2), from 0. */
static inline struct seal_id owner_stream_id(uint32_t executor, int stream, uint64_t n)
{
	return (struct seal_id){.kind = SEAL_KIND_STREAM,
	                        .object = (uint64_t)executor << 8 | (uint64_t)stream,
	                        .version = n};
}

/* The n-th question of an executor to root keepers, from 0, or the answer to it. A grant's questions are
 * counted by themselves, of executor 0, and sealed by the grant's data key. */
static inline struct seal_id owner_keeper_id(uint32_t executor, bool answer, uint64_t n)
{
	return (struct seal_id){.kind = SEAL_KIND_KEEPER,
	                        .object = (uint64_t)executor << 8 | answer,
	                        .version = n};
}

/* Of the n-th question that an executor leaves for a grant's CAS, from 0: larger than those of all that it
 * asks itself, so that the CAS, to which numbers must grow, answers none of these behind it. */
static inline uint64_t owner_last_number(uint64_t n)
{
	return (uint64_t)1 << 63 | n;
}

/* The exit names how many records of output and error went before it, so that none can be dropped. */
static inline struct seal_id owner_exit_id(uint32_t executor, const uint64_t records[3])
{
	return (struct seal_id){.kind = SEAL_KIND_EXIT,
	                        .object = executor,
	                        .version = records[1],
	                        .extra = records[2]};
}

#endif
