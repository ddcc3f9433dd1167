/* How long it is since the machine was started, and which start that was: a clock that nobody sets. */
#ifndef LAS_CLOCK_H
#define LAS_CLOCK_H

#include "attest/lease.h"

/* CELLA_EUNSUPPORTED: the process is in a time namespace, whose maker chooses what the time is. */
int clock_since_boot(uint8_t ret_boot[LEASE_BOOT_SIZE], uint64_t *ret_now_s, struct error *err) must_check;

#endif
