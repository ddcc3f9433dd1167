/*
 * A processor with SEV-SNP that a test makes up, and a guest's attestation agent on it. It first prints the
 * hash of its maker's key, for CELLA_TEST_ROOT of cas_of_tests, and then answers each line
 *
 *     REPORT-DATA [MEASUREMENT-BYTE [POLICY [BREAK]]]
 *
 * (hexadecimal; the byte stands for 48 of it; the guest's policy is a number; BREAK `signature` spoils it,
 * `bare` leaves out the certificates) by evidence as JSON on one line. It ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/snp/format.h"
#include "base/io.h"
#include "crypto/crypto.h"
#include "guest_json.h"
#include "snp_support.h"

static void answer(const struct maker_files *made, char *line)
{
	struct maker_files files = *made;
	uint8_t data[SNP_REPORT_DATA_SIZE] = {0};
	char *rest = line, *hex = strtok_r(rest, " \n", &rest);
	const char *measurement = strtok_r(NULL, " \n", &rest), *policy = strtok_r(NULL, " \n", &rest);
	const char *broken = strtok_r(NULL, " \n", &rest);
	if (!hex || strlen(hex) > 2 * sizeof(data) || !io_unhex(hex, strlen(hex) / 2, data)) {
		puts("null");
		return;
	}
	memcpy(files.report.data + SNP_AT_REPORT_DATA, data, sizeof(data));
	memset(files.report.data + SNP_AT_MEASUREMENT,
	       measurement ? (int)strtoul(measurement, NULL, 16) : 0xa5, SNP_MEASUREMENT_SIZE);
	uint64_t bits = policy ? strtoull(policy, NULL, 0) : 0x3001f;
	for (size_t i = 0; i < 8; i++)
		files.report.data[SNP_AT_POLICY + i] = (uint8_t)(bits >> (8 * i));
	maker_sign(&files);
	if (broken && strcmp(broken, "signature") == 0)
		files.report.data[SNP_AT_SIGNATURE] ^= 1;
	bool bare = broken && strcmp(broken, "bare") == 0;
	json_t *json = guest_snp(files.report.data, GUEST_NESTED, bare ? NULL : &files.leaf, &files.ca,
	                         &files.root);
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
}

int main(void)
{
	struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	char line[512];
	shape.not_before = (int64_t)time(NULL) - MAKER_YEAR;
	shape.not_after = (int64_t)time(NULL) + MAKER_YEAR;
	if (crypto_init(NULL, NULL) < 0 || maker_start() < 0)
		return 1;
	maker_make(&shape, &files);
	printf("%s\n", files.pin_hash);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		answer(&files, line);
		fflush(stdout);
	}
	maker_done(&files);
	maker_stop();
	return 0;
}
