/*
 * Verdicts and rights. Is a cell accepted exactly if an alternative holds; is every requirement that does not
 * hold named with both values; who may do what to a session, and how many of them does it take?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/evidence.h"
#include "cas/session/session.h"

#define X4(s) s s s s
#define X16(s) X4(s) X4(s) X4(s) X4(s)
#define KEY(s) X16(s) X16(s)
#define DIGEST(s) X16(s) X16(s) X16(s)

static struct session *parse(const char *text)
{
	struct session *s = NULL;
	struct error err;
	if (session_parse("file", text, strlen(text), NULL, NULL, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

/* A service whose attestation and what follows it are these lines. */
static struct session *parse_service(const char *lines)
{
	cleanup_buf struct buf text = {0};
	buf_printf(&text, "name: s\nversion: 0.1\nservices:\n- name: a\n  attestation:\n%s", lines);
	return parse((const char *)text.data);
}

/* cell 11.., builder 22.., executor 33.., launcher 44.. */
static struct session_claims some_claims(void)
{
	struct session_claims c = {.enrolled = true,
	                           .has_cell = true,
	                           .memory_level = MEM_SECRET,
	                           .machine = SESSION_SOFT,
	                           .host = EVIDENCE_YAMA_SCOPE_3,
	                           .isolation = EVIDENCE_OWN_UID | EVIDENCE_CGROUP};
	memset(c.cell, 0x11, sizeof(c.cell));
	memset(c.builder, 0x22, sizeof(c.builder));
	memset(c.executor, 0x33, sizeof(c.executor));
	memset(c.launcher, 0x44, sizeof(c.launcher));
	return c;
}

static const char all_of_it[] = "  - cell: " DIGEST("11") "\n    builder: " KEY("22") "\n    executor: " DIGEST(
	"33") "\n"
	      "    las: " KEY(
		      "44") "\n    memory_level: secret\n    machine: [tpm, soft]\n    host: yama-scope-3\n"
			    "    isolation: [own-uid, cgroup]\n";

static void check(const char *lines, const struct session_claims *claims, const char *expected)
{
	struct session *s = parse_service(lines);
	cleanup_buf struct buf told = {0};
	struct session_verdict v;
	struct error err;
	assert_int_equal(session_verdict(&s->services[0], claims, &v, &err), 0);
	session_verdict_print(&v, &told);
	buf_put_u8(&told, 0);
	assert_string_equal((char *)told.data, expected);
	assert_int_equal(v.accepted, strncmp(expected, "accepted", 8) == 0);
	session_verdict_done(&v);
	session_free(s);
}

static void test_accepted(void **state)
{
	struct session_claims c = some_claims();
	(void)state;
	check(all_of_it, &c, "accepted by alternative 1 of 1\n");
	check("  - cell: [" DIGEST("00") ", " DIGEST("11") "]\n", &c, "accepted by alternative 1 of 1\n");
	check("  - builder: " KEY("00") "\n  - builder: " KEY("22") "\n", &c,
	      "accepted by alternative 2 of 2\n");
}

/* Each requirement alone fails if what it is about is another one, and is told with both values. */
static void test_each_fails(void **state)
{
	struct session_claims c = some_claims();
	(void)state;
	c.cell[47] = 0x10;
	check(all_of_it, &c,
	      "refused: none of 1 alternative holds\nalternative 1: cell: wanted " DIGEST(
		      "11") ", found " X16("11") X16("11") X4("11") X4("11") X4("11") "11"
	                                                                              "11"
	                                                                              "11"
	                                                                              "10\n");
	c = some_claims();
	memset(c.builder, 0x23, sizeof(c.builder));
	check(all_of_it, &c,
	      "refused: none of 1 alternative holds\nalternative 1: builder: wanted " KEY(
		      "22") ", found " KEY("23") "\n");
	c = some_claims();
	memset(c.executor, 0x32, sizeof(c.executor));
	check(all_of_it, &c,
	      "refused: none of 1 alternative holds\nalternative 1: executor: wanted " DIGEST(
		      "33") ", found " DIGEST("32") "\n");
	c = some_claims();
	memset(c.launcher, 0x45, sizeof(c.launcher));
	check(all_of_it, &c,
	      "refused: none of 1 alternative holds\nalternative 1: las: wanted " KEY("44") ", found " KEY(
		      "45") "\n");
	c = some_claims();
	c.memory_level = MEM_PAGED;
	check(all_of_it, &c,
	      "refused: none of 1 alternative holds\nalternative 1: memory_level: wanted at least secret, found paged\n");
	c = some_claims();
	c.machine = SESSION_SGX;
	check(all_of_it, &c,
	      "refused: none of 1 alternative holds\nalternative 1: machine: wanted soft tpm, found sgx\n");
	c = some_claims();
	c.host = EVIDENCE_KEXEC_DISABLED | EVIDENCE_LOCKDOWN_CONFIDENTIALITY;
	check(all_of_it, &c,
	      "refused: none of 1 alternative holds\nalternative 1: host.yama-scope-3: wanted yama-scope-3, "
	      "found lockdown-confidentiality kexec-disabled\n");
	c = some_claims();
	c.isolation = 0;
	check(all_of_it, &c,
	      "refused: none of 1 alternative holds\n"
	      "alternative 1: isolation.own-uid: wanted own-uid, found nothing\n"
	      "alternative 1: isolation.cgroup: wanted cgroup, found nothing\n");
}

