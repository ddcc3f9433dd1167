/*
 * The .cell bundle: what `cella cc` writes and executors load (layout: wasm/bundle_format.h,
 * docs/protocols/bundle.md).
 *
 *   wasm       the module, as the linker wrote it (authoritative: the cell's identity)
 *   manifest   JSON: {"name": …, "version": 1, "stack": bytes, "tasks": bool}
 *   artifacts  one per target ("x86-64-v3"): native image (ELF) and data segments, with the
 *              translator's and the compiler's names
 *   builder    Ed25519 public key, and per artifact a signature over
 *              "cella artifact 1" || identity || target || translator || compiler ||
 *              SHA-384(image) || SHA-384(data)
 *
 * Identity = SHA-384(wasm, manifest) by crypto_sha384_parts: independent of artifacts. The same
 * input gives the same bytes (Ed25519 signatures are deterministic).
 */
#ifndef WASM_BUNDLE_H
#define WASM_BUNDLE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "crypto/crypto.h"

struct bundle_artifact {
	const char *target;     /* such as "x86-64-v3" */
	const char *translator; /* such as "cella-1" */
	const char *compiler;   /* such as "gcc 12.2.0" */
	const uint8_t *image;
	size_t image_size;
	const uint8_t
		*data; /* data segments one after another: u32 count, then per segment u64 size, bytes */
	size_t data_size;
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
};

/* A parsed bundle points into the bytes it was parsed from, which must outlive it. */
struct bundle {
	const uint8_t *wasm;
	size_t wasm_size;
	const char *manifest; /* not terminated */
	size_t manifest_size;
	uint8_t builder[CRYPTO_ED25519_SIZE];
	uint8_t identity[CRYPTO_SHA384_SIZE]; /* computed by bundle_parse */
	struct bundle_artifact artifacts[4];
	size_t artifact_count;
	char strings[768]; /* the artifacts' names, terminated */
};

/* Checks form and computes the identity; does not check signatures. CELLA_EFORMAT with the byte offset. */
int bundle_parse(const void *data, size_t size, struct bundle *ret_bundle, struct error *err) must_check;
/* The artifact for `target`, its signature verified against the bundle's builder key.
 * CELLA_ENOENT if there is none, CELLA_EAUTH if the signature does not hold. The caller compares
 * the builder key with those that it accepts. */
int bundle_artifact(const struct bundle *bundle, const char *target,
                    const struct bundle_artifact **ret_artifact, struct error *err) must_check;
/* Write a bundle with one artifact, signed by `builder`. artifact->signature is ignored. */
int bundle_write(const void *wasm, size_t wasm_size, const char *manifest,
                 const struct bundle_artifact *artifact, const struct crypto_signer *builder, struct buf *ret,
                 struct error *err) must_check;

#endif
