#include "attest/tpm/ima_log.h"

#include <string.h>

#include "base/io.h"

enum { HEX_DIGITS_MAX = 2 * CRYPTO_HASH_MAX };

/* ---- the data of a template ---- */

static const struct {
	const char *name;
	int hash;
} hashes[] = {
	{"sha1", CRYPTO_SHA1},
	{"sha256", CRYPTO_SHA256},
	{"sha384", CRYPTO_SHA384},
	{"sha512", CRYPTO_SHA512},
};

/* Of "sha256", or, in later templates, "ima:sha256". The hash of "verity:sha256" is of fs-verity's descriptor
 * of the file, which a list of files' hashes says nothing about. */
static int hash_named(const char *name, size_t size)
{
	static const char contents[] = "ima:";
	const size_t prefix = sizeof(contents) - 1;
	if (size > prefix && strncmp(name, contents, prefix) == 0) {
		name += prefix;
		size -= prefix;
	}
	for (size_t i = 0; i < array_count(hashes); i++)
		if (strlen(hashes[i].name) == size && strncmp(hashes[i].name, name, size) == 0)
			return hashes[i].hash;
	return -1;
}

/* d-ng: the algorithm, a colon and a zero byte, and the digest. */
static void read_file_digest(const uint8_t *field, size_t size, struct ima_entry *to)
{
	const uint8_t *zero = size > 0 ? memchr(field, 0, size) : NULL;
	to->hash = -1;
	if (!zero || zero == field || zero[-1] != ':')
		return;
	const int hash = hash_named((const char *)field, (size_t)(zero - 1 - field));
	if (hash < 0 || (size_t)(field + size - (zero + 1)) != crypto_hash_size((enum crypto_hash)hash))
		return;
	to->hash = hash;
	to->digest = zero + 1;
}

static const char *const templates_of_files[] = {"ima-ng", "ima-sig", "ima-ngv2", "ima-sigv2", "ima-modsig"};

static bool is_of_files(const char *name, size_t size)
{
	for (size_t i = 0; i < array_count(templates_of_files); i++)
		if (strlen(templates_of_files[i]) == size && strncmp(templates_of_files[i], name, size) == 0)
			return true;
	return false;
}

static void read_fields(struct ima_entry *e)
{
	struct reader r = reader_of(e->data, e->size);
	size_t digest_size, path_size;
	const uint8_t *digest = reader_blob(&r, &digest_size);
	const uint8_t *path = reader_blob(&r, &path_size);
	if (!digest || !path || path_size == 0 || memchr(path, 0, path_size) != path + path_size - 1)
		return;
	read_file_digest(digest, digest_size, e);
	e->path = (const char *)path;
}

static int finish_entry(const uint8_t *stated, const char *name, size_t name_size, struct ima_entry *e,
                        struct error *err)
{
	const struct crypto_part part = {e->data, e->size};
	uint8_t digest[CRYPTO_HASH_MAX];
	e->hash = -1;
	e->path = "";
	e->is_violation = bytes_are_zero(stated, IMA_DIGEST_SIZE);
	if (is_of_files(name, name_size))
		read_fields(e);
	int rc = crypto_hash(CRYPTO_SHA1, &part, 1, digest, err);
	e->digest_holds = e->is_violation || crypto_equal(digest, stated, IMA_DIGEST_SIZE);
	return rc;
}

/* ---- the binary form ---- */

static int next_binary(struct ima_log *log, struct ima_entry *e, struct error *err)
{
	struct reader *r = &log->reader;
	const uint32_t pcr = reader_u32(r);
	const uint8_t *stated = reader_bytes(r, IMA_DIGEST_SIZE);
	size_t name_size;
	const uint8_t *name = reader_blob(r, &name_size);
	e->data = reader_blob(r, &e->size);
	if (r->failed || pcr != IMA_PCR || name_size == 0 || name_size > IMA_TEMPLATE_MAX ||
	    e->size > IMA_DATA_MAX)
		return CELLA_EFORMAT;
	return finish_entry(stated, (const char *)name, name_size, e, err);
}

/* ---- the text: PCR, digest, template, algorithm:digest, path, and of ima-sig the signature ---- */

struct word {
	const char *at;
	size_t size;
};

/* Up to a space, or to the line's end. */
static struct word next_word(struct word *line)
{
	const char *space = line->size > 0 ? memchr(line->at, ' ', line->size) : NULL;
	struct word word = {line->at, space ? (size_t)(space - line->at) : line->size};
	const size_t used = word.size + (space != NULL);
	line->at += used;
	line->size -= used;
	return word;
}

static bool word_is(struct word word, const char *text)
{
	return strlen(text) == word.size && strncmp(text, word.at, word.size) == 0;
}

static bool next_line(struct reader *r, struct word *ret_line)
{
	const uint8_t *at = r->data + r->at;
	const uint8_t *end = memchr(at, '\n', reader_left(r));
	const size_t size = end ? (size_t)(end - at) : reader_left(r);
	*ret_line = (struct word){(const char *)at, size};
	return reader_bytes(r, size + (end != NULL)) != NULL;
}

