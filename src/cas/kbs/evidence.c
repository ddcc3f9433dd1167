#include "cas/kbs/evidence.h"

#include <string.h>

#include "attest/claims.h"
#include "attest/snp/format.h"
#include "base/base64url.h"
#include "base/cleanup.h"

enum {
	CERT_MAX = 8192, /* bytes */
	TABLE_MAX = 16,  /* entries of a host's table of certificates */
	QUOTE_MAX = 64 << 10,
	LOG_MAX = 256 << 10,
	TURIN_FAMILY = 0x1a,
};

void kbs_evidence_done(struct kbs_evidence *evidence)
{
	buf_done(&evidence->report);
	for (size_t i = 0; i < evidence->cert_count; i++)
		buf_done(&evidence->certs[i]);
	buf_done(&evidence->event_log);
	evidence->cert_count = 0;
}

/* ---- base64 */

static bool to_url(const char *text, size_t size, char *to)
{
	bool plain = false, url = false;
	for (size_t i = 0; i < size; i++) {
		plain = plain || text[i] == '+' || text[i] == '/';
		url = url || text[i] == '-' || text[i] == '_';
		to[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	}
	return !(plain && url);
}

int kbs_base64(const char *text, size_t size, size_t most, struct buf *ret, struct error *err)
{
	if (size > 0 && size % 4 == 0 && text[size - 1] == '=')
		size -= text[size - 2] == '=' ? 2 : 1;
	if (base64url_bytes(size) > most)
		return error_set(err, CELLA_EFORMAT, "%zu bytes are too many, the most is %zu",
		                 base64url_bytes(size), most);
	cleanup_free char *url = malloc(size + 1);
	uint8_t *to = url ? buf_reserve(ret, base64url_bytes(size)) : NULL;
	if (!url || (!to && size > 0))
		return error_set(err, CELLA_ENOMEM, "no memory for %zu bytes of evidence", size);
	return size == 0 || (to_url(text, size, url) && base64url_decode(url, size, to))
	               ? 0
	               : error_set(err, CELLA_EFORMAT, "it is no base64");
}

static int read_base64(const json_t *object, const char *name, size_t most, struct buf *ret,
                       struct error *err)
{
	const json_t *json = json_object_get(object, name);
	if (!json_is_string(json) || json_string_length(json) == 0)
		return error_set(err, CELLA_EFORMAT, "\"%s\" is no text of base64", name);
	int rc = kbs_base64(json_string_value(json), json_string_length(json), most, ret, err);
	return rc < 0 ? error_prefix(err, rc, "\"%s\": ", name) : 0;
}

/* ---- SEV-SNP: the report */

/* An array of as many numbers as there is room for in `to`. */
static int read_array(const json_t *array, uint8_t *to, struct error *err)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *byte = json_array_get(array, i);
		const json_int_t value = json_integer_value(byte);
		if (!json_is_integer(byte) || value < 0 || value > UINT8_MAX)
			return error_set(err, CELLA_EFORMAT, "number %zu is no byte", i + 1);
		to[i] = (uint8_t)value;
	}
	return 0;
}

static int read_bytes(const json_t *object, const char *name, uint8_t *to, size_t size, struct error *err)
{
	const json_t *json = json_object_get(object, name);
	if (!json_is_array(json) || json_array_size(json) != size)
		return error_set(err, CELLA_EFORMAT, "\"%s\" is no array of %zu numbers", name, size);
	int rc = read_array(json, to, err);
	return rc < 0 ? error_prefix(err, rc, "\"%s\": ", name) : 0;
}

/* Little-endian. */
static int read_number(const json_t *object, const char *name, uint8_t *to, size_t size, struct error *err)
{
	const json_t *json = json_object_get(object, name);
	const uint64_t value = (uint64_t)json_integer_value(json);
	if (!json_is_integer(json) || json_integer_value(json) < 0 || (size < 8 && value >> (8 * size)))
		return error_set(err, CELLA_EFORMAT, "\"%s\" is no number of %zu bytes", name, size);
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> (8 * i));
	return 0;
}

