/*
 * Machine classes with requirements. Does each way to write them say the same, and does the hash stand for
 * what they say; is every mistake told at its place; is a launcher that nobody has enrolled accepted exactly
 * where hardware shows all that runs; does the owner see why not?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/snp/policy.h"
#include "base/io.h"
#include "cas/session/machine.h"
#include "cas/session/session.h"

#define X4(s) s s s s
#define X16(s) X4(s) X4(s) X4(s) X4(s)
#define D48(s) X16(s) X16(s) X16(s)
#define KEY(s) X16(s) X16(s)
/* PCRs: of the firmware, and of what it starts, a unified kernel image. */
#define FIRMWARE "0: " KEY("10") ", 2: " KEY("12")
#define IMAGE "4: " KEY("01") ", 11: " KEY("02") ", 12: " KEY("03") ", 13: " KEY("04")

#define BEFORE "name: hospital\nversion: 0.1\nservices:\n- name: classify\n  attestation: "

static int try_parse(const char *attestation, struct session **ret, struct session_mistakes *mistakes)
{
	cleanup_buf struct buf text = {0};
	struct error err;
	buf_printf(&text, "%s%s\n", BEFORE, attestation);
	return session_parse("file", text.data, text.size, NULL, mistakes, ret, &err);
}

static struct session *parse(const char *attestation)
{
	struct session_mistakes mistakes;
	struct session *s = NULL;
	if (try_parse(attestation, &s, &mistakes) < 0)
		fail_msg("%s: %s", attestation, mistakes.items[0].text);
	return s;
}

static void hash_of(const char *attestation, char hex[2 * CRYPTO_SHA384_SIZE + 1])
{
	struct session *s = parse(attestation);
	uint8_t hash[CRYPTO_SHA384_SIZE];
	assert_int_equal(session_hash(s, hash, NULL), 0);
	io_hex(hash, sizeof(hash), hex);
	session_free(s);
}

/* ---- the language */

static void test_says_what_it_says(void **state)
{
	(void)state;
	struct session *s = parse("\n"
	                          "  - machine:\n"
	                          "    - soft\n"
	                          "    - snp:\n"
	                          "        minimum_tcb: {snp: 24, bootloader: 4}\n"
	                          "        measurement: " D48("AB") "\n"
	                                                            "        product: [Milan, Genoa]\n"
	                                                            "        guest_policy: {smt: refuse}\n"
	                                                            "        max_age: 15m\n"
	                                                            "    - tdx: {mr_td: [" D48("01") ", " D48(
									    "02") "], allow_smt: false}\n"
	                                                                          "    - sgx: {}\n");
	const struct session_requirements *r = &s->services[0].alternatives[0];
	assert_int_equal(r->machines, 1 << SESSION_SOFT);
	assert_int_equal(r->need_count, 3);
	assert_int_equal(r->needs[0].machine, SESSION_SNP);
	assert_int_equal(r->needs[0].max_age_s, 900);
	assert_null(r->needs[0].open);
	assert_string_equal(
		r->needs[0].policy,
		"{\"measurement\":[\"" D48(
			"ab") "\"],\"minimum_tcb\":{\"bootloader\":4,\"snp\":24},"
			      "\"guest_policy\":{\"smt\":\"refuse\"},\"product\":[\"Milan\",\"Genoa\"]}");
	assert_string_equal(r->needs[1].policy,
	                    "{\"allow_smt\":false,\"mr_td\":[\"" D48("01") "\",\"" D48("02") "\"]}");
	assert_int_equal(r->needs[1].max_age_s, 3600);
	assert_non_null(strstr(r->needs[1].open, "rtmr1 and rtmr2"));
	assert_string_equal(r->needs[2].policy, "{}");
	assert_non_null(strstr(r->needs[2].open, "mr_enclave"));
	session_free(s);
}

