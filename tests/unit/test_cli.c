/*
 * Parts of the command line below its verbs. Is a manifest's text always the same and a false one
 * refused? Is the builder's key kept as a key should be? Do programs run, fail and end as told?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "cli/builder.h"
#include "cli/manifest.h"
#include "cli/process.h"
#include "cli/scratch.h"

static void test_manifest(void **state)
{
	struct manifest m = {.name = "ecg \"x\"", .stack = 1 << 20, .tasks = true}, back;
	cleanup_free char *text = NULL;
	(void)state;
	assert_int_equal(manifest_write(&m, &text, NULL), 0);
	assert_string_equal(text,
	                    "{\"name\":\"ecg \\\"x\\\"\",\"stack\":1048576,\"tasks\":true,\"version\":1}");
	assert_int_equal(manifest_parse(text, strlen(text), &back, NULL), 0);
	assert_string_equal(back.name, m.name);
	assert_int_equal(back.stack, m.stack);
	assert_true(back.tasks);
	m.name[0] = '\xff';
	cleanup_free char *none = NULL;
	assert_int_equal(manifest_write(&m, &none, NULL), CELLA_EINVAL);
	assert_null(none);
}

static void test_false_manifests(void **state)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
		{"", CELLA_EFORMAT},
		{"[]", CELLA_EFORMAT},
		{"{}", CELLA_EFORMAT},
		{"{\"name\":\"x\",\"stack\":1,\"tasks\":true}", CELLA_EFORMAT},
		{"{\"name\":\"x\",\"stack\":1,\"tasks\":1,\"version\":1}", CELLA_EFORMAT},
		{"{\"name\":5,\"stack\":1,\"tasks\":true,\"version\":1}", CELLA_EFORMAT},
		{"{\"name\":\"x\",\"stack\":-1,\"tasks\":true,\"version\":1}", CELLA_EFORMAT},
		{"{\"name\":\"x\",\"stack\":1,\"tasks\":true,\"version\":2}", CELLA_EUNSUPPORTED},
		{"{\"name\":\"x\",\"name\":\"y\",\"stack\":1,\"tasks\":true,\"version\":1}", CELLA_EFORMAT},
		{"{\"name\":\"x\",\"stack\":1,\"tasks\":true,\"version\":1} ,", CELLA_EFORMAT},
		{"{\"name\":\"\xff\",\"stack\":1,\"tasks\":true,\"version\":1}", CELLA_EFORMAT},
	};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		struct manifest m;
		struct bundle bundle = {.manifest = cases[i].text, .manifest_size = strlen(cases[i].text)};
		assert_int_equal(manifest_parse(cases[i].text, strlen(cases[i].text), &m, NULL),
		                 cases[i].code);
		assert_false(bundle_uses_tasks(&bundle));
	}
	char name[300];
	snprintf(name, sizeof(name), "{\"stack\":1,\"tasks\":true,\"version\":1,\"name\":\"%0200d\"}", 0);
	struct manifest m;
	assert_int_equal(manifest_parse(name, strlen(name), &m, NULL), CELLA_EFORMAT);
}

static void test_builder_key(void **state)
{
	char directory[] = "/tmp/cella-test-builder-XXXXXX", path[100], hex[65];
	struct crypto_signer first, second;
	struct error err;
	struct stat st;
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/a/b/builder.key", directory);
	setenv("CELLA_BUILDER_KEY", path, 1);
	assert_int_equal(builder_check((uint8_t[32]){0}, NULL, 0, &err), CELLA_EAUTH); /* and makes no key */
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(builder_load(&first, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(builder_load(&second, &err), 0);
	assert_memory_equal(&first, &second, sizeof(first));
	assert_int_equal(builder_check(first.public_key, NULL, 0, &err), 0);
	first.public_key[0] ^= 1;
	assert_int_equal(builder_check(first.public_key, NULL, 0, &err), CELLA_EAUTH);
	io_hex(first.public_key, 32, hex);
	assert_int_equal(builder_check(first.public_key, (const char *const[]){hex}, 1, &err), 0);
	hex[5] = 'g';
	assert_int_equal(builder_check(first.public_key, (const char *const[]){hex}, 1, &err), CELLA_EINVAL);
	chmod(path, 0640);
	assert_int_equal(builder_load(&second, &err), CELLA_EPERM);
	assert_int_equal(builder_check(second.public_key, NULL, 0, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "chmod 600")); /* why one's own key does not help */
	assert_non_null(strstr(err.text, "--accept-builder"));
	chmod(path, 0600);
	static const char *const false_keys[] =
		{"", "00", "zz00000000000000000000000000000000000000000000000000000000000000\n"};
	for (size_t i = 0; i < array_count(false_keys); i++) {
		assert_int_equal(io_write_file(path, false_keys[i], strlen(false_keys[i]), 0600, NULL), 0);
		assert_int_equal(builder_load(&second, &err), CELLA_EFORMAT);
	}
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(directory);
	unsetenv("CELLA_BUILDER_KEY");
}

static void put_command(struct arguments *a, const char *script)
{
	arguments_add(a, "sh");
	arguments_add(a, "-c");
	arguments_add(a, script);
}

static void test_processes(void **state)
{
	static const struct {
		const char *scripts[3];
		int code;
	} cases[] = {
		{{"true", "true", "true"}, 0},
		{{"true", "exit 3", "true"}, CELLA_EINVAL},
		{{"kill -9 $$", "true", "true"}, CELLA_EINVAL},
	};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		for (size_t parallel = 0; parallel < 4; parallel++) {
			struct arguments commands[3] = {0};
			for (size_t j = 0; j < 3; j++)
				put_command(&commands[j], cases[i].scripts[j]);
			assert_int_equal(process_run(commands, 3, parallel, false, NULL), cases[i].code);
			for (size_t j = 0; j < 3; j++)
				arguments_done(&commands[j]);
		}
	}
	cleanup_arguments struct arguments missing = {0}, speak = {0}, fail = {0};
	cleanup_buf struct buf output = {0};
	struct error err;
	arguments_add(&missing, "/nonexistent/program");
	assert_int_equal(process_run(&missing, 1, 1, false, &err), CELLA_ENOENT);
	assert_string_equal(err.text, "cannot start /nonexistent/program: No such file or directory");
	put_command(&speak, "echo heard; echo dropped >&2");
	assert_int_equal(process_read(&speak, &output, &err), 0);
	assert_int_equal(output.size, 6);
	assert_memory_equal(output.data, "heard\n", 6);
	put_command(&fail, "exit 1");
	assert_int_equal(process_read(&fail, &output, &err), CELLA_EINVAL);
}

/* An interrupt ends the programs, the scratch directory goes, and then it ends this process. */
static void test_interrupt(void **state)
{
	char path[SCRATCH_PATH_MAX];
	int pipe_ends[2], status;
	(void)state;
	assert_int_equal(pipe(pipe_ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct scratch s;
		struct arguments command = {0};
		if (scratch_make(NULL, &s, NULL) < 0 || write(pipe_ends[1], s.path, sizeof(s.path)) < 0)
			_exit(9);
		put_command(&command, "kill -INT $PPID; exec sleep 1000");
		if (process_run(&command, 1, 1, false, NULL) != CELLA_ECANCELED)
			_exit(8);
		scratch_remove(&s);
		_exit(7);
	}
	assert_int_equal(read(pipe_ends[0], path, sizeof(path)), sizeof(path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
	assert_int_equal(access(path, F_OK), -1);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static int init(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manifest),        cmocka_unit_test(test_builder_key),
		cmocka_unit_test(test_processes),       cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_false_manifests),
	};
	return cmocka_run_group_tests(tests, init, NULL);
}
