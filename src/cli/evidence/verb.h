/* What the files of `cella evidence` share. */
#ifndef CLI_EVIDENCE_VERB_H
#define CLI_EVIDENCE_VERB_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/tee.h"
#include "base/error.h"
#include "cli/options.h"

struct evidence_options {
	const char *tee, *evidence, *report_data, *at, *policy, *out, *from, *product;
	struct option_list certs, collateral, event_logs;
	/* Of what a machine is launched from. */
	const char *firmware, *kernel, *initrd, *append, *cpu, *guest_features;
	uint64_t cpus;
	bool json;
};

/* --report-data: 1 to TEE_REPORT_DATA_MAX bytes; what follows them in `ret` is not touched. */
int evidence_report_data(const char *hex, uint8_t ret[TEE_REPORT_DATA_MAX], size_t *ret_size,
                         struct error *err) must_check;
/* Asks this machine for evidence, and writes it to files. */
int evidence_get(const struct evidence_options *o, struct error *err) must_check;
/* Fetches what the maker publishes that a verification needs. */
int evidence_collateral(const struct evidence_options *o, const struct tee_input *input,
                        struct error *err) must_check;
/* Writes a challenge for a TPM's keys, and asks this machine's TPM for the answer to one. */
int evidence_challenge(const struct evidence_options *o, const struct tee_input *input,
                       struct tee_verdict *verdict, struct error *err) must_check;
int evidence_answer(const struct evidence_options *o, struct error *err) must_check;
/* Every check, and how it came out. */
void evidence_print_verdict(const struct tee_input *input, const struct tee_verdict *verdict);
/* Prints the launch measurement that evidence will have. */
int evidence_reference(const struct evidence_options *o, struct error *err) must_check;

#endif
