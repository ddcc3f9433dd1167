/*
 * What a machine booted and ran: logs whose events the quoted PCRs were extended with.
 *
 * A log is the attacker's. Of an event the PCR vouches for the digest and the order alone: neither for its
 * type nor for its text. So what is believed is hashed here, and what separates the firmware's events from
 * later ones is known by its digest, too.
 */
#include <stdlib.h>
#include <string.h>

#include "attest/tpm/ima_list.h"
#include "attest/tpm/ima_log.h"
#include "attest/tpm/tpm.h"

enum {
	BOOT_PCRS = 10,        /* 0 to 9: extended before the kernel runs, and not later */
	SECURE_BOOT_PCR = 7,
	GUID_SIZE = 16,
	NAME_MAX_UNITS = 64,
};

/* ---- which log is which ---- */

struct logs {
	const struct tee_blob *boot, *ima; /* NULL: not given */
};

static int find_logs(const struct tpm_judging *j, struct logs *ret, struct error *err)
{
	struct logs logs = {0};
	for (size_t i = 0; i < j->input->event_log_count; i++) {
		const struct tee_blob *blob = &j->input->event_logs[i];
		const bool is_ima = ima_log_is(blob->data, blob->size);
		const struct tee_blob **place = is_ima ? &logs.ima : &logs.boot;
		if (*place)
			return error_set(err, CELLA_EFORMAT,
			                 "two %s logs were given, and a machine has one of them",
			                 is_ima ? "IMA" : "boot");
		*place = blob;
	}
	*ret = logs;
	return 0;
}

static int in_log(const struct tee_blob *blob, int rc, struct error *err)
{
	if (rc >= 0)
		return rc;
	return error_prefix(err, rc == CELLA_ENOMEM ? rc : CELLA_EFORMAT,
	                    "%s: ", blob->name ? blob->name : "an event log");
}

/* ---- secure boot ---- */

enum secure_boot { SB_UNKNOWN, SB_OFF, SB_ON, SB_CONTRADICTORY };

static const char *const secure_boot_texts[] = {
	[SB_UNKNOWN] = "the log does not say, in an event of the firmware's that hashes to its digest",
	[SB_OFF] = "off",
	[SB_ON] = "on",
	[SB_CONTRADICTORY] = "the log says both",
};

/* UEFI's UEFI_VARIABLE_DATA of "SecureBoot" of EFI_GLOBAL_VARIABLE. -1: another, else its value. */
static int secure_boot_value(const struct event *event)
{
	static const uint8_t guid[GUID_SIZE] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
	                                        0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
	static const char name[] = "SecureBoot";
	struct reader r = reader_of(event->data, event->size);
	const uint8_t *of = reader_bytes(&r, GUID_SIZE);
	const uint64_t units = reader_u64(&r), size = reader_u64(&r);
	if (r.failed || !crypto_equal(of, guid, GUID_SIZE) || units != sizeof(name) - 1 || size != 1)
		return -1;
	for (size_t i = 0; i < sizeof(name) - 1; i++)
		if (reader_u16(&r) != (uint16_t)name[i])
			return -1;
	const uint8_t value = reader_u8(&r);
	return reader_finished(&r) && value <= 1 ? value : -1;
}

static int hashes_to(enum crypto_hash hash, const void *data, size_t size, const uint8_t *digest,
                     bool *ret_does, struct error *err)
{
	const struct crypto_part part = {data, size};
	uint8_t found[CRYPTO_HASH_MAX];
	int rc = crypto_hash(hash, &part, 1, found, err);
	if (rc == 0)
		*ret_does = crypto_equal(found, digest, crypto_hash_size(hash));
	return rc;
}

/* What the firmware measures when it hands over: four bytes of zeros, or of ones. */
static int is_separator(enum crypto_hash hash, const uint8_t *digest, bool *ret_is, struct error *err)
{
	static const uint8_t zeros[4], ones[4] = {0xFF, 0xFF, 0xFF, 0xFF};
	int rc = hashes_to(hash, zeros, sizeof(zeros), digest, ret_is, err);
	return rc < 0 || *ret_is ? rc : hashes_to(hash, ones, sizeof(ones), digest, ret_is, err);
}

static int look_at_event(const struct event *event, const uint8_t *digest, enum crypto_hash hash,
                         enum secure_boot *state, bool *ret_ended, struct error *err)
{
	bool holds = false;
	const int value = secure_boot_value(event);
	int rc = is_separator(hash, digest, ret_ended, err);
	if (rc == 0 && !*ret_ended && value >= 0)
		rc = hashes_to(hash, event->data, event->size, digest, &holds, err);
	if (rc < 0 || !holds)
		return rc;
	const enum secure_boot said = value == 1 ? SB_ON : SB_OFF;
	*state = *state == SB_UNKNOWN || *state == said ? said : SB_CONTRADICTORY;
	return 0;
}

