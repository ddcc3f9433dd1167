/* Does a provisioning come back as it was written, and does every damaged one fail cleanly? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cell/provision.h"

static struct mem_pool *pool;

static int make_pool(void **state)
{
	(void)state;
	return mem_pool_new(MEM_INSECURE_NONE, 16 << 20, &pool, NULL);
}

static int drop_pool(void **state)
{
	(void)state;
	mem_pool_free(pool);
	return 0;
}

static const char *const arguments[] = {"ecg.cell", "predict", ""};
static const char *const environment[] = {"LANG=C", "EMPTY="};

static void write_example(uint8_t **data, size_t *size)
{
	static struct provision p;
	p = (struct provision){
		.executor = 7,
		.role = PROVISION_TASKS,
		.executor_count = 2,
		.builder_count = 2,
		.arguments = (const char **)(uintptr_t)arguments,
		.argument_count = 3,
		.environment = (const char **)(uintptr_t)environment,
		.environment_count = 2,
		.preopens = {{"/data", OWNER_PREOPEN_READ_ONLY},
	                     {"/out", 0},
	                     {"/volume", OWNER_PREOPEN_VOLUME}},
		.preopen_count = 3,
		.volumes = {{.preopen = 2, .key_count = 2}},
		.volume_count = 1,
	};
	memset(p.session, 1, sizeof(p.session));
	memset(p.data_key, 2, sizeof(p.data_key));
	memset(p.volumes[0].id, 5, sizeof(p.volumes[0].id));
	memset(p.volumes[0].root, 6, sizeof(p.volumes[0].root));
	memset(p.volumes[0].keys, 7, sizeof(p.volumes[0].keys));
	memset(p.identity, 3, sizeof(p.identity));
	memset(p.builders[1], 4, sizeof(p.builders[1]));
	assert_int_equal(provision_write(&p, pool, data, size, NULL), 0);
}

static void comes_back(void **state)
{
	(void)state;
	uint8_t *data;
	size_t size;
	struct provision *p;
	write_example(&data, &size);
	assert_int_equal(provision_read(data, size, pool, &p, NULL), 0);
	assert_int_equal(p->executor, 7);
	assert_int_equal(p->role, PROVISION_TASKS);
	assert_int_equal(p->executor_count, 2);
	assert_int_equal(p->data_key[31], 2);
	assert_int_equal(p->identity[47], 3);
	assert_int_equal(p->builders[1][0], 4);
	assert_int_equal(p->argument_count, 3);
	assert_string_equal(p->arguments[1], "predict");
	assert_string_equal(p->arguments[2], "");
	assert_string_equal(p->environment[1], "EMPTY=");
	assert_string_equal(p->preopens[0].guest, "/data");
	assert_int_equal(p->preopens[0].flags, OWNER_PREOPEN_READ_ONLY);
	assert_int_equal(p->volume_count, 1);
	assert_int_equal(p->volumes[0].preopen, 2);
	assert_int_equal(p->volumes[0].id[15], 5);
	assert_int_equal(p->volumes[0].root[63], 6);
	assert_int_equal(p->volumes[0].key_count, 2);
	assert_int_equal(p->volumes[0].keys[1][31], 7);
	assert_int_equal(p->volumes[0].keys[2][0], 0);
	provision_free(pool, p);
	mem_free(pool, data);
}

/* Keys that were taken over are not left behind in the bytes that strings point into. */
static void keys_are_there_once(void **state)
{
	(void)state;
	static const uint8_t data_key[CRYPTO_KEY_SIZE] = {[0 ... CRYPTO_KEY_SIZE - 1] = 2};
	static const uint8_t volume_key[CRYPTO_KEY_SIZE] = {[0 ... CRYPTO_KEY_SIZE - 1] = 7};
	uint8_t *data;
	size_t size;
	struct provision *p;
	write_example(&data, &size);
	assert_non_null(memmem(data, size, data_key, sizeof(data_key)));
	assert_non_null(memmem(data, size, volume_key, sizeof(volume_key)));
	assert_int_equal(provision_read(data, size, pool, &p, NULL), 0);
	assert_null(memmem(p + 1, size, data_key, sizeof(data_key)));
	assert_null(memmem(p + 1, size, volume_key, sizeof(volume_key)));
	provision_free(pool, p);
	mem_free(pool, data);
}