/* What the CAS makes of it: debugging is refused unless it is allowed in so many words. */
static void test_defaults_of_the_cas(void **state)
{
	(void)state;
	const struct {
		const char *json;
		int debug, migration, smt;
	} cases[] = {
		{NULL, SNP_REFUSE, SNP_REFUSE, SNP_ANY},
		{"{}", SNP_REFUSE, SNP_REFUSE, SNP_ANY},
		{"{\"guest_policy\":{\"smt\":\"refuse\"}}", SNP_REFUSE, SNP_REFUSE, SNP_REFUSE},
		{"{\"guest_policy\":{\"debug\":\"warn\"}}", SNP_WARN, SNP_REFUSE, SNP_ANY},
		{"{\"guest_policy\":{\"migration_agent\":\"any\"}}", SNP_REFUSE, SNP_ANY, SNP_ANY},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct tee_policy *policy;
		struct error err;
		assert_int_equal(session_machine_policy(SESSION_SNP, cases[i].json, &policy, &err), 0);
		const struct snp_policy *p = tee_policy_of(policy, TEE_SNP, NULL);
		assert_int_equal(p->guest[2], cases[i].debug);
		assert_int_equal(p->guest[1], cases[i].migration);
		assert_int_equal(p->guest[0], cases[i].smt);
		tee_policy_free(policy);
	}
	struct tee_policy *none = NULL;
	assert_int_equal(session_machine_policy(SESSION_SOFT, NULL, &none, NULL), CELLA_EINVAL);
}

struct pinned {
	const char *machine;
	const char *open; /* NULL: nothing */
};

static void assert_open(const struct pinned *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_buf struct buf text = {0}, remarks = {0};
		buf_printf(&text, "[{machine: %s}]", cases[i].machine);
		buf_put_u8(&text, 0);
		struct session *s = parse((const char *)text.data);
		const char *open = s->services[0].alternatives[0].needs[0].open;
		if (!cases[i].open != !open || (open && !strstr(open, cases[i].open)))
			fail_msg("%s: %s", cases[i].machine, open ? open : "nothing");
		session_remarks(s, &remarks);
		buf_put_u8(&remarks, 0);
		const bool remarked = strstr((const char *)remarks.data, "leaves open");
		assert_int_equal(remarked, cases[i].open != NULL);
		session_free(s);
	}
}

static void test_what_is_pinned(void **state)
{
	(void)state;
	const struct pinned cases[] = {
		{"{snp: {}}", "neither measurement nor id_key_digest"},
		{"{snp: {author_key_digest: " D48("01") "}}", "neither measurement nor id_key_digest"},
		{"{snp: {measurement: " D48("01") "}}", NULL},
		{"{snp: {id_key_digest: " D48("01") "}}", NULL},
		{"{snp: {measurement: " D48("01") ", guest_policy: {debug: any}}}", "guest_policy.debug"},
		{"{snp: {measurement: " D48("01") ", guest_policy: {debug: warn}}}", "guest_policy.debug"},
		{"{snp: {measurement: " D48("01") ", guest_policy: {debug: require}}}", "guest_policy.debug"},
		{"{snp: {measurement: " D48("01") ", guest_policy: {migration_agent: any}}}",
	         "migration_agent"},
		{"{tdx: {mr_td: " D48("01") "}}", "rtmr1 and rtmr2"},
		{"{tdx: {mr_td: " D48("01") ", rtmr1: " D48("02") "}}", "rtmr1 and rtmr2"},
		{"{tdx: {rtmr1: " D48("01") ", rtmr2: " D48("02") "}}", "does not pin mr_td"},
		{"{tdx: {mr_td: " D48("01") ", rtmr1: " D48("02") ", rtmr2: " D48("03") "}}", NULL},
		{"{tdx: {mr_td: " D48("01") ", rtmr1: " D48("02") ", rtmr2: " D48(
			 "03") ", allow_debug: true}}",
	         "allow_debug"},
		{"{tdx: {mr_td: " D48("01") ", rtmr1: " D48("02") ", rtmr2: " D48(
			 "03") ", allow_migration: true}}",
	         "allow_migration"},
		{"{sgx: {mr_signer: " KEY("01") "}}", "neither mr_enclave nor mr_signer and isv_prod_id"},
		{"{sgx: {mr_signer: " KEY("01") ", isv_prod_id: 0}}", NULL},
		{"{sgx: {mr_enclave: " KEY("01") "}}", NULL},
		{"{sgx: {mr_enclave: " KEY("01") ", allow_debug: true}}", "allow_debug"},
	};
	assert_open(cases, array_count(cases));
}

