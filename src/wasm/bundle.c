#include "wasm/bundle.h"

#include <string.h>

#include "wasm/bundle_format.h"

/* The bytes being parsed, the table entry that comes next, and where its section has to begin. */
struct parser {
	struct reader table;
	const uint8_t *data;
	size_t size;
	size_t end; /* of the sections so far */
	size_t string_size;
	struct bundle *bundle;
};

static const char *const section_names[] = {
	[BUNDLE_WASM] = "wasm",   [BUNDLE_MANIFEST] = "manifest", [BUNDLE_BUILDER] = "builder",
	[BUNDLE_NAMES] = "names", [BUNDLE_IMAGE] = "image",       [BUNDLE_DATA] = "data",
};

static int malformed(struct error *err, size_t offset, const char *what)
{
	return error_set(err, CELLA_EFORMAT, "a malformed bundle: byte %zu: %s", offset, what);
}

/* The next section, which must be of this kind and lie right behind the one before it. */
static int next_section(struct parser *p, enum bundle_section kind, size_t artifact,
                        struct reader *ret_section, struct error *err)
{
	size_t at = p->table.at;
	uint32_t found = reader_u32(&p->table), owner = reader_u32(&p->table);
	uint64_t offset = reader_u64(&p->table), size = reader_u64(&p->table);
	if (found != kind || owner != artifact)
		return error_set(
			err, CELLA_EFORMAT,
			"a malformed bundle: byte %zu: section kind %u of artifact %u where %s of %zu "
			"belongs",
			at, found, owner, section_names[kind], artifact);
	if (offset != p->end)
		return malformed(err, at + 8, "a section does not begin where the one before it ends");
	if (size > p->size - p->end)
		return malformed(err, at + 16, "a section is larger than what is left");
	*ret_section = reader_of(p->data + p->end, (size_t)size);
	p->end += (size_t)size;
	return 0;
}

static int parse_fixed(struct parser *p, struct error *err)
{
	struct reader wasm, manifest, builder;
	int rc = next_section(p, BUNDLE_WASM, 0, &wasm, err);
	if (rc == 0)
		rc = next_section(p, BUNDLE_MANIFEST, 0, &manifest, err);
	if (rc == 0)
		rc = next_section(p, BUNDLE_BUILDER, 0, &builder, err);
	if (rc < 0)
		return rc;
	p->bundle->wasm = wasm.data;
	p->bundle->wasm_size = wasm.size;
	p->bundle->manifest = (const char *)manifest.data;
	p->bundle->manifest_size = manifest.size;
	size_t at = (size_t)(builder.data - p->data);
	reader_copy(&builder, p->bundle->builder, sizeof(p->bundle->builder));
	return reader_finished(&builder) ? 0 : malformed(err, at, "the builder's key has the wrong size");
}

/* Takes a name into the bundle's strings; NULL if it is no name. */
static const char *parse_name(struct parser *p, struct reader *r)
{
	size_t size;
	const uint8_t *text = reader_blob(r, &size);
	if (!text || size == 0 || size > BUNDLE_NAME_MAX)
		return NULL;
	char *name = p->bundle->strings + p->string_size;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return NULL;
		name[i] = (char)text[i];
	}
	name[size] = '\0';
	p->string_size += size + 1;
	return name;
}

static int parse_names(struct parser *p, struct reader names, struct bundle_artifact *artifact,
                       struct error *err)
{
	size_t at = (size_t)(names.data - p->data);
	artifact->target = parse_name(p, &names);
	artifact->translator = parse_name(p, &names);
	artifact->compiler = parse_name(p, &names);
	if (!artifact->target || !artifact->translator || !artifact->compiler)
		return malformed(err, at, "an artifact's target, translator or compiler is not a name");
	reader_copy(&names, artifact->signature, sizeof(artifact->signature));
	if (!reader_finished(&names))
		return malformed(err, at, "an artifact's signature has the wrong size");
	for (const struct bundle_artifact *other = p->bundle->artifacts; other < artifact; other++)
		if (strcmp(other->target, artifact->target) == 0)
			return malformed(err, at, "two artifacts have the same target");
	return 0;
}

static int parse_artifact(struct parser *p, size_t number, struct error *err)
{
	struct bundle_artifact *artifact = &p->bundle->artifacts[number];
	struct reader names = {0}, image = {0}, data = {0};
	int rc = next_section(p, BUNDLE_NAMES, number, &names, err);
	if (rc == 0)
		rc = parse_names(p, names, artifact, err);
	if (rc == 0)
		rc = next_section(p, BUNDLE_IMAGE, number, &image, err);
	if (rc == 0)
		rc = next_section(p, BUNDLE_DATA, number, &data, err);
	if (rc < 0)
		return rc;
	artifact->image = image.data;
	artifact->image_size = image.size;
	artifact->data = data.data;
	artifact->data_size = data.size;
	return 0;
}

