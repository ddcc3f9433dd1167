#include "verdict_assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void verdict_print(const struct tee_verdict *v)
{
	for (size_t i = 0; i < v->check_count; i++)
		print_message("%s %s: %s (wanted: %s)\n", tee_status_name(v->checks[i].status),
		              v->checks[i].name, v->checks[i].found, v->checks[i].wanted);
}

void assert_names(const struct tee_verdict *v, enum tee_status status, const char *names, const char *what)
{
	char found[600] = "";
	for (size_t i = 0, at = 0; i < v->check_count; i++)
		if (v->checks[i].status == status)
			at += (size_t)snprintf(found + at, sizeof(found) - at, "%s%s", at ? " " : "",
			                       v->checks[i].name);
	if (strcmp(found, names) != 0) {
		verdict_print(v);
		fail_msg("%s: %s are \"%s\", wanted \"%s\"", what, tee_status_name(status), found, names);
	}
}

void assert_fails(const struct tee_verdict *v, const char *names)
{
	assert_names(v, TEE_FAILED, names, "the verdict");
	assert_int_equal(tee_accepted(v), *names == '\0');
}

void assert_judged(const struct tee_input *input, const char *names)
{
	struct tee_verdict v = {0};
	struct error err = {0};
	if (tee_verify(input, &v, &err) != 0)
		fail_msg("%s", err.text);
	assert_fails(&v, names);
	tee_verdict_done(&v);
}
