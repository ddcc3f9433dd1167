#include "attest/event_log.h"

#include <string.h>

enum {
	HEADER_DIGEST_SIZE = 20, /* of the one event that is in the SHA-1 format */
	DIGEST_MAX = 128,        /* of an algorithm that is not known here */
	DYNAMIC_FIRST = 17,
	DYNAMIC_LAST = 22,
};

static const char header_signature[16] = "Spec ID Event03";
static const char locality_signature[16] = "StartupLocality";

const char *event_type_name(uint32_t type)
{
	static const struct {
		uint32_t type;
		const char *name;
	} names[] = {
		{0x0, "EV_PREBOOT_CERT"},
		{EVENT_POST_CODE, "EV_POST_CODE"},
		{EVENT_NO_ACTION, "EV_NO_ACTION"},
		{EVENT_SEPARATOR, "EV_SEPARATOR"},
		{EVENT_ACTION, "EV_ACTION"},
		{0x6, "EV_EVENT_TAG"},
		{0x7, "EV_S_CRTM_CONTENTS"},
		{0x8, "EV_S_CRTM_VERSION"},
		{0x9, "EV_CPU_MICROCODE"},
		{0xA, "EV_PLATFORM_CONFIG_FLAGS"},
		{0xB, "EV_TABLE_OF_DEVICES"},
		{0xC, "EV_COMPACT_HASH"},
		{0xD, "EV_IPL"},
		{0xE, "EV_IPL_PARTITION_DATA"},
		{0xF, "EV_NONHOST_CODE"},
		{0x10, "EV_NONHOST_CONFIG"},
		{0x11, "EV_NONHOST_INFO"},
		{0x12, "EV_OMIT_BOOT_DEVICE_EVENTS"},
		{0x13, "EV_POST_CODE2"},
		{0x80000001, "EV_EFI_VARIABLE_DRIVER_CONFIG"},
		{0x80000002, "EV_EFI_VARIABLE_BOOT"},
		{0x80000003, "EV_EFI_BOOT_SERVICES_APPLICATION"},
		{0x80000004, "EV_EFI_BOOT_SERVICES_DRIVER"},
		{0x80000005, "EV_EFI_RUNTIME_SERVICES_DRIVER"},
		{0x80000006, "EV_EFI_GPT_EVENT"},
		{0x80000007, "EV_EFI_ACTION"},
		{0x80000008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"},
		{0x80000009, "EV_EFI_HANDOFF_TABLES"},
		{0x8000000A, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"},
		{0x8000000B, "EV_EFI_HANDOFF_TABLES2"},
		{0x8000000C, "EV_EFI_VARIABLE_BOOT2"},
		{0x8000000D, "EV_EFI_GPT_EVENT2"},
		{0x80000010, "EV_EFI_HCRTM_EVENT"},
		{0x800000E0, "EV_EFI_VARIABLE_AUTHORITY"},
		{0x800000E1, "EV_EFI_SPDM_FIRMWARE_BLOB"},
		{0x800000E2, "EV_EFI_SPDM_FIRMWARE_CONFIG"},
	};
	for (size_t i = 0; i < array_count(names); i++) {
		if (names[i].type == type)
			return names[i].name;
	}
	return "an unknown type";
}

/* ---- the header ---- */

static int hash_of(uint16_t id)
{
	switch (id) { /* TCG Algorithm Registry */
	case 0x4: return CRYPTO_SHA1;
	case 0xB: return CRYPTO_SHA256;
	case 0xC: return CRYPTO_SHA384;
	case 0xD: return CRYPTO_SHA512;
	default: return -1;
	}
}

static bool read_hash(struct reader *r, struct event_log *log)
{
	struct event_log_hash hash = {.id = reader_u16(r), .size = reader_u16(r)};
	hash.hash = hash_of(hash.id);
	for (size_t i = 0; i < log->hash_count; i++) {
		if (log->hashes[i].id == hash.id)
			return false;
	}
	log->hashes[log->hash_count++] = hash;
	return hash.size > 0 && hash.size <= DIGEST_MAX &&
	       (hash.hash < 0 || hash.size == crypto_hash_size((enum crypto_hash)hash.hash));
}

/* TCG_EfiSpecIDEvent. */
static bool read_specification(struct reader *r, struct event_log *log)
{
	const uint8_t *signature = reader_bytes(r, sizeof(header_signature));
	(void)reader_u32(r); /* the platform's class */
	(void)reader_u32(r); /* the specification's version and errata, and how long an UINTN is */
	const uint32_t count = reader_u32(r);
	if (!signature || !crypto_equal(signature, header_signature, sizeof(header_signature)) ||
	    count == 0 || count > EVENT_LOG_HASHES_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!read_hash(r, log))
			return false;
	}
	const uint8_t vendor_size = reader_u8(r);
	(void)reader_bytes(r, vendor_size);
	return reader_finished(r);
}

int event_log_open(const void *data, size_t size, struct event_log *ret_log, struct error *err)
{
	struct event_log log = {.reader = reader_of(data, size)};
	if (size > EVENT_LOG_MAX)
		return error_set(err, CELLA_EFORMAT, "an event log of %zu bytes, at most %d are read", size,
		                 EVENT_LOG_MAX);
	struct reader *r = &log.reader;
	(void)reader_u32(r); /* the index; TPMs' logs say 0, CCELs 1 */
	const uint32_t type = reader_u32(r);
	(void)reader_bytes(r, HEADER_DIGEST_SIZE);
	const uint32_t event_size = reader_u32(r);
	const uint8_t *event = reader_bytes(r, event_size);
	struct reader specification = reader_of(event, event ? event_size : 0);
	if (r->failed || type != EVENT_NO_ACTION || !read_specification(&specification, &log))
		return error_set(err, CELLA_EFORMAT,
		                 "this is no crypto-agile event log: its first event is to be a \"Spec ID "
		                 "Event03\" that lists 1 to %d algorithms",
		                 EVENT_LOG_HASHES_MAX);
	*ret_log = log;
	return 0;
}

/* ---- events ---- */

static bool is_filled(const struct reader *r, uint8_t with)
{
	for (size_t i = r->at; i < r->size; i++) {
		if (r->data[i] != with)
			return false;
	}
	return true;
}

/* Nothing follows, or what fills the area. An event of zeros has no digest, one of ones an index that no
 * machine has. */
static bool is_at_end(const struct reader *r)
{
	if (reader_left(r) == 0)
		return true;
	const uint8_t first = r->data[r->at];
	return (first == 0 || first == 0xFF) && is_filled(r, first);
}

static bool read_digests(struct event_log *log, struct event *to)
{
	struct reader *r = &log->reader;
	const uint32_t count = reader_u32(r);
	if (count == 0 || count > log->hash_count)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const uint16_t id = reader_u16(r);
		size_t place = 0;
		while (place < log->hash_count && log->hashes[place].id != id)
			place++;
		if (place == log->hash_count || to->digests[place])
			return false;
		to->digests[place] = reader_bytes(r, log->hashes[place].size);
	}
	return !r->failed;
}

