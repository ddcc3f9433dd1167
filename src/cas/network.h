/* What counts as one caller, for limits: an IPv4 address, also one that is written as IPv6 (::ffff:192.0.2.7,
 * by a CAS that listens on ::), or an IPv6 /64, all of which whoever has one address of it has. */
#ifndef CAS_NETWORK_H
#define CAS_NETWORK_H

#include <stdint.h>

/* The same for the same caller; 0 for what is no address. */
uint64_t network_of(const char *address);

#endif
