/*
 * The .cell bundle: what `cella cc` writes and executors load (layout: wasm/bundle_format.h,
 * docs/protocols/bundle.md).
 *
 *   wasm       the module, as the linker wrote it (authoritative: the cell's identity)
 *   manifest   JSON: {"name": …, "version": 1, "stack": bytes, "tasks": bool}
 *   data       the module's data segments one after another: u32 count, then for each u64 size, bytes
 *   artifacts  machine code for a target (wasm/target.h): native image (ELF) with the translator's and
 *              the compiler's names, and the builder who signed all this, the data and the identity.
 *              There may be several for one target, by different builders
 *
 * Identity = SHA-384(wasm, manifest) by crypto_sha384_parts: independent of artifacts. The same
 * input gives the same bytes (Ed25519 signatures are deterministic).
 */
#ifndef WASM_BUNDLE_H
#define WASM_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "crypto/crypto.h"

enum { BUNDLE_ARTIFACT_MAX = 8 };

struct bundle_artifact {
	const char *target;     /* such as "x86-64-v3" */
	const char *translator; /* such as "cella-2" */
	const char *compiler;   /* such as "gcc 12.2.0" */
	const uint8_t *image;
	size_t image_size;
	const uint8_t *data; /* the bundle's */
	size_t data_size;
	uint8_t builder[CRYPTO_ED25519_SIZE];
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};

/* A parsed bundle points into the bytes it was parsed from, which must outlive it. */
struct bundle {
	const uint8_t *wasm;
	size_t wasm_size;
	const char *manifest; /* not terminated */
	size_t manifest_size;
	const uint8_t *data;
	size_t data_size;
	uint8_t identity[CRYPTO_SHA384_SIZE];
	struct bundle_artifact artifacts[BUNDLE_ARTIFACT_MAX];
	size_t artifact_count;
	char strings[1536]; /* the artifacts' names as parsed, terminated */
};

/* Checks form and computes the identity; does not check signatures. CELLA_EFORMAT with the byte offset. */
int bundle_parse(const void *data, size_t size, struct bundle *ret_bundle, struct error *err) must_check;

/* Is this artifact what its builder signed, for this bundle? CELLA_EAUTH if not. Whether the builder is to be
 * trusted is for the caller to say. */
int bundle_verify(const struct bundle *bundle, const struct bundle_artifact *artifact,
                  struct error *err) must_check;

int bundle_verify_all(const struct bundle *bundle, struct error *err) must_check;

/* The best artifact that this machine runs among those of builders whom `accepts` accepts, verified.
 * CELLA_ENOENT if there is none, with what there is and what this machine runs; CELLA_EAUTH if there are
 * some that it runs, but none by an accepted builder, or if the signature does not hold. */
typedef bool bundle_accepts(const uint8_t builder[CRYPTO_ED25519_SIZE], void *context);
int bundle_choose(const struct bundle *bundle, bundle_accepts *accepts, void *context,
                  const struct bundle_artifact **ret_artifact, struct error *err) must_check;

/* To make a bundle: give it wasm, manifest and data; bundle_identify; add artifacts; write.
 * bundle_add signs `artifact` (its builder, signature and data are ignored) and puts it into the bundle, in
 * the place of the one that this builder made for the target before, if there is one. Borrows everything. */
int bundle_identify(struct bundle *bundle, struct error *err) must_check;
int bundle_add(struct bundle *bundle, const struct bundle_artifact *artifact,
               const struct crypto_signer *builder, struct error *err) must_check;
int bundle_write(const struct bundle *bundle, struct buf *ret, struct error *err) must_check;

#endif
