/*
 * Messages of the launcher, over SOCK_SEQPACKET sockets: one structure each, descriptors beside it.
 *
 *   agent -> launcher   launch_request   fds: agent end for the executor, the bundle (sealed memory file),
 *                                        and, if there is one, the page file
 *                       launch_kill
 *   launcher -> agent   launch_reply     fds (if started): owner channel's far end, a pidfd
 *                       launch_exited
 *   launcher -> child   launch_start     (first message on the child's descriptor 3)
 *   child -> launcher   launch_hello
 *   launcher -> owner   launch_identity  (first message on the socket that the owner gave it)
 *   owner -> launcher   launch_lease     fds: the lease (a memory file)
 *   launcher -> owner   launch_granted   fds (if it opened): the grant for that executor (a memory file)
 *
 * The first message on each socket names LAUNCH_VERSION; who reads it refuses another.
 *
 * The child is started with an empty environment, no arguments, and exactly these descriptors:
 */
#ifndef CELL_LAUNCH_FORMAT_H
#define CELL_LAUNCH_FORMAT_H

#include <assert.h>
#include <stdint.h>

#include "crypto/crypto.h"

enum { LAUNCH_VERSION = 4 };

enum launch_fd {
	LAUNCH_FD_NULL_IN = 0,  /* /dev/null */
	LAUNCH_FD_NULL_OUT = 1, /* /dev/null */
	LAUNCH_FD_LOG = 2,      /* the log: the launcher's standard error, no plaintext */
	LAUNCH_FD_LAUNCHER = 3, /* SOCK_SEQPACKET */
	LAUNCH_FD_OWNER = 4,    /* SOCK_STREAM, cell/owner/format.h */
	LAUNCH_FD_AGENT = 5,    /* SOCK_SEQPACKET: rings and store arrive here */
	LAUNCH_FD_BUNDLE = 6,   /* sealed memory file */
	LAUNCH_FD_PAGES = 7,    /* the page file, empty; where there is none, /dev/null */
	LAUNCH_FD_COUNT = 8,
};

enum launch_type {
	LAUNCH_REQUEST = 1,
	LAUNCH_KILL,
	LAUNCH_REPLY,
	LAUNCH_EXITED,
	LAUNCH_START,
	LAUNCH_HELLO,
	LAUNCH_IDENTITY,
	LAUNCH_LEASE,
	LAUNCH_GRANTED,
};

struct launch_request {
	uint32_t type;
	uint32_t id;           /* the agent's name for this executor */
	uint32_t memory_level; /* enum mem_level */
	uint32_t version;
	uint64_t heap;      /* bytes of protected memory at most; of paged memory: of linear memories */
	uint64_t window;    /* of paged memory: bytes of it in the clear at a time; else 0 */
	uint8_t nonce[32];  /* the verifier's */
	uint8_t builder[CRYPTO_ED25519_SIZE]; /* whose code of the bundle is to be loaded; zeros: anybody's */
};

struct launch_kill {
	uint32_t type;
	uint32_t id;
};

enum { LAUNCH_EVIDENCE_MAX = 2048, LAUNCH_TEXT_MAX = 512, LAUNCH_KEEP_SIZE = 124 };

struct launch_reply {
	uint32_t type;
	uint32_t id;
	int32_t error; /* 0, or a CELLA_E*: text says why */
	int32_t pid;
	uint32_t evidence_size;
	char text[LAUNCH_TEXT_MAX];
	uint8_t evidence[LAUNCH_EVIDENCE_MAX];
};

struct launch_exited {
	uint32_t type;
	uint32_t id;
	int32_t status; /* as waitpid's */
	uint32_t reserved;
};

struct launch_start {
	uint32_t type;
	uint32_t version;
	uint32_t memory_level; /* enum mem_level */
	uint32_t page_file; /* 1: LAUNCH_FD_PAGES is one */
	uint64_t heap;
	uint64_t window;
	uint8_t builder[CRYPTO_ED25519_SIZE]; /* as in the request */
};

struct launch_hello {
	uint32_t type;
	int32_t error; /* 0, or a CELLA_E*: text says why */
	uint32_t memory_level;
	uint32_t reserved;
	uint8_t public_key[CRYPTO_X25519_SIZE];
	uint8_t cell[CRYPTO_SHA384_SIZE]; /* the bundle's identity */
	uint8_t builder[CRYPTO_ED25519_SIZE]; /* of the machine code in it that is to be loaded */
	char text[LAUNCH_TEXT_MAX];
};

struct launch_identity {
	uint32_t type;
	uint32_t version;
	uint8_t public_key[CRYPTO_ED25519_SIZE]; /* signs evidence */
	uint8_t executor[CRYPTO_SHA384_SIZE]; /* digest of the binary that it starts */
	uint8_t keep[LAUNCH_KEEP_SIZE]; /* attest/lease.h; zeros: it keeps nothing */
};

/* An offline lease is to be opened for an executor, which this launcher's evidence names. */
struct launch_lease {
	uint32_t type;
	uint32_t evidence_size;
	uint8_t evidence[LAUNCH_EVIDENCE_MAX];
};

struct launch_granted {
	uint32_t type;
	int32_t error; /* 0, or a CELLA_E*: text says why */
	char text[LAUNCH_TEXT_MAX];
};

/* Agent -> executor, first message on LAUNCH_FD_AGENT. fds: rings (memory file: up, then down), store
 * (memory file), eventfd that the executor rings, eventfd that it sleeps on. */
struct launch_rings {
	uint32_t version; /* TASK_FORMAT_VERSION */
	uint32_t reserved;
	uint64_t ring_capacity;
	uint64_t store_size; /* address space of the store */
};

static_assert(sizeof(struct launch_request) == 96, "no padding");
static_assert(sizeof(struct launch_kill) == 8, "no padding");
static_assert(sizeof(struct launch_reply) == 2580, "no padding");
static_assert(sizeof(struct launch_exited) == 16, "no padding");
static_assert(sizeof(struct launch_start) == 64, "no padding");
static_assert(sizeof(struct launch_hello) == 640, "no padding");
static_assert(sizeof(struct launch_identity) == 212, "no padding");
static_assert(sizeof(struct launch_lease) == 2056, "no padding");
static_assert(sizeof(struct launch_granted) == 520, "no padding");
static_assert(sizeof(struct launch_rings) == 24, "no padding");

#endif