static void too_large_is_refused(void **state)
{
	(void)state;
	static char long_argument[PROVISION_SIZE_MAX + 1];
	memset(long_argument, 'x', sizeof(long_argument) - 1);
	const char *one[] = {long_argument};
	struct provision p = {.executor = 1, .role = PROVISION_DRIVER, .arguments = one, .argument_count = 1};
	uint8_t *data;
	size_t size;
	struct error err;
	assert_int_equal(provision_write(&p, pool, &data, &size, &err), CELLA_ELIMIT);
	assert_non_null(strstr(err.text, "pass data in volumes"));
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	uint8_t *data;
	size_t size;
	struct provision *p;
	write_example(&data, &size);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(provision_read(data, cut, pool, &p, NULL), CELLA_EFORMAT);
	mem_free(pool, data);
}

static void bad_fields_are_refused(void **state)
{
	(void)state;
	static const struct {
		size_t offset;
		uint8_t value;
	} bad[] = {
		{0, 1},    /* version */
		{4, 0},    /* executor 0 */
		{6, 1},    /* executor beyond 65,535 */
		{8, 4},    /* role */
		{16, 9},   /* grants */
		{116, 17}, /* builders */
		{184, 99}, /* arguments */
	};
	for (size_t i = 0; i < array_count(bad); i++) {
		uint8_t *data;
		size_t size;
		struct provision *p;
		write_example(&data, &size);
		data[bad[i].offset] = bad[i].value;
		assert_int_equal(provision_read(data, size, pool, &p, NULL), CELLA_EFORMAT);
		mem_free(pool, data);
	}
}

static void bad_volumes_are_refused(void **state)
{
	(void)state;
	enum {
		IDENTITY = 1,
		TIME = 4 + IDENTITY + 8,
		FILES = TIME + 4,
		KEYS = FILES + 2 * CRYPTO_KEY_SIZE,
		COUNT = KEYS + 4,
		MODE = COUNT + 4 + 4,
		PREOPEN = MODE + 64 + 16 + 4,
		VOLUMES = PREOPEN + 4
	};
	static const struct {
		size_t from_end;
		uint8_t value;
	} bad[] = {
		{VOLUMES, 0},       /* a volume without its keys */
		{VOLUMES, 2},       /* more of them */
		{PREOPEN, 1},       /* a preopened directory that is no volume */
		{PREOPEN, 3},       /* and one that is not there */
		{COUNT, 0},         /* no key */
		{COUNT, 1},         /* fewer than there are */
		{COUNT, 5},         /* more than there may be */
		{MODE, 3},          /* no mode of commits */
		{FILES, 1},         /* files in what is no grant */
		{TIME, 1},          /* a time */
		{IDENTITY, 'x'},    /* a text that does not end */
		{VOLUMES + 4, 0},   /* the flag of the preopened directory */
	};
	for (size_t i = 0; i < array_count(bad); i++) {
		uint8_t *data;
		size_t size;
		struct provision *p;
		write_example(&data, &size);
		data[size - bad[i].from_end] = bad[i].value;
		assert_int_equal(provision_read(data, size, pool, &p, NULL), CELLA_EFORMAT);
		mem_free(pool, data);
	}
}

/* ---- grants */

/* A job with a volume that has its keys, and one that waits for them. */
static struct provision *example_job(void)
{
	static struct provision p;
	struct provision *read;
	uint8_t *data;
	size_t size;
	p = (struct provision){
		.executor = 1,
		.role = PROVISION_DRIVER,
		.grants = 1,
		.builder_count = 2,
		.arguments = (const char **)(uintptr_t)arguments,
		.argument_count = 3,
		.environment = (const char **)(uintptr_t)environment,
		.environment_count = 2,
		.preopens = {{"/mine", OWNER_PREOPEN_VOLUME},
	                     {"/data", OWNER_PREOPEN_VOLUME | OWNER_PREOPEN_GRANTED}},
		.preopen_count = 2,
		.volumes = {{.preopen = 0, .key_count = 1}},
		.volume_count = 1,
	};
	memset(p.identity, 3, sizeof(p.identity));
	memset(p.builders[0], 4, sizeof(p.builders[0]));
	memset(p.builders[1], 5, sizeof(p.builders[1]));
	assert_int_equal(provision_write(&p, pool, &data, &size, NULL), 0);
	assert_int_equal(provision_read(data, size, pool, &read, NULL), 0);
	mem_free(pool, data);
	return read;
}

static const char *const granted[] = {"LANG=de", "TOKEN=secret"};
static const char *const command[] = {"classify", "--all"};

