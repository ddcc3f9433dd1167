/* cella evidence reference: the launch measurement that a guest will have, for a policy. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "attest/dcap/reference.h"
#include "attest/snp/reference.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cli/evidence/verb.h"
#include "cli/verb.h"

enum { KERNEL_MAX = 1 << 30 };

/* Files of a launch, read. */
struct launch_files {
	struct buf firmware, kernel, initrd;
};

static void files_done(struct launch_files *f)
{
	buf_done(&f->firmware);
	buf_done(&f->kernel);
	buf_done(&f->initrd);
}

static int read_file(const char *path, size_t most, struct buf *to, struct tee_blob *ret, struct error *err)
{
	if (!path)
		return 0;
	int rc = io_read_file(path, most, to, err);
	if (rc == 0 && to->size == 0)
		rc = error_set(err, CELLA_EFORMAT, "%s is empty", path);
	if (rc == 0)
		*ret = (struct tee_blob){to->data, to->size, path};
	return rc;
}

/* "0x1f" or "1f". */
static int read_hex(const char *text, const char *option, uint64_t most, uint64_t *ret, struct error *err)
{
	const char *digits = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? text + 2 : text;
	const size_t size = strnlen(digits, 17);
	uint64_t value = 0;
	for (size_t i = 0; i < size && size <= 16; i++) {
		if (io_hex_digit(digits[i]) < 0)
			return error_set(err, CELLA_EINVAL, "%s takes a hexadecimal number, not %.40s",
			                 option, text);
		value = value << 4 | (uint64_t)io_hex_digit(digits[i]);
	}
	if (size == 0 || size > 16 || value > most)
		return error_set(err, CELLA_EINVAL, "%s takes a hexadecimal number up to 0x%llx, not %.40s",
		                 option, (unsigned long long)most, text);
	*ret = value;
	return 0;
}

static int read_cpu(const char *text, uint32_t *ret_signature, struct error *err)
{
	uint64_t signature;
	if (text[0] != '0')
		return reference_snp_cpu(text, ret_signature, err);
	int rc = read_hex(text, "--cpu", UINT32_MAX, &signature, err);
	if (rc == 0)
		*ret_signature = (uint32_t)signature;
	return rc;
}

static int read_launch(const struct evidence_options *o, struct launch_files *f, struct reference_snp *r,
                       struct error *err)
{
	if (!o->firmware || !o->cpu)
		return error_set(err, CELLA_EINVAL, "%s is missing", o->firmware ? "--cpu" : "--firmware");
	if (o->cpus > REFERENCE_CPUS_MAX)
		return error_set(err, CELLA_EINVAL, "--cpus takes 1 to %d", REFERENCE_CPUS_MAX);
	r->cpus = (uint32_t)o->cpus;
	r->command_line = o->append;
	int rc = read_cpu(o->cpu, &r->cpu_signature, err);
	if (rc == 0 && o->guest_features)
		rc = read_hex(o->guest_features, "--guest-features", UINT64_MAX, &r->guest_features, err);
	if (rc == 0)
		rc = read_file(o->firmware, REFERENCE_FIRMWARE_MAX, &f->firmware, &r->firmware, err);
	if (rc == 0)
		rc = read_file(o->kernel, KERNEL_MAX, &f->kernel, &r->kernel, err);
	return rc == 0 ? read_file(o->initrd, KERNEL_MAX, &f->initrd, &r->initrd, err) : rc;
}

static int print_measurement(const struct evidence_options *o, const char *member, const uint8_t *value,
                             size_t size, struct error *err)
{
	char hex[2 * TEE_REPORT_DATA_MAX + 1];
	io_hex(value, size, hex);
	if (o->json)
		return verb_print_json(json_pack("{s:s}", member, hex), err);
	puts(hex);
	return 0;
}

static int of_snp(const struct evidence_options *o, struct error *err)
{
	struct launch_files f = {0};
	struct reference_snp r = {.guest_features = 1};
	uint8_t measurement[SNP_MEASUREMENT_SIZE];
	int rc = read_launch(o, &f, &r, err);
	if (rc == 0)
		rc = reference_snp(&r, measurement, err);
	files_done(&f);
	return rc == 0 ? print_measurement(o, "measurement", measurement, sizeof(measurement), err) : rc;
}

static int of_tdx(const struct evidence_options *o, struct error *err)
{
	struct launch_files f = {0};
	struct tee_blob firmware;
	uint8_t mr_td[REFERENCE_TDX_SIZE];
	if (!o->firmware)
		return error_set(err, CELLA_EINVAL, "--firmware is missing");
	if (o->kernel || o->initrd || o->append || o->cpu || o->guest_features)
		return error_set(
			err, CELLA_EINVAL,
			"of TDX the firmware alone is measured at the launch; what it loads is in rtmr1 and "
			"rtmr2, which an event log explains");
	int rc = read_file(o->firmware, REFERENCE_TDX_FIRMWARE_MAX, &f.firmware, &firmware, err);
	if (rc == 0)
		rc = reference_tdx(&firmware, mr_td, err);
	files_done(&f);
	return rc == 0 ? print_measurement(o, "mr_td", mr_td, sizeof(mr_td), err) : rc;
}

int evidence_reference(const struct evidence_options *o, struct error *err)
{
	if (o->tee && strcmp(o->tee, "tdx") == 0)
		return of_tdx(o, err);
	if (o->tee && strcmp(o->tee, "snp") == 0)
		return of_snp(o, err);
	return error_set(err, CELLA_EINVAL, "reference computes measurements of --tee snp and --tee tdx");
}