/* All that fails is told, of all alternatives. */
static void test_all_fail(void **state)
{
	struct session_claims c = {.enrolled = true, .memory_level = MEM_INSECURE_NONE};
	(void)state;
	check("  - {cell: " DIGEST("11") ", host: kexec-disabled}\n"
	                                 "  - {builder: [" KEY("22") ", " KEY(
						 "23") "], machine: snp, memory_level: insecure-none}\n",
	      &c,
	      "refused: none of 2 alternatives holds\n"
	      "alternative 1: cell: wanted " DIGEST(
		      "11") ", found not stated\n"
	                    "alternative 1: memory_level: wanted at least paged, found insecure-none\n"
	                    "alternative 1: host.kexec-disabled: wanted kexec-disabled, found nothing\n"
	                    "alternative 2: builder: wanted one of " KEY("22") ", " KEY(
				    "23") ", found not stated\n"
	                                  "alternative 2: machine: wanted snp, found soft\n");
}

static void test_tolerated(void **state)
{
	struct session_claims c = some_claims();
	(void)state;
	c.memory_level = MEM_INSECURE_NONE;
	c.host = 0;
	check("  - {machine: soft, host: yama-scope-3}\n  tolerate: [memory_level, host.yama-scope-3]\n", &c,
	      "accepted by alternative 1 of 1\n"
	      "alternative 1: memory_level: wanted at least paged, found insecure-none (tolerated)\n"
	      "alternative 1: host.yama-scope-3: wanted yama-scope-3, found nothing (tolerated)\n");
	check("  - {machine: soft, host: [yama-scope-3, kexec-disabled]}\n  tolerate: [memory_level, host.yama-scope-3]\n",
	      &c,
	      "refused: none of 1 alternative holds\n"
	      "alternative 1: memory_level: wanted at least paged, found insecure-none (tolerated)\n"
	      "alternative 1: host.yama-scope-3: wanted yama-scope-3, found nothing (tolerated)\n"
	      "alternative 1: host.kexec-disabled: wanted kexec-disabled, found nothing\n");
	/* One that holds without tolerance goes before one that does not. */
	check("  - {machine: tpm, memory_level: insecure-none}\n  - {machine: soft, memory_level: insecure-none}\n"
	      "  tolerate: machine\n",
	      &c, "accepted by alternative 2 of 2\n");
	check("  - {machine: tpm, memory_level: insecure-none}\n  tolerate: machine\n", &c,
	      "accepted by alternative 1 of 1\nalternative 1: machine: wanted tpm, found soft (tolerated)\n");
}

/* The structure says what the text does. */
static void test_structure(void **state)
{
	struct session *s = parse_service(
		"  - {machine: tpm}\n  - {memory_level: secret, host: kexec-disabled}\n"
		"  tolerate: host.kexec-disabled\n");
	struct session_claims c = some_claims();
	struct session_verdict v;
	struct error err;
	(void)state;
	c.memory_level = MEM_PAGED;
	assert_int_equal(session_verdict(&s->services[0], &c, &v, &err), 0);
	assert_true(!v.accepted && v.alternative_count == 2 && v.failure_count == 3);
	assert_int_equal(v.failures[0].alternative, 0);
	assert_string_equal(v.failures[0].requirement, "machine");
	assert_int_equal(v.failures[1].alternative, 1);
	assert_string_equal(v.failures[1].wanted, "at least secret");
	assert_string_equal(v.failures[1].found, "paged");
	assert_string_equal(v.failures[2].requirement, "host.kexec-disabled");
	assert_true(v.failures[2].tolerated && !v.failures[1].tolerated);
	session_verdict_done(&v);
	c.machine = SESSION_MACHINES;
	assert_int_equal(session_verdict(&s->services[0], &c, &v, &err), CELLA_EINVAL);
	session_free(s);
}

