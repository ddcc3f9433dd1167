#include "wasi_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <sys/stat.h>

#include "base/io.h"

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

void host_path(const struct fixture *f, const char *name, char to[256])
{
	snprintf(to, 256, "%s/%s", f->host, name);
}

void host_write(const struct fixture *f, const char *name, const char *text)
{
	char path[256];
	host_path(f, name, path);
	assert_int_equal(io_write_file(path, text, strlen(text), 0644, NULL), 0);
}

void assert_host_content(const struct fixture *f, const char *name, const char *text)
{
	char path[256];
	cleanup_buf struct buf content = {0};
	host_path(f, name, path);
	assert_int_equal(io_read_file(path, 1 << 20, &content, NULL), 0);
	assert_int_equal(content.size, strlen(text));
	if (content.size)
		assert_memory_equal(content.data, text, content.size);
}

int fixture_with_files(void **state, const struct wasi_file *files, size_t file_count)
{
	static const char *const arguments[] = {"program", "", "two words"};
	struct fixture *f = calloc(1, sizeof(*f));
	char path[256], read_only[256];
	snprintf(f->host, sizeof(f->host), "/tmp/cella-test-wasi-XXXXXX");
	assert_non_null(mkdtemp(f->host));
	static const char *const names[] = {"outside", "w", "r", "w/sub"};
	for (size_t i = 0; i < array_count(names); i++) {
		host_path(f, names[i], path);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	host_write(f, "outside/secret", "secret");
	host_write(f, "r/fixed", "fixed");
	host_write(f, "w/data", "0123456789");
	host_path(f, "w", path);
	host_path(f, "r", read_only);
	f->fake = fake_cell_new(arguments, array_count(arguments), files, file_count, path, read_only);
	*state = f;
	return 0;
}

int fixture_set_up(void **state)
{
	return fixture_with_files(state, NULL, 0);
}

int fixture_tear_down(void **state)
{
	struct fixture *f = *state;
	fake_cell_free(f->fake);
	nftw(f->host, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

uint32_t open_path(struct fake_cell *fake, uint32_t directory, const char *path, uint32_t oflags,
                   uint64_t rights, uint32_t fdflags, uint32_t *ret_fd)
{
	uint32_t size = fake_put(fake, AT_PATH, path);
	uint32_t rc = FAKE_CALL(fake, "path_open", directory, WASI_LOOKUP_SYMLINK_FOLLOW, AT_PATH, size,
	                        oflags, rights, all_rights, fdflags, AT_RESULT);
	*ret_fd = fake_u32(fake, AT_RESULT);
	return rc;
}

uint32_t opened(struct fake_cell *fake, uint32_t directory, const char *path, uint32_t oflags,
                uint64_t rights)
{
	uint32_t fd;
	assert_int_equal(open_path(fake, directory, path, oflags, rights, 0, &fd), WASI_SUCCESS);
	return fd;
}

uint32_t one_path(struct fake_cell *fake, const char *call, uint32_t directory, const char *path)
{
	return FAKE_CALL(fake, call, directory, AT_PATH, fake_put(fake, AT_PATH, path));
}

uint32_t rename_path(struct fake_cell *fake, uint32_t from_directory, const char *from, uint32_t to_directory,
                     const char *to)
{
	return FAKE_CALL(fake, "path_rename", from_directory, AT_PATH, fake_put(fake, AT_PATH, from),
	                 to_directory, AT_SECOND, fake_put(fake, AT_SECOND, to));
}

uint32_t write_text(struct fake_cell *fake, uint32_t fd, const char *text)
{
	fake_put_u32(fake, AT_IOVECS, AT_DATA);
	fake_put_u32(fake, AT_IOVECS + 4, fake_put(fake, AT_DATA, text));
	uint32_t rc = FAKE_CALL(fake, "fd_write", fd, AT_IOVECS, 1, AT_RESULT);
	if (rc == WASI_SUCCESS)
		assert_int_equal(fake_u32(fake, AT_RESULT), strlen(text));
	return rc;
}

uint32_t read_some(struct fake_cell *fake, uint32_t fd, uint32_t size)
{
	fake_put_u32(fake, AT_IOVECS, AT_DATA);
	fake_put_u32(fake, AT_IOVECS + 4, size);
	return FAKE_CALL(fake, "fd_read", fd, AT_IOVECS, 1, AT_RESULT);
}

void assert_reads(struct fake_cell *fake, uint32_t fd, const char *text)
{
	assert_int_equal(read_some(fake, fd, 1000), WASI_SUCCESS);
	assert_int_equal(fake_u32(fake, AT_RESULT), strlen(text));
	if (*text)
		assert_memory_equal(fake->memory + AT_DATA, text, strlen(text));
}