static struct provision *example_grant(void)
{
	struct provision *g = mem_alloc(pool, sizeof(*g));
	const char **variables = mem_alloc(pool, sizeof(granted)), **words = mem_alloc(pool, sizeof(command));
	memcpy(variables, granted, sizeof(granted));
	memcpy(words, command, sizeof(command));
	*g = (struct provision){
		.executor = 1,
		.role = PROVISION_GRANT,
		.builder_count = 1,
		.arguments = words,
		.argument_count = 2,
		.environment = variables,
		.environment_count = 2,
		.preopens = {{"/data", OWNER_PREOPEN_VOLUME | OWNER_PREOPEN_READ_ONLY}},
		.preopen_count = 1,
		.volumes = {{.preopen = 0, .key_count = 1}},
		.volume_count = 1,
	};
	memset(g->identity, 3, sizeof(g->identity));
	memset(g->builders[0], 5, sizeof(g->builders[0]));
	memset(g->volumes[0].keys, 7, CRYPTO_KEY_SIZE);
	return g;
}

static void a_grant_is_added(void **state)
{
	(void)state;
	struct provision *p = example_job(), *g = example_grant();
	struct error err;
	assert_int_equal(provision_check_volumes(p, &err), CELLA_EPERM);
	assert_non_null(strstr(err.text, "/data"));
	assert_int_equal(provision_add_grant(p, g, 1, pool, &err), 0);
	assert_int_equal(provision_check_volumes(p, &err), 0);
	assert_int_equal(p->builder_count, 1);
	assert_int_equal(p->builders[0][0], 5);
	assert_int_equal(p->argument_count, 3);
	assert_string_equal(p->arguments[0], "ecg.cell");
	assert_string_equal(p->arguments[2], "--all");
	assert_int_equal(p->environment_count, 3);
	assert_string_equal(p->environment[0], "EMPTY=");
	assert_string_equal(p->environment[1], "LANG=de");
	assert_string_equal(p->environment[2], "TOKEN=secret");
	assert_int_equal(p->volume_count, 2);
	assert_int_equal(p->volumes[1].preopen, 1);
	assert_int_equal(p->volumes[1].keys[0][31], 7);
	assert_int_equal(p->preopens[1].flags, OWNER_PREOPEN_VOLUME | OWNER_PREOPEN_READ_ONLY);
	for (size_t i = 0; i < sizeof(g->volumes[0]); i++)
		assert_int_equal(((const uint8_t *)&g->volumes[0])[i], 0);
	provision_free(pool, p);
	provision_free(pool, g);
}

/* What time it is, the latest that was told; one that is far from another's is somebody's lie. */
static void times_are_added(void **state)
{
	static const uint64_t second = 1000000000, noon = 1800000000ull * 1000000000;
	static const struct {
		uint64_t first, second, then; /* 0: refused */
	} cases[] = {
		{noon, noon, noon},
		{noon, noon + 300 * second, noon + 300 * second},
		{noon + 300 * second, noon, noon + 300 * second},
		{noon, noon + 300 * second + 1, 0},
		{noon + 300 * second + 1, noon, 0},
		{noon, 0, 0},
		{0, noon, noon},
	};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		struct provision *p = example_job(), *g = example_grant(), *read;
		struct error err;
		uint8_t *data;
		size_t size;
		g->time_ns = cases[i].first;
		g->identity_path = "/identity";
		assert_int_equal(provision_write(g, pool, &data, &size, NULL), 0);
		assert_int_equal(provision_read(data, size, pool, &read, NULL), 0);
		assert_string_equal(read->identity_path, "/identity");
		assert_int_equal(provision_add_grant(p, read, 1, pool, &err), 0);
		assert_int_equal(p->time_ns, cases[i].first);
		g->environment_count = g->argument_count = g->volume_count = 0;
		g->time_ns = cases[i].second;
		int rc = provision_add_grant(p, g, 2, pool, &err);
		assert_int_equal(rc, cases[i].then ? 0 : CELLA_EPERM);
		assert_true(rc == 0 ? p->time_ns == cases[i].then
		                    : strstr(err.text, "two of the job's sessions tell times that are") !=
		                              NULL);
		provision_free(pool, p);
		provision_free(pool, read);
		provision_free(pool, g);
		mem_free(pool, data);
	}
}