static void test_what_is_pinned_of_tpms(void **state)
{
	(void)state;
	const struct pinned cases[] = {
		{"{tpm: {pcrs: {" FIRMWARE ", " IMAGE "}}}", "whose TPM it is"},
		{"{tpm: {ak_names: 000b01}}", "does not pin 0 and 2"},
		{"{tpm: {ak_names: 000b01, pcrs: {0: " KEY("01") ", " IMAGE "}}}", "does not pin 0 and 2"},
		{"{tpm: {ak_names: 000b01, pcrs: {2: " KEY("01") ", " IMAGE "}}}", "does not pin 0 and 2"},
		{"{tpm: {ak_names: 000b01, pcrs: {" FIRMWARE "}}}", "does not pin 4"},
		{"{tpm: {ak_names: 000b01, pcrs: {" FIRMWARE ", 4: " KEY("01") ", 8: " KEY("02") "}}}",
	         "neither 11 (not to zeros), 12 and 13, nor 8 and 9"},
		{"{tpm: {ak_names: 000b01, pcrs: {" FIRMWARE ", 4: " KEY("01") ", 11: " KEY("02") "}}}",
	         "neither 11 (not to zeros), 12 and 13, nor 8 and 9"},
		{"{tpm: {ak_names: 000b01, pcrs: {" FIRMWARE
	         ", 4: " KEY("01") ", 11: " KEY("02") ", 12: " KEY("03") "}}}",
	         "neither 11 (not to zeros), 12 and 13, nor 8 and 9"},
		{"{tpm: {ak_names: 000b01, pcrs: {" FIRMWARE ", " IMAGE "}}}", NULL},
		{"{tpm: {ak_names: 000b01, pcrs: {0: " KEY("10") ", 2: " KEY("00") ", " IMAGE "}}}",
	         "does not pin 0 and 2"},
		{"{tpm: {ak_names: 000b01, pcrs: {" FIRMWARE
	         ", 4: " KEY("00") ", 8: " KEY("02") ", 9: " KEY("03") "}}}",
	         "does not pin 4"},
		{"{tpm: {ak_names: 000b01, pcrs: {" FIRMWARE ", 4: " KEY("01") ", 11: [" KEY("02") ", " KEY(
			 "00") "], 12: " KEY("03") ", 13: " KEY("04") "}}}",
	         "neither 11 (not to zeros), 12 and 13, nor 8 and 9"},
		{"{tpm: {ak_names: 000b01, pcrs: {" FIRMWARE
	         ", 4: " KEY("01") ", 11: " KEY("02") ", 12: " KEY("00") ", 13: " KEY("00") "}}}",
	         NULL},
		{"{tpm: {ak_roots: " KEY("03") ", pcrs: {" FIRMWARE ", 4: " KEY("01") ", 8: " KEY(
			 "02") "}, pcrs_sha384: {9: " D48("04") "}}}",
	         NULL},
	};
	assert_open(cases, array_count(cases));
}

static void test_what_is_pinned_of_azure(void **state)
{
	(void)state;
	const struct pinned cases[] = {
		{"{azure: {tpm: {pcrs: {" IMAGE "}}}}", "neither measurement nor id_key_digest"},
		{"{azure: {isolation: snp, snp: {measurement: " D48("01") "}}}", "does not pin 4"},
		{"{azure: {snp: {measurement: " D48("01") "}, tpm: {pcrs: {" IMAGE "}}}}",
	         "which paravisor runs in a TD"},
		{"{azure: {isolation: snp, snp: {measurement: " D48("01") "}, tpm: {pcrs: {" IMAGE "}}}}",
	         NULL},
		{"{azure: {isolation: snp, snp: {measurement: " D48(
			 "01") ", guest_policy: {debug: any}}, tpm: {pcrs: {" IMAGE "}}}}",
	         "guest_policy.debug"},
		{"{azure: {isolation: snp, snp: {measurement: " D48(
			 "01") ", maximum_vmpl: 1}, tpm: {pcrs: {" IMAGE "}}}}",
	         "snp.maximum_vmpl lets"},
		{"{azure: {isolation: tdx, tdx: {mr_td: " D48("01") "}, tpm: {pcrs: {4: " KEY(
			 "01") ", 8: " KEY("02") ", 9: " KEY("03") "}}}}",
	         NULL},
		{"{azure: {isolation: tdx, tdx: {mr_td: " D48(
			 "01") ", allow_debug: true}, tpm: {pcrs: {" IMAGE "}}}}",
	         "allow_debug or allow_migration"},
	};
	assert_open(cases, array_count(cases));
}

static void test_a_name_alone_is_remarked(void **state)
{
	(void)state;
	cleanup_buf struct buf remarks = {0};
	struct session *s = parse("[{machine: [soft, snp]}]");
	session_remarks(s, &remarks);
	buf_put_u8(&remarks, 0);
	assert_non_null(strstr((const char *)remarks.data, "alternative 1: machine snp is named alone"));
	assert_null(strstr((const char *)remarks.data, "machine soft"));
	session_free(s);
}

