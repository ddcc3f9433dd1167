/* The documents that Intel signs, read from their bytes. */
#include "attest/dcap/collateral_format.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/json_cut.h"
#include "base/cleanup.h"
#include "base/io.h"

/* The first thing that is not as it should be; then nothing more is read. */
struct parse {
	const char *wrong; /* a member's name */
	bool no_memory;
};

const char *tcb_status_name(enum tcb_status status)
{
	static const char *const names[TCB_STATUSES] = {
		[TCB_UP_TO_DATE] = "UpToDate",
		[TCB_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
		[TCB_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
		[TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "ConfigurationAndSWHardeningNeeded",
		[TCB_OUT_OF_DATE] = "OutOfDate",
		[TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OutOfDateConfigurationNeeded",
		[TCB_REVOKED] = "Revoked",
		[TCB_TD_RELAUNCH_ADVISED] = "TDRelaunchAdvised",
		[TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = "TDRelaunchAdvisedConfigurationNeeded",
	};
	return names[status];
}

/* ---- members; each sets p->wrong if it is not there or not of its kind ---- */

static const json_t *get(struct parse *p, const json_t *object, const char *name, json_type type)
{
	const json_t *value = p->wrong ? NULL : json_object_get(object, name);
	if (value && json_typeof(value) == type)
		return value;
	if (!p->wrong)
		p->wrong = name;
	return NULL;
}

static const char *get_text(struct parse *p, const json_t *object, const char *name)
{
	const json_t *value = get(p, object, name, JSON_STRING);
	return value ? json_string_value(value) : "";
}

static uint32_t get_number(struct parse *p, const json_t *object, const char *name, uint32_t most)
{
	const json_t *value = get(p, object, name, JSON_INTEGER);
	const json_int_t number = value ? json_integer_value(value) : 0;
	if (number >= 0 && number <= (json_int_t)most)
		return (uint32_t)number;
	p->wrong = name;
	return 0;
}

static void get_hex(struct parse *p, const json_t *object, const char *name, uint8_t *to, size_t size)
{
	const char *text = get_text(p, object, name);
	if (!p->wrong && (strlen(text) != 2 * size || !io_unhex(text, size, to)))
		p->wrong = name;
}

static bool is_number(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return true;
}

static int two_digits(const char *text)
{
	return (text[0] - '0') * 10 + text[1] - '0';
}

/* 2025-06-19T10:16:03Z */
static int64_t get_time(struct parse *p, const json_t *object, const char *name)
{
	const char *t = get_text(p, object, name);
	static const char shape[] = "0000-00-00T00:00:00Z";
	bool ok = strlen(t) == sizeof(shape) - 1;
	for (size_t i = 0; ok && i < sizeof(shape) - 1; i++)
		ok = shape[i] == '0' ? is_number(t + i, 1) : t[i] == shape[i];
	struct tm tm = {0};
	if (ok)
		tm = (struct tm){.tm_year = two_digits(t) * 100 + two_digits(t + 2) - 1900,
		                 .tm_mon = two_digits(t + 5) - 1,
		                 .tm_mday = two_digits(t + 8),
		                 .tm_hour = two_digits(t + 11),
		                 .tm_min = two_digits(t + 14),
		                 .tm_sec = two_digits(t + 17)};
	struct tm normal = tm;
	const int64_t time = ok ? timegm(&normal) : 0;
	if (ok && normal.tm_mon == tm.tm_mon && normal.tm_mday == tm.tm_mday &&
	    normal.tm_hour == tm.tm_hour && normal.tm_min == tm.tm_min && normal.tm_sec == tm.tm_sec)
		return time;
	if (!p->wrong)
		p->wrong = name;
	return 0;
}

static enum tcb_status get_status(struct parse *p, const json_t *level)
{
	const char *text = get_text(p, level, "tcbStatus");
	for (int i = 0; i <= TCB_REVOKED; i++) {
		if (strcmp(text, tcb_status_name((enum tcb_status)i)) == 0)
			return (enum tcb_status)i;
	}
	if (!p->wrong)
		p->wrong = "tcbStatus";
	return TCB_REVOKED;
}

static const json_t *get_advisories(struct parse *p, const json_t *level)
{
	static const char name[] = "advisoryIDs";
	if (!json_object_get(level, name))
		return NULL;
	const json_t *array = get(p, level, name, JSON_ARRAY);
	bool ok = array && json_array_size(array) <= TCB_ADVISORIES_MAX;
	for (size_t i = 0; ok && i < json_array_size(array); i++)
		ok = json_is_string(json_array_get(array, i));
	if (!ok && !p->wrong)
		p->wrong = name;
	return array;
}

/* ---- levels ---- */

/* Version 3 has arrays of objects. */
static void get_components(struct parse *p, const json_t *tcb, const char *name, uint8_t to[TCB_COMPONENTS])
{
	const json_t *array = get(p, tcb, name, JSON_ARRAY);
	if (array && json_array_size(array) != TCB_COMPONENTS)
		p->wrong = name;
	for (size_t i = 0; !p->wrong && i < TCB_COMPONENTS; i++)
		to[i] = (uint8_t)get_number(p, json_array_get(array, i), "svn", UINT8_MAX);
}

/* Version 2 has sgxtcbcomp01svn to sgxtcbcomp16svn. */
static void get_numbered(struct parse *p, const json_t *tcb, uint8_t to[TCB_COMPONENTS])
{
	static const char *const names[TCB_COMPONENTS] = {
		"sgxtcbcomp01svn", "sgxtcbcomp02svn", "sgxtcbcomp03svn", "sgxtcbcomp04svn",
		"sgxtcbcomp05svn", "sgxtcbcomp06svn", "sgxtcbcomp07svn", "sgxtcbcomp08svn",
		"sgxtcbcomp09svn", "sgxtcbcomp10svn", "sgxtcbcomp11svn", "sgxtcbcomp12svn",
		"sgxtcbcomp13svn", "sgxtcbcomp14svn", "sgxtcbcomp15svn", "sgxtcbcomp16svn",
	};
	for (size_t i = 0; i < TCB_COMPONENTS; i++)
		to[i] = (uint8_t)get_number(p, tcb, names[i], UINT8_MAX);
}

enum level_kind { LEVEL_ISV, LEVEL_SGX_2, LEVEL_SGX_3, LEVEL_TDX };

static void get_level(struct parse *p, const json_t *from, enum level_kind kind, struct tcb_level *to)
{
	const json_t *tcb = get(p, from, "tcb", JSON_OBJECT);
	if (kind == LEVEL_ISV)
		to->isv_svn = (uint16_t)get_number(p, tcb, "isvsvn", UINT16_MAX);
	else
		to->pce_svn = (uint16_t)get_number(p, tcb, "pcesvn", UINT16_MAX);
	if (kind == LEVEL_SGX_2)
		get_numbered(p, tcb, to->sgx);
	if (kind == LEVEL_SGX_3 || kind == LEVEL_TDX)
		get_components(p, tcb, "sgxtcbcomponents", to->sgx);
	if (kind == LEVEL_TDX)
		get_components(p, tcb, "tdxtcbcomponents", to->tdx);
	to->date = get_time(p, from, "tcbDate");
	to->status = get_status(p, from);
	to->advisories = get_advisories(p, from);
}

static void get_levels(struct parse *p, const json_t *object, enum level_kind kind, struct tcb_levels *to)
{
	const json_t *array = get(p, object, "tcbLevels", JSON_ARRAY);
	const size_t count = array ? json_array_size(array) : 0;
	if (count == 0 || count > TCB_LEVELS_MAX) {
		p->wrong = p->wrong ? p->wrong : "tcbLevels";
		return;
	}
	to->levels = calloc(count, sizeof(*to->levels));
	if (!to->levels) {
		p->no_memory = true;
		p->wrong = "tcbLevels";
		return;
	}
	to->count = count;
	for (size_t i = 0; i < count; i++)
		get_level(p, json_array_get(array, i), kind, &to->levels[i]);
}

/* ---- documents ---- */

static int load(const void *bytes, size_t size, const char *what, json_t **ret_json, struct error *err)
{
	struct json_piece pieces[COLLATERAL_MEMBERS_MAX];
	size_t count;
	json_error_t why;
	if (size > COLLATERAL_MAX)
		return error_set(err, CELLA_EFORMAT, "%s of %zu bytes, at most %d are read", what, size,
		                 COLLATERAL_MAX);
	if (!json_cut(bytes, size, COLLATERAL_DEPTH_MAX, pieces, array_count(pieces), &count))
		return error_set(err, CELLA_EFORMAT, "%s is no JSON object", what);
	json_t *json = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return error_set(err, CELLA_EFORMAT, "%s is no JSON: %s, at byte %d", what, why.text,
		                 why.position);
	*ret_json = json;
	return 0;
}

static int parsed(const struct parse *p, const char *what, struct error *err)
{
	if (p->no_memory)
		return error_set(err, CELLA_ENOMEM, "no memory for %s", what);
	if (p->wrong)
		return error_set(err, CELLA_EFORMAT, "%s: \"%s\" is missing, or not of its kind", what,
		                 p->wrong);
	return 0;
}

static void get_module(struct parse *p, const json_t *from, struct tdx_module *to)
{
	get_hex(p, from, "mrsigner", to->mr_signer, sizeof(to->mr_signer));
	get_hex(p, from, "attributes", to->attributes, sizeof(to->attributes));
	get_hex(p, from, "attributesMask", to->attributes_mask, sizeof(to->attributes_mask));
}

static void get_modules(struct parse *p, const json_t *json, struct tcb_info *to)
{
	static const char name[] = "tdxModuleIdentities";
	to->has_module = true;
	get_module(p, get(p, json, "tdxModule", JSON_OBJECT), &to->module);
	if (p->wrong || !json_object_get(json, name))
		return;
	const json_t *array = get(p, json, name, JSON_ARRAY);
	const size_t count = array ? json_array_size(array) : 0;
	if (count > TCB_MODULES_MAX)
		p->wrong = name;
	for (size_t i = 0; !p->wrong && i < count; i++) {
		struct tdx_module *module = &to->modules[to->module_count++];
		const json_t *from = json_array_get(array, i);
		const char *id = get_text(p, from, "id");
		if (!p->wrong && strlen(id) >= sizeof(module->id))
			p->wrong = name;
		else
			memcpy(module->id, id, strlen(id) + 1);
		get_module(p, from, module);
		get_levels(p, from, LEVEL_ISV, &module->levels);
	}
}

/* An absent id is that of version 2, which is of SGX. */
static void get_tcb_info(struct parse *p, struct tcb_info *to)
{
	const json_t *json = to->json;
	to->version = get_number(p, json, "version", UINT32_MAX);
	if (!p->wrong && to->version != 2 && to->version != 3)
		p->wrong = "version";
	const char *id = to->version == 2 ? "SGX" : get_text(p, json, "id");
	to->is_tdx = strcmp(id, "TDX") == 0;
	if (!p->wrong && !to->is_tdx && strcmp(id, "SGX") != 0)
		p->wrong = "id";
	to->issued = get_time(p, json, "issueDate");
	to->next_update = get_time(p, json, "nextUpdate");
	get_hex(p, json, "fmspc", to->fmspc, sizeof(to->fmspc));
	get_hex(p, json, "pceId", to->pce_id, sizeof(to->pce_id));
	(void)get_number(p, json, "tcbType", 0); /* how levels are compared: there is one way */
	to->evaluation_number = get_number(p, json, "tcbEvaluationDataNumber", UINT32_MAX);
	get_levels(p, json,
	           to->is_tdx         ? LEVEL_TDX
	           : to->version == 2 ? LEVEL_SGX_2
	                              : LEVEL_SGX_3,
	           &to->levels);
	if (to->is_tdx)
		get_modules(p, json, to);
}

void tcb_info_done(struct tcb_info *info)
{
	free(info->levels.levels);
	for (size_t i = 0; i < info->module_count; i++)
		free(info->modules[i].levels.levels);
	json_decref(info->json);
	memset(info, 0, sizeof(*info));
}

int tcb_info_read(const void *json, size_t size, struct tcb_info *ret_info, struct error *err)
{
	static const char what[] = "TCB info";
	struct parse p = {0};
	struct tcb_info info = {0};
	int rc = load(json, size, what, &info.json, err);
	if (rc < 0)
		return rc;
	get_tcb_info(&p, &info);
	rc = parsed(&p, what, err);
	if (rc < 0)
		tcb_info_done(&info);
	else
		*ret_info = info;
	return rc;
}

static void get_qe_identity(struct parse *p, struct qe_identity *to)
{
	const json_t *json = to->json;
	const char *id = get_text(p, json, "id");
	to->is_tdx = strcmp(id, "TD_QE") == 0;
	if (!p->wrong && !to->is_tdx && strcmp(id, "QE") != 0)
		p->wrong = "id";
	to->version = get_number(p, json, "version", UINT32_MAX);
	if (!p->wrong && to->version != 2)
		p->wrong = "version";
	to->issued = get_time(p, json, "issueDate");
	to->next_update = get_time(p, json, "nextUpdate");
	to->evaluation_number = get_number(p, json, "tcbEvaluationDataNumber", UINT32_MAX);
	get_hex(p, json, "miscselect", to->misc_select, sizeof(to->misc_select));
	get_hex(p, json, "miscselectMask", to->misc_select_mask, sizeof(to->misc_select_mask));
	get_hex(p, json, "attributes", to->attributes, sizeof(to->attributes));
	get_hex(p, json, "attributesMask", to->attributes_mask, sizeof(to->attributes_mask));
	get_hex(p, json, "mrsigner", to->mr_signer, sizeof(to->mr_signer));
	to->isv_prod_id = (uint16_t)get_number(p, json, "isvprodid", UINT16_MAX);
	get_levels(p, json, LEVEL_ISV, &to->levels);
}

void qe_identity_done(struct qe_identity *identity)
{
	free(identity->levels.levels);
	json_decref(identity->json);
	memset(identity, 0, sizeof(*identity));
}

int qe_identity_read(const void *json, size_t size, struct qe_identity *ret_identity, struct error *err)
{
	static const char what[] = "the QE identity";
	struct parse p = {0};
	struct qe_identity identity = {0};
	int rc = load(json, size, what, &identity.json, err);
	if (rc < 0)
		return rc;
	get_qe_identity(&p, &identity);
	rc = parsed(&p, what, err);
	if (rc < 0)
		qe_identity_done(&identity);
	else
		*ret_identity = identity;
	return rc;
}
