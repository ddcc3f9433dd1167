/*
 * The CAS is killed under load, again and again; its disk is full; two want one directory. Is every change
 * that was acknowledged there afterwards, and none by halves; does it go on when there is room; is the second
 * one refused by name?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "cas_support.h"

enum { ROUNDS = 30, PAIRS = 5 };

/* A small generator, so that every run is the same. */
static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Change n: the two secrets of one pair, which always have the same version and the same value. */
static int put_pair(struct records *r, uint64_t n, struct error *err)
{
	char name[2][16], value[32];
	uint64_t version[2] = {0};
	snprintf(value, sizeof(value), "%llu", (unsigned long long)n);
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < 2; i++) {
		snprintf(name[i], sizeof(name[i]), "%llu-%u", (unsigned long long)(n % PAIRS), i);
		rc = records_secret_put(r, "s", name[i], 1, value, strlen(value), n, &version[i], err);
		if (rc == 0 && version[i] > 2)
			rc = records_secret_remove(r, "s", name[i], version[i] - 1, err);
	}
	return rc;
}

/* Batches of one to four changes, for ever. What is committed is told: the number of the last change. */
static void load(const struct cas_test *t, uint64_t n, int to)
{
	struct records *r;
	struct error err;
	const struct audit_event event = {.kind = AUDIT_SECRET_SET, .who = "load", .what = "{}"};
	if (records_open(&t->config, &r, &err) < 0)
		_exit(2);
	for (;;) {
		if (records_begin(r, NULL) < 0)
			_exit(3);
		for (uint64_t left = n % 4 + 1; left; left--, n++)
			if (records_step(r, NULL) < 0 || put_pair(r, n, NULL) < 0 ||
			    records_keep(r, &event, 1, n, NULL) < 0)
				_exit(4);
		if (records_commit(r, NULL, NULL) < 0)
			_exit(5);
		if (write(to, &n, sizeof(n)) != (ssize_t)sizeof(n))
			_exit(6);
	}
}

/* The number behind the newest change that is there, of all pairs. */
static uint64_t check(struct records *r)
{
	uint64_t newest = 0;
	for (unsigned pair = 0; pair < PAIRS; pair++) {
		uint64_t value[2] = {0}, version[2] = {0};
		for (unsigned i = 0; i < 2; i++) {
			struct records_secret s;
			struct error err;
			char name[16], text[32] = "";
			snprintf(name, sizeof(name), "%u-%u", pair, i);
			int rc = records_secret_get(r, "s", name, 0, &s, &err);
			if (rc == CELLA_ENOENT)
				continue;
			assert_int_equal(rc, 0);
			memcpy(text, s.data, s.size);
			value[i] = strtoull(text, NULL, 10) + 1;
			version[i] = s.version;
			records_secret_done(&s);
		}
		assert_int_equal(value[0], value[1]);
		assert_int_equal(version[0], version[1]);
		if (value[0])
			assert_int_equal((value[0] - 1) % PAIRS, pair);
		newest = value[0] > newest ? value[0] : newest;
	}
	/* The changes before the newest are there as well: each pair has its last one. */
	for (unsigned pair = 0; pair < PAIRS && newest > PAIRS; pair++) {
		struct records_secret s;
		char name[16], text[32] = "";
		snprintf(name, sizeof(name), "%u-0", (unsigned)((newest - 1 - pair) % PAIRS));
		assert_int_equal(records_secret_get(r, "s", name, 0, &s, NULL), 0);
		memcpy(text, s.data, s.size);
		assert_int_equal(strtoull(text, NULL, 10), newest - 1 - pair);
		records_secret_done(&s);
	}
	return newest;
}

/* A child under load from change `n` on, killed when it has acknowledged `acks` batches. */
static uint64_t run_and_kill(const struct cas_test *t, uint64_t n, unsigned acks)
{
	int pipes[2], status;
	uint64_t acknowledged = n, ack;
	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	if (child == 0) {
		close(pipes[0]);
		load(t, n, pipes[1]);
	}
	close(pipes[1]);
	for (unsigned i = 0; i < acks; i++) {
		if (io_read_full(pipes[0], &ack, sizeof(ack), NULL) < 0)
			break;
		acknowledged = ack;
	}
	kill(child, SIGKILL);
	/* What it had told before it died counts. */
	while (read(pipes[0], &ack, sizeof(ack)) == (ssize_t)sizeof(ack))
		acknowledged = ack;
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	return acknowledged;
}

static void test_killed(void **state)
{
	(void)state;
	struct cas_test t;
	struct audit_summary summary;
	uint64_t random = 4711, n = 0, entries = 1;
	cas_test_begin(&t);
	for (unsigned round = 0; round < ROUNDS; round++) {
		cas_test_close(&t);
		uint64_t acknowledged = run_and_kill(&t, n, 1 + (unsigned)(next_random(&random) % 12));
		cas_test_open(&t);
		n = check(t.r);
		assert_true(n >= acknowledged);
		assert_true(n - acknowledged <= 8); /* what was under way */
		assert_int_equal(records_verify(t.r, NULL, &summary, NULL), 0);
		assert_int_equal(summary.entries - 1, n);
		assert_true(summary.entries >= entries);
		entries = summary.entries;
	}
	print_message("%llu changes in %llu commits over %d kills\n", (unsigned long long)n,
	              (unsigned long long)summary.commits, ROUNDS);
	cas_test_end(&t);
}

/* ---- a full disk */

