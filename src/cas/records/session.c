/*
 * Sessions, and their secrets.
 *
 *   session   48 bytes hash, 48 bytes predecessor, 32 bytes creator, u64 created, u64 updated; the policy
 *   secret    u64 created, u32 kind; the secret
 */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "cas/records/records_state.h"

/* ---- sessions */

void records_session_done(struct records_session *session)
{
	vault_bytes_done(&session->memory);
	*session = (struct records_session){0};
}

static const char *session_text(const char *name, char *to, size_t size)
{
	snprintf(to, size, "session %s", name);
	return to;
}

int records_session_get(struct records *r, const char *name, struct records_session *ret_session,
                        struct error *err)
{
	struct records_session s = {0};
	char what[RECORDS_NAME_MAX + 16];
	int rc = records_check_name(name, "session", err);
	if (rc == 0)
		rc = records_get(r, RECORDS_SESSION, name, strlen(name),
		                 session_text(name, what, sizeof(what)), &s.memory, &s.revision, err);
	if (rc < 0)
		return rc;
	struct reader in = reader_of(s.memory.data, s.memory.size);
	reader_copy(&in, s.hash, sizeof(s.hash));
	reader_copy(&in, s.predecessor, sizeof(s.predecessor));
	reader_copy(&in, s.creator, sizeof(s.creator));
	s.created_ns = reader_u64(&in);
	s.updated_ns = reader_u64(&in);
	s.policy_size = reader_left(&in);
	s.policy = reader_bytes(&in, s.policy_size);
	if (!reader_finished(&in)) {
		records_session_done(&s);
		return records_malformed("session", err);
	}
	*ret_session = s;
	return 0;
}

/* What is there allows it; *ret_first is zeroed, or the one to be replaced. */
static int check_predecessor(struct records *r, const char *name, const struct records_session *session,
                             struct records_session *ret_before, struct error *err)
{
	char is[2 * 8 + 1], named[2 * 8 + 1];
	const bool first = bytes_are_zero(session->predecessor, sizeof(session->predecessor));
	int rc = records_session_get(r, name, ret_before, err);
	if (rc == CELLA_ENOENT && first)
		return 0;
	if (rc < 0)
		return rc;
	if (first)
		return error_set(err, CELLA_EEXIST,
		                 "the session %s is there already: an update names the hash that it replaces",
		                 name);
	if (crypto_equal(ret_before->hash, session->predecessor, sizeof(session->predecessor)))
		return 0;
	io_hex(ret_before->hash, 8, is);
	io_hex(session->predecessor, 8, named);
	return error_set(err, CELLA_EAUTH,
	                 "the session %s is %s... now, not the predecessor %s... that the update names", name,
	                 is, named);
}