/* Checks the header and counts the artifacts; the table then lies in p->table. */
static int parse_header(struct parser *p, size_t *ret_artifacts, struct error *err)
{
	if (p->size < BUNDLE_HEADER_SIZE)
		return malformed(err, 0, "it is shorter than a header");
	struct reader r = reader_of(p->data, p->size);
	if (memcmp(reader_bytes(&r, BUNDLE_MAGIC_SIZE), BUNDLE_MAGIC, BUNDLE_MAGIC_SIZE) != 0)
		return malformed(err, 0, "it does not begin as a .cell bundle does");
	uint16_t version = reader_u16(&r);
	if (version != BUNDLE_VERSION)
		return error_set(err, CELLA_EFORMAT, "a bundle of version %u is unknown: this is version %d",
		                 version, BUNDLE_VERSION);
	if (reader_u64(&r) != p->size)
		return malformed(err, 8, "it claims another size than it has");
	uint32_t count = reader_u32(&r);
	if (count < BUNDLE_FIXED_SECTIONS || (count - BUNDLE_FIXED_SECTIONS) % BUNDLE_ARTIFACT_SECTIONS)
		return malformed(err, 16, "a bundle with so many sections makes no sense");
	size_t artifacts = (count - BUNDLE_FIXED_SECTIONS) / BUNDLE_ARTIFACT_SECTIONS;
	if (artifacts > BUNDLE_ARTIFACT_MAX)
		return malformed(err, 16, "it has more artifacts than a bundle may");
	if (reader_u32(&r) != 0)
		return malformed(err, 20, "a reserved field is set");
	p->end = BUNDLE_HEADER_SIZE + count * (size_t)BUNDLE_ENTRY_SIZE;
	if (p->end > p->size)
		return malformed(err, 16, "its table of sections is cut off");
	p->table = reader_of(p->data, p->end);
	p->table.at = BUNDLE_HEADER_SIZE;
	*ret_artifacts = artifacts;
	return 0;
}

static int identify(const void *wasm, size_t wasm_size, const void *manifest, size_t manifest_size,
                    uint8_t ret_identity[CRYPTO_SHA384_SIZE], struct error *err)
{
	const struct crypto_part parts[] = {{wasm, wasm_size}, {manifest, manifest_size}};
	return crypto_sha384_parts(parts, array_count(parts), ret_identity, err);
}

static const char *moved(const char *name, const char *from, const char *to)
{
	return to + (name - from);
}

/* A bundle's artifacts name strings inside it, so that a copy has to name its own. */
static void copy_bundle(struct bundle *to, const struct bundle *from)
{
	*to = *from;
	for (size_t i = 0; i < to->artifact_count; i++) {
		struct bundle_artifact *a = &to->artifacts[i];
		a->target = moved(a->target, from->strings, to->strings);
		a->translator = moved(a->translator, from->strings, to->strings);
		a->compiler = moved(a->compiler, from->strings, to->strings);
	}
}

int bundle_parse(const void *data, size_t size, struct bundle *ret_bundle, struct error *err)
{
	struct bundle b = {0};
	struct parser p = {.data = data, .size = size, .bundle = &b};
	size_t artifacts = 0;
	int rc = parse_header(&p, &artifacts, err);
	if (rc == 0)
		rc = parse_fixed(&p, err);
	for (size_t i = 0; rc == 0 && i < artifacts; i++)
		rc = parse_artifact(&p, i, err);
	if (rc == 0 && p.end != size)
		rc = malformed(err, p.end, "bytes follow the last section");
	if (rc == 0)
		rc = identify(b.wasm, b.wasm_size, b.manifest, b.manifest_size, b.identity, err);
	if (rc < 0)
		return rc;
	b.artifact_count = artifacts;
	copy_bundle(ret_bundle, &b);
	return 0;
}

static int put_digest(struct buf *to, const void *data, size_t size, struct error *err)
{
	uint8_t digest[CRYPTO_SHA384_SIZE];
	int rc = crypto_sha384(data, size, digest, err);
	if (rc == 0)
		buf_put(to, digest, sizeof(digest));
	return rc;
}

