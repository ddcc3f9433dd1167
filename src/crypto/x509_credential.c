#include <string.h>

#include "base/io.h"
#include "crypto/x509_openssl.h"
#include "mem/mem.h"

enum { DAY_S = 86400, CREDENTIAL_S = 3650 * DAY_S, CERT_PEM_ROOM = 4096 };

static int write_both(const char *path, const struct cert_key *key, const struct cert *cert,
                      struct error *err)
{
	char both[CERT_KEY_PEM_MAX + CERT_PEM_ROOM];
	cleanup_buf struct buf certificate = {0};
	size_t size = 0;
	int rc = cert_key_write(key, both, &size, err);
	if (rc == 0)
		rc = cert_write_pem(cert, &certificate, err);
	if (rc == 0 && certificate.size > sizeof(both) - size)
		rc = error_set(err, CELLA_EBUG, "a certificate of %zu bytes", certificate.size);
	if (rc == 0) {
		memcpy(both + size, certificate.data, certificate.size);
		rc = io_create_private(path, both, size + certificate.size, err);
	}
	mem_wipe(both, sizeof(both));
	return rc;
}

int cert_credential_create(const char *path, const char *common_name, int64_t now,
                           char ret_hash[CERT_KEY_HASH_SIZE], struct error *err)
{
	struct cert_key *key = NULL;
	struct cert *cert = NULL;
	const struct cert_shape shape = {.common_name = common_name,
	                                 .use = CERT_FOR_CLIENT,
	                                 .not_before = now - DAY_S,
	                                 .not_after = now + CREDENTIAL_S};
	int rc = cert_key_generate(&key, err);
	if (rc == 0)
		rc = cert_make_self_signed(key, &shape, &cert, err);
	if (rc == 0)
		rc = cert_key_hash(key, ret_hash, err);
	if (rc == 0)
		rc = write_both(path, key, cert, err);
	cert_key_free(key);
	cert_free(cert);
	return rc;
}
