#include "wasm/bundle.h"

#include <stdio.h>
#include <string.h>

#include "wasm/bundle_format.h"
#include "wasm/target.h"

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
	[BUNDLE_WASM] = "wasm",   [BUNDLE_MANIFEST] = "manifest", [BUNDLE_DATA] = "data",
	[BUNDLE_NAMES] = "names", [BUNDLE_IMAGE] = "image",
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
	struct reader wasm, manifest, data;
	int rc = next_section(p, BUNDLE_WASM, 0, &wasm, err);
	if (rc == 0)
		rc = next_section(p, BUNDLE_MANIFEST, 0, &manifest, err);
	if (rc == 0)
		rc = next_section(p, BUNDLE_DATA, 0, &data, err);
	if (rc < 0)
		return rc;
	p->bundle->wasm = wasm.data;
	p->bundle->wasm_size = wasm.size;
	p->bundle->manifest = (const char *)manifest.data;
	p->bundle->manifest_size = manifest.size;
	p->bundle->data = data.data;
	p->bundle->data_size = data.size;
	return 0;
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

static bool same_maker(const struct bundle_artifact *a, const struct bundle_artifact *b)
{
	return strcmp(a->target, b->target) == 0 && memcmp(a->builder, b->builder, sizeof(a->builder)) == 0;
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
	reader_copy(&names, artifact->builder, sizeof(artifact->builder));
	reader_copy(&names, artifact->signature, sizeof(artifact->signature));
	if (!reader_finished(&names))
		return malformed(err, at, "an artifact's builder or signature has the wrong size");
	for (const struct bundle_artifact *other = p->bundle->artifacts; other < artifact; other++)
		if (same_maker(other, artifact))
			return malformed(err, at, "two artifacts have the same target and builder");
	return 0;
}