static int put_session(struct records *r, const char *name, const struct records_session *session,
                       const struct records_session *before, struct error *err)
{
	cleanup_buf struct buf head = {0};
	buf_put(&head, session->hash, sizeof(session->hash));
	buf_put(&head, session->predecessor, sizeof(session->predecessor));
	buf_put(&head, before->revision ? before->creator : session->creator, sizeof(session->creator));
	buf_put_u64(&head, before->revision ? before->created_ns : session->created_ns);
	buf_put_u64(&head, session->updated_ns);
	if (head.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a session");
	const struct crypto_part parts[] = {{head.data, head.size}, {session->policy, session->policy_size}};
	return records_put(r, RECORDS_SESSION, name, strlen(name), parts, array_count(parts), err);
}

int records_session_put(struct records *r, const char *name, const struct records_session *session,
                        struct error *err)
{
	struct records_session before = {0};
	if (session->policy_size > RECORDS_POLICY_MAX)
		return error_set(err, CELLA_ELIMIT, "a session has at most %d bytes", RECORDS_POLICY_MAX);
	int rc = records_check_name(name, "session", err);
	if (rc == 0)
		rc = check_predecessor(r, name, session, &before, err);
	if (rc == 0)
		rc = put_session(r, name, session, &before, err);
	records_session_done(&before);
	return rc;
}

int records_session_remove(struct records *r, const char *name, const uint8_t hash[CRYPTO_SHA384_SIZE],
                           struct error *err)
{
	struct records_session session = {0};
	int rc = records_session_get(r, name, &session, err);
	if (rc == 0 && !crypto_equal(session.hash, hash, sizeof(session.hash)))
		rc = error_set(err, CELLA_EAUTH, "the session %s is another one now", name);
	if (rc == 0)
		rc = records_remove(r, RECORDS_SESSION, name, strlen(name), "session", err);
	if (rc == 0) /* the NUL is part of the prefix */
		rc = records_remove_all(r, RECORDS_SECRET, name, strlen(name) + 1, err);
	if (rc == 0)
		rc = records_remove_all(r, RECORDS_REFUSAL, name, strlen(name) + 1, err);
	records_session_done(&session);
	return rc;
}

/* ---- secrets */

/* Behind the pair of names. */
static void set_version(struct records_pair *id, uint64_t version)
{
	for (unsigned i = 0; i < 8; i++)
		id->bytes[id->size + i] = (uint8_t)(version >> (56 - 8 * i));
}

static int take_version(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err)
{
	uint64_t *version = arg;
	const uint8_t *bytes = (const uint8_t *)id + (id_size >= 8 ? id_size - 8 : 0);
	(void)revision;
	if (id_size < 8)
		return records_malformed("secret", err);
	*version = 0;
	for (unsigned i = 0; i < 8; i++)
		*version = *version << 8 | bytes[i];
	return 0;
}

/* 0: there is none. */
static int newest_version(const struct records *r, const struct records_pair *id, uint64_t *ret_version,
                          struct error *err)
{
	*ret_version = 0;
	return records_list(r, RECORDS_SECRET, id->bytes, id->size, take_version, ret_version, err);
}

void records_secret_done(struct records_secret *secret)
{
	vault_bytes_done(&secret->memory);
	*secret = (struct records_secret){0};
}

int records_secret_get(struct records *r, const char *session, const char *name, uint64_t version,
                       struct records_secret *ret_secret, struct error *err)
{
	struct records_secret s = {.version = version};
	struct records_pair id;
	char what[2 * RECORDS_NAME_MAX + 64];
	int rc = records_pair_of(session, name, "secret", &id, err);
	if (rc == 0 && version == 0)
		rc = newest_version(r, &id, &s.version, err);
	if (rc < 0)
		return rc;
	set_version(&id, s.version);
	snprintf(what, sizeof(what), "secret %s, version %llu, of session %s", name,
	         (unsigned long long)s.version, session);
	rc = records_get(r, RECORDS_SECRET, id.bytes, id.size + 8, what, &s.memory, NULL, err);
	if (rc < 0)
		return rc;
	struct reader in = reader_of(s.memory.data, s.memory.size);
	s.created_ns = reader_u64(&in);
	s.kind = reader_u32(&in);
	s.size = reader_left(&in);
	s.data = reader_bytes(&in, s.size);
	if (!reader_finished(&in)) {
		records_secret_done(&s);
		return records_malformed("secret", err);
	}
	*ret_secret = s;
	return 0;
}

int records_secret_put(struct records *r, const char *session, const char *name, uint32_t kind,
                       const void *data, size_t size, uint64_t now_ns, uint64_t *ret_version,
                       struct error *err)
{
	cleanup_buf struct buf head = {0};
	struct records_pair id;
	uint64_t version = 0;
	if (size > RECORDS_SECRET_MAX)
		return error_set(err, CELLA_ELIMIT, "a secret has at most %d bytes", RECORDS_SECRET_MAX);
	int rc = records_pair_of(session, name, "secret", &id, err);
	if (rc == 0)
		rc = newest_version(r, &id, &version, err);
	if (rc < 0)
		return rc;
	set_version(&id, ++version);
	buf_put_u64(&head, now_ns);
	buf_put_u32(&head, kind);
	if (head.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a secret");
	const struct crypto_part parts[] = {{head.data, head.size}, {data, size}};
	rc = records_put(r, RECORDS_SECRET, id.bytes, id.size + 8, parts, array_count(parts), err);
	if (rc == 0)
		*ret_version = version;
	return rc;
}

int records_secret_remove(struct records *r, const char *session, const char *name, uint64_t below,
                          struct error *err)
{
	struct records_pair id;
	uint64_t newest = 0;
	int rc = records_pair_of(session, name, "secret", &id, err);
	if (rc == 0)
		rc = newest_version(r, &id, &newest, err);
	if (rc == 0 && newest == 0)
		rc = error_set(err, CELLA_ENOENT, "there is no secret %s of session %s", name, session);
	if (rc == 0 && below == UINT64_MAX)
		return records_remove_all(r, RECORDS_SECRET, id.bytes, id.size, err);
	for (uint64_t version = min_of(below, newest); rc == 0 && --version > 0;) {
		set_version(&id, version);
		if (!records_find(r, RECORDS_SECRET, id.bytes, id.size + 8))
			break; /* what is older was removed before */
		rc = records_remove(r, RECORDS_SECRET, id.bytes, id.size + 8, "secret", err);
	}
	return rc;
}
