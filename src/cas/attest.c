#include "cas/attest.h"

#include <string.h>

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
	struct buf *grant;
	enum session_machine machine;
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
	t->machine = j.machine;
	t->rc = own_failure(t->rc, t->err);
	if (t->rc == 0 && j.refused)
		t->rc = judge_refusal(t->a, t->err);
	judge_done(&j);
}

int cas_attest(struct cas *cas, const struct cas_attestation *attestation, struct buf *ret_grant,
               enum session_machine *ret_machine, struct error *err)
{
	struct error why;
	cleanup_buf struct buf grant = {0};
	struct attesting t = {.a = attestation, .grant = &grant, .err = err ? err : &why};
	cas_at_desk(cas, attest_at_desk, &t);
	if (t.rc < 0)
		return t.rc;
	if (ret_machine)
		*ret_machine = t.machine;
	buf_put(ret_grant, grant.data, grant.size);
	return ret_grant->failed ? error_set(err, CELLA_ENOMEM, "no memory for a grant") : 0;
}