/* Files of a grant cross whole, and lie in the job; a job has none of its own, and each path once. */
static void files_are_added(void **state)
{
	(void)state;
	static const struct wasi_file files[] = {{"/etc/key", "a\0b", 3}, {"/etc/empty", "", 0}};
	struct provision *p = example_job(), *g = example_grant(), *read;
	struct error err;
	uint8_t *data;
	size_t size;
	memcpy(g->files, files, sizeof(files));
	g->file_count = array_count(files);
	assert_int_equal(provision_write(g, pool, &data, &size, NULL), 0);
	assert_int_equal(provision_read(data, size, pool, &read, NULL), 0);
	assert_int_equal(read->file_count, 2);
	assert_string_equal(read->files[0].path, "/etc/key");
	assert_int_equal(read->files[0].size, 3);
	assert_memory_equal(read->files[0].data, "a\0b", 3);
	assert_int_equal(read->files[1].size, 0);
	assert_int_equal(provision_add_grant(p, read, 3, pool, &err), 0);
	assert_int_equal(p->file_count, 2);
	assert_int_equal(p->volumes[1].grant, 3);
	assert_int_equal(p->volumes[0].grant, 0);
	/* A second session's: whoever runs the job chooses it, so it changes nothing of the first. */
	g->volume_count = g->preopen_count = 0;
	assert_int_equal(provision_add_grant(p, g, 4, pool, &err), CELLA_EPERM);
	assert_non_null(strstr(err.text, "LANG"));
	g->environment_count = 0;
	assert_int_equal(provision_add_grant(p, g, 4, pool, &err), CELLA_EPERM);
	assert_non_null(strstr(err.text, "arguments"));
	g->argument_count = 0;
	assert_int_equal(provision_add_grant(p, g, 4, pool, &err), CELLA_EPERM);
	assert_non_null(strstr(err.text, "/etc/key"));
	p->file_count = 2;
	assert_int_equal(provision_check_volumes(p, &err), 0);
	p->files[1].path = "/data/model";
	assert_int_equal(provision_check_volumes(p, &err), CELLA_EPERM);
	assert_non_null(strstr(err.text, "/data/model lies in /data"));
	p->files[1].path = "/data2";
	static const char *const names[] = {"/data/out", "/data",      "/./data/out",
	                                    "data/out",  "//data/out", "/x/.."};
	for (size_t i = 0; i < array_count(names); i++) {
		p->preopens[0].guest = names[i];
		assert_int_equal(provision_check_volumes(p, &err), CELLA_EPERM);
	}
	p->preopens[0].guest = "/";
	assert_int_equal(provision_check_volumes(p, &err), 0);
	g->role = PROVISION_DRIVER;
	mem_free(pool, data);
	assert_int_equal(provision_write(g, pool, &data, &size, NULL), 0);
	provision_free(pool, read);
	assert_int_equal(provision_read(data, size, pool, &read, NULL), CELLA_EFORMAT);
	mem_free(pool, data);
	provision_free(pool, p);
	provision_free(pool, g);
}

static void expect_refused(struct provision *g, int code, const char *why)
{
	struct provision *p = example_job();
	struct error err = {0};
	assert_int_equal(provision_add_grant(p, g, 1, pool, &err), code);
	if (!strstr(err.text, why))
		fail_msg("%s", err.text);
	provision_free(pool, p);
	provision_free(pool, g);
}

static void a_grant_for_something_else_is_refused(void **state)
{
	(void)state;
	struct provision *g = example_grant();
	g->identity[47] ^= 1;
	expect_refused(g, CELLA_EAUTH, "another cell");
	g = example_grant();
	g->builders[0][31] ^= 1;
	expect_refused(g, CELLA_EAUTH, "other builders");
	g = example_grant();
	g->preopens[0].guest = "/elsewhere";
	expect_refused(g, CELLA_EPERM, "--volume DIR:/elsewhere");
	g = example_grant();
	g->preopens[0].guest = "/mine";
	expect_refused(g, CELLA_EPERM, "from elsewhere");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(keys_are_there_once),
		cmocka_unit_test(too_large_is_refused),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(bad_fields_are_refused),
		cmocka_unit_test(bad_volumes_are_refused),
		cmocka_unit_test(a_grant_is_added),
		cmocka_unit_test(files_are_added),
		cmocka_unit_test(times_are_added),
		cmocka_unit_test(a_grant_for_something_else_is_refused),
	};
	return cmocka_run_group_tests(tests, make_pool, drop_pool);
}