static bool unhex(struct word word, struct buf *to)
{
	uint8_t *place = word.size % 2 == 0 ? buf_reserve(to, word.size / 2) : NULL;
	return place && io_unhex(word.at, word.size / 2, place);
}

/* The field d-ng again. */
static bool put_file_digest(struct word word, struct buf *to)
{
	const char *colon = word.size > 0 ? memrchr(word.at, ':', word.size) : NULL;
	if (!colon)
		return false;
	const size_t prefix = (size_t)(colon + 1 - word.at);
	const struct word digits = {colon + 1, word.size - prefix};
	if (digits.size == 0 || digits.size > HEX_DIGITS_MAX)
		return false;
	buf_put_u32(to, (uint32_t)(prefix + 1 + digits.size / 2));
	buf_put(to, word.at, prefix);
	buf_put_u8(to, 0);
	return unhex(digits, to);
}

static bool put_template(struct word name, struct word *line, struct buf *to)
{
	const bool is_sig = word_is(name, "ima-sig");
	if (!is_sig && !word_is(name, "ima-ng"))
		return false;
	if (!put_file_digest(next_word(line), to))
		return false;
	const struct word path = next_word(line);
	if (path.size > 0 && memchr(path.at, 0, path.size))
		return false;
	buf_put_u32(to, (uint32_t)path.size + 1);
	buf_put(to, path.at, path.size);
	buf_put_u8(to, 0);
	const struct word signature = next_word(line);
	if (is_sig) {
		buf_put_u32(to, (uint32_t)signature.size / 2);
		if (signature.size > 0 && !unhex(signature, to))
			return false;
	}
	return line->size == 0 && (is_sig || signature.size == 0) && to->size <= IMA_DATA_MAX;
}

static int next_text(struct ima_log *log, struct ima_entry *e, struct error *err)
{
	struct word line;
	uint8_t stated[IMA_DIGEST_SIZE];
	log->data.size = 0;
	if (!next_line(&log->reader, &line) || !word_is(next_word(&line), "10"))
		return CELLA_EFORMAT;
	const struct word digits = next_word(&line);
	if (digits.size != 2 * sizeof(stated) || !io_unhex(digits.at, sizeof(stated), stated))
		return CELLA_EFORMAT;
	const struct word name = next_word(&line);
	if (!put_template(name, &line, &log->data))
		return log->data.failed ? CELLA_ENOMEM : CELLA_EFORMAT;
	if (log->data.failed)
		return CELLA_ENOMEM;
	e->data = log->data.data;
	e->size = log->data.size;
	return finish_entry(stated, name.at, name.size, e, err);
}

/* ---- both ---- */

static bool is_text(const uint8_t *data, size_t size)
{
	return size >= 3 && data[0] == '1' && data[1] == '0' && data[2] == ' ';
}

bool ima_log_is(const void *data, size_t size)
{
	struct reader r = reader_of(data, size);
	return is_text(data, size) || reader_u32(&r) == IMA_PCR;
}

void ima_log_open(const void *data, size_t size, struct ima_log *ret_log)
{
	*ret_log = (struct ima_log){.reader = reader_of(data, size), .is_text = is_text(data, size)};
}

void ima_log_done(struct ima_log *log)
{
	buf_done(&log->data);
}

int ima_log_next(struct ima_log *log, struct ima_entry *ret_entry, struct error *err)
{
	struct ima_entry entry = {0};
	const size_t at = log->reader.at;
	if (reader_left(&log->reader) == 0)
		return 0;
	const int rc = log->is_text ? next_text(log, &entry, err) : next_binary(log, &entry, err);
	if (rc == CELLA_EFORMAT)
		return error_set(err, CELLA_EFORMAT,
		                 "entry %zu of an IMA log, at byte %zu, is malformed, or not of PCR 10%s",
		                 log->count + 1, at,
		                 log->is_text ? ", or of a template whose text does not have everything "
		                                "(give the binary log)"
		                              : "");
	if (rc == CELLA_ENOMEM)
		return error_set(err, CELLA_ENOMEM, "no memory for an entry of an IMA log");
	if (rc < 0)
		return rc;
	log->count++;
	*ret_entry = entry;
	return 1;
}

int ima_extend(const struct ima_entry *entry, enum crypto_hash hash, uint8_t value[CRYPTO_HASH_MAX],
               struct error *err)
{
	const size_t size = crypto_hash_size(hash);
	uint8_t digest[CRYPTO_HASH_MAX];
	const struct crypto_part data = {entry->data, entry->size};
	memset(digest, 0xFF, sizeof(digest));
	int rc = entry->is_violation ? 0 : crypto_hash(hash, &data, 1, digest, err);
	const struct crypto_part parts[] = {{value, size}, {digest, size}};
	return rc < 0 ? rc : crypto_hash(hash, parts, array_count(parts), value, err);
}
