#include "cas/machines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cas/collateral.h"
#include "cas/service_state.h"
#include "cas/session/machine.h"

enum { ACCEPTED_MAX = 256, CHAINS_MAX = 256 };

struct accepted {
	uint8_t key[CRYPTO_SHA384_SIZE];
	uint64_t until_ns;
};

struct machines {
	pthread_mutex_t lock; /* of all that follows; records_lock is taken under it, never around it */
	struct tee_chains *chains;
	struct collateral_set sets[TEE_KINDS];
	struct accepted accepted[ACCEPTED_MAX]; /* a ring */
	size_t next;
};

int machines_new(struct machines **ret_machines, struct error *err)
{
	struct machines *m = calloc(1, sizeof(*m));
	if (!m)
		return error_set(err, CELLA_ENOMEM, "no memory for what hardware says");
	int rc = tee_chains_new(CHAINS_MAX, &m->chains, err);
	if (rc < 0) {
		free(m);
		return rc;
	}
	pthread_mutex_init(&m->lock, NULL);
	*ret_machines = m;
	return 0;
}

static void drop_all(struct machines *m)
{
	for (size_t i = 0; i < TEE_KINDS; i++)
		collateral_set_done(&m->sets[i]);
	memset(m->accepted, 0, sizeof(m->accepted));
}

