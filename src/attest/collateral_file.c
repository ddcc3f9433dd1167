/* Files of collateral taken apart into signed documents, chains and CRLs. */
#include <stdlib.h>
#include <string.h>

#include "attest/dcap/collateral_format.h"
#include "attest/json_cut.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/nearest.h"

static void json_cleanup(json_t **json)
{
	json_decref(*json);
}
#define cleanup_json __attribute__((cleanup(json_cleanup)))

bool collateral_is_json(const void *data, size_t size)
{
	const char *text = data;
	size_t at = 0;
	while (at < size && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
		at++;
	return at < size && text[at] == '{';
}

static void document_done(struct collateral_document *document)
{
	free(document->bytes);
	document->bytes = NULL;
}

void collateral_file_done(struct collateral_file *file)
{
	document_done(&file->tcb_info);
	document_done(&file->qe_identity);
	for (size_t i = 0; i < file->cert_count; i++)
		free(file->certs[i]);
	memset(file, 0, sizeof(*file));
}

static int copy(const char *bytes, size_t size, char **ret, struct error *err)
{
	char *copied = malloc(size + 1);
	if (!copied)
		return error_set(err, CELLA_ENOMEM, "no memory for collateral");
	memcpy(copied, bytes, size);
	copied[size] = '\0';
	*ret = copied;
	return 0;
}

static int set_document(struct collateral_document *to, const char *bytes, size_t size, struct error *err)
{
	document_done(to);
	to->size = size;
	return copy(bytes, size, &to->bytes, err);
}

static int set_signature(struct collateral_document *to, const char *hex, struct error *err)
{
	if (strlen(hex) != 2 * (size_t)COLLATERAL_SIGNATURE_SIZE ||
	    !io_unhex(hex, COLLATERAL_SIGNATURE_SIZE, to->signature))
		return error_set(err, CELLA_EFORMAT,
		                 "a signature of collateral is to be %d bytes in hexadecimal",
		                 COLLATERAL_SIGNATURE_SIZE);
	return 0;
}

/* A piece that is a string. */
static int piece_text(const struct json_piece *piece, json_t **ret_text, struct error *err)
{
	json_t *text = json_loadb(piece->value, piece->size, JSON_DECODE_ANY, NULL);
	if (json_is_string(text)) {
		*ret_text = text;
		return 0;
	}
	json_decref(text);
	return error_set(err, CELLA_EFORMAT, "\"%.*s\" in collateral is no text",
	                 (int)min_of(piece->name_size, (size_t)NEAREST_NAME_MAX), piece->name);
}

/* ---- as served: the document and its signature ---- */

static const struct json_piece *piece_named(const struct json_piece *pieces, size_t count, const char *name)
{
	const struct json_piece *found = NULL;
	for (size_t i = 0; i < count; i++) {
		if (!json_piece_is(&pieces[i], name))
			continue;
		if (found)
			return NULL;
		found = &pieces[i];
	}
	return found;
}

static int read_served(const struct json_piece *pieces, size_t count, const char *name,
                       struct collateral_document *to, struct error *err)
{
	const struct json_piece *body = piece_named(pieces, count, name);
	const struct json_piece *signature = piece_named(pieces, count, "signature");
	if (!body || !signature || count != 2)
		return error_set(err, CELLA_EFORMAT,
		                 "collateral as it is served has the members \"%s\" and \"signature\", each "
		                 "once, and no other",
		                 name);
	cleanup_json json_t *text = NULL;
	int rc = piece_text(signature, &text, err);
	if (rc == 0)
		rc = set_signature(to, json_string_value(text), err);
	return rc < 0 ? rc : set_document(to, body->value, body->size, err);
}

/* ---- a set ---- */

struct set_member {
	const char *name;
	enum { SET_CERTS, SET_DOCUMENT, SET_SIGNATURE } kind;
	const char *served_as;
	size_t document; /* its place in struct collateral_file */
};
#define DOCUMENT(of) offsetof(struct collateral_file, of)
static const struct set_member set_members[] = {
	{"pck_certificate_chain", SET_CERTS, NULL, 0},
	{"pck_crl", SET_CERTS, NULL, 0},
	{"pck_crl_issuer_chain", SET_CERTS, NULL, 0},
	{"qe_identity", SET_DOCUMENT, "enclaveIdentity", DOCUMENT(qe_identity)},
	{"qe_identity_issuer_chain", SET_CERTS, NULL, 0},
	{"qe_identity_signature", SET_SIGNATURE, NULL, DOCUMENT(qe_identity)},
	{"root_ca_crl", SET_CERTS, NULL, 0},
	{"tcb_info", SET_DOCUMENT, "tcbInfo", DOCUMENT(tcb_info)},
	{"tcb_info_issuer_chain", SET_CERTS, NULL, 0},
	{"tcb_info_signature", SET_SIGNATURE, NULL, DOCUMENT(tcb_info)},
};
_Static_assert(COLLATERAL_CERTS_MAX >= 6, "one for each SET_CERTS");

static const char *set_member_name(const void *data, size_t index)
{
	(void)data;
	return set_members[index].name;
}

static int unknown_member(const struct json_piece *piece, struct error *err)
{
	char name[NEAREST_NAME_MAX + 1] = "";
	const size_t size = min_of(piece->name_size, sizeof(name) - 1);
	for (size_t i = 0; i < size; i++)
		name[i] = (char)(piece->name[i] < ' ' || piece->name[i] > '~' ? '?' : piece->name[i]);
	const char *nearest = nearest_name(name, set_member_name, NULL, array_count(set_members));
	return error_set(err, CELLA_EFORMAT, "collateral has no member \"%s\"%s%s%s", name,
	                 nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

/* A document within a set may be there as it was served, with its signature. */
static int read_document(const char *text, const char *served_as, struct collateral_document *to,
                         bool *ret_signed, struct error *err)
{
	struct json_piece pieces[COLLATERAL_MEMBERS_MAX];
	size_t count;
	if (!json_cut(text, strlen(text), COLLATERAL_DEPTH_MAX, pieces, array_count(pieces), &count))
		return error_set(err, CELLA_EFORMAT, "a document in collateral is no JSON object");
	*ret_signed = piece_named(pieces, count, served_as) != NULL;
	return *ret_signed ? read_served(pieces, count, served_as, to, err)
	                   : set_document(to, text, strlen(text), err);
}

struct set_seen {
	bool members[array_count(set_members)];
	bool is_signed[array_count(set_members)];
};

static int read_set_member(const struct json_piece *piece, size_t member, struct set_seen *seen,
                           struct collateral_file *file, struct error *err)
{
	const struct set_member *m = &set_members[member];
	struct collateral_document *document = (struct collateral_document *)(void *)((char *)file +
	                                                                              m->document);
	cleanup_json json_t *json = NULL;
	if (seen->members[member])
		return error_set(err, CELLA_EFORMAT, "collateral has \"%s\" twice", m->name);
	seen->members[member] = true;
	int rc = piece_text(piece, &json, err);
	if (rc < 0)
		return rc;
	const char *text = json_string_value(json);
	switch (m->kind) {
	case SET_DOCUMENT: return read_document(text, m->served_as, document, &seen->is_signed[member], err);
	case SET_SIGNATURE: return set_signature(document, text, err);
	default:
		rc = copy(text, strlen(text), &file->certs[file->cert_count], err);
		file->cert_count += rc == 0;
		return rc;
	}
}

static size_t member_of(const struct json_piece *piece)
{
	size_t i = 0;
	while (i < array_count(set_members) && !json_piece_is(piece, set_members[i].name))
		i++;
	return i;
}

static size_t member_named(const char *name)
{
	size_t i = 0;
	while (strcmp(set_members[i].name, name) != 0)
		i++;
	return i;
}

/* A document has one signature: within it, or beside it. */
static int check_signed(const struct set_seen *seen, const char *document, const char *signature,
                        struct error *err)
{
	const size_t d = member_named(document), s = member_named(signature);
	if ((seen->members[d] && !seen->is_signed[d]) == seen->members[s])
		return 0;
	return error_set(err, CELLA_EFORMAT, "collateral has \"%s\" %s \"%s\"", document,
	                 seen->members[s] ? "that is signed already, or none, beside" : "without", signature);
}

static int read_set(const struct json_piece *pieces, size_t count, struct collateral_file *file,
                    struct error *err)
{
	struct set_seen seen = {0};
	for (size_t i = 0; i < count; i++) {
		const size_t member = member_of(&pieces[i]);
		int rc = member == array_count(set_members)
		                 ? unknown_member(&pieces[i], err)
		                 : read_set_member(&pieces[i], member, &seen, file, err);
		if (rc < 0)
			return rc;
	}
	int rc = check_signed(&seen, "tcb_info", "tcb_info_signature", err);
	return rc < 0 ? rc : check_signed(&seen, "qe_identity", "qe_identity_signature", err);
}

int collateral_file_read(const void *data, size_t size, struct collateral_file *ret_file, struct error *err)
{
	struct json_piece pieces[COLLATERAL_MEMBERS_MAX];
	struct collateral_file file = {0};
	size_t count;
	int rc;
	if (size > COLLATERAL_MAX)
		return error_set(err, CELLA_EFORMAT, "collateral of %zu bytes, at most %d are read", size,
		                 COLLATERAL_MAX);
	if (!json_cut(data, size, COLLATERAL_DEPTH_MAX, pieces, array_count(pieces), &count))
		return error_set(err, CELLA_EFORMAT, "this is no JSON object of collateral");
	if (piece_named(pieces, count, "tcbInfo"))
		rc = read_served(pieces, count, "tcbInfo", &file.tcb_info, err);
	else if (piece_named(pieces, count, "enclaveIdentity"))
		rc = read_served(pieces, count, "enclaveIdentity", &file.qe_identity, err);
	else
		rc = read_set(pieces, count, &file, err);
	if (rc < 0)
		collateral_file_done(&file);
	else
		*ret_file = file;
	return rc;
}
