#include "cas/identity.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cas/service_state.h"
#include "cell/identity_question.h"

static_assert((int)RECORDS_IDENTITY_MAX >= (int)SESSION_IDENTITY_MAX &&
                      (int)CERT_NAME_SIZE > (int)SESSION_IDENTITY_MAX &&
                      (int)CERT_COMMON_NAME_MAX >= (int)SESSION_NAME_MAX,
              "every service can be named");

const struct cert *cas_identity_ca(const struct cas *cas)
{
	return cas->identity_ca;
}

static uint64_t now_s(const struct cas *cas)
{
	return cas_now_ns(cas) / 1000000000u;
}

/* ---- revocations */

/* The earliest of the revocations that concern it; 0: there is none. */
static int revoked_since(struct records *r, const struct records_certificate *c, uint64_t *ret_ns,
                         struct error *err)
{
	const struct {
		enum records_revoked kind;
		const void *what;
		size_t size;
	} rows[] = {{RECORDS_REVOKED_CERTIFICATE, c->serial, sizeof(c->serial)},
	            {RECORDS_REVOKED_CELL, c->cell, sizeof(c->cell)},
	            {RECORDS_REVOKED_BUILDER, c->builder, sizeof(c->builder)},
	            {RECORDS_REVOKED_EXECUTOR, c->executor, sizeof(c->executor)},
	            {RECORDS_REVOKED_LAS, c->launcher, sizeof(c->launcher)}};
	struct records_revocation revocation;
	uint64_t since = 0;
	for (size_t i = 0; i < array_count(rows); i++) {
		if (!records_is_revoked(r, rows[i].kind, rows[i].what, rows[i].size))
			continue;
		int rc = records_revocation_get(r, rows[i].kind, rows[i].what, rows[i].size, &revocation,
		                                err);
		if (rc < 0)
			return rc;
		since = since ? min_of(since, revocation.since_ns) : revocation.since_ns;
	}
	*ret_ns = since;
	return 0;
}

/* ---- issuing */

struct issue {
	const struct judgement *j;
	struct records_certificate record;
	char who[RECORDS_NAME_MAX + 1];
	char *what; /* JSON */
};

static int make_certificate(struct issue *i, const struct owner_identity_request *q, struct cert **ret_cert,
                            struct error *err)
{
	const struct cas *cas = i->j->desk->cas;
	const struct cert_name name = {CERT_URI, i->record.name};
	const uint64_t now = now_s(cas);
	const struct cert_shape shape = {.common_name = i->j->service->name,
	                                 .names = &name,
	                                 .name_count = 1,
	                                 .use = CERT_FOR_SERVER | CERT_FOR_CLIENT,
	                                 .not_before = (int64_t)now - CAS_IDENTITY_BEFORE_S,
	                                 .not_after = (int64_t)now + CAS_IDENTITY_S};
	struct cert_facts facts;
	struct cert *cert;
	int rc = cert_issue(cas->identity_key, cas->identity_ca, q->public_key, q->public_size, &shape, &cert,
	                    err);
	if (rc < 0)
		return rc;
	rc = cert_describe(cert, &facts, err);
	if (rc == 0 && (strlen(facts.serial) != 2 * RECORDS_SERIAL_SIZE ||
	                !io_unhex(facts.serial, RECORDS_SERIAL_SIZE, i->record.serial)))
		rc = error_set(err, CELLA_EBUG, "a certificate has the serial number %s", facts.serial);
	if (rc < 0) {
		cert_free(cert);
		return rc;
	}
	i->record.not_after_s = now + CAS_IDENTITY_S;
	*ret_cert = cert;
	return 0;
}

static int note(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	const struct issue *i = arg;
	event->kind = AUDIT_CERTIFIED;
	event->who = i->who;
	event->what = i->what;
	uint64_t revoked_ns = 0;
	int rc = revoked_since(r, &i->record, &revoked_ns, err);
	if (rc == 0 && revoked_ns) /* after it was judged: the list of then would not have it */
		return error_set(err, CELLA_EAUTH, "what asks for a certificate was revoked meanwhile");
	if (rc == 0)
		rc = records_certificate_drop(r,
		                              i->record.not_after_s - CAS_IDENTITY_S - CAS_CERTIFICATE_KEPT_S,
		                              err);
	if (rc == 0 && records_count(r, RECORDS_CERTIFICATE) >= CAS_CERTIFICATES_MAX)
		rc = error_set(err, CELLA_EAGAIN, "the CAS has issued %d certificates in this hour",
		               CAS_CERTIFICATES_MAX);
	return rc == 0 ? records_certificate_add(r, &i->record, err) : rc;
}

