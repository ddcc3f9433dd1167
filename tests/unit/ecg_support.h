/* What the tests of the ECG example share. */
#ifndef TESTS_ECG_SUPPORT_H
#define TESTS_ECG_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "failure.h"
#include "text.h"

/* Fails the test with the failure's text unless rc is 0. */
#define must_work(rc, why)                          \
	do {                                        \
		if ((rc) < 0)                       \
			fail_msg("%s", (why).text); \
	} while (0)

/* The table test's case failed, and its text says `expected`. */
static inline void assert_failed(int rc, const struct failure *why, const char *name, const char *expected)
{
	if (rc >= 0)
		fail_msg("%s: was accepted", name);
	if (!strstr(why->text, expected))
		fail_msg("%s: \"%s\" does not say \"%s\"", name, why->text, expected);
}

/* A text over the bytes, which stay the caller's. */
static inline struct text text_of_bytes(const void *bytes, size_t size)
{
	FILE *file = size > 0 ? fmemopen((void *)(uintptr_t)bytes, size, "rb") : tmpfile();
	assert_non_null(file);
	return text_of_file(file, "input");
}

/* A file of the folder with golden values. */
static inline const char *golden_path(const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/tests/data/%s", SOURCE_ROOT, name);
	return path;
}

/* A file of the folder with the real recordings; skips the test, saying so, where there is none. */
static inline const char *real_path(const char *name, char *path, size_t size)
{
	const char *named = getenv("CELLA_ECG_DATA");
	const char *folders[] = {named ? named : "", SOURCE_ROOT "/data/ecg2017",
	                         SOURCE_ROOT "/../shared/data/ecg2017"};
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, size, "%s/%s", folders[i], name);
		FILE *file = *folders[i] ? fopen(path, "rb") : NULL;
		if (file) {
			fclose(file);
			return path;
		}
	}
	print_message("skipped: no %s in $CELLA_ECG_DATA, data/ecg2017 or ../shared/data/ecg2017\n", name);
	skip();
	return NULL;
}

#endif
