/* What the files of `cella evidence` share. */
#ifndef CLI_EVIDENCE_VERB_H
#define CLI_EVIDENCE_VERB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cli/options.h"

struct evidence_options {
	const char *tee, *evidence, *report_data, *at, *policy;
	struct option_list certs, collateral, event_logs;
	/* Of what a machine is launched from. */
	const char *firmware, *kernel, *initrd, *append, *cpu, *guest_features;
	uint64_t cpus;
	bool json;
};

/* Prints the launch measurement that evidence will have. */
int evidence_reference(const struct evidence_options *o, struct error *err) must_check;

#endif