static bool is_there(const json_t *object, const char *name)
{
	const json_t *json = json_object_get(object, name);
	return json && !json_is_null(json);
}

struct field {
	const char *name;
	size_t at, size;
};
static const struct field numbers[] = {
	{"version", SNP_AT_VERSION, 4},
	{"guest_svn", SNP_AT_GUEST_SVN, 4},
	{"policy", SNP_AT_POLICY, 8},
	{"vmpl", SNP_AT_VMPL, 4},
	{"sig_algo", SNP_AT_SIGNATURE_ALGORITHM, 4},
	{"plat_info", SNP_AT_PLATFORM_INFO, 8},
};
/* As the versions of the crate and of the report have them. */
static const struct field optional_numbers[] = {
	{"_author_key_en", SNP_AT_KEY_INFO, 4},
	{"key_info", SNP_AT_KEY_INFO, 4},
	{"cpuid_fam_id", SNP_AT_CPUID, 1},
	{"cpuid_mod_id", SNP_AT_CPUID + 1, 1},
	{"cpuid_step", SNP_AT_CPUID + 2, 1},
	{"current_build", SNP_AT_CURRENT_FIRMWARE, 1},
	{"current_minor", SNP_AT_CURRENT_FIRMWARE + 1, 1},
	{"current_major", SNP_AT_CURRENT_FIRMWARE + 2, 1},
	{"committed_build", SNP_AT_COMMITTED_FIRMWARE, 1},
	{"committed_minor", SNP_AT_COMMITTED_FIRMWARE + 1, 1},
	{"committed_major", SNP_AT_COMMITTED_FIRMWARE + 2, 1},
	{"launch_mit_vector", SNP_AT_LAUNCH_MITIGATIONS, 8},
	{"current_mit_vector", SNP_AT_CURRENT_MITIGATIONS, 8},
};
static const struct field arrays[] = {
	{"family_id", SNP_AT_FAMILY_ID, SNP_ID_SIZE},
	{"image_id", SNP_AT_IMAGE_ID, SNP_ID_SIZE},
	{"report_data", SNP_AT_REPORT_DATA, SNP_REPORT_DATA_SIZE},
	{"measurement", SNP_AT_MEASUREMENT, SNP_MEASUREMENT_SIZE},
	{"host_data", SNP_AT_HOST_DATA, SNP_HOST_DATA_SIZE},
	{"id_key_digest", SNP_AT_ID_KEY_DIGEST, SNP_DIGEST_SIZE},
	{"author_key_digest", SNP_AT_AUTHOR_KEY_DIGEST, SNP_DIGEST_SIZE},
	{"report_id", SNP_AT_REPORT_ID, SNP_REPORT_ID_SIZE},
	{"report_id_ma", SNP_AT_REPORT_ID_MA, SNP_REPORT_ID_SIZE},
	{"chip_id", SNP_AT_CHIP_ID, SNP_CHIP_ID_SIZE},
};
static const struct field tcbs[] = {
	{"current_tcb", SNP_AT_CURRENT_TCB, SNP_TCB_SIZE},
	{"reported_tcb", SNP_AT_REPORTED_TCB, SNP_TCB_SIZE},
	{"committed_tcb", SNP_AT_COMMITTED_TCB, SNP_TCB_SIZE},
	{"launch_tcb", SNP_AT_LAUNCH_TCB, SNP_TCB_SIZE},
};
static const struct field firmwares[] = {
	{"current", SNP_AT_CURRENT_FIRMWARE, 3},
	{"committed", SNP_AT_COMMITTED_FIRMWARE, 3},
};