/* Durable, with its entry in the log, before anybody has it. */
static int record(struct issue *i, struct error *err)
{
	struct cas_change change = {.make = note, .arg = i};
	char serial[2 * RECORDS_SERIAL_SIZE + 1];
	io_hex(i->record.serial, sizeof(i->record.serial), serial);
	judge_holder(i->j, i->who);
	json_t *what = json_pack("{s:s, s:s, s:s, s:I}", "session", i->j->a->session, "service",
	                         i->j->a->service, "serial", serial, "until",
	                         (json_int_t)i->record.not_after_s);
	i->what = json_dumps(what, JSON_COMPACT);
	json_decref(what);
	int rc = i->what ? cas_commit(i->j->desk->cas, &change, err)
	                 : error_set(err, CELLA_ENOMEM, "no memory for the audit log");
	free(i->what);
	return rc;
}

static int answer(const struct issue *i, const struct cert *cert, struct buf *to, struct error *err)
{
	const struct cas *cas = i->j->desk->cas;
	cleanup_buf struct buf pem = {0}, ca = {0};
	int rc = cert_write_pem(cert, &pem, err);
	if (rc == 0)
		rc = cert_write_pem(cas->identity_ca, &ca, err);
	if (rc == 0 && (pem.size > IDENTITY_PEM_MAX || ca.size > IDENTITY_PEM_MAX))
		rc = error_set(err, CELLA_EBUG, "a certificate takes %zu bytes, its CA's %zu", pem.size,
		               ca.size);
	if (rc < 0)
		return rc;
	const struct identity_answer a = {.time_ns = cas_now_ns(cas),
	                                  .life_s = CAS_IDENTITY_S,
	                                  .certificate = (const char *)pem.data,
	                                  .certificate_size = pem.size,
	                                  .ca = (const char *)ca.data,
	                                  .ca_size = ca.size};
	identity_answer_write(&a, to);
	return to->failed ? error_set(err, CELLA_ENOMEM, "no memory for an answer") : 0;
}

int cas_identity_issue(const struct judgement *j, const struct owner_identity_request *question,
                       struct buf *ret_answer, struct error *err)
{
	const struct evidence *e = &j->evidence;
	struct issue i = {.j = j, .record.issued_ns = cas_now_ns(j->desk->cas)};
	struct cert *cert;
	if (!j->service->identity)
		return error_set(err, CELLA_EAUTH, "the session gives the service no identity");
	memcpy(i.record.cell, e->cell, sizeof(i.record.cell));
	memcpy(i.record.builder, e->builder, sizeof(i.record.builder));
	memcpy(i.record.executor, e->executor, sizeof(i.record.executor));
	memcpy(i.record.launcher, e->launcher, sizeof(i.record.launcher));
	session_identity(j->session->name, j->service->name, i.record.name);
	int rc = make_certificate(&i, question, &cert, err);
	if (rc < 0)
		return rc;
	rc = record(&i, err);
	if (rc == 0)
		rc = answer(&i, cert, ret_answer, err);
	cert_free(cert);
	return rc;
}

/* ---- what was issued, and is revoked */

static int check_record(struct cas *cas, const struct cas_requester *who, struct records *r,
                        struct error *err)
{
	struct records_certificate c;
	uint8_t serial[RECORDS_SERIAL_SIZE];
	uint64_t revoked_ns = 0;
	if (strlen(who->serial) != 2 * sizeof(serial) || !io_unhex(who->serial, sizeof(serial), serial))
		return error_set(err, CELLA_EPERM, "the cell's certificate is none of this CAS's");
	int rc = records_certificate_get(r, (uint64_t)who->not_after, serial, &c, err);
	if (rc == CELLA_ENOENT || (rc == 0 && strcmp(c.name, who->identity) != 0))
		return error_set(err, CELLA_EPERM, "the cell's certificate %s is none that this CAS knows",
		                 who->serial);
	if (rc == 0)
		rc = revoked_since(r, &c, &revoked_ns, err);
	if (rc < 0)
		return rc;
	if (revoked_ns)
		return error_set(err, CELLA_EPERM,
		                 "the cell's certificate %s, or what it was given for, was revoked",
		                 who->serial);
	return now_s(cas) <= c.not_after_s
	               ? 0
	               : error_set(err, CELLA_EPERM, "the cell's certificate %s has expired", who->serial);
}

