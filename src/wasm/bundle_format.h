/*
 * The .cell bundle's bytes: header, table of sections, sections; all integers little-endian.
 *
 *     at  size  header
 *      0     6  magic      "CELLA" and a zero
 *      6     2  version    2
 *      8     8  size       of the whole bundle
 *     16     4  count      of sections
 *     20     4  reserved   0
 *
 *     at  size  entry of the table, `count` times from 24 on
 *      0     4  kind       enum bundle_section
 *      4     4  artifact   which one it belongs to, from 0; 0 for the first three sections
 *      8     8  offset     from the bundle's start
 *     16     8  size
 *
 * There is one way to write a bundle: sections stand in the order WASM, MANIFEST, DATA, and for each
 * artifact NAMES, IMAGE; each begins where the one before it ends, the first behind the table, and the
 * last ends the bundle. So nothing overlaps, nothing is there twice, and no byte is without a meaning.
 * Whatever is written otherwise is refused.
 *
 * WASM, MANIFEST, DATA and IMAGE are what wasm/bundle.h says. NAMES is the target, the translator and
 * the compiler, each as u32 size and that many printable ASCII characters (1 to 63), then the builder's
 * Ed25519 public key (32) and the builder's signature (64) over
 *
 *     "cella artifact 2" || identity || target || translator || compiler || builder ||
 *     SHA-384(image) || SHA-384(data)
 *
 * where the three names have their u32 sizes before them. A builder has one artifact for a target at
 * most.
 *
 * Version 1 had one builder for all artifacts, and the data segments once for each.
 */
#ifndef WASM_BUNDLE_FORMAT_H
#define WASM_BUNDLE_FORMAT_H

#include <assert.h>

#include "wasm/bundle.h"

#define BUNDLE_MAGIC "CELLA" /* with its terminating zero */
#define BUNDLE_SIGNED "cella artifact 2"

enum {
	BUNDLE_MAGIC_SIZE = sizeof(BUNDLE_MAGIC),
	BUNDLE_VERSION = 2,
	BUNDLE_HEADER_SIZE = 24,
	BUNDLE_ENTRY_SIZE = 24,
	BUNDLE_NAME_MAX = 63,
	BUNDLE_FIXED_SECTIONS = 3,
	BUNDLE_ARTIFACT_SECTIONS = 2,
};

enum bundle_section {
	BUNDLE_WASM = 1,
	BUNDLE_MANIFEST = 2,
	BUNDLE_DATA = 3,
	BUNDLE_NAMES = 4,
	BUNDLE_IMAGE = 5,
};

static_assert(sizeof(((struct bundle *)0)->strings) == BUNDLE_ARTIFACT_MAX * 3 * (BUNDLE_NAME_MAX + 1),
              "room for the names of all");

#endif