void machines_free(struct machines *m)
{
	if (!m)
		return;
	drop_all(m);
	tee_chains_free(m->chains);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void machines_forget(struct machines *m)
{
	pthread_mutex_lock(&m->lock);
	drop_all(m);
	pthread_mutex_unlock(&m->lock);
}

/* ---- what was accepted */

static int key_of(const struct endorsement *e, const struct session_need *need,
                  uint8_t ret_key[CRYPTO_SHA384_SIZE], struct error *err)
{
	struct crypto_part parts[6 + 2 * ENDORSEMENT_BLOBS_MAX] = {
		{&need->machine, sizeof(need->machine)},
		{need->policy ? need->policy : "", need->policy ? strlen(need->policy) : 0},
		{e->launcher, sizeof(e->launcher)},
		{e->nonce, sizeof(e->nonce)},
		{e->evidence.data, e->evidence.size},
		{&e->cert_count, sizeof(e->cert_count)},
	};
	size_t count = 6;
	for (size_t i = 0; i < e->cert_count; i++)
		parts[count++] = (struct crypto_part){e->certs[i].data, e->certs[i].size};
	for (size_t i = 0; i < e->event_log_count; i++)
		parts[count++] = (struct crypto_part){e->event_logs[i].data, e->event_logs[i].size};
	return crypto_sha384_parts(parts, count, ret_key, err);
}

static bool was_accepted(const struct machines *m, const uint8_t key[CRYPTO_SHA384_SIZE], uint64_t now_ns)
{
	const uint64_t longest = (uint64_t)MACHINE_REMEMBERED_S * 1000000000u;
	for (size_t i = 0; i < ACCEPTED_MAX; i++)
		if (m->accepted[i].until_ns > now_ns && m->accepted[i].until_ns <= now_ns + longest &&
		    crypto_equal(m->accepted[i].key, key, CRYPTO_SHA384_SIZE))
			return true;
	return false;
}

static void remember(struct machines *m, const uint8_t key[CRYPTO_SHA384_SIZE], uint64_t now_ns)
{
	struct accepted *to = &m->accepted[m->next++ % ACCEPTED_MAX];
	memcpy(to->key, key, sizeof(to->key));
	to->until_ns = now_ns + (uint64_t)MACHINE_REMEMBERED_S * 1000000000u;
}

/* ---- verifying */

static void tell_all(const struct tee_verdict *v, session_fail_fn *tell, void *arg)
{
	for (size_t i = 0; i < v->check_count; i++)
		if (v->checks[i].status == TEE_FAILED)
			tell(arg, v->checks[i].name, v->checks[i].wanted, v->checks[i].found);
}

/* With the lock. */
static int verify(struct cas *cas, const struct endorsement *e, const struct session_need *need,
                  bool *ret_holds, session_fail_fn *tell, void *arg, struct error *err)
{
	struct machines *m = cas->machines;
	uint8_t report_data[TEE_REPORT_DATA_MAX];
	struct tee_policy *policy = NULL;
	struct tee_verdict verdict = {0};
	struct tee_input input = {.report_data = report_data,
	                          .report_data_size = sizeof(report_data),
	                          .time = (int64_t)(cas_now_ns(cas) / 1000000000u),
	                          .chains = m->chains,
	                          .test_roots = cas->config.test_roots,
	                          .test_root_count = cas->config.test_root_count};
	int rc = endorsement_report_data(e->launcher, e->nonce, report_data, err);
	if (rc == 0)
		rc = collateral_set_load(cas, e->kind, &m->sets[e->kind], err);
	if (rc == 0)
		rc = session_machine_policy(need->machine, need->policy, &policy, err);
	if (rc < 0)
		return rc;
	endorsement_input(e, &input);
	input.policy = policy;
	input.collateral = m->sets[e->kind].blobs;
	input.collateral_count = m->sets[e->kind].count;
	rc = tee_verify(&input, &verdict, err);
	tee_policy_free(policy);
	if (rc == CELLA_ENOMEM)
		return rc;
	if (rc < 0)
		tell(arg, "evidence", "what can be read", err->text);
	else
		tell_all(&verdict, tell, arg);
	*ret_holds = rc == 0 && tee_accepted(&verdict);
	tee_verdict_done(&verdict);
	return 0;
}

int machines_verify(struct cas *cas, const struct endorsement *e, const struct session_need *need,
                    bool *ret_holds, session_fail_fn *tell, void *arg, struct error *err)
{
	struct machines *m = cas->machines;
	uint8_t key[CRYPTO_SHA384_SIZE];
	struct error why;
	const uint64_t now_ns = cas_now_ns(cas);
	int rc = key_of(e, need, key, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&m->lock);
	*ret_holds = was_accepted(m, key, now_ns);
	if (!*ret_holds) {
		rc = verify(cas, e, need, ret_holds, tell, arg, err ? err : &why);
		if (rc == 0 && *ret_holds)
			remember(m, key, now_ns);
	}
	pthread_mutex_unlock(&m->lock);
	return rc;
}

int machines_evidence(struct cas *cas, struct tee_input *input, struct tee_verdict *ret_verdict,
                      struct error *err)
{
	struct machines *m = cas->machines;
	struct collateral_set *set = &m->sets[input->kind];
	pthread_mutex_lock(&m->lock);
	int rc = collateral_set_load(cas, input->kind, set, err);
	input->time = (int64_t)(cas_now_ns(cas) / 1000000000u);
	input->chains = m->chains;
	input->test_roots = cas->config.test_roots;
	input->test_root_count = cas->config.test_root_count;
	input->collateral = set->blobs;
	input->collateral_count = set->count;
	if (rc == 0)
		rc = tee_verify(input, ret_verdict, err);
	input->collateral = NULL; /* which goes when the lock does */
	input->collateral_count = 0;
	pthread_mutex_unlock(&m->lock);
	return rc;
}

/* ---- a launcher's machine */

/* The endorsement's bytes, out of the records' pool. CELLA_ENOENT. */
static int fetch(const struct machine *machine, enum tee_kind kind, uint64_t *ret_time_ns,
                 struct buf *ret_bytes, struct error *err)
{
	struct records_endorsement held = {0};
	struct records *r = cas_records_lock(machine->cas);
	int rc = records_endorsement_get(r, machine->launcher, (uint8_t)kind, &held, err);
	if (rc == 0) {
		buf_put(ret_bytes, held.data, held.size);
		*ret_time_ns = held.time_ns;
		records_endorsement_done(&held);
	}
	cas_records_unlock(machine->cas);
	if (rc == 0 && ret_bytes->failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory for an endorsement");
	return rc;
}

/* True: it is not older than the need lets it be. */
static bool is_young(const struct machine *machine, const struct session_need *need, uint64_t time_ns,
                     session_fail_fn *tell, void *arg)
{
	char wanted[60], found[60];
	const int64_t age_s = ((int64_t)cas_now_ns(machine->cas) - (int64_t)time_ns) / 1000000000;
	if (age_s >= -1 && age_s <= (int64_t)need->max_age_s)
		return true;
	snprintf(wanted, sizeof(wanted), "%" PRIu64 " s or less", need->max_age_s);
	snprintf(found, sizeof(found), "%" PRId64 " s", age_s);
	tell(arg, "endorsement.age", wanted, found);
	return false;
}

int machine_judge(void *data, const struct session_need *need, bool *ret_holds, session_fail_fn *tell,
                  void *arg, struct error *err)
{
	const struct machine *machine = data;
	cleanup_buf struct buf bytes = {0};
	struct endorsement e;
	enum tee_kind kind;
	uint64_t time_ns = 0;
	int rc = CELLA_ENOENT;
	*ret_holds = false;
	if (session_machine_kind(need->machine, &kind) && tee_kind_of(kind))
		rc = fetch(machine, kind, &time_ns, &bytes, err);
	if (rc == CELLA_ENOENT) {
		tell(arg, "endorsement", "one of the launcher's key, by this class of hardware", "none");
		return 0;
	}
	if (rc == 0)
		rc = endorsement_decode(bytes.data, bytes.size, &e, err);
	if (rc < 0)
		return rc;
	const bool young = is_young(machine, need, time_ns, tell, arg);
	rc = machines_verify(machine->cas, &e, need, ret_holds, tell, arg, err);
	*ret_holds = *ret_holds && young;
	return rc;
}