/* The bytes that an artifact's signature covers. */
static int signed_bytes(const uint8_t identity[CRYPTO_SHA384_SIZE], const struct bundle_artifact *a,
                        struct buf *ret, struct error *err)
{
	buf_put(ret, BUNDLE_SIGNED, strlen(BUNDLE_SIGNED));
	buf_put(ret, identity, CRYPTO_SHA384_SIZE);
	buf_put_string(ret, a->target);
	buf_put_string(ret, a->translator);
	buf_put_string(ret, a->compiler);
	int rc = put_digest(ret, a->image, a->image_size, err);
	if (rc == 0)
		rc = put_digest(ret, a->data, a->data_size, err);
	if (rc == 0 && ret->failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory to check an artifact's signature");
	return rc;
}

int bundle_artifact(const struct bundle *bundle, const char *target,
                    const struct bundle_artifact **ret_artifact, struct error *err)
{
	const struct bundle_artifact *a = bundle->artifacts, *end = a + bundle->artifact_count;
	while (a < end && strcmp(a->target, target) != 0)
		a++;
	if (a == end)
		return error_set(err, CELLA_ENOENT, "the bundle has no artifact for %s", target);
	cleanup_buf struct buf message = {0};
	int rc = signed_bytes(bundle->identity, a, &message, err);
	if (rc == 0)
		rc = crypto_verify(bundle->builder, message.data, message.size, a->signature, err);
	if (rc < 0)
		return error_prefix(err, rc, "the artifact for %s: ", target);
	*ret_artifact = a;
	return 0;
}

static bool is_name(const char *s)
{
	size_t size = strlen(s);
	for (size_t i = 0; i < size; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return size > 0 && size <= BUNDLE_NAME_MAX;
}

static void put_entry(struct buf *to, enum bundle_section kind, size_t *offset, size_t size)
{
	buf_put_u32(to, kind);
	buf_put_u32(to, 0);
	buf_put_u64(to, *offset);
	buf_put_u64(to, size);
	*offset += size;
}

static void put_names(struct buf *to, const struct bundle_artifact *a,
                      const uint8_t signature[CRYPTO_SIGNATURE_SIZE])
{
	buf_put_string(to, a->target);
	buf_put_string(to, a->translator);
	buf_put_string(to, a->compiler);
	buf_put(to, signature, CRYPTO_SIGNATURE_SIZE);
}

static int sign_artifact(const void *wasm, size_t wasm_size, const char *manifest,
                         const struct bundle_artifact *a, const struct crypto_signer *builder,
                         uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE], struct error *err)
{
	uint8_t identity[CRYPTO_SHA384_SIZE];
	cleanup_buf struct buf message = {0};
	int rc = identify(wasm, wasm_size, manifest, strlen(manifest), identity, err);
	if (rc == 0)
		rc = signed_bytes(identity, a, &message, err);
	return rc < 0 ? rc : crypto_sign(builder, message.data, message.size, ret_signature, err);
}

int bundle_write(const void *wasm, size_t wasm_size, const char *manifest,
                 const struct bundle_artifact *artifact, const struct crypto_signer *builder, struct buf *ret,
                 struct error *err)
{
	enum { SECTIONS = BUNDLE_FIXED_SECTIONS + BUNDLE_ARTIFACT_SECTIONS };
	if (!is_name(artifact->target) || !is_name(artifact->translator) || !is_name(artifact->compiler))
		return error_set(err, CELLA_EINVAL,
		                 "a target, translator or compiler has 1 to %d printable characters",
		                 BUNDLE_NAME_MAX);
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
	int rc = sign_artifact(wasm, wasm_size, manifest, artifact, builder, signature, err);
	if (rc < 0)
		return rc;
	cleanup_buf struct buf names = {0};
	put_names(&names, artifact, signature);
	size_t manifest_size = strlen(manifest),
	       offset = BUNDLE_HEADER_SIZE + SECTIONS * (size_t)BUNDLE_ENTRY_SIZE;
	cleanup_buf struct buf b = {0};
	buf_put(&b, BUNDLE_MAGIC, BUNDLE_MAGIC_SIZE);
	buf_put_u16(&b, BUNDLE_VERSION);
	buf_put_u64(&b, offset + wasm_size + manifest_size + CRYPTO_ED25519_SIZE + names.size +
	                        artifact->image_size + artifact->data_size);
	buf_put_u32(&b, SECTIONS);
	buf_put_u32(&b, 0);
	put_entry(&b, BUNDLE_WASM, &offset, wasm_size);
	put_entry(&b, BUNDLE_MANIFEST, &offset, manifest_size);
	put_entry(&b, BUNDLE_BUILDER, &offset, CRYPTO_ED25519_SIZE);
	put_entry(&b, BUNDLE_NAMES, &offset, names.size);
	put_entry(&b, BUNDLE_IMAGE, &offset, artifact->image_size);
	put_entry(&b, BUNDLE_DATA, &offset, artifact->data_size);
	buf_put(&b, wasm, wasm_size);
	buf_put(&b, manifest, manifest_size);
	buf_put(&b, builder->public_key, CRYPTO_ED25519_SIZE);
	buf_put(&b, names.data, names.size);
	buf_put(&b, artifact->image, artifact->image_size);
	buf_put(&b, artifact->data, artifact->data_size);
	buf_put(ret, b.data, b.size);
	if (names.failed || b.failed || ret->failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a bundle");
	return 0;
}
