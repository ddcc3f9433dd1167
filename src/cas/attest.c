#include "cas/attest.h"

#include <string.h>

#include "attest/lease.h"
#include "base/cleanup.h"
#include "cas/grant_make.h"
#include "cas/judge.h"
#include "cas/service_state.h"

/* ---- once */

static int note_key(const struct judgement *j, uint64_t *ret_key, struct error *err)
{
	uint8_t digest[CRYPTO_SHA384_SIZE];
	const struct crypto_part parts[] = {{j->evidence.public_key, sizeof(j->evidence.public_key)},
	                                    {j->a->session, strlen(j->a->session) + 1},
	                                    {j->a->service, strlen(j->a->service) + 1}};
	int rc = crypto_sha384_parts(parts, array_count(parts), digest, err);
	if (rc == 0)
		memcpy(ret_key, digest, sizeof(*ret_key));
	return rc;
}

/* An executor is granted a session once: its evidence is of no use to whoever sends it again. Beyond so many
 * executors in a run of the CAS that is not remembered; what is granted can be opened by that executor alone
 * all the same. */
static int note_grant(struct judgement *j, uint64_t *ret_key, struct error *err)
{
	enum { REMEMBERED_MAX = 1 << 20 };
	struct cas *cas = j->desk->cas;
	int rc = note_key(j, ret_key, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&cas->change_lock);
	if (map_get(&cas->granted, *ret_key))
		judge_refuse(j,
		             "evidence: wanted of an executor that has not had its keys, found one that has: "
		             "replayed");
	else if (cas->granted.count < REMEMBERED_MAX && map_put(&cas->granted, *ret_key, cas) < 0)
		rc = error_set(err, CELLA_ENOMEM, "no memory to note an executor");
	pthread_mutex_unlock(&cas->change_lock);
	return rc;
}

/* It was not granted after all. */
static void forget_grant(struct judgement *j, uint64_t key)
{
	struct cas *cas = j->desk->cas;
	pthread_mutex_lock(&cas->change_lock);
	map_take(&cas->granted, key);
	pthread_mutex_unlock(&cas->change_lock);
}

/* For what passed. */
static int grant(struct judgement *j, struct buf *ret_grant, struct error *err)
{
	uint64_t key = 0;
	int rc = grant_make(j->desk, j->session, j->service, j->a, &j->evidence, ret_grant, err);
	if (rc == CELLA_EINVAL) {
		judge_refuse(j, "session: %s", err->text);
		return judge_record(j, AUDIT_PROVISIONED, err);
	}
	if (rc == 0)
		rc = note_grant(j, &key, err);
	if (rc < 0)
		return rc;
	rc = judge_record(j, AUDIT_PROVISIONED, err);
	if (rc < 0 && !j->refused)
		forget_grant(j, key);
	return rc;
}

/* Who asks is to blame for a refusal alone, which is none of these: they are the CAS's own failures. */
static int own_failure(int rc, struct error *err)
{
	return rc == CELLA_EINVAL || rc == CELLA_EFORMAT || rc == CELLA_EAUTH || rc == CELLA_ENOENT
	               ? error_prefix(err, CELLA_EIO, "judging evidence: ")
	               : rc;
}

struct attesting {
	const struct cas_attestation *a;
	const void *keep; /* of a lease */
	size_t keep_size;
	struct cas_granted granted;
	struct buf *grant;
	struct error *err;
	int rc;
};

static void attest_at_desk(struct cas_desk *desk, void *arg)
{
	struct attesting *t = arg;
	struct judgement j;
	t->rc = judge_begin(&j, desk, t->a, true, t->err);
	if (t->rc == 0)
		t->rc = j.refused ? judge_record(&j, AUDIT_REFUSED, t->err) : grant(&j, t->grant, t->err);
	t->granted.machine = j.machine;
	t->rc = own_failure(t->rc, t->err);
	if (t->rc == 0 && j.refused)
		t->rc = judge_refusal(t->a, t->err);
	if (t->rc == 0)
		t->granted.offline_s = j.service->offline_s;
	judge_done(&j);
}

int cas_attest(struct cas *cas, const struct cas_attestation *attestation, struct buf *ret_grant,
               struct cas_granted *ret_granted, struct error *err)
{
	struct error why;
	cleanup_buf struct buf grant = {0};
	struct attesting t = {.a = attestation, .grant = &grant, .err = err ? err : &why};
	cas_at_desk(cas, attest_at_desk, &t);
	if (t.rc < 0)
		return t.rc;
	if (ret_granted)
		*ret_granted = t.granted;
	buf_put(ret_grant, grant.data, grant.size);
	return ret_grant->failed ? error_set(err, CELLA_ENOMEM, "no memory for a grant") : 0;
}

/* ---- what a node may keep */

/* In memory that is no worse than the executor's. */
static int make_lease(struct judgement *j, const struct attesting *t, struct error *err)
{
	struct lease_keep keep;
	int rc = lease_keep_read(t->keep, t->keep_size, j->evidence.launcher, &keep, err);
	if (rc == 0 &&
	    !mem_level_covers((enum mem_level)keep.memory_level, (enum mem_level)j->evidence.memory_level))
		rc = error_set(err, CELLA_EAUTH, "the launcher's own memory is not what the executor's is");
	return rc == 0 ? grant_make_lease(j->desk, j->session, j->service, t->a, &j->evidence, &keep,
	                                  t->grant, err)
	               : rc;
}

static int lease(struct judgement *j, const struct attesting *t, struct error *err)
{
	if (!j->service || !j->service->offline_s)
		return error_set(err, CELLA_ENOENT,
		                 "the service %.63s of the session %.255s is not to be kept", t->a->service,
		                 t->a->session);
	int rc = make_lease(j, t, err);
	if (rc == CELLA_EAUTH || rc == CELLA_EFORMAT || rc == CELLA_EINVAL)
		judge_refuse(j, "offline: %s", err->text);
	else if (rc < 0)
		return rc;
	j->offline_s = j->service->offline_s;
	return judge_record(j, AUDIT_PROVISIONED, err);
}

static void lease_at_desk(struct cas_desk *desk, void *arg)
{
	struct attesting *t = arg;
	struct judgement j;
	t->rc = judge_begin(&j, desk, t->a, true, t->err);
	const bool kept = j.service && j.service->offline_s;
	if (t->rc == 0)
		t->rc = j.refused ? judge_record(&j, AUDIT_REFUSED, t->err) : lease(&j, t, t->err);
	if (kept || j.refused)
		t->rc = own_failure(t->rc, t->err);
	if (t->rc == 0 && j.refused)
		t->rc = judge_refusal(t->a, t->err);
	judge_done(&j);
}

int cas_lease(struct cas *cas, const struct cas_attestation *attestation, const void *keep, size_t keep_size,
              struct buf *ret_lease, struct error *err)
{
	struct error why;
	cleanup_buf struct buf sealed = {0};
	struct attesting t = {.a = attestation,
	                      .keep = keep,
	                      .keep_size = keep_size,
	                      .grant = &sealed,
	                      .err = err ? err : &why};
	cas_at_desk(cas, lease_at_desk, &t);
	if (t.rc < 0)
		return t.rc;
	buf_put(ret_lease, sealed.data, sealed.size);
	return ret_lease->failed ? error_set(err, CELLA_ENOMEM, "no memory for a lease") : 0;
}