/* Of the firmware's events alone: before the separator, which must be there. */
static int find_secure_boot(const struct tee_blob *blob, enum crypto_hash hash, enum secure_boot *ret,
                            struct error *err)
{
	struct event_log log;
	struct event event;
	enum secure_boot state = SB_UNKNOWN;
	bool ended = false;
	int rc = event_log_open(blob->data, blob->size, &log, err);
	const int place = rc == 0 ? event_log_find(&log, hash) : -1;
	while (rc == 0 && !ended && (rc = event_log_next(&log, &event, err)) > 0) {
		rc = 0;
		if (event.index == SECURE_BOOT_PCR && event.type != EVENT_NO_ACTION && place >= 0 &&
		    event.digests[place])
			rc = look_at_event(&event, event.digests[place], hash, &state, &ended, err);
	}
	if (rc == 0)
		*ret = ended ? state : SB_UNKNOWN;
	return in_log(blob, rc, err);
}

/* ---- the boot log ---- */

static void check_register(const struct tpm_judging *j, unsigned index,
                           const struct event_registers *registers)
{
	struct tee_verdict *v = j->verdict;
	const size_t size = crypto_hash_size(j->bank);
	const bool extended = registers->extended >> index & 1;
	const bool needed = j->policy->event_log == TPM_REQUIRED && index < BOOT_PCRS;
	const uint8_t *quoted = tpm_evidence_pcr(&j->evidence, j->bank, index);
	if (!quoted && !extended && !needed)
		return;
	const char *name = tee_text(v, "event_log.pcr%u", index);
	const char *found = tee_hex(v, registers->values[index], size);
	if (!quoted) {
		tee_check(v, name, needed ? TEE_FAILED : TEE_WARNED, "a PCR that the quote has",
		          "it is not quoted: what the log says of it proves nothing");
		return;
	}
	enum tee_status status = TEE_PASSED;
	if (!crypto_equal(quoted, registers->values[index], size))
		status = index < BOOT_PCRS ? TEE_FAILED : TEE_WARNED;
	if (index < BOOT_PCRS || extended)
		tee_check(v, name, status, tee_hex(v, quoted, size), "%s, of %zu events in all", found,
		          registers->event_count);
}

static int check_boot(const struct tpm_judging *j, const struct tee_blob *log, struct error *err)
{
	struct event_registers registers;
	enum secure_boot state = SB_UNKNOWN;
	const uint8_t *pcr = tpm_evidence_pcr(&j->evidence, j->bank, SECURE_BOOT_PCR);
	int rc = in_log(log, event_log_replay(log->data, log->size, j->bank, &registers, err), err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < TPM_PCRS; i++)
		check_register(j, i, &registers);
	if (!pcr || !crypto_equal(pcr, registers.values[SECURE_BOOT_PCR], crypto_hash_size(j->bank))) {
		if (j->policy->secure_boot == TPM_REQUIRED)
			tee_unchecked(j->verdict, "secure_boot", "on",
			              "the log does not replay to the quoted PCR 7");
		return 0;
	}
	rc = find_secure_boot(log, j->bank, &state, err);
	if (rc < 0)
		return rc;
	if (j->policy->secure_boot == TPM_REQUIRED)
		tee_demand(j->verdict, "secure_boot", state == SB_ON, "on", "%s", secure_boot_texts[state]);
	else
		tee_check(j->verdict, "secure_boot", state == SB_ON ? TEE_PASSED : TEE_WARNED, "on", "%s",
		          secure_boot_texts[state]);
	return 0;
}

/* ---- IMA's log ---- */

/* How many of its first entries the PCR vouches for; false: for none, and it is not empty. */
static int find_end(const struct tee_blob *blob, enum crypto_hash hash, const uint8_t *quoted,
                    bool *ret_found, size_t *ret_end, size_t *ret_count, struct error *err)
{
	struct ima_log log;
	struct ima_entry entry;
	uint8_t value[CRYPTO_HASH_MAX] = {0};
	const size_t size = crypto_hash_size(hash);
	bool found = crypto_equal(value, quoted, size);
	size_t end = 0;
	int rc;
	ima_log_open(blob->data, blob->size, &log);
	while ((rc = ima_log_next(&log, &entry, err)) > 0) {
		rc = ima_extend(&entry, hash, value, err);
		if (rc < 0)
			break;
		if (crypto_equal(value, quoted, size)) {
			found = true;
			end = log.count;
		}
	}
	*ret_found = found;
	*ret_end = end;
	*ret_count = log.count;
	ima_log_done(&log);
	return in_log(blob, rc, err);
}

struct allowed {
	size_t lists;
	struct buf digests; /* one after another, in order */
};

