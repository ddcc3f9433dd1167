#include "cli/builder.h"

#include <string.h>

#include "base/io.h"
#include "crypto/key_file.h"
#include "wasm/target.h"

enum { KEY_DIGITS = 2 * CRYPTO_ED25519_SIZE };

int builder_parse(const char *hex, uint8_t ret_key[CRYPTO_ED25519_SIZE], struct error *err)
{
	uint8_t key[CRYPTO_ED25519_SIZE];
	if (strlen(hex) != KEY_DIGITS || !io_unhex(hex, sizeof(key), key))
		return error_set(err, CELLA_EINVAL, "%.80s is no builder key: it has %d hexadecimal digits",
		                 hex, KEY_DIGITS);
	memcpy(ret_key, key, sizeof(key));
	return 0;
}

static const char key_name[] = "the builder's key";

static int key_path(char to[CRYPTO_KEY_PATH_MAX], struct error *err)
{
	return crypto_key_file_place("CELLA_BUILDER_KEY", "builder.key", key_name, to, err);
}

int builder_load(struct crypto_signer *ret_signer, struct error *err)
{
	char path[CRYPTO_KEY_PATH_MAX];
	int rc = key_path(path, err);
	return rc < 0 ? rc : crypto_key_file_load(path, key_name, ret_signer, err);
}

/* CELLA_ENOENT: there is no own key; another error: there is one, of no use. */
static int own_key(uint8_t ret_key[CRYPTO_ED25519_SIZE], struct error *err)
{
	char path[CRYPTO_KEY_PATH_MAX];
	struct crypto_signer signer;
	int rc = key_path(path, err);
	if (rc == 0)
		rc = crypto_key_file_read(path, key_name, &signer, err);
	if (rc < 0)
		return rc;
	memcpy(ret_key, signer.public_key, CRYPTO_ED25519_SIZE);
	mem_wipe(&signer, sizeof(signer));
	return 0;
}

int builder_check(const uint8_t builder[CRYPTO_ED25519_SIZE], const char *const *accepted, size_t count,
                  struct error *err)
{
	char hex[KEY_DIGITS + 1];
	uint8_t own[CRYPTO_ED25519_SIZE];
	struct error why;
	for (size_t i = 0; i < count; i++) {
		uint8_t key[CRYPTO_ED25519_SIZE];
		int rc = builder_parse(accepted[i], key, err);
		if (rc < 0)
			return rc;
		if (crypto_equal(builder, key, sizeof(key)))
			return 0;
	}
	int rc = own_key(own, &why);
	if (rc == 0 && crypto_equal(builder, own, sizeof(own)))
		return 0;
	io_hex(builder, CRYPTO_ED25519_SIZE, hex);
	return error_set(
		err, CELLA_EAUTH,
		"it was built by %s, which is not your own key%s%.300s%s: build it yourself, or accept "
		"that builder with cella run --accept-builder or cella verify --builder",
		hex, rc < 0 ? " (" : "", rc < 0 ? why.text : "", rc < 0 ? ")" : "");
}

struct accepted {
	const char *const *keys;
	size_t count;
};

static bool accepts(const uint8_t builder[CRYPTO_ED25519_SIZE], void *context)
{
	const struct accepted *a = context;
	return builder_check(builder, a->keys, a->count, NULL) == 0;
}

int builder_choose(const struct bundle *bundle, const char *const *accepted, size_t count,
                   const struct bundle_artifact **ret_artifact, struct error *err)
{
	struct accepted a = {accepted, count};
	int rc = bundle_choose(bundle, accepts, &a, ret_artifact, err);
	for (size_t i = 0; rc == CELLA_EAUTH && i < bundle->artifact_count; i++)
		if (target_runs_here(bundle->artifacts[i].target) &&
		    builder_check(bundle->artifacts[i].builder, accepted, count, err) < 0)
			return CELLA_EAUTH;
	return rc;
}
