/*
 * SQLite's wrapper. Is a database that is not ours refused; is what is committed there after opening again,
 * and what is rolled back or undone not; do errors say what the statement was for?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite.h"

static const char *const schema[] = {
	"CREATE TABLE pair(a INTEGER PRIMARY KEY, b BLOB NOT NULL) STRICT",
	"CREATE TABLE more(x TEXT NOT NULL) STRICT",
};

static char place[300], path[400], copy[400];

static const struct sqlite_config config = {.path = path,
                                            .application_id = 77,
                                            .version = 3,
                                            .schema = schema,
                                            .schema_count = 2};

static struct sqlite *make(void)
{
	struct sqlite_config c = config;
	struct sqlite *db;
	struct error err;
	c.create = true;
	unlink(path);
	unlink(copy);
	if (sqlite_open(&c, &db, &err) < 0)
		fail_msg("%s", err.text);
	return db;
}

static struct sqlite *open_again(void)
{
	struct sqlite *db;
	struct error err;
	if (sqlite_open(&config, &db, &err) < 0)
		fail_msg("%s", err.text);
	return db;
}

static int put(struct sqlite *db, uint64_t a, const char *b, struct error *err)
{
	struct sqlite_statement *s;
	int rc = sqlite_prepare(db, "write a pair", "INSERT INTO pair(a, b) VALUES(?1, ?2)", &s, err);
	if (rc < 0)
		return rc;
	sqlite_bind_u64(s, 1, a);
	sqlite_bind_bytes(s, 2, b, strlen(b));
	rc = sqlite_run(s, err);
	sqlite_statement_free(s);
	return rc;
}

static uint64_t sum(struct sqlite *db)
{
	struct sqlite_statement *s;
	bool row;
	uint64_t total = 0;
	assert_int_equal(sqlite_prepare(db, "read pairs", "SELECT a FROM pair", &s, NULL), 0);
	while (sqlite_step(s, &row, NULL) == 0 && row)
		total += sqlite_column_u64(s, 0);
	sqlite_statement_free(s);
	return total;
}

static void test_transactions(void **state)
{
	(void)state;
	struct sqlite *db = make();
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(sqlite_begin(db, NULL), 0);
	assert_true(sqlite_in_transaction(db));
	assert_int_equal(put(db, 1, "one", NULL), 0);
	assert_int_equal(sqlite_mark(db, NULL), 0);
	assert_int_equal(put(db, 2, "two", NULL), 0);
	assert_int_equal(sqlite_mark_undo(db, NULL), 0);
	assert_int_equal(sqlite_mark(db, NULL), 0);
	assert_int_equal(put(db, 4, "", NULL), 0);
	assert_int_equal(sqlite_mark_keep(db, NULL), 0);
	assert_int_equal(sum(db), 5);
	assert_int_equal(sqlite_commit(db, NULL), 0);
	assert_false(sqlite_in_transaction(db));
	assert_int_equal(sqlite_begin(db, NULL), 0);
	assert_int_equal(put(db, 8, "eight", NULL), 0);
	assert_int_equal(sum(db), 13);
	sqlite_rollback(db);
	assert_int_equal(sum(db), 5);
	assert_int_equal(sqlite_begin(db, NULL), 0);
	assert_int_equal(put(db, 16, "lost by closing", NULL), 0);
	sqlite_close(db);
	db = open_again();
	assert_int_equal(sum(db), 5);
	assert_false(sqlite_in_doubt(db));
	sqlite_close(db);
	sqlite_close(NULL);
}

static void test_errors(void **state)
{
	(void)state;
	struct sqlite *db = make(), *second;
	struct sqlite_statement *s;
	struct error err;
	bool row;
	assert_int_equal(put(db, 1, "SecretValue", NULL), 0);
	assert_int_equal(put(db, 1, "SecretValue", &err), CELLA_EEXIST);
	assert_non_null(strstr(err.text, "cannot write a pair in the database"));
	assert_null(strstr(err.text, "SecretValue"));
	assert_int_equal(put(db, UINT64_MAX, "", &err), CELLA_ELIMIT);
	assert_int_equal(sqlite_prepare(db, "do nonsense", "SELEKT 1", &s, &err), CELLA_EFORMAT);
	assert_non_null(strstr(err.text, "cannot do nonsense"));
	assert_int_equal(sqlite_prepare(db, "bind", "SELECT ?1", &s, &err), 0);
	sqlite_bind_u64(s, 9, 1); /* which shows at the next step, until reset */
	assert_true(sqlite_step(s, &row, &err) < 0);
	sqlite_reset(s);
	sqlite_bind_u64(s, 1, 12);
	assert_int_equal(sqlite_step(s, &row, &err), 0);
	assert_int_equal(sqlite_column_u64(s, 0), 12);
	sqlite_statement_free(s);
	assert_int_equal(sqlite_open(&config, &second, &err), CELLA_EAGAIN);
	assert_non_null(strstr(err.text, "another process has the database"));
	struct sqlite_config again = config;
	again.create = true;
	assert_int_equal(sqlite_open(&again, &second, &err), CELLA_EEXIST);
	assert_int_equal(sqlite_begin(db, NULL), 0);
	assert_int_equal(sqlite_backup(db, copy, &err), CELLA_EBUG);
	sqlite_close(db);
	assert_int_equal(truncate(path, 5000), 0);
	assert_int_equal(sqlite_open(&config, &second, &err) < 0, 1);
	assert_int_equal(truncate(path, 50), 0);
	assert_int_equal(sqlite_open(&config, &second, &err), CELLA_EFORMAT);
	unlink(path);
	assert_int_equal(sqlite_open(&config, &second, &err), CELLA_EIO);
}

