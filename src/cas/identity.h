/*
 * Identities of cells: the CAS as the CA that certifies the keys of executors that were granted a service.
 *
 * An executor asks as it asks the root keeper (cas/keeper.h), and is judged each time as for a grant; so
 * what was revoked meanwhile, or what the session's text no longer accepts, gets no further certificate.
 * One lives for CAS_IDENTITY_S, which is how long a cell that was revoked may be believed by whoever asks
 * nobody. At the CAS itself, and for whoever reads its list of revoked certificates, a certificate ends at
 * once when it, or what it was given for, is revoked.
 *
 * Times are the CAS's clock's.
 */
#ifndef CAS_IDENTITY_H
#define CAS_IDENTITY_H

#include "cas/judge.h"
#include "cas/requester.h"
#include "cell/owner/format.h"

enum {
	CAS_IDENTITY_S = 3600,
	CAS_IDENTITY_BEFORE_S = 60, /* for the clocks of others that are behind */
	CAS_CERTIFICATE_KEPT_S = 300, /* after its end, on the list of revoked ones; for the same clocks */
	CAS_CERTIFICATES_MAX = 1 << 16, /* that are kept at one time */
	CAS_CRL_S = 3600, /* until the next list is there at the latest */
	CAS_CRL_KEPT_S = 60, /* as long as nothing is revoked */
};

/* Of the CA; borrowed. */
const struct cert *cas_identity_ca(const struct cas *cas);

/* For an executor that was judged and is not refused; appends the answer (cell/identity_question.h),
 * once it is in the log. CELLA_EAUTH: the service has no identity, or what asks was revoked since it was
 * judged; CELLA_EFORMAT, CELLA_EUNSUPPORTED: the key is none; CELLA_EAGAIN: there are too many
 * certificates. */
int cas_identity_issue(const struct judgement *j, const struct owner_identity_request *question,
                       struct buf *ret_answer, struct error *err) must_check;

/* Who asks shows the certificate of a cell: is it one that this CAS has issued, is it its time, and is
 * neither it nor what it was given for revoked? CELLA_EPERM. */
int cas_identity_check(struct cas *cas, const struct cas_requester *who, struct error *err) must_check;

/* Of those that are valid or were until a moment ago, for owners. What `fn` returns below 0 ends it. */
struct cas_certificate {
	struct records_certificate record;
	uint64_t revoked_ns; /* it, or what it was given for; 0: it is not */
};
typedef int cas_certificate_fn(void *arg, const struct cas_certificate *certificate, struct error *err);
int cas_certificate_list(struct cas *cas, const struct cas_requester *who, cas_certificate_fn *fn, void *arg,
                         struct error *err) must_check;
/* What is revoked of those that have not ended, as a list that the CA has signed (RFC 5280), in DER,
 * appended; for anybody. */
int cas_identity_crl(struct cas *cas, struct buf *to, struct error *err) must_check;

#endif