/* Where each level lies is a matter of the processor: Turin and later begin with `fmc`. */
static int read_tcb(const json_t *report, const struct field *field, bool turin, uint8_t *to,
                    struct error *err)
{
	static const struct {
		const char *name;
		int legacy, turin;
	} levels[] = {{"bootloader", 0, 1},
	              {"tee", 1, 2},
	              {"snp", 6, 3},
	              {"microcode", 7, 7},
	              {"fmc", -1, 0}};
	const json_t *tcb = json_object_get(report, field->name);
	int rc = json_is_object(tcb) ? 0 : error_set(err, CELLA_EFORMAT, "\"%s\" is no object", field->name);
	for (size_t i = 0; rc == 0 && i < array_count(levels); i++) {
		const int at = turin ? levels[i].turin : levels[i].legacy;
		if (at >= 0)
			rc = read_number(tcb, levels[i].name, to + field->at + at, 1, err);
	}
	return rc;
}

static bool is_turin(const json_t *report)
{
	if (is_there(report, "cpuid_fam_id"))
		return json_integer_value(json_object_get(report, "cpuid_fam_id")) >= TURIN_FAMILY;
	return is_there(json_object_get(report, "reported_tcb"), "fmc");
}

static int read_firmware(const json_t *report, const struct field *field, uint8_t *to, struct error *err)
{
	static const char *const parts[] = {"build", "minor", "major"};
	const json_t *firmware = json_object_get(report, field->name);
	int rc = json_is_object(firmware) ? 0
	                                  : error_set(err, CELLA_EFORMAT, "\"%s\" is no object", field->name);
	for (size_t i = 0; rc == 0 && i < array_count(parts); i++)
		rc = read_number(firmware, parts[i], to + field->at + i, 1, err);
	return rc;
}

static int read_signature(const json_t *report, uint8_t *to, struct error *err)
{
	const json_t *signature = json_object_get(report, "signature");
	if (!json_is_object(signature))
		return error_set(err, CELLA_EFORMAT, "\"signature\" is no object");
	int rc = read_bytes(signature, "r", to + SNP_AT_SIGNATURE, SNP_SIGNATURE_FIELD, err);
	return rc == 0 ? read_bytes(signature, "s", to + SNP_AT_SIGNATURE + SNP_SIGNATURE_FIELD,
	                            SNP_SIGNATURE_FIELD, err)
	               : rc;
}

static int read_optional(const json_t *report, uint8_t *to, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < array_count(optional_numbers); i++) {
		const struct field *f = &optional_numbers[i];
		if (is_there(report, f->name))
			rc = read_number(report, f->name, to + f->at, f->size, err);
	}
	for (size_t i = 0; rc == 0 && i < array_count(firmwares); i++)
		if (is_there(report, firmwares[i].name))
			rc = read_firmware(report, &firmwares[i], to, err);
	return rc;
}

/* What no field has is zero, as in the report; if it was not, the signature does not hold. */
static int read_report(const json_t *report, struct buf *ret, struct error *err)
{
	uint8_t bytes[SNP_REPORT_SIZE] = {0};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < array_count(numbers); i++)
		rc = read_number(report, numbers[i].name, bytes + numbers[i].at, numbers[i].size, err);
	for (size_t i = 0; rc == 0 && i < array_count(arrays); i++)
		rc = read_bytes(report, arrays[i].name, bytes + arrays[i].at, arrays[i].size, err);
	for (size_t i = 0; rc == 0 && i < array_count(tcbs); i++)
		rc = read_tcb(report, &tcbs[i], is_turin(report), bytes, err);
	if (rc == 0)
		rc = read_optional(report, bytes, err);
	if (rc == 0)
		rc = read_signature(report, bytes, err);
	if (rc < 0)
		return error_prefix(err, rc, "\"attestation_report\": ");
	buf_put(ret, bytes, sizeof(bytes));
	return ret->failed ? error_set(err, CELLA_ENOMEM, "no memory for a report") : 0;
}

/* ---- SEV-SNP: the host's table of certificates */

