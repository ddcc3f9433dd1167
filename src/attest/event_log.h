/*
 * Logs of what was measured at a boot: TCG PC Client Platform Firmware Profile 1.06, section 10 (the
 * crypto-agile format TCG_PCR_EVENT2, which begins with one TCG_PCClientPCREvent that holds the
 * TCG_EfiSpecIDEvent). TPMs' logs (binary_bios_measurements) and TDX's (the area that the ACPI table CCEL
 * points to: UEFI 2.10, section 38.4.1) are both of it, and differ in what an index means: a PCR, or
 * 0 for MRTD and 1 to 4 for RTMR 0 to 3.
 *
 * A log is worth nothing by itself. It is believed because the registers that it replays to are in signed
 * evidence; and of an event only the digests are, not what it says of itself, unless somebody hashes that.
 *
 * A log in a memory area may be followed by bytes that are all 0xFF or all zeros.
 */
#ifndef ATTEST_EVENT_LOG_H
#define ATTEST_EVENT_LOG_H

#include "base/buf.h"
#include "base/error.h"
#include "crypto/crypto.h"

enum {
	EVENT_LOG_MAX = 16 << 20,      /* bytes */
	EVENT_LOG_HASHES_MAX = 8,      /* algorithms in one log */
	EVENT_LOG_REGISTERS = 24,      /* indices 0 to 23 */
	EVENT_LOG_EVENTS_MAX = 100000,
};

enum event_type {
	EVENT_POST_CODE = 0x1,
	EVENT_NO_ACTION = 0x3, /* not extended into anything */
	EVENT_SEPARATOR = 0x4,
	EVENT_ACTION = 0x5,
};
/* "EV_SEPARATOR"; "an unknown type". */
const char *event_type_name(uint32_t type);

struct event_log {
	struct reader reader;
	size_t event_count; /* so far, without the header */
	size_t hash_count;
	struct event_log_hash {
		uint16_t id;   /* TPM_ALG_ID */
		uint16_t size;
		int hash;      /* enum crypto_hash; -1: one that is not known here */
	} hashes[EVENT_LOG_HASHES_MAX];
};

struct event {
	uint32_t index;
	uint32_t type;
	const uint8_t
		*digests[EVENT_LOG_HASHES_MAX]; /* by the log's hashes; NULL: the event has none of it */
	const uint8_t *data;
	size_t size;
};

/* Reads the header. The log borrows `data`. CELLA_EFORMAT. */
int event_log_open(const void *data, size_t size, struct event_log *ret_log, struct error *err) must_check;
/* 1: there is one, borrowed; 0: the log ends here; CELLA_EFORMAT with the event's number. */
int event_log_next(struct event_log *log, struct event *ret_event, struct error *err) must_check;
/* The place of an algorithm in the log's hashes, or -1. */
int event_log_find(const struct event_log *log, enum crypto_hash hash);

struct event_registers {
	uint32_t extended; /* bits: which indices had an event */
	size_t event_count;
	uint8_t values[EVENT_LOG_REGISTERS][CRYPTO_HASH_MAX]; /* the first bytes of each */
};
/*
 * What the registers hold after all events, from zeros (a register 17 to 22 of a TPM from ones, as after a
 * reset without DRTM; the first one from the locality that the log's StartupLocality event states).
 * CELLA_EFORMAT; CELLA_ENOENT if the log does not have the algorithm, in all events.
 */
int event_log_replay(const void *data, size_t size, enum crypto_hash hash, struct event_registers *ret,
                     struct error *err) must_check;

#endif