/* Not that an enrolled launcher would count: a TPM's name alone is met by none. */
static void test_tpm_alone_is_remarked(void **state)
{
	(void)state;
	cleanup_buf struct buf remarks = {0};
	struct session *s = parse("[{machine: tpm}]");
	session_remarks(s, &remarks);
	buf_put_u8(&remarks, 0);
	assert_non_null(
		strstr((const char *)remarks.data, "machine tpm is named alone: TPMs have no common root"));
	assert_null(strstr((const char *)remarks.data, "enrolled"));
	session_free(s);
}

static void test_hash(void **state)
{
	(void)state;
	char names[97], one[97], other[97];
	/* Of a session that demands nothing of hardware it is what it was before there was such a thing. */
	hash_of("[{machine: [tdx, snp], memory_level: secret}]", names);
	assert_string_equal(
		names,
		"3030613d4ac057d07682ea0c2776213bae9ef1ea8d67b132d8ff4c710073e7852f1aad542b3406077a37c6a6389e1c72");
	/* However it is written. */
	hash_of("[{machine: {snp: {measurement: " D48("ab") ", minimum_tcb: {snp: 1, tee: 2}}}}]", one);
	hash_of("[{machine: [{snp: {minimum_tcb: {tee: '2', snp: \"1\"}, measurement: [" D48("AB") "]}}]}]",
	        other);
	assert_string_equal(one, other);
	hash_of("[{machine: [{snp: {minimum_tcb: {tee: 2, snp: 1}, measurement: [" D48(
			"AB") "], max_age: 60m}}]}]",
	        other);
	assert_string_equal(one, other);
	/* And whatever else it says changes it. */
	static const char *const others[] = {
		"[{machine: {snp: {measurement: " D48("ac") ", minimum_tcb: {snp: 1, tee: 2}}}}]",
		"[{machine: {snp: {measurement: " D48("ab") ", minimum_tcb: {snp: 2, tee: 2}}}}]",
		"[{machine: {snp: {measurement: " D48("ab") ", minimum_tcb: {snp: 1}}}}]",
		"[{machine: {snp: {measurement: " D48("ab") ", minimum_launch_tcb: {snp: 1, tee: 2}}}}]",
		"[{machine: {snp: {measurement: " D48(
			"ab") ", minimum_tcb: {snp: 1, tee: 2}, max_age: 61m}}}]",
		"[{machine: [soft, {snp: {measurement: " D48("ab") ", minimum_tcb: {snp: 1, tee: 2}}}]}]",
		"[{machine: [{snp: {measurement: " D48(
			"ab") ", minimum_tcb: {snp: 1, tee: 2}}}, {sgx: {}}]}]",
		"[{machine: snp}]",
		"[{machine: {snp: {}}}]",
		"[{machine: {tdx: {}}}]",
		"[{machine: tdx}]",
	};
	char seen[array_count(others)][97];
	for (size_t i = 0; i < array_count(others); i++) {
		hash_of(others[i], seen[i]);
		assert_string_not_equal(seen[i], one);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(seen[i], seen[k]);
	}
}

