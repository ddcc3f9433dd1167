/* The verbs of the command line, one file each. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "cli/verb.h"

extern const struct verb bench_verb, build_verb, cas_verb, cc_verb, cxx_verb, doctor_verb, evidence_verb,
	inspect_verb, las_verb, run_verb, session_verb, verify_verb, volume_verb;

int verb_bench(int argc, char **argv);
int verb_build(int argc, char **argv);
int verb_cas(int argc, char **argv);
int verb_cc(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_evidence(int argc, char **argv);
int verb_inspect(int argc, char **argv);
int verb_las(int argc, char **argv);
int verb_run(int argc, char **argv);
int verb_session(int argc, char **argv);
int verb_verify(int argc, char **argv);
int verb_volume(int argc, char **argv);

#endif