static int compare(const void *a, const void *b)
{
	const uint8_t *x = a, *y = b;
	for (size_t i = 0; i < CRYPTO_SHA256_SIZE; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

/* Those of the lists that the policy names. */
static int read_lists(const struct tpm_judging *j, struct allowed *to, struct error *err)
{
	for (size_t i = 0; i < j->input->collateral_count; i++) {
		const struct tee_blob *blob = &j->input->collateral[i];
		const struct crypto_part part = {blob->data, blob->size};
		uint8_t digest[CRYPTO_HASH_MAX];
		if (j->policy->ima_lists.count == 0 || !ima_list_is(blob->data, blob->size))
			continue;
		int rc = crypto_hash(CRYPTO_SHA256, &part, 1, digest, err);
		if (rc == 0 && policy_allows(&j->policy->ima_lists, digest, CRYPTO_SHA256_SIZE)) {
			rc = ima_list_read(blob, &to->digests, err);
			to->lists++;
		}
		if (rc < 0)
			return rc;
	}
	if (to->digests.size > 0)
		qsort(to->digests.data, to->digests.size / CRYPTO_SHA256_SIZE, CRYPTO_SHA256_SIZE, compare);
	return 0;
}

/* The kernel's first entry, which is no file: SHA-256 of PCRs 0 to 9 (Linux, ima_calc_boot_aggregate). */
static int is_boot_aggregate(const struct tpm_judging *j, const struct ima_entry *entry, bool *ret_is,
                             struct error *err)
{
	struct crypto_part parts[BOOT_PCRS];
	uint8_t digest[CRYPTO_HASH_MAX];
	*ret_is = false;
	for (unsigned i = 0; i < BOOT_PCRS; i++) {
		const uint8_t *value = tpm_evidence_pcr(&j->evidence, CRYPTO_SHA256, i);
		if (!value)
			return 0;
		parts[i] = (struct crypto_part){value, CRYPTO_SHA256_SIZE};
	}
	int rc = crypto_hash(CRYPTO_SHA256, parts, BOOT_PCRS, digest, err);
	if (rc == 0)
		*ret_is = entry->hash == CRYPTO_SHA256 &&
		          crypto_equal(digest, entry->digest, CRYPTO_SHA256_SIZE);
	return rc;
}

/* What the entries up to the end are worth. */
struct finding {
	size_t false_digests, unlisted;
	const char *first; /* of the unlisted */
};

static int is_allowed(const struct tpm_judging *j, const struct ima_entry *entry, bool is_first,
                      const struct allowed *allowed, bool *ret_is, struct error *err)
{
	*ret_is = false;
	if (entry->is_violation || entry->hash != CRYPTO_SHA256)
		return 0;
	if (is_first && strcmp(entry->path, "boot_aggregate") == 0)
		return is_boot_aggregate(j, entry, ret_is, err);
	*ret_is = allowed->digests.size > 0 &&
	          bsearch(entry->digest, allowed->digests.data, allowed->digests.size / CRYPTO_SHA256_SIZE,
	                  CRYPTO_SHA256_SIZE, compare) != NULL;
	return 0;
}

static int look_at_files(const struct tpm_judging *j, const struct tee_blob *blob, size_t end,
                         const struct allowed *allowed, struct finding *to, struct error *err)
{
	struct ima_log log;
	struct ima_entry entry;
	int rc = 0;
	ima_log_open(blob->data, blob->size, &log);
	while (rc == 0 && log.count < end && (rc = ima_log_next(&log, &entry, err)) > 0) {
		bool is = false;
		to->false_digests += !entry.digest_holds;
		rc = is_allowed(j, &entry, log.count == 1, allowed, &is, err);
		if (rc < 0 || is)
			continue;
		if (to->unlisted++ == 0)
			to->first = tee_text(j->verdict, "%s%s",
			                     *entry.path ? entry.path : "an entry without a path",
			                     entry.is_violation ? ", which was open for writing" : "");
	}
	ima_log_done(&log);
	return rc;
}

static void report_files(const struct tpm_judging *j, const struct finding *f, size_t end, size_t lists)
{
	struct tee_verdict *v = j->verdict;
	const char *digests = "entries whose digests are those of their data";
	if (f->false_digests == 0)
		tee_check(v, "ima_log.entries", TEE_PASSED, digests, "all %zu", end);
	else
		tee_check(v, "ima_log.entries", TEE_FAILED, digests, "%zu of %zu are not", f->false_digests,
		          end);
	if (j->policy->ima_lists.count == 0)
		return;
	const char *wanted = "nothing measured but what the policy's lists have";
	if (f->unlisted == 0)
		tee_check(v, "ima_log.files", TEE_PASSED, wanted, "%zu entries, all listed", end);
	else
		tee_check(v, "ima_log.files", TEE_FAILED, wanted,
		          "%zu of %zu entries are not; the first: %s%s", f->unlisted, end, f->first,
		          lists > 0 ? "" : "; no list of those hashes is among the collateral");
}

static int check_ima(const struct tpm_judging *j, const struct tee_blob *blob, struct error *err)
{
	struct allowed allowed = {0};
	struct finding finding = {0};
	bool found;
	size_t end, count;
	const char *wanted = "entries that PCR 10 was extended with, all or the first of them";
	const uint8_t *quoted = tpm_evidence_pcr(&j->evidence, j->bank, IMA_PCR);
	if (!quoted) {
		tee_check(j->verdict, "ima_log.pcr10", TEE_FAILED, wanted, "the quote does not have PCR 10");
		return 0;
	}
	int rc = find_end(blob, j->bank, quoted, &found, &end, &count, err);
	if (rc < 0)
		return rc;
	tee_demand(j->verdict, "ima_log.pcr10", found && end > 0, wanted,
	           found ? "%zu of %zu" : "none (%zu) of %zu", end, count);
	if (!found || end == 0)
		return 0;
	rc = read_lists(j, &allowed, err);
	if (rc == 0)
		rc = look_at_files(j, blob, end, &allowed, &finding, err);
	buf_done(&allowed.digests);
	if (rc == 0)
		report_files(j, &finding, end, allowed.lists);
	return rc;
}

/* ---- both ---- */

static void say_missing(const struct tpm_judging *j, const char *name, bool required, const char *wanted,
                        const char *where)
{
	if (required)
		tee_check(j->verdict, name, TEE_FAILED, wanted, "none: give it with --event-log (%s)", where);
}

int tpm_logs_check(const struct tpm_judging *j, struct error *err)
{
	struct logs logs;
	const struct tpm_policy *p = j->policy;
	int rc = find_logs(j, &logs, err);
	if (rc < 0)
		return rc;
	if ((logs.boot || logs.ima) && !j->has_bank) {
		tee_unchecked(j->verdict, "event_log", "logs that the PCRs replay from",
		              "there is no bank of PCRs");
		return 0;
	}
	if (logs.boot)
		rc = check_boot(j, logs.boot, err);
	else
		say_missing(j, "event_log", p->event_log == TPM_REQUIRED || p->secure_boot == TPM_REQUIRED,
		            "a log that PCRs 0 to 9 replay from",
		            "/sys/kernel/security/tpm0/binary_bios_measurements");
	if (rc == 0 && logs.ima)
		rc = check_ima(j, logs.ima, err);
	else if (rc == 0)
		say_missing(j, "ima_log", p->ima_log == TPM_REQUIRED || p->ima_lists.count > 0,
		            "a log that PCR 10 replays from",
		            "/sys/kernel/security/ima/binary_runtime_measurements");
	return rc;
}

static int claim_boot(const struct tpm_judging *j, const struct tee_blob *blob, struct error *err)
{
	struct event_log log;
	struct event event;
	struct tee_verdict *v = j->verdict;
	int rc = event_log_open(blob->data, blob->size, &log, err);
	const int place = rc == 0 ? event_log_find(&log, j->bank) : -1;
	while (rc == 0 && (rc = event_log_next(&log, &event, err)) > 0) {
		const uint8_t *digest = place >= 0 ? event.digests[place] : NULL;
		if (digest)
			tee_claim_hex(v, tee_text(v, "event_log.%zu", log.event_count),
			              tee_text(v, "PCR %u, %s, %zu bytes", event.index,
			                       event_type_name(event.type), event.size),
			              digest, crypto_hash_size(j->bank));
		rc = 0;
	}
	return in_log(blob, rc, err);
}

static int claim_ima(const struct tpm_judging *j, const struct tee_blob *blob, struct error *err)
{
	struct ima_log log;
	struct ima_entry entry;
	struct tee_verdict *v = j->verdict;
	int rc;
	ima_log_open(blob->data, blob->size, &log);
	while ((rc = ima_log_next(&log, &entry, err)) > 0)
		if (entry.is_violation || entry.hash < 0)
			tee_claim(v, tee_text(v, "ima_log.%zu", log.count), tee_text(v, "%s", entry.path),
			          "%s", entry.is_violation ? "open for writing" : "no file");
		else
			tee_claim_hex(v, tee_text(v, "ima_log.%zu", log.count), tee_text(v, "%s", entry.path),
			              entry.digest, crypto_hash_size((enum crypto_hash)entry.hash));
	ima_log_done(&log);
	return in_log(blob, rc, err);
}

int tpm_logs_claim(const struct tpm_judging *j, struct error *err)
{
	struct logs logs;
	int rc = find_logs(j, &logs, err);
	if (rc == 0 && logs.boot)
		rc = claim_boot(j, logs.boot, err);
	if (rc == 0 && logs.ima)
		rc = claim_ima(j, logs.ima, err);
	return rc;
}
