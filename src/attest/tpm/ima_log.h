/*
 * Logs of what a running Linux measured: IMA, /sys/kernel/security/ima/binary_runtime_measurements and
 * ascii_runtime_measurements (Linux, Documentation/security/IMA-templates.rst). Of a file the path and the
 * hash of its contents, of each entry the hash of both, which PCR 10 is extended with.
 *
 * A log may be longer than what a quote covers, for the kernel goes on: an entry is worth something if a PCR
 * replays to what is signed at it or behind it (logs.c). The text has no bytes of the entries in it; they
 * are put together again from it, for the templates ima-ng and ima-sig. Paths are what the kernel says.
 */
#ifndef ATTEST_IMA_LOG_H
#define ATTEST_IMA_LOG_H

#include "attest/event_log.h"
#include "base/buf.h"
#include "crypto/crypto.h"

enum {
	IMA_PCR = 10,
	IMA_LOG_MAX = 16 << 20, /* bytes */
	IMA_TEMPLATE_MAX = 64,  /* of its name */
	IMA_DATA_MAX = 64 << 10, /* of one entry */
	IMA_DIGEST_SIZE = 20,   /* of an entry in the log: SHA-1, whatever the PCRs have */
};

struct ima_log {
	struct reader reader;
	bool is_text;
	size_t count; /* entries so far */
	struct buf data; /* of the last one */
};

struct ima_entry { /* borrowed until the next */
	const uint8_t *data; /* of its template */
	size_t size;
	bool is_violation; /* it was open for writing, and its contents could be anything */
	bool digest_holds; /* the entry's own digest is that of its data */
	int hash; /* enum crypto_hash of the file's contents; -1: the entry has none, or of something else */
	const uint8_t *digest;
	const char *path; /* "" if there is none; ends with a zero byte */
};

/* Does it look like one? Logs of TCG begin with an event of PCR 0. */
bool ima_log_is(const void *data, size_t size);
void ima_log_open(const void *data, size_t size, struct ima_log *ret_log);
void ima_log_done(struct ima_log *log);
/* 1, or 0 at the end; CELLA_EFORMAT with the entry's number. */
int ima_log_next(struct ima_log *log, struct ima_entry *ret_entry, struct error *err) must_check;
/* value = H(value || H(data)), or of ones for a violation. */
int ima_extend(const struct ima_entry *entry, enum crypto_hash hash, uint8_t value[CRYPTO_HASH_MAX],
               struct error *err) must_check;

#endif
