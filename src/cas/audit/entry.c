/* Entries and heads: encoding, decoding, hashing. */
#include <string.h>

#include "cas/audit/format.h"

static const char *const kind_names[AUDIT_KINDS] = {
	[AUDIT_CREATED] = "created",
	[AUDIT_OPENED] = "opened",
	[AUDIT_RESTORED] = "restored",
	[AUDIT_BACKED_UP] = "backed-up",
	[AUDIT_MASTER_ROTATED] = "master-rotated",
	[AUDIT_RESEALED] = "resealed",
	[AUDIT_SESSION_CREATED] = "session-created",
	[AUDIT_SESSION_UPDATED] = "session-updated",
	[AUDIT_SESSION_DELETED] = "session-deleted",
	[AUDIT_SECRET_SET] = "secret-set",
	[AUDIT_SECRET_DELETED] = "secret-deleted",
	[AUDIT_PROVISIONED] = "provisioned",
	[AUDIT_REFUSED] = "refused",
	[AUDIT_VOLUME_LEASED] = "volume-leased",
	[AUDIT_VOLUME_COMMITTED] = "volume-committed",
	[AUDIT_VOLUME_RELEASED] = "volume-released",
	[AUDIT_OWNER_ADDED] = "owner-added",
	[AUDIT_OWNER_REMOVED] = "owner-removed",
	[AUDIT_LAS_ENROLLED] = "las-enrolled",
	[AUDIT_LAS_REMOVED] = "las-removed",
	[AUDIT_REVOKED] = "revoked",
	[AUDIT_CERTIFIED] = "certified",
	[AUDIT_DENIED] = "denied",
	[AUDIT_ENDORSED] = "endorsed",
	[AUDIT_COLLATERAL_ADDED] = "collateral-added",
	[AUDIT_COLLATERAL_REMOVED] = "collateral-removed",
};

const char *audit_kind_name(unsigned kind)
{
	return kind < AUDIT_KINDS ? kind_names[kind] : NULL;
}

/* ---- entries */

void audit_entry_encode(const struct audit_entry *e, struct buf *ret)
{
	buf_put_u32(ret, AUDIT_MAGIC);
	buf_put_u16(ret, AUDIT_VERSION);
	buf_put_u16(ret, (uint16_t)e->kind);
	buf_put_u32(ret, e->closes ? AUDIT_CLOSES : 0);
	buf_put_u32(ret, e->generation);
	buf_put_u64(ret, e->epoch);
	buf_put_u64(ret, e->number);
	buf_put_u64(ret, e->time_ns);
	buf_put(ret, e->before, sizeof(e->before));
	buf_put_blob(ret, e->who, e->who_size);
	buf_put_blob(ret, e->what, e->what_size);
	if (e->closes) {
		buf_put(ret, e->state, sizeof(e->state));
		buf_put(ret, e->signature, sizeof(e->signature));
	}
}

static int check_entry(const struct audit_entry *e, unsigned kind, uint32_t flags, struct error *err)
{
	if (!audit_kind_name(kind))
		return error_set(err, CELLA_EUNSUPPORTED, "an audit entry of an unknown kind (%u)", kind);
	if (flags & ~(uint32_t)AUDIT_CLOSES || (e->closes ? e->generation == 0 : e->generation != 0))
		return error_set(err, CELLA_EFORMAT, "an audit entry with unknown flags (%#x)", flags);
	if (e->epoch == 0 || e->number == 0)
		return error_set(err, CELLA_EFORMAT, "an audit entry without an epoch or a number");
	if (e->who_size > AUDIT_WHO_MAX || e->what_size > AUDIT_WHAT_MAX)
		return error_set(err, CELLA_EFORMAT, "an audit entry with texts of %zu and %zu bytes",
		                 e->who_size, e->what_size);
	return 0;
}

int audit_entry_decode(const void *data, size_t size, struct audit_entry *ret_entry, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct audit_entry e = {0};
	if (reader_u32(&r) != AUDIT_MAGIC)
		return error_set(err, CELLA_EFORMAT, "no audit entry: its first bytes are wrong");
	unsigned version = reader_u16(&r), kind = reader_u16(&r);
	if (!r.failed && version != AUDIT_VERSION)
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "an audit entry of version %u, this program knows %d", version,
		                 AUDIT_VERSION);
	uint32_t flags = reader_u32(&r);
	e.closes = flags & AUDIT_CLOSES;
	e.generation = reader_u32(&r);
	e.epoch = reader_u64(&r);
	e.number = reader_u64(&r);
	e.time_ns = reader_u64(&r);
	reader_copy(&r, e.before, sizeof(e.before));
	e.who = (const char *)reader_blob(&r, &e.who_size);
	e.what = (const char *)reader_blob(&r, &e.what_size);
	if (e.closes) {
		reader_copy(&r, e.state, sizeof(e.state));
		reader_copy(&r, e.signature, sizeof(e.signature));
	}
	if (!reader_finished(&r))
		return error_set(err, CELLA_EFORMAT, "an audit entry of %zu bytes was cut, or is damaged",
		                 size);
	int rc = check_entry(&e, kind, flags, err);
	e.kind = (enum audit_kind)kind;
	if (rc == 0)
		*ret_entry = e;
	return rc;
}

int audit_entry_hash(const uint8_t cas[VAULT_CAS_SIZE], const void *data, size_t size, bool closes,
                     uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err)
{
	const struct crypto_part parts[] = {
		{AUDIT_LABEL, strlen(AUDIT_LABEL)},
		{cas, VAULT_CAS_SIZE},
		{data, size - (closes ? CRYPTO_SIGNATURE_SIZE : 0)},
	};
	return crypto_sha384_parts(parts, array_count(parts), ret_hash, err);
}

/* ---- heads */

void audit_head_encode(const struct audit_head *head, uint8_t ret_bytes[AUDIT_HEAD_SIZE])
{
	cleanup_buf struct buf b = {0};
	buf_put_u32(&b, AUDIT_HEAD_MAGIC);
	buf_put_u32(&b, AUDIT_VERSION);
	buf_put(&b, head->cas, sizeof(head->cas));
	buf_put_u64(&b, head->epoch);
	buf_put_u64(&b, head->number);
	buf_put(&b, head->hash, sizeof(head->hash));
	buf_put(&b, head->signature, sizeof(head->signature));
	memset(ret_bytes, 0, AUDIT_HEAD_SIZE); /* no head at all, where memory ran out */
	if (!b.failed)
		memcpy(ret_bytes, b.data, AUDIT_HEAD_SIZE);
}

int audit_head_decode(const void *data, size_t size, const uint8_t public_key[CRYPTO_ED25519_SIZE],
                      struct audit_head *ret_head, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct audit_head head;
	uint32_t magic = reader_u32(&r), version = reader_u32(&r);
	reader_copy(&r, head.cas, sizeof(head.cas));
	head.epoch = reader_u64(&r);
	head.number = reader_u64(&r);
	reader_copy(&r, head.hash, sizeof(head.hash));
	reader_copy(&r, head.signature, sizeof(head.signature));
	if (!reader_finished(&r) || magic != AUDIT_HEAD_MAGIC || version != AUDIT_VERSION ||
	    head.epoch == 0 || head.number == 0)
		return error_set(err, CELLA_EFORMAT, "these %zu bytes are no head of an audit log", size);
	int rc = crypto_verify(public_key, data, AUDIT_HEAD_SIGNED_SIZE, head.signature, err);
	if (rc < 0)
		return error_prefix(err, rc, "a head of the audit log: ");
	*ret_head = head;
	return 0;
}
