#include "attest/azure/format.h"

#include <jansson.h>
#include <string.h>

#include "attest/claims.h"
#include "base/base64url.h"
#include "base/io.h"

enum { SIGNATURE = 0x414C4348, HEADER_RESERVED = 16, EXPONENT_MAX = 4, MODULUS_MAX = 1024 };

static const uint8_t evidence_magic[8] = {'C', 'E', 'L', 'L', 'A', 'H', 'C', 'L'};

const char *azure_type_name(uint32_t type)
{
	static const char *const names[] = {
		[AZURE_VBS] = "VBS",
		[AZURE_SNP] = "SEV-SNP",
		[AZURE_TRUSTED_LAUNCH] = "trusted launch",
		[AZURE_TDX] = "TDX",
	};
	return type < array_count(names) && names[type] ? names[type] : "an unknown type";
}

/* ---- the runtime data ---- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

static const json_t *find_key(const json_t *root)
{
	const json_t *keys = json_object_get(root, "keys");
	for (size_t i = 0; i < json_array_size(keys); i++)
		if (strcmp(text_of(json_array_get(keys, i), "kid"), "HCLAkPub") == 0)
			return json_array_get(keys, i);
	return NULL;
}

static int malformed(struct error *err)
{
	return error_set(err, CELLA_EFORMAT, "the runtime data name no RSA key HCLAkPub");
}

/* A JWK of RSA (RFC 7518, section 6.3.1). */
static int read_key(const json_t *key, char ret_hash[CERT_KEY_HASH_SIZE], struct error *err)
{
	uint8_t modulus[MODULUS_MAX], exponent[EXPONENT_MAX] = {0};
	const char *n = text_of(key, "n"), *e = text_of(key, "e");
	const size_t n_size = base64url_bytes(strlen(n)), e_size = base64url_bytes(strlen(e));
	struct vendor_key *read;
	uint32_t value = 0;
	if (strcmp(text_of(key, "kty"), "RSA") != 0 || n_size == 0 || n_size > sizeof(modulus) ||
	    e_size == 0 || e_size > sizeof(exponent) || !base64url_decode(n, strlen(n), modulus) ||
	    !base64url_decode(e, strlen(e), exponent))
		return malformed(err);
	for (size_t i = 0; i < e_size; i++)
		value = value << 8 | exponent[i];
	int rc = vendor_key_from_rsa(modulus, n_size, value, &read, err);
	if (rc < 0)
		return rc;
	rc = vendor_key_hash(read, ret_hash, err);
	vendor_key_free(read);
	return rc;
}

static int flag_of(const json_t *object, const char *name)
{
	const json_t *flag = json_object_get(object, name);
	return json_is_boolean(flag) ? json_is_true(flag) : -1;
}

static void read_machine(const json_t *root, struct azure_report *to)
{
	const json_t *machine = json_object_get(root, "vm-configuration");
	const char *id = text_of(machine, "vmUniqueId"), *user_data = text_of(root, "user-data");
	to->secure_boot = flag_of(machine, "secure-boot");
	to->console = flag_of(machine, "console-enabled");
	if (strlen(id) < sizeof(to->vm_id))
		memcpy(to->vm_id, id, strlen(id) + 1);
	to->has_user_data = strlen(user_data) == 2 * sizeof(to->user_data) &&
	                    io_unhex(user_data, sizeof(to->user_data), to->user_data);
}

static int read_runtime(struct azure_report *to, struct error *err)
{
	json_t *root;
	int rc = claims_load((const char *)to->runtime.data, to->runtime.size, &root, err);
	if (rc < 0)
		return error_prefix(err, rc, "the runtime data: ");
	const json_t *key = find_key(root);
	rc = key ? read_key(key, to->ak_key_hash, err) : malformed(err);
	if (rc == 0)
		read_machine(root, to);
	json_decref(root);
	return rc;
}

/* ---- the report ---- */

static int hash_of(uint32_t hash)
{
	static const int hashes[] = {-1, CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512};
	return hash < array_count(hashes) ? hashes[hash] : -1;
}

int azure_report_read(const void *data, size_t size, struct azure_report *ret_report, struct error *err)
{
	struct reader r = reader_of(data, size);
	const uint32_t signature = reader_u32(&r);
	struct azure_report report = {.version = reader_u32(&r)};
	(void)reader_u32(&r); /* the size of everything; versions differ in what that is */
	report.request = reader_u32(&r);
	(void)reader_bytes(&r, HEADER_RESERVED);
	report.hardware = reader_bytes(&r, AZURE_REPORT_FIELD);
	(void)reader_u32(&r); /* the size of what follows, likewise */
	report.claims_version = reader_u32(&r);
	report.type = reader_u32(&r);
	report.hash = hash_of(reader_u32(&r));
	report.runtime.size = reader_u32(&r);
	if (!r.failed && report.runtime.size <= AZURE_RUNTIME_MAX)
		report.runtime.data = reader_bytes(&r, report.runtime.size);
	if (!report.runtime.data || signature != SIGNATURE)
		return error_set(err, CELLA_EFORMAT,
		                 "%zu bytes are no report of Azure's paravisor: it begins with \"HCLA\"",
		                 size);
	const size_t left = reader_left(&r);
	if (left > 0 && !bytes_are_zero(reader_bytes(&r, left), left))
		return error_set(err, CELLA_EFORMAT, "%zu bytes behind a report of Azure's paravisor", left);
	int rc = read_runtime(&report, err);
	if (rc == 0)
		*ret_report = report;
	return rc;
}

/* ---- the evidence ---- */

void azure_evidence_write(const struct azure_evidence *e, struct buf *to)
{
	buf_put(to, evidence_magic, sizeof(evidence_magic));
	buf_put_u32(to, AZURE_EVIDENCE_VERSION);
	buf_put_blob(to, e->report.data, e->report.size);
	buf_put_blob(to, e->quote.data, e->quote.size);
	buf_put_blob(to, e->tpm.data, e->tpm.size);
}

int azure_evidence_read(const void *data, size_t size, struct azure_evidence *ret_evidence, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct azure_evidence e = {0};
	const uint8_t *magic = reader_bytes(&r, sizeof(evidence_magic));
	const uint32_t version = reader_u32(&r);
	e.report.data = reader_blob(&r, &e.report.size);
	e.quote.data = reader_blob(&r, &e.quote.size);
	e.tpm.data = reader_blob(&r, &e.tpm.size);
	if (!reader_finished(&r) || !crypto_equal(magic, evidence_magic, sizeof(evidence_magic)) ||
	    version != AZURE_EVIDENCE_VERSION)
		return error_set(
			err, CELLA_EFORMAT,
			"%zu bytes are no evidence of a confidential machine of Azure's: that begins "
			"with \"CELLAHCL\", version %d",
			size, AZURE_EVIDENCE_VERSION);
	*ret_evidence = e;
	return 0;
}