static int read_cert_bytes(const json_t *data, struct buf *ret, struct error *err)
{
	const size_t size = json_array_size(data);
	if (json_is_string(data))
		return kbs_base64(json_string_value(data), json_string_length(data), CERT_MAX, ret, err);
	if (!json_is_array(data) || size > CERT_MAX)
		return error_set(err, CELLA_EFORMAT, "\"data\" is no array of %d numbers at most", CERT_MAX);
	uint8_t *to = buf_reserve(ret, size);
	if (!to && size > 0)
		return error_set(err, CELLA_ENOMEM, "no memory for a certificate");
	int rc = read_array(data, to, err);
	return rc < 0 ? error_prefix(err, rc, "\"data\": ") : 0;
}

/* CRLs and what others keep there are passed over. */
static bool is_cert(const json_t *entry)
{
	static const char *const types[] = {"VCEK", "VLEK", "ASK", "ARK"};
	const char *type = json_string_value(json_object_get(entry, "cert_type"));
	for (size_t i = 0; type && i < array_count(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static int read_certs(const json_t *table, struct kbs_evidence *ret, struct error *err)
{
	int rc = 0;
	if (!table || json_is_null(table))
		return 0;
	if (!json_is_array(table) || json_array_size(table) > TABLE_MAX)
		return error_set(err, CELLA_EFORMAT, "\"cert_chain\" is no array of %d entries at most",
		                 TABLE_MAX);
	for (size_t i = 0; rc == 0 && i < json_array_size(table); i++) {
		const json_t *entry = json_array_get(table, i);
		if (!json_is_object(entry))
			return error_set(err, CELLA_EFORMAT, "\"cert_chain\": entry %zu is no object", i + 1);
		if (!is_cert(entry))
			continue;
		if (ret->cert_count == KBS_CERTS_MAX)
			return error_set(err, CELLA_EFORMAT, "\"cert_chain\": more than %d certificates",
			                 KBS_CERTS_MAX);
		rc = read_cert_bytes(json_object_get(entry, "data"), &ret->certs[ret->cert_count++], err);
	}
	return rc < 0 ? error_prefix(err, rc, "\"cert_chain\": ") : 0;
}

static int read_snp(const json_t *json, struct kbs_evidence *ret, struct error *err)
{
	const json_t *report = json_object_get(json, "attestation_report");
	int rc = json_is_string(report)
	                 ? read_base64(json, "attestation_report", SNP_REPORT_SIZE, &ret->report, err)
	         : json_is_object(report)
	                 ? read_report(report, &ret->report, err)
	                 : error_set(err, CELLA_EFORMAT, "there is no \"attestation_report\"");
	return rc == 0 ? read_certs(json_object_get(json, "cert_chain"), ret, err) : rc;
}

/* ---- TDX and SGX */

static int read_quote(const json_t *json, struct kbs_evidence *ret, struct error *err)
{
	int rc = read_base64(json, "quote", QUOTE_MAX, &ret->report, err);
	if (rc == 0 && is_there(json, "cc_eventlog"))
		rc = read_base64(json, "cc_eventlog", LOG_MAX, &ret->event_log, err);
	return rc;
}

/* ---- all kinds */

static int read_object(enum tee_kind kind, const json_t *json, struct kbs_evidence *ret, struct error *err)
{
	if (!json_is_object(json))
		return error_set(err, CELLA_EFORMAT, "it is no object");
	switch (kind) {
	case TEE_SNP: return read_snp(json, ret, err);
	case TEE_TDX:
	case TEE_SGX: return read_quote(json, ret, err);
	default: return error_set(err, CELLA_EUNSUPPORTED, "evidence of that kind has no form here");
	}
}

int kbs_evidence_read(enum tee_kind kind, const json_t *json, struct kbs_evidence *ret, struct error *err)
{
	json_t *inner = NULL;
	if (!json_is_string(json))
		return read_object(kind, json, ret, err);
	int rc = claims_load(json_string_value(json), json_string_length(json), &inner, err);
	if (rc == 0)
		rc = read_object(kind, inner, ret, err);
	json_decref(inner);
	return rc;
}