static int parse_artifact(struct parser *p, size_t number, struct error *err)
{
	struct bundle_artifact *artifact = &p->bundle->artifacts[number];
	struct reader names = {0}, image = {0};
	int rc = next_section(p, BUNDLE_NAMES, number, &names, err);
	if (rc == 0)
		rc = parse_names(p, names, artifact, err);
	if (rc == 0)
		rc = next_section(p, BUNDLE_IMAGE, number, &image, err);
	if (rc < 0)
		return rc;
	artifact->image = image.data;
	artifact->image_size = image.size;
	artifact->data = p->bundle->data;
	artifact->data_size = p->bundle->data_size;
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

int bundle_identify(struct bundle *b, struct error *err)
{
	const struct crypto_part parts[] = {{b->wasm, b->wasm_size}, {b->manifest, b->manifest_size}};
	return crypto_sha384_parts(parts, array_count(parts), b->identity, err);
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
		rc = bundle_identify(&b, err);
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
static int signed_bytes(const struct bundle *b, const struct bundle_artifact *a, struct buf *ret,
                        struct error *err)
{
	buf_put(ret, BUNDLE_SIGNED, strlen(BUNDLE_SIGNED));
	buf_put(ret, b->identity, CRYPTO_SHA384_SIZE);
	buf_put_string(ret, a->target);
	buf_put_string(ret, a->translator);
	buf_put_string(ret, a->compiler);
	buf_put(ret, a->builder, sizeof(a->builder));
	int rc = put_digest(ret, a->image, a->image_size, err);
	if (rc == 0)
		rc = put_digest(ret, b->data, b->data_size, err);
	if (rc == 0 && ret->failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory for what an artifact's signature covers");
	return rc;
}

int bundle_verify(const struct bundle *bundle, const struct bundle_artifact *a, struct error *err)
{
	cleanup_buf struct buf message = {0};
	int rc = signed_bytes(bundle, a, &message, err);
	if (rc == 0)
		rc = crypto_verify(a->builder, message.data, message.size, a->signature, err);
	return rc < 0 ? error_prefix(err, rc, "the artifact for %s: ", a->target) : 0;
}

int bundle_verify_all(const struct bundle *bundle, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < bundle->artifact_count; i++)
		rc = bundle_verify(bundle, &bundle->artifacts[i], err);
	return rc;
}

static void list_word(char *list, size_t capacity, const char *word)
{
	size_t size = strlen(list);
	snprintf(list + size, capacity - size, "%s%s", size ? ", " : "", word);
}

/* CELLA_EAUTH: this machine would run some, but their builders are not accepted. */
static int no_choice(const struct bundle *bundle, struct error *err)
{
	char there[BUNDLE_ARTIFACT_MAX * (BUNDLE_NAME_MAX + 2)] = "", here[2 * BUNDLE_NAME_MAX] = "";
	bool runs = false;
	for (size_t i = 0; i < bundle->artifact_count; i++) {
		list_word(there, sizeof(there), bundle->artifacts[i].target);
		runs |= target_runs_here(bundle->artifacts[i].target);
	}
	for (size_t i = 0; target_at(i); i++)
		if (target_runs_here(target_at(i)))
			list_word(here, sizeof(here), target_at(i));
	if (runs)
		return error_set(err, CELLA_EAUTH,
		                 "none of its builders whose machine code this machine runs is accepted");
	return error_set(err, CELLA_ENOENT,
	                 "it holds machine code for %s; this machine runs %s: a builder who is accepted has "
	                 "to add it, with cella build FILE.cell --targets %s",
	                 *there ? there : "no machine", *here ? here : "none that Cella knows",
	                 target_here() ? target_here() : "TARGET");
}

int bundle_choose(const struct bundle *bundle, bundle_accepts *accepts, void *context,
                  const struct bundle_artifact **ret_artifact, struct error *err)
{
	for (size_t k = 0; target_at(k); k++) {
		for (size_t i = 0; target_runs_here(target_at(k)) && i < bundle->artifact_count; i++) {
			const struct bundle_artifact *a = &bundle->artifacts[i];
			if (strcmp(a->target, target_at(k)) != 0 || !accepts(a->builder, context))
				continue;
			int rc = bundle_verify(bundle, a, err);
			if (rc == 0)
				*ret_artifact = a;
			return rc;
		}
	}
	return no_choice(bundle, err);
}

static bool is_name(const char *s)
{
	size_t size = strlen(s);
	for (size_t i = 0; i < size; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return size > 0 && size <= BUNDLE_NAME_MAX;
}

int bundle_add(struct bundle *bundle, const struct bundle_artifact *artifact,
               const struct crypto_signer *builder, struct error *err)
{
	cleanup_buf struct buf message = {0};
	struct bundle_artifact a = *artifact;
	size_t at = 0;
	if (!is_name(a.target) || !is_name(a.translator) || !is_name(a.compiler))
		return error_set(err, CELLA_EINVAL,
		                 "a target, translator or compiler has 1 to %d printable characters",
		                 BUNDLE_NAME_MAX);
	memcpy(a.builder, builder->public_key, sizeof(a.builder));
	a.data = bundle->data;
	a.data_size = bundle->data_size;
	while (at < bundle->artifact_count && !same_maker(&bundle->artifacts[at], &a))
		at++;
	if (at == BUNDLE_ARTIFACT_MAX)
		return error_set(err, CELLA_ELIMIT, "a bundle holds at most %d artifacts",
		                 BUNDLE_ARTIFACT_MAX);
	int rc = signed_bytes(bundle, &a, &message, err);
	if (rc == 0)
		rc = crypto_sign(builder, message.data, message.size, a.signature, err);
	if (rc < 0)
		return rc;
	bundle->artifacts[at] = a;
	bundle->artifact_count = max_of(bundle->artifact_count, at + 1);
	return 0;
}

static void put_entry(struct buf *to, enum bundle_section kind, size_t artifact, size_t *offset, size_t size)
{
	buf_put_u32(to, kind);
	buf_put_u32(to, (uint32_t)artifact);
	buf_put_u64(to, *offset);
	buf_put_u64(to, size);
	*offset += size;
}

static size_t names_size(const struct bundle_artifact *a)
{
	return 3 * sizeof(uint32_t) + strlen(a->target) + strlen(a->translator) + strlen(a->compiler) +
	       sizeof(a->builder) + sizeof(a->signature);
}

static void put_table(struct buf *to, const struct bundle *b, size_t sections)
{
	size_t offset = BUNDLE_HEADER_SIZE + sections * BUNDLE_ENTRY_SIZE;
	put_entry(to, BUNDLE_WASM, 0, &offset, b->wasm_size);
	put_entry(to, BUNDLE_MANIFEST, 0, &offset, b->manifest_size);
	put_entry(to, BUNDLE_DATA, 0, &offset, b->data_size);
	for (size_t i = 0; i < b->artifact_count; i++) {
		put_entry(to, BUNDLE_NAMES, i, &offset, names_size(&b->artifacts[i]));
		put_entry(to, BUNDLE_IMAGE, i, &offset, b->artifacts[i].image_size);
	}
}

static void put_artifact(struct buf *to, const struct bundle_artifact *a)
{
	buf_put_string(to, a->target);
	buf_put_string(to, a->translator);
	buf_put_string(to, a->compiler);
	buf_put(to, a->builder, sizeof(a->builder));
	buf_put(to, a->signature, sizeof(a->signature));
	buf_put(to, a->image, a->image_size);
}

int bundle_write(const struct bundle *b, struct buf *ret, struct error *err)
{
	size_t sections = BUNDLE_FIXED_SECTIONS + b->artifact_count * BUNDLE_ARTIFACT_SECTIONS;
	size_t size = BUNDLE_HEADER_SIZE + sections * BUNDLE_ENTRY_SIZE + b->wasm_size + b->manifest_size +
	              b->data_size;
	for (size_t i = 0; i < b->artifact_count; i++)
		size += names_size(&b->artifacts[i]) + b->artifacts[i].image_size;
	buf_put(ret, BUNDLE_MAGIC, BUNDLE_MAGIC_SIZE);
	buf_put_u16(ret, BUNDLE_VERSION);
	buf_put_u64(ret, size);
	buf_put_u32(ret, (uint32_t)sections);
	buf_put_u32(ret, 0);
	put_table(ret, b, sections);
	buf_put(ret, b->wasm, b->wasm_size);
	buf_put(ret, b->manifest, b->manifest_size);
	buf_put(ret, b->data, b->data_size);
	for (size_t i = 0; i < b->artifact_count; i++)
		put_artifact(ret, &b->artifacts[i]);
	return ret->failed ? error_set(err, CELLA_ENOMEM, "no memory for a bundle") : 0;
}
