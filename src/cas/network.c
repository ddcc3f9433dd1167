#include "cas/network.h"

#include <arpa/inet.h>
#include <stddef.h>

static uint64_t big_endian(const uint8_t *bytes, size_t size)
{
	uint64_t number = 0;
	for (size_t i = 0; i < size; i++)
		number = number << 8 | bytes[i];
	return number;
}

/* No /64 that is in use begins with sixteen ones. */
static uint64_t of_ipv4(const uint8_t bytes[4])
{
	return (uint64_t)0xffff << 48 | big_endian(bytes, 4);
}

uint64_t network_of(const char *address)
{
	struct in6_addr six;
	uint8_t four[4];
	if (inet_pton(AF_INET, address, four) == 1)
		return of_ipv4(four);
	if (inet_pton(AF_INET6, address, &six) != 1)
		return 0;
	return IN6_IS_ADDR_V4MAPPED(&six) ? of_ipv4(six.s6_addr + 12) : big_endian(six.s6_addr, 8);
}
