#include "cas/server_certificate.h"

#include <arpa/inet.h>
#include <string.h>

#include "cas/service_state.h"

enum { BEFORE_S = 86400, OWN_NAMES = CERT_NAMES_MAX - SERVER_CERTIFICATE_HOSTS_MAX };

static struct cert_name name_of(const char *host)
{
	uint8_t address[sizeof(struct in6_addr)];
	bool is_address = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
	return (struct cert_name){is_address ? CERT_IP : CERT_DNS, host};
}

int server_certificate_check(const char *const *hosts, size_t count, struct error *err)
{
	int rc = count > SERVER_CERTIFICATE_HOSTS_MAX
	                 ? error_set(err, CELLA_EINVAL, "a CAS's certificate has room for %d hosts",
	                             SERVER_CERTIFICATE_HOSTS_MAX)
	                 : 0;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		const struct cert_name name = name_of(hosts[i]);
		rc = cert_name_check(&name, err);
	}
	return rc;
}

/* The CA's own certificate ends, too. */
static int find_end(const struct cas *cas, int64_t now, int64_t *ret_end, struct error *err)
{
	struct cert_facts ca;
	int rc = cert_describe(cas->identity_ca, &ca, err);
	if (rc < 0)
		return rc;
	int64_t end = now + SERVER_CERTIFICATE_S;
	*ret_end = end < ca.not_after ? end : ca.not_after;
	return 0;
}

int server_certificate_issue(const struct cas *cas, const char *const *hosts, size_t count, int64_t now,
                             struct cert **ret_certificate, struct error *err)
{
	struct cert_name names[CERT_NAMES_MAX] = {{CERT_DNS, "localhost"},
	                                          {CERT_IP, "127.0.0.1"},
	                                          {CERT_IP, "::1"}};
	struct cert_shape shape = {.common_name = "Cella CAS",
	                           .names = names,
	                           .name_count = OWN_NAMES + count,
	                           .use = CERT_FOR_SERVER,
	                           .not_before = now - BEFORE_S};
	uint8_t public[CERT_PUBLIC_MAX];
	size_t size;
	for (size_t i = 0; i < count; i++)
		names[OWN_NAMES + i] = name_of(hosts[i]);
	int rc = find_end(cas, now, &shape.not_after, err);
	if (rc == 0)
		rc = cert_key_public(cas->tls_key, public, &size, err);
	return rc == 0 ? cert_issue(cas->identity_key, cas->identity_ca, public, size, &shape,
	                            ret_certificate, err)
	               : rc;
}