static void test_not_ours(void **state)
{
	(void)state;
	static const char *const fewer[] = {
		"CREATE TABLE pair(a INTEGER PRIMARY KEY, b BLOB NOT NULL) STRICT"};
	static const char *const other[] = {
		"CREATE TABLE pair(a INTEGER PRIMARY KEY, b BLOB NOT NULL) STRICT",
		"CREATE TABLE more(x TEXT) STRICT",
	};
	struct sqlite_config wrong[4] = {config, config, config, config};
	static const int codes[] = {CELLA_EFORMAT, CELLA_EUNSUPPORTED, CELLA_EFORMAT, CELLA_EFORMAT};
	struct sqlite *db;
	struct error err;
	wrong[0].application_id++;
	wrong[1].version++;
	wrong[2].schema = fewer;
	wrong[2].schema_count = 1;
	wrong[3].schema = other;
	sqlite_close(make());
	for (size_t i = 0; i < array_count(wrong); i++)
		assert_int_equal(sqlite_open(&wrong[i], &db, &err), codes[i]);
	sqlite_close(open_again());
}

static void test_backup_and_quota(void **state)
{
	(void)state;
	static char large[100001];
	struct sqlite *db = make();
	struct error err;
	struct sqlite_config c = config;
	memset(large, 'x', sizeof(large) - 1);
	assert_int_equal(put(db, 3, "three", NULL), 0);
	assert_int_equal(sqlite_backup(db, copy, &err), 0);
	assert_int_equal(sqlite_backup(db, copy, &err), CELLA_EEXIST);
	assert_int_equal(put(db, 4, "four", NULL), 0);
	assert_int_equal(sqlite_examine(db, NULL), 0);
	sqlite_close(db);
	c.path = copy;
	c.quota = 60000;
	assert_int_equal(sqlite_open(&c, &db, &err), 0);
	assert_int_equal(sum(db), 3);
	assert_int_equal(put(db, 5, large, &err), CELLA_ENOSPC);
	assert_int_equal(put(db, 5, "small", &err), 0);
	assert_int_equal(sum(db), 8);
	sqlite_close(db);
}

static int start(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(place, sizeof(place), "%s/sqlite.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(place))
		return -1;
	snprintf(path, sizeof(path), "%s/db", place);
	snprintf(copy, sizeof(copy), "%s/copy", place);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	unlink(path);
	unlink(copy);
	return rmdir(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_backup_and_quota),
		cmocka_unit_test(test_errors),
	};
	return cmocka_run_group_tests(tests, start, finish);
}
