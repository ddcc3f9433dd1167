#include "guest_json.h"

#include "attest/snp/format.h"

json_t *guest_bytes(const void *bytes, size_t size)
{
	json_t *list = json_array();
	for (size_t i = 0; i < size; i++)
		json_array_append_new(list, json_integer(((const uint8_t *)bytes)[i]));
	return list;
}

static json_int_t number(const uint8_t *at, size_t size)
{
	uint64_t value = 0;
	for (size_t i = size; i > 0; i--)
		value = value << 8 | at[i - 1];
	return (json_int_t)value;
}

static json_t *tcb(const uint8_t *report, size_t at, enum guest_form form)
{
	const uint8_t *t = report + at;
	const bool turin = report[SNP_AT_CPUID] >= 0x1a;
	json_t *json = json_pack("{s:i, s:i, s:i, s:i}", "bootloader", t[turin], "tee", t[turin ? 2 : 1],
	                         "snp", t[turin ? 3 : 6], "microcode", t[7]);
	if (form == GUEST_FLAT)
		json_object_set_new(json, "_reserved", guest_bytes(t + 2, 4));
	else
		json_object_set_new(json, "fmc", turin ? json_integer(t[0]) : json_null());
	return json;
}

static void add_flat(json_t *to, const uint8_t *r)
{
	static const char *const names[] = {"current_build", "current_minor", "current_major"};
	static const char *const committed[] = {"committed_build", "committed_minor", "committed_major"};
	json_object_set_new(to, "_author_key_en", json_integer(number(r + SNP_AT_KEY_INFO, 4)));
	json_object_set_new(to, "_reserved_0", json_integer(0));
	for (size_t i = 0; i < 3; i++) {
		json_object_set_new(to, names[i], json_integer(r[SNP_AT_CURRENT_FIRMWARE + i]));
		json_object_set_new(to, committed[i], json_integer(r[SNP_AT_COMMITTED_FIRMWARE + i]));
	}
}

static json_t *firmware(const uint8_t *at)
{
	return json_pack("{s:i, s:i, s:i}", "build", at[0], "minor", at[1], "major", at[2]);
}

static void add_nested(json_t *to, const uint8_t *r)
{
	const bool has_cpu = r[SNP_AT_VERSION] >= 3, has_vectors = r[SNP_AT_VERSION] >= 5;
	static const char *const cpu[] = {"cpuid_fam_id", "cpuid_mod_id", "cpuid_step"};
	json_object_set_new(to, "key_info", json_integer(number(r + SNP_AT_KEY_INFO, 4)));
	json_object_set_new(to, "current", firmware(r + SNP_AT_CURRENT_FIRMWARE));
	json_object_set_new(to, "committed", firmware(r + SNP_AT_COMMITTED_FIRMWARE));
	for (size_t i = 0; i < 3; i++)
		json_object_set_new(to, cpu[i], has_cpu ? json_integer(r[SNP_AT_CPUID + i]) : json_null());
	json_object_set_new(to, "launch_mit_vector",
	                    has_vectors ? json_integer(number(r + SNP_AT_LAUNCH_MITIGATIONS, 8))
	                                : json_null());
	json_object_set_new(to, "current_mit_vector",
	                    has_vectors ? json_integer(number(r + SNP_AT_CURRENT_MITIGATIONS, 8))
	                                : json_null());
}

static json_t *report_json(const uint8_t *r, enum guest_form form)
{
	static const struct {
		const char *name;
		size_t at, size;
		char kind; /* n: a number; a: an array; t: a TCB */
	} fields[] = {
		{"version", SNP_AT_VERSION, 4, 'n'},
		{"guest_svn", SNP_AT_GUEST_SVN, 4, 'n'},
		{"policy", SNP_AT_POLICY, 8, 'n'},
		{"family_id", SNP_AT_FAMILY_ID, 16, 'a'},
		{"image_id", SNP_AT_IMAGE_ID, 16, 'a'},
		{"vmpl", SNP_AT_VMPL, 4, 'n'},
		{"sig_algo", SNP_AT_SIGNATURE_ALGORITHM, 4, 'n'},
		{"current_tcb", SNP_AT_CURRENT_TCB, 8, 't'},
		{"plat_info", SNP_AT_PLATFORM_INFO, 8, 'n'},
		{"report_data", SNP_AT_REPORT_DATA, 64, 'a'},
		{"measurement", SNP_AT_MEASUREMENT, 48, 'a'},
		{"host_data", SNP_AT_HOST_DATA, 32, 'a'},
		{"id_key_digest", SNP_AT_ID_KEY_DIGEST, 48, 'a'},
		{"author_key_digest", SNP_AT_AUTHOR_KEY_DIGEST, 48, 'a'},
		{"report_id", SNP_AT_REPORT_ID, 32, 'a'},
		{"report_id_ma", SNP_AT_REPORT_ID_MA, 32, 'a'},
		{"reported_tcb", SNP_AT_REPORTED_TCB, 8, 't'},
		{"chip_id", SNP_AT_CHIP_ID, 64, 'a'},
		{"committed_tcb", SNP_AT_COMMITTED_TCB, 8, 't'},
		{"launch_tcb", SNP_AT_LAUNCH_TCB, 8, 't'},
	};
	json_t *json = json_object();
	for (size_t i = 0; i < array_count(fields); i++)
		json_object_set_new(json, fields[i].name,
		                    fields[i].kind == 'n'
		                            ? json_integer(number(r + fields[i].at, fields[i].size))
		                    : fields[i].kind == 'a' ? guest_bytes(r + fields[i].at, fields[i].size)
		                                            : tcb(r, fields[i].at, form));
	if (form == GUEST_FLAT)
		add_flat(json, r);
	else
		add_nested(json, r);
	json_object_set_new(json, "signature",
	                    json_pack("{s:o, s:o}", "r",
	                              guest_bytes(r + SNP_AT_SIGNATURE, SNP_SIGNATURE_FIELD), "s",
	                              guest_bytes(r + SNP_AT_SIGNATURE + SNP_SIGNATURE_FIELD,
	                                          SNP_SIGNATURE_FIELD)));
	return json;
}

static void add_cert(json_t *to, const char *type, const struct buf *der)
{
	if (der)
		json_array_append_new(to, json_pack("{s:s, s:o}", "cert_type", type, "data",
		                                    guest_bytes(der->data, der->size)));
}

json_t *guest_snp(const uint8_t *report, enum guest_form form, const struct buf *vcek, const struct buf *ask,
                  const struct buf *ark)
{
	json_t *certs = vcek ? json_array() : json_null();
	if (vcek) {
		add_cert(certs, "VCEK", vcek);
		add_cert(certs, "ASK", ask);
		add_cert(certs, "ARK", ark);
	}
	return json_pack("{s:o, s:o}", "attestation_report", report_json(report, form), "cert_chain", certs);
}