static int put_large(struct records *r, const char *name, struct error *err)
{
	static char large[20000];
	const struct audit_event event = {.kind = AUDIT_SECRET_SET, .who = "load", .what = "{}"};
	uint64_t version;
	int rc = records_begin(r, err);
	if (rc == 0)
		rc = records_step(r, err);
	if (rc == 0)
		rc = records_secret_put(r, "s", name, 1, large, sizeof(large), 1, &version, err);
	if (rc == 0)
		rc = records_keep(r, &event, 1, 1, err);
	if (rc == 0)
		return records_commit(r, NULL, err);
	records_abort(r);
	return rc;
}

/* Fills it until there is no room; what was acknowledged is there, and what was not is not. */
static void fill_up(struct cas_test *t, int refusal, unsigned *ret_count)
{
	struct audit_summary summary;
	struct records_secret s;
	struct error err;
	char name[16];
	unsigned count = 0;
	int rc = 0;
	while (rc == 0 && count < 1000) {
		snprintf(name, sizeof(name), "%u", count);
		rc = put_large(t->r, name, &err);
		count += rc == 0;
	}
	if (rc != refusal)
		fail_msg("%d %s", rc, err.text);
	const uint64_t number = records_head(t->r)->number;
	for (unsigned more = 0; more < 3; more++)
		assert_int_equal(put_large(t->r, name, &err), refusal);
	assert_int_equal(records_head(t->r)->number, number);
	assert_int_equal(records_count(t->r, RECORDS_SECRET), count);
	assert_int_equal(records_secret_get(t->r, "s", name, 0, &s, NULL), CELLA_ENOENT);
	assert_int_equal(records_verify(t->r, NULL, &summary, &err), 0);
	*ret_count = count;
}

static void go_on(struct cas_test *t, unsigned count)
{
	struct audit_summary summary;
	struct error err;
	if (put_large(t->r, "after", &err) < 0)
		fail_msg("%s", err.text);
	cas_test_close(t);
	cas_test_open(t);
	assert_int_equal(records_count(t->r, RECORDS_SECRET), count + 1);
	assert_int_equal(records_verify(t->r, NULL, &summary, NULL), 0);
}

/* A disk that fails to write, for a reason of its own. */
static void test_writes_fail(void **state)
{
	(void)state;
	struct cas_test t;
	struct rlimit limit = {.rlim_cur = 1 << 20}, before;
	unsigned count = 0;
	cas_test_begin(&t);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fill_up(&t, CELLA_EIO, &count);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	go_on(&t, count);
	cas_test_end(&t);
}

static bool mount_small(const char *path)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("small", path, "tmpfs", 0, "size=1m") == 0;
}

static void test_full_disk(void **state)
{
	(void)state;
	struct cas_test t;
	char path[CAS_PATH_MAX];
	unsigned count = 0;
	cas_test_begin(&t);
	cas_test_close(&t);
	cas_path(&t, "copy", path);
	cas_copy_directory(&t, "cas", "copy");
	if (!mount_small(path)) {
		print_message("skipped: test_full_disk: %s\n", strerror(errno));
		cas_test_end(&t);
		skip();
	}
	struct records_config config = t.config;
	config.directory = cas_path(&t, "copy/cas", path);
	assert_int_equal(records_create(&config, &t.r, NULL), 0);
	fill_up(&t, CELLA_ENOSPC, &count);
	records_close(t.r);
	assert_int_equal(records_open(&config, &t.r, NULL), 0);
	assert_int_equal(records_count(t.r, RECORDS_SECRET), count);
	cas_test_close(&t);
	cas_path(&t, "copy", path);
	assert_int_equal(mount("small", path, "tmpfs", MS_REMOUNT, "size=4m"), 0);
	t.config.directory = cas_path(&t, "copy/cas", path);
	cas_test_open(&t);
	go_on(&t, count);
	cas_test_close(&t);
	assert_int_equal(umount(cas_path(&t, "copy", path)), 0);
	cas_test_end(&t);
}

static void test_quota(void **state)
{
	(void)state;
	struct cas_test t;
	unsigned count = 0;
	cas_test_begin(&t);
	cas_test_close(&t);
	t.config.quota = 600000;
	cas_test_open(&t);
	fill_up(&t, CELLA_ENOSPC, &count);
	assert_true(count >= 20 && count <= 30);
	/* Over the quota it can still be read, and opened; with more it goes on. */
	cas_test_close(&t);
	cas_test_open(&t);
	assert_int_equal(records_count(t.r, RECORDS_SECRET), count);
	cas_test_close(&t);
	t.config.quota = 0;
	cas_test_open(&t);
	go_on(&t, count);
	cas_test_end(&t);
}

/* ---- two at one */

static void test_two_processes(void **state)
{
	(void)state;
	struct cas_test t;
	struct records *r;
	struct error err;
	int status;
	char pid[24];
	cas_test_begin(&t);
	snprintf(pid, sizeof(pid), "(%ld)", (long)getpid());
	pid_t child = fork();
	if (child == 0) {
		struct records_config config = t.config;
		int rc = records_open(&config, &r, &err);
		_exit(rc == CELLA_EAGAIN && strstr(err.text, t.directory) && strstr(err.text, pid) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(records_open(&t.config, &r, &err), CELLA_EAGAIN); /* nor twice in one */
	cas_put_secret(t.r, "s", "k", "still mine");
	cas_test_close(&t);
	cas_test_open(&t);
	cas_test_end(&t);
}

/* Without secret memory: the child of a fork has none of its parent's. */
static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL) < 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),        cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_writes_fail),   cmocka_unit_test(test_quota),
		cmocka_unit_test(test_two_processes),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