int cas_identity_check(struct cas *cas, const struct cas_requester *who, struct error *err)
{
	int rc = check_record(cas, who, cas_records_lock(cas), err);
	cas_records_unlock(cas);
	return rc;
}

/* While the records are locked. */
struct listing {
	struct records *records;
	cas_certificate_fn *fn;
	void *arg;
};

static int list_certificate(void *arg, uint64_t not_after_s, const uint8_t serial[RECORDS_SERIAL_SIZE],
                            struct error *err)
{
	const struct listing *l = arg;
	struct cas_certificate c;
	int rc = records_certificate_get(l->records, not_after_s, serial, &c.record, err);
	if (rc == 0)
		rc = revoked_since(l->records, &c.record, &c.revoked_ns, err);
	return rc == 0 ? l->fn(l->arg, &c, err) : rc;
}

static int list_all(struct cas *cas, cas_certificate_fn *fn, void *arg, struct error *err)
{
	struct listing l = {.records = cas_records_lock(cas), .fn = fn, .arg = arg};
	int rc = records_certificate_list(l.records, list_certificate, &l, err);
	cas_records_unlock(cas);
	return rc;
}

int cas_certificate_list(struct cas *cas, const struct cas_requester *who, cas_certificate_fn *fn, void *arg,
                         struct error *err)
{
	int rc = cas_demand_owner(cas, who, "list certificates of cells", err);
	return rc == 0 ? list_all(cas, fn, arg, err) : rc;
}

struct revoked_list {
	struct buf entries; /* of struct cert_revoked */
	uint64_t now_s;
};

static int add_revoked(void *arg, const struct cas_certificate *c, struct error *err)
{
	struct revoked_list *l = arg;
	struct cert_revoked revoked = {.since = (int64_t)(c->revoked_ns / 1000000000u)};
	if (!c->revoked_ns || c->record.not_after_s + CAS_CERTIFICATE_KEPT_S < l->now_s)
		return 0;
	memcpy(revoked.serial, c->record.serial, sizeof(revoked.serial));
	buf_put(&l->entries, &revoked, sizeof(revoked));
	return l->entries.failed ? error_set(err, CELLA_ENOMEM, "no memory for a list of certificates") : 0;
}

static int make_crl(struct cas *cas, uint64_t now_ns, struct buf *to, struct error *err)
{
	struct revoked_list list = {.now_s = now_ns / 1000000000u};
	int rc = list_all(cas, add_revoked, &list, err);
	const struct cert_crl_shape shape = {.revoked = (const struct cert_revoked *)list.entries.data,
	                                     .count = list.entries.size / sizeof(struct cert_revoked),
	                                     .number = now_ns / 1000000u,
	                                     .this_update = (int64_t)list.now_s,
	                                     .next_update = (int64_t)list.now_s + CAS_CRL_S};
	if (rc == 0)
		rc = cert_make_crl(cas->identity_key, cas->identity_ca, &shape, to, err);
	buf_done(&list.entries);
	return rc;
}

/* Revocations are never taken back: as many as there were are the same ones. */
static bool is_fresh(const struct cas *cas, uint64_t now_ns, size_t revocations)
{
	return cas->crl.size && cas->crl_revocations == revocations && now_ns >= cas->crl_made_ns &&
	       now_ns - cas->crl_made_ns < CAS_CRL_KEPT_S * 1000000000ull;
}

static int refresh_crl(struct cas *cas, struct error *err)
{
	const uint64_t now_ns = cas_now_ns(cas);
	cleanup_buf struct buf made = {0};
	size_t revocations = records_count(cas_records_lock(cas), RECORDS_REVOKED);
	cas_records_unlock(cas);
	if (is_fresh(cas, now_ns, revocations))
		return 0;
	int rc = make_crl(cas, now_ns, &made, err);
	if (rc < 0)
		return rc;
	const struct buf old = cas->crl;
	cas->crl = made;
	made = old;
	cas->crl_made_ns = now_ns;
	cas->crl_revocations = revocations;
	return 0;
}

int cas_identity_crl(struct cas *cas, struct buf *to, struct error *err)
{
	pthread_mutex_lock(&cas->crl_lock);
	int rc = refresh_crl(cas, err);
	if (rc == 0)
		buf_put(to, cas->crl.data, cas->crl.size);
	pthread_mutex_unlock(&cas->crl_lock);
	return rc == 0 && to->failed ? error_set(err, CELLA_ENOMEM, "no memory for a list of certificates")
	                             : rc;
}
