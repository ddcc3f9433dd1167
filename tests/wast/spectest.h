/* The module "spectest" that the specification's tests import from. */
#ifndef TESTS_WAST_SPECTEST_H
#define TESTS_WAST_SPECTEST_H

#include "guest.h"

/* Its memory and table as a new store has them. */
int spectest_reset(struct error *err) must_check;
bool spectest_export(const char *name, size_t size, struct external *ret);

#endif
