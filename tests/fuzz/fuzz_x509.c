/* Does reading, describing and checking a certificate, key or chain stay inside it? Byte 0 says which. */
#include <stdlib.h>

#include "crypto/crypto.h"
#include "crypto/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char pin[CERT_KEY_HASH_SIZE] =
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void check(const struct cert *const *chain, size_t count)
{
	struct cert_facts facts;
	struct error err;
	const struct cert_name name = {CERT_URI, "cella://a/b/c"};
	struct cert_rule rule = {.now = 1795921200, .use = CERT_FOR_SERVER, .cas = chain, .ca_count = count};
	for (size_t i = 0; i < count; i++) {
		if (cert_describe(chain[i], &facts, &err) == 0 &&
		    (facts.names.count > CERT_NAMES_MAX ||
		     (cert_names_have(&facts.names, &name) && !cert_names_first(&facts.names, CERT_URI))))
			abort();
	}
	(void)!cert_check(chain, count, &rule, &err);
	rule = (struct cert_rule){.now = 1795921200,
	                          .use = CERT_FOR_CLIENT,
	                          .ca_key_hash = pin,
	                          .name = &name};
	(void)!cert_check(chain, count, &rule, &err);
	if (cert_describe(chain[0], &facts, NULL) < 0)
		return;
	rule = (struct cert_rule){.now = facts.not_before,
	                          .use = CERT_FOR_SERVER,
	                          .key_hash = facts.key_hash};
	(void)!cert_check(chain, count, &rule, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct cert *chain[CERT_CHAIN_MAX];
	struct cert_key *key;
	size_t count = 0;
	if (!started && crypto_init(NULL, NULL) < 0)
		abort();
	started = true;
	if (size == 0)
		return -1;
	if (data[0] == 'k' && cert_key_read(data + 1, size - 1, &key, NULL) == 0)
		cert_key_free(key);
	if (data[0] == 'd' && cert_read_der(data + 1, size - 1, &chain[0], NULL) == 0)
		count = 1;
	if (data[0] == 'p' && cert_read_pem(data + 1, size - 1, chain, &count, NULL) < 0)
		count = 0;
	if (count > 0)
		check((const struct cert *const *)chain, count);
	for (size_t i = 0; i < count; i++)
		cert_free(chain[i]);
	return 0;
}