/* Every level against every demand: `paged` is protected, `secret` more so. */
static void test_levels(void **state)
{
	static const char *const demands[] = {"insecure-none", "paged", "secret"};
	static const enum mem_level levels[] = {MEM_INSECURE_NONE, MEM_PAGED, MEM_SECRET};
	(void)state;
	for (size_t i = 0; i < array_count(demands); i++) {
		char lines[60];
		snprintf(lines, sizeof(lines), "  - memory_level: %s\n", demands[i]);
		struct session *s = parse_service(lines);
		for (size_t j = 0; j < array_count(levels); j++) {
			struct session_claims c = some_claims();
			struct session_verdict v;
			struct error err;
			c.memory_level = levels[j];
			assert_int_equal(session_verdict(&s->services[0], &c, &v, &err), 0);
			assert_int_equal(v.accepted, j >= i);
			session_verdict_done(&v);
		}
		session_free(s);
	}
}

/* ---- rights */

enum { CREATOR = 0xcc };

/* Keys are single bytes, repeated. */
static void test_access(void **state)
{
	static const struct {
		const char *right;
		const char *asking; /* a byte for each key */
		const char *refused; /* NULL: allowed */
	} cases[] = {
		{"ANY", "", NULL},
		{"NONE", "\xcc", "the session's access_policy lets nobody update"},
		{"CREATOR", "\xcc", NULL},
		{"CREATOR", "\1\xcc", NULL},
		{"CREATOR", "\1",
	         "the session's access_policy wants 1 of 1 keys to update it, and 0 of them ask; missing: " KEY(
			 "cc")},
		{"CREATOR", "",
	         "the session's access_policy wants 1 of 1 keys to update it, and 0 of them ask; missing: " KEY(
			 "cc")},
		{"[" KEY("01") ", " KEY("02") "]", "\2", NULL},
		{"[" KEY("01") ", " KEY("02") "]", "\3",
	         "the session's access_policy wants 1 of 2 keys to update it, and 0 of them ask; missing: " KEY(
			 "01") ", " KEY("02")},
		{"{require_all: [CREATOR, " KEY("01") "]}", "\1\xcc", NULL},
		{"{require_all: [CREATOR, " KEY("01") "]}", "\1\1",
	         "the session's access_policy wants 2 of 2 keys to update it, and 1 of them asks; missing: " KEY(
			 "cc")},
		{"{at_least: 2, of: [CREATOR, " KEY("01") ", " KEY("02") "]}", "\2\xcc", NULL},
		{"{at_least: 2, of: [CREATOR, " KEY("01") ", " KEY("02") "]}", "\2\2\2",
	         "the session's access_policy wants 2 of 3 keys to update it, and 1 of them asks; missing: " KEY(
			 "01") ", " KEY("cc")},
		/* One key that is listed twice, as itself and as the creator's, counts once. */
		{"{at_least: 2, of: [CREATOR, " KEY("cc") "]}", "\xcc",
	         "the session's access_policy wants 2 keys to update it, but names 1: the creator's stands there by its hash, too"},
		{"{require_all: [CREATOR, " KEY("cc") "]}", "\xcc", NULL},
	};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf text = {0};
		uint8_t keys[4][SESSION_KEY_HASH_SIZE], creator[SESSION_KEY_HASH_SIZE];
		struct session_requesters asking = {keys, strlen(cases[i].asking)};
		struct error err = {0};
		buf_printf(&text, "name: s\nversion: 0.1\naccess_policy:\n  update: %s\n", cases[i].right);
		struct session *s = parse((const char *)text.data);
		memset(creator, CREATOR, sizeof(creator));
		for (size_t j = 0; j < asking.count; j++)
			memset(keys[j], (uint8_t)cases[i].asking[j], SESSION_KEY_HASH_SIZE);
		int rc = session_access(&s->update, "update", creator, &asking, &err);
		if (rc != (cases[i].refused ? CELLA_EPERM : 0) ||
		    (rc < 0 && strcmp(err.text, cases[i].refused) != 0))
			fail_msg("%s: %d, %s", cases[i].right, rc, err.text);
		session_free(s);
	}
}

