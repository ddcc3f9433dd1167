/* cella evidence reference: the launch measurement that a guest will have. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "attest/reference_snp.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cli/evidence_verb.h"
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
	if (!o->tee || strcmp(o->tee, "snp") != 0)
		return error_set(err, CELLA_EINVAL, "reference computes measurements of --tee snp");
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

int evidence_reference(const struct evidence_options *o, struct error *err)
{
	struct launch_files f = {0};
	struct reference_snp r = {.guest_features = 1};
	uint8_t measurement[SNP_MEASUREMENT_SIZE];
	char hex[2 * SNP_MEASUREMENT_SIZE + 1];
	int rc = read_launch(o, &f, &r, err);
	if (rc == 0)
		rc = reference_snp(&r, measurement, err);
	files_done(&f);
	if (rc < 0)
		return rc;
	io_hex(measurement, sizeof(measurement), hex);
	if (o->json)
		return verb_print_json(json_pack("{s:s}", "measurement", hex), err);
	puts(hex);
	return 0;
}
