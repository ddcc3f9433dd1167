#include "attest/dcap/tcb.h"

#include <stdio.h>
#include <string.h>

/* The respects in which something falls behind. */
enum {
	BEHIND_REVOKED = 1,
	BEHIND_OUT_OF_DATE = 2,
	BEHIND_CONFIGURATION = 4,
	BEHIND_HARDENING = 8,
};

static unsigned respects_of(enum tcb_status status)
{
	static const unsigned respects[TCB_STATUSES] = {
		[TCB_SW_HARDENING_NEEDED] = BEHIND_HARDENING,
		[TCB_CONFIGURATION_NEEDED] = BEHIND_CONFIGURATION,
		[TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = BEHIND_CONFIGURATION | BEHIND_HARDENING,
		[TCB_OUT_OF_DATE] = BEHIND_OUT_OF_DATE,
		[TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = BEHIND_OUT_OF_DATE | BEHIND_CONFIGURATION,
		[TCB_REVOKED] = BEHIND_REVOKED,
	};
	return respects[status];
}

static enum tcb_status status_of(unsigned respects)
{
	if (respects & BEHIND_REVOKED)
		return TCB_REVOKED;
	if (respects & BEHIND_OUT_OF_DATE)
		return respects & BEHIND_CONFIGURATION ? TCB_OUT_OF_DATE_CONFIGURATION_NEEDED
		                                       : TCB_OUT_OF_DATE;
	if (respects & BEHIND_CONFIGURATION)
		return respects & BEHIND_HARDENING ? TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED
		                                   : TCB_CONFIGURATION_NEEDED;
	return respects & BEHIND_HARDENING ? TCB_SW_HARDENING_NEEDED : TCB_UP_TO_DATE;
}

static unsigned behind(const struct tcb_level *level)
{
	return level ? respects_of(level->status) : BEHIND_OUT_OF_DATE;
}

bool tcb_masked_equal(const uint8_t *value, const uint8_t *mask, const uint8_t *wanted, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if ((value[i] & mask[i]) != wanted[i])
			return false;
	}
	return true;
}

static bool reaches(const uint8_t *svns, const uint8_t *wanted, size_t from)
{
	for (size_t i = from; i < TCB_COMPONENTS; i++) {
		if (svns[i] < wanted[i])
			return false;
	}
	return true;
}

/* `tee_tcb_svn` is NULL for SGX. Its first two are the module's where that is judged apart. */
static const struct tcb_level *platform_level(const struct pck_platform *platform, const uint8_t *tee_tcb_svn,
                                              const struct tcb_levels *levels)
{
	for (size_t i = 0; i < levels->count; i++) {
		const struct tcb_level *level = &levels->levels[i];
		if (reaches(platform->components, level->sgx, 0) && platform->pce_svn >= level->pce_svn &&
		    (!tee_tcb_svn || reaches(tee_tcb_svn, level->tdx, tee_tcb_svn[1] > 0 ? 2 : 0)))
			return level;
	}
	return NULL;
}

static const struct tcb_level *isv_level(uint16_t isv_svn, const struct tcb_levels *levels)
{
	for (size_t i = 0; i < levels->count; i++) {
		if (isv_svn >= levels->levels[i].isv_svn)
			return &levels->levels[i];
	}
	return NULL;
}

static void judge_module(const uint8_t *tee_tcb_svn, const struct tcb_info *info, struct tcb_verdict *to)
{
	to->has_module = tee_tcb_svn[1] > 0;
	if (!to->has_module) {
		to->identity = &info->module;
		return;
	}
	snprintf(to->module_id, sizeof(to->module_id), "TDX_%02X", tee_tcb_svn[1]);
	for (size_t i = 0; !to->identity && i < info->module_count; i++) {
		if (strcmp(info->modules[i].id, to->module_id) == 0)
			to->identity = &info->modules[i];
	}
	to->module = to->identity ? isv_level(tee_tcb_svn[0], &to->identity->levels) : NULL;
}

static void judge(const uint8_t *tee_tcb_svn, const struct quote *quote, const struct pck_platform *platform,
                  const struct tcb_info *info, const struct qe_identity *identity, struct tcb_verdict *to)
{
	to->platform = platform_level(platform, tee_tcb_svn, &info->levels);
	if (tee_tcb_svn)
		judge_module(tee_tcb_svn, info, to);
	to->qe = isv_level(quote->qe.isv_svn, &identity->levels);
	to->status = status_of(behind(to->platform) | behind(to->qe) |
	                       (to->has_module ? behind(to->module) : 0));
}

/* A TD that an old module launched may have moved on to a new one. Its memory was laid out by the old one. */
static void judge_relaunch(const struct quote *quote, const struct pck_platform *platform,
                           const struct tcb_info *info, const struct qe_identity *identity,
                           struct tcb_verdict *verdict)
{
	struct tcb_verdict now = {0};
	judge(quote->td.tee_tcb_svn_2, quote, platform, info, identity, &now);
	const unsigned respects = respects_of(now.status);
	if (!(respects & (BEHIND_REVOKED | BEHIND_OUT_OF_DATE)))
		verdict->status = respects & BEHIND_CONFIGURATION
		                          ? TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
		                          : TCB_TD_RELAUNCH_ADVISED;
}

void tcb_judge(const struct quote *quote, const struct pck_platform *platform, const struct tcb_info *info,
               const struct qe_identity *identity, struct tcb_verdict *ret_verdict)
{
	struct tcb_verdict verdict = {0};
	const uint8_t *launched = quote->tee == QUOTE_TDX ? quote->td.tee_tcb_svn : NULL;
	judge(launched, quote, platform, info, identity, &verdict);
	if (launched && quote->td.tee_tcb_svn_2 &&
	    (verdict.status == TCB_OUT_OF_DATE || verdict.status == TCB_OUT_OF_DATE_CONFIGURATION_NEEDED))
		judge_relaunch(quote, platform, info, identity, &verdict);
	*ret_verdict = verdict;
}