static void test_mistakes(void **state)
{
	(void)state;
	const struct {
		const char *attestation;
		unsigned line, column;
		const char *words;
	} cases[] = {
		{"[{machine: {soft: {}}}]", 5, 28, "nothing but the operator vouches for the class soft"},
		{"[{machine: {snpp: {}}}]", 5, 28, "no machine class \"snpp\"; did you mean \"snp\"?"},
		{"[{machine: {}}]", 5, 27, "one machine class is wanted in each map; here are 0"},
		{"[{machine: {snp: {}, tdx: {}}}]", 5, 27,
	         "one machine class is wanted in each map; here are 2"},
		{"[{machine: {snp: yes}}]", 5, 33, "a map of requirements is wanted"},
		{"\n  - machine:\n    - snp:\n        measurment: 00\n", 8, 9,
	         "no requirement \"measurment\"; did you mean \"measurement\"?"},
		{"\n  - machine:\n    - snp:\n        measurement: 00\n", 8, 22, "96"},
		{"\n  - machine:\n    - snp:\n        measurement: []\n", 8, 22,
	         "here are 0; there may be 1 to 16"},
		{"\n  - machine:\n    - snp:\n        minimum_tcb: {snp: 256}\n", 8, 28, "255"},
		{"\n  - machine:\n    - snp:\n        minimum_tcb: {snq: 2}\n", 8, 23,
	         "did you mean \"snp\"?"},
		{"\n  - machine:\n    - snp:\n        guest_policy: {debug: refused}\n", 8, 31,
	         "did you mean \"refuse\"?"},
		{"\n  - machine:\n    - snp:\n        max_age: 32d\n", 8, 18, "more than the 31d"},
		{"\n  - machine:\n    - snp:\n        minimum_tcb: {max_age: 2h}\n", 8, 23, "max_age"},
		{"\n  - machine:\n    - tdx:\n        allow_debug: maybe\n", 8, 22, "false, true"},
		{"\n  - machine:\n    - sgx: {isv_prod_id: 65536}\n", 7, 26, "65535"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct session_mistakes mistakes;
		struct session *s = NULL;
		assert_int_equal(try_parse(cases[i].attestation, &s, &mistakes), CELLA_EFORMAT);
		const struct session_mistake *m = &mistakes.items[0];
		if (mistakes.count != 1 || !strstr(m->text, cases[i].words) || m->line != cases[i].line ||
		    m->column != cases[i].column)
			fail_msg("%s: %zu, %u:%u: %s", cases[i].attestation, mistakes.count, m->line,
			         m->column, m->text);
		session_free(s);
	}
	cleanup_buf struct buf many = {0};
	struct session_mistakes mistakes;
	struct session *s = NULL;
	buf_printf(&many, "[{machine: [{sgx: {}}");
	for (int i = 0; i < SESSION_NEEDS_MAX; i++)
		buf_printf(&many, ", {sgx: {}}");
	buf_printf(&many, "]}]");
	buf_put_u8(&many, 0);
	assert_int_equal(try_parse((const char *)many.data, &s, &mistakes), CELLA_EFORMAT);
	assert_non_null(strstr(mistakes.items[0].text, "here are 17 machine classes"));
}

/* ---- the verdict */

/* Hardware of one class, whose measurement is all 0xab. */
struct hardware {
	enum session_machine machine;
	int asked;
	int rc;
};

static int ask_hardware(void *data, const struct session_need *need, bool *ret_holds, session_fail_fn *tell,
                        void *arg, struct error *err)
{
	struct hardware *h = data;
	h->asked++;
	if (h->rc < 0)
		return error_set(err, h->rc, "cannot ask");
	*ret_holds = false;
	if (need->machine != h->machine)
		tell(arg, "endorsement", "one of this class", "none");
	else if (need->policy && strstr(need->policy, "measurement") && !strstr(need->policy, D48("ab")))
		tell(arg, "measurement", "another", D48("ab"));
	else
		*ret_holds = true;
	return 0;
}

static void assert_verdict(const char *lines, bool enrolled, enum session_machine machine,
                           const char *expected)
{
	struct session *s = parse(lines);
	struct hardware h = {.machine = machine};
	struct session_claims claims = {.enrolled = enrolled,
	                                .hardware = ask_hardware,
	                                .hardware_data = &h,
	                                .memory_level = MEM_SECRET};
	cleanup_buf struct buf told = {0};
	struct session_verdict v;
	struct error err;
	assert_int_equal(session_verdict(&s->services[0], &claims, &v, &err), 0);
	session_verdict_print(&v, &told);
	buf_put_u8(&told, 0);
	assert_string_equal((char *)told.data, expected);
	/* What holds first vouches: the hardware where it is described, else what is named last here. */
	const bool tolerated = strstr(expected, "(tolerated)"),
		   soft = strstr(lines, "soft}") || strstr(lines, "soft]");
	assert_int_equal(v.machine, v.accepted && !tolerated && !soft ? machine : SESSION_SOFT);
	session_verdict_done(&v);
	session_free(s);
}

#define ACCEPTED "accepted by alternative 1 of 1\n"
#define REFUSED "refused: none of 1 alternative holds\n"
#define PINNED "{snp: {measurement: " D48("ab") "}}"
#define NOT_ENROLLED "alternative 1: las: wanted one that is enrolled, found " KEY("00") "\n"
#define NOT_SHOWN                                                                                         \
	"alternative 1: las: wanted one that is enrolled, or whose hardware shows what is demanded here " \
	"and leaves nothing open, found " KEY("00") "\n"

static void test_verdicts(void **state)
{
	(void)state;
	/* Enrolled: its class may be named, or described, and one of several will do. */
	assert_verdict("[{machine: soft}]", true, SESSION_SNP, ACCEPTED);
	assert_verdict("[{machine: snp}]", true, SESSION_SNP, ACCEPTED);
	assert_verdict("[{machine: " PINNED "}]", true, SESSION_SNP, ACCEPTED);
	assert_verdict("[{machine: {snp: {}}}]", true, SESSION_SNP, ACCEPTED);
	assert_verdict("[{machine: [tdx, " PINNED "]}]", true, SESSION_SNP, ACCEPTED);
	assert_verdict("[{machine: [{snp: {measurement: " D48("01") "}}, " PINNED "]}]", true, SESSION_SNP,
	               ACCEPTED);
	assert_verdict("[{machine: [{tdx: {}}, soft]}]", true, SESSION_SNP, ACCEPTED);
	/* Not enrolled: nothing but what hardware shows, and all of it. */
	assert_verdict("[{memory_level: secret}]", false, SESSION_SNP, REFUSED NOT_ENROLLED);
	assert_verdict("[{machine: soft}]", false, SESSION_SNP, REFUSED NOT_ENROLLED);
	assert_verdict("[{machine: snp}]", false, SESSION_SNP, REFUSED NOT_ENROLLED);
	assert_verdict("[{machine: {snp: {}}}]", false, SESSION_SNP, REFUSED NOT_SHOWN);
	assert_verdict("[{machine: " PINNED "}]", false, SESSION_SNP, ACCEPTED);
	assert_verdict("[{machine: [soft, {snp: {}}, " PINNED "]}]", false, SESSION_SNP, ACCEPTED);
	assert_verdict("[{machine: [{snp: {}}, {snp: {measurement: " D48("01") "}}]}]", false, SESSION_SNP,
	               REFUSED NOT_SHOWN);
	assert_verdict(
		"[{machine: " PINNED "}]", false, SESSION_TDX,
		REFUSED
		"alternative 1: machine: wanted snp, found soft\n"
		"alternative 1: machine.snp.endorsement: wanted one of this class, found none\n" NOT_SHOWN);
	assert_verdict("[{machine: {snp: {measurement: " D48("01") "}}}]", true, SESSION_SNP,
	               REFUSED
	               "alternative 1: machine: wanted snp, found soft\n"
	               "alternative 1: machine.snp.measurement: wanted another, found " D48("ab") "\n");
}

/* Tolerance lets an enrolled launcher in, on whatever machine; never one that nobody vouches for. */
static void test_tolerance_vouches_for_nobody(void **state)
{
	(void)state;
	const char *lines = "[{machine: {snp: {measurement: " D48("01") "}}}]\n  tolerate: machine";
	assert_verdict(lines, true, SESSION_SNP,
	               ACCEPTED "alternative 1: machine: wanted snp, found soft (tolerated)\n"
	                        "alternative 1: machine.snp.measurement: wanted another, found " D48(
					"ab") " (tolerated)\n");
	assert_verdict(lines, false, SESSION_SNP,
	               REFUSED "alternative 1: machine: wanted snp, found soft (tolerated)\n"
	                       "alternative 1: machine.snp.measurement: wanted another, found " D48(
				       "ab") " (tolerated)\n" NOT_SHOWN);
}

/* A launcher's own word for its machine is worth nothing; and what cannot be asked is no acceptance. */
static void test_who_is_believed(void **state)
{
	(void)state;
	struct session *s = parse("[{machine: snp}]");
	struct session_claims claims = {.enrolled = true, .machine = SESSION_SNP, .memory_level = MEM_SECRET};
	struct hardware h = {.rc = CELLA_EIO};
	struct session_verdict v = {0};
	struct error err;
	assert_int_equal(session_verdict(&s->services[0], &claims, &v, &err), 0);
	assert_false(v.accepted);
	session_verdict_done(&v);
	claims.hardware = ask_hardware;
	claims.hardware_data = &h;
	assert_int_equal(session_verdict(&s->services[0], &claims, &v, &err), CELLA_EIO);
	assert_false(v.accepted);
	assert_string_equal(err.text, "cannot ask");
	session_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_says_what_it_says),
		cmocka_unit_test(test_defaults_of_the_cas),
		cmocka_unit_test(test_what_is_pinned),
		cmocka_unit_test(test_what_is_pinned_of_tpms),
		cmocka_unit_test(test_what_is_pinned_of_azure),
		cmocka_unit_test(test_a_name_alone_is_remarked),
		cmocka_unit_test(test_tpm_alone_is_remarked),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_tolerance_vouches_for_nobody),
		cmocka_unit_test(test_who_is_believed),
	};
	if (crypto_init(NULL, NULL) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
