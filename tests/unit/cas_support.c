#include "cas_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

static void demand(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s\n", err->text);
	abort();
}

static struct mem_pool *pool;

int cas_start(void **state)
{
	(void)state;
	struct error err;
	if (mem_level_check(MEM_SECRET, 4 << 20, &err) == 0 &&
	    mem_pool_new(MEM_SECRET, 256 << 20, &pool, &err) < 0)
		return -1;
	mem_set_process_pool(pool);
	return crypto_init(pool, &err) < 0 ? -1 : 0;
}

int cas_start_ordinary(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL);
}

void cas_test_begin(struct cas_test *t)
{
	struct error err;
	const char *tmp = getenv("TMPDIR");
	*t = (struct cas_test){0};
	snprintf(t->place, sizeof(t->place), "%s/cas.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(t->place))
		abort();
	snprintf(t->directory, sizeof(t->directory), "%.400s/cas", t->place);
	snprintf(t->key_file, sizeof(t->key_file), "%.400s/key", t->place);
	demand(vault_key_file_create(t->key_file, &err), &err);
	t->config = (struct records_config){
		.directory = t->directory,
		.pool = pool,
		.sealing = {.kind = VAULT_KEY_FILE, .key_file = t->key_file},
		.now_ns = 1000,
		.who = "test",
	};
	demand(records_create(&t->config, &t->r, &err), &err);
}

void cas_test_open(struct cas_test *t)
{
	struct error err;
	demand(records_open(&t->config, &t->r, &err), &err);
}

void cas_test_close(struct cas_test *t)
{
	records_close(t->r);
	t->r = NULL;
}

static void remove_files(const char *directory)
{
	static const char *const names[] = {"vault",          "cas.db", "cas.db-wal",
	                                    "cas.db-journal", "head",   "lock"};
	char path[3 * CAS_PATH_MAX];
	for (size_t i = 0; i < array_count(names); i++) {
		snprintf(path, sizeof(path), "%.1000s/%s", directory, names[i]);
		unlink(path);
	}
	rmdir(directory);
}

void cas_test_end(struct cas_test *t)
{
	static const char *const others[] = {"copy", "old", "restored"};
	static const char *const files[] = {"key", "key2", "backup"};
	char path[3 * CAS_PATH_MAX];
	cas_test_close(t);
	remove_files(t->directory);
	for (size_t i = 0; i < array_count(others); i++) {
		snprintf(path, sizeof(path), "%s/%s", t->place, others[i]);
		remove_files(path);
	}
	for (size_t i = 0; i < array_count(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", t->place, files[i]);
		unlink(path);
	}
	if (rmdir(t->place) < 0)
		perror(t->place);
}

const char *cas_path(const struct cas_test *t, const char *name, char path[CAS_PATH_MAX])
{
	snprintf(path, CAS_PATH_MAX, "%.255s/%.200s", t->place, name);
	return path;
}

uint8_t *cas_read(const char *path, size_t *ret_size)
{
	struct buf b = {0};
	struct error err;
	demand(io_read_file(path, 64 << 20, &b, &err), &err);
	*ret_size = b.size;
	return b.data;
}

void cas_write(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct error err;
	if (fd < 0)
		abort();
	demand(io_write_full(fd, bytes, size, &err), &err);
	close(fd);
}

void cas_copy(const char *from, const char *to)
{
	size_t size;
	uint8_t *bytes = cas_read(from, &size);
	cas_write(to, bytes, size);
	free(bytes);
}

void cas_copy_directory(const struct cas_test *t, const char *from, const char *to)
{
	static const char *const names[] = {"vault", "cas.db", "cas.db-wal", "head"};
	char source[3 * CAS_PATH_MAX], target[3 * CAS_PATH_MAX];
	snprintf(target, sizeof(target), "%s/%s", t->place, to);
	remove_files(target);
	if (mkdir(target, 0700) < 0)
		abort();
	for (size_t i = 0; i < array_count(names); i++) {
		snprintf(source, sizeof(source), "%s/%s/%s", t->place, from, names[i]);
		snprintf(target, sizeof(target), "%s/%s/%s", t->place, to, names[i]);
		if (access(source, F_OK) == 0)
			cas_copy(source, target);
	}
}

void cas_hash(const char *text, uint8_t ret_hash[CRYPTO_SHA384_SIZE])
{
	struct error err;
	demand(crypto_sha384(text, strlen(text), ret_hash, &err), &err);
}

struct session_change {
	const char *name;
	struct records_session session;
};

static int put_session(struct records *r, void *arg, struct error *err)
{
	const struct session_change *c = arg;
	return records_session_put(r, c->name, &c->session, err);
}

void cas_put_session(struct records *r, const char *name, const char *text, const char *before)
{
	const struct audit_event event = {.kind = before ? AUDIT_SESSION_UPDATED : AUDIT_SESSION_CREATED,
	                                  .who = "owner",
	                                  .what = "{\"session\":true}"};
	struct session_change c = {
		.name = name,
		.session = {.creator = {7},
	                    .created_ns = 5,
	                    .updated_ns = 6,
	                    .policy = text,
	                    .policy_size = strlen(text)},
	};
	struct error err;
	cas_hash(text, c.session.hash);
	if (before)
		cas_hash(before, c.session.predecessor);
	demand(records_change(r, put_session, &c, &event, 2000, &err), &err);
}

struct secret_change {
	const char *session, *name, *value;
};

static int put_secret(struct records *r, void *arg, struct error *err)
{
	const struct secret_change *c = arg;
	uint64_t version;
	return records_secret_put(r, c->session, c->name, 1, c->value, strlen(c->value), 3, &version, err);
}

void cas_put_secret(struct records *r, const char *session, const char *name, const char *value)
{
	const struct audit_event event = {.kind = AUDIT_SECRET_SET, .who = "owner", .what = "{}"};
	struct secret_change c = {session, name, value};
	struct error err;
	demand(records_change(r, put_secret, &c, &event, 3000, &err), &err);
}