int event_log_next(struct event_log *log, struct event *ret_event, struct error *err)
{
	struct event event = {0};
	struct reader *r = &log->reader;
	if (is_at_end(r))
		return 0;
	const size_t at = r->at;
	event.index = reader_u32(r);
	event.type = reader_u32(r);
	bool ok = read_digests(log, &event);
	event.size = reader_u32(r);
	event.data = reader_bytes(r, event.size);
	if (!ok || r->failed || event.index >= EVENT_LOG_REGISTERS ||
	    log->event_count == EVENT_LOG_EVENTS_MAX)
		return error_set(err, CELLA_EFORMAT, "event %zu of the log, at byte %zu, is malformed",
		                 log->event_count + 1, at);
	log->event_count++;
	*ret_event = event;
	return 1;
}

int event_log_find(const struct event_log *log, enum crypto_hash hash)
{
	for (size_t i = 0; i < log->hash_count; i++) {
		if (log->hashes[i].hash == (int)hash)
			return (int)i;
	}
	return -1;
}

/* ---- replay ---- */

static int extend(struct event_registers *registers, uint32_t index, const uint8_t *digest,
                  enum crypto_hash hash, struct error *err)
{
	const size_t size = crypto_hash_size(hash);
	const struct crypto_part parts[] = {{registers->values[index], size}, {digest, size}};
	registers->extended |= 1u << index;
	return crypto_hash(hash, parts, array_count(parts), registers->values[index], err);
}

/* TCG_EfiStartupLocalityEvent, which says where register 0 began; before it was extended. */
static void start_locality(struct event_registers *registers, const struct event *event,
                           enum crypto_hash hash)
{
	if (event->index == 0 && event->size == sizeof(locality_signature) + 1 &&
	    crypto_equal(event->data, locality_signature, sizeof(locality_signature)) &&
	    (registers->extended & 1) == 0)
		registers->values[0][crypto_hash_size(hash) - 1] = event->data[sizeof(locality_signature)];
}

int event_log_replay(const void *data, size_t size, enum crypto_hash hash, struct event_registers *ret,
                     struct error *err)
{
	struct event_log log;
	struct event event;
	struct event_registers registers = {0};
	int rc = event_log_open(data, size, &log, err);
	if (rc < 0)
		return rc;
	const int place = event_log_find(&log, hash);
	for (size_t i = DYNAMIC_FIRST; i <= DYNAMIC_LAST; i++)
		memset(registers.values[i], 0xFF, crypto_hash_size(hash));
	while ((rc = event_log_next(&log, &event, err)) > 0) {
		if (event.type == EVENT_NO_ACTION) {
			start_locality(&registers, &event, hash);
			continue;
		}
		if (place < 0 || !event.digests[place])
			return error_set(err, CELLA_ENOENT,
			                 "event %zu of the log has no digest of the algorithm that the "
			                 "registers have",
			                 log.event_count);
		rc = extend(&registers, event.index, event.digests[place], hash, err);
		if (rc < 0)
			return rc;
	}
	registers.event_count = log.event_count;
	if (rc == 0)
		*ret = registers;
	return rc;
}