/* A cell counts as one more of those that are named, by exactly its name, and beside keys. */
static void test_cells(void **state)
{
	static const struct {
		const char *right, *asking, *identity;
		const char *refused; /* NULL: allowed */
	} cases[] = {
		{"\"cella://a/b/c\"", "", "cella://a/b/c", NULL},
		{"[CREATOR, \"cella://a/b/c\"]", "\xcc", NULL, NULL},
		{"[CREATOR, \"cella://a/b/c\"]", "", "cella://a/b/c", NULL},
		{"[CREATOR, \"cella://a/b/c\"]", "", "cella://a/b/d",
	         "the session's access_policy wants 1 of 2 keys to read it, and 0 of them ask; missing: " KEY(
			 "cc") ", cella://a/b/c"},
		{"[CREATOR, \"cella://a/b/c\"]", "", "cella://A/b/c",
	         "the session's access_policy wants 1 of 2 keys to read it, and 0 of them ask; missing: " KEY(
			 "cc") ", cella://a/b/c"},
		{"CREATOR", "", "cella://a/b/c",
	         "the session's access_policy wants 1 of 1 keys to read it, and 0 of them ask; missing: " KEY(
			 "cc")},
		{"{require_all: [CREATOR, \"cella://a/b/c\"]}", "", "cella://a/b/c",
	         "the session's access_policy wants 2 of 2 keys to read it, and 1 of them asks; missing: " KEY(
			 "cc")},
		{"{require_all: [CREATOR, \"cella://a/b/c\"]}", "\xcc", "cella://a/b/c", NULL},
		{"{at_least: 1, of: [\"cella://a/b/d\", \"cella://a/b/c\"]}", "", "cella://a/b/d", NULL},
		{"NONE", "", "cella://a/b/c", "the session's access_policy lets nobody read"},
	};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf text = {0};
		uint8_t keys[4][SESSION_KEY_HASH_SIZE], creator[SESSION_KEY_HASH_SIZE];
		struct session_requesters asking = {keys, strlen(cases[i].asking), cases[i].identity};
		struct error err = {0};
		buf_printf(&text, "name: s\nversion: 0.1\naccess_policy:\n  read: %s\n", cases[i].right);
		struct session *s = parse((const char *)text.data);
		memset(creator, CREATOR, sizeof(creator));
		for (size_t j = 0; j < asking.count; j++)
			memset(keys[j], (uint8_t)cases[i].asking[j], SESSION_KEY_HASH_SIZE);
		int rc = session_access(&s->read, "read", creator, &asking, &err);
		if (rc != (cases[i].refused ? CELLA_EPERM : 0) ||
		    (rc < 0 && strcmp(err.text, cases[i].refused) != 0))
			fail_msg("%s: %d, %s", cases[i].right, rc, err.text);
		session_free(s);
	}
}

/* The longest names there are make a name that fits. */
static void test_longest_identity(void **state)
{
	char session[SESSION_WHOLE_NAME_MAX + 1], service[SESSION_NAME_MAX + 1],
		uri[SESSION_IDENTITY_MAX + 1];
	(void)state;
	memset(session, 's', sizeof(session));
	memset(service, 'v', sizeof(service));
	session[sizeof(session) - 1] = service[sizeof(service) - 1] = '\0';
	session_identity(session, service, uri);
	assert_int_equal(strlen(uri), SESSION_IDENTITY_MAX);
	assert_int_equal(uri[SESSION_IDENTITY_MAX - 1], 'v');
	session_identity("clinic/hospital", "classify", uri);
	assert_string_equal(uri, "cella://clinic/hospital/classify");
}

int main(void)
{
	struct error err;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),         cmocka_unit_test(test_each_fails),
		cmocka_unit_test(test_all_fail),         cmocka_unit_test(test_tolerated),
		cmocka_unit_test(test_structure),        cmocka_unit_test(test_levels),
		cmocka_unit_test(test_access),           cmocka_unit_test(test_cells),
		cmocka_unit_test(test_longest_identity),
	};
	if (crypto_init(NULL, &err) < 0) {
		print_error("%s\n", err.text);
		return 1;
	}
	return cmocka_run_group_tests_name("session_verdict", tests, NULL, NULL);
}
