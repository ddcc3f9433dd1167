/*
 * Makers of hardware whom tests make up: evidence of real hardware cannot be made for a test. cella-cas is
 * linked with no_test_roots.c, which has none, and no option or variable gives it any; what has some is
 * another program, tests/attacks/cas_of_tests, which is not installed.
 */
#ifndef CAS_TEST_ROOTS_H
#define CAS_TEST_ROOTS_H

#include "cas/service.h"

void cas_test_roots(struct cas_config *config);

#endif
