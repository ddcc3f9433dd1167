/*
 * For tests of WASI: a fake cell with a directory of the test's own, places in the cell's memory, and the
 * calls that most tests make.
 */
#ifndef WASI_SUPPORT_H
#define WASI_SUPPORT_H

#include "cell/wasi/format.h"
#include "fake_cell.h"

/* Places in the cell's memory. */
enum {
	AT_RESULT = 64,
	AT_IOVECS = 128,
	AT_PATH = 1024,
	AT_SECOND = 6000,
	AT_DATA = 16384,
	AT_OTHER = 32768,
	END = FAKE_MEMORY,
};

/* What is open from the start: /w, /r and the root. */
enum { FD_W = 3, FD_R = 4, FD_ROOT = 5 };

static const uint64_t all_rights = (1 << 28) - 1;
static const uint64_t read_rights = WASI_FD_READ | WASI_FD_SEEK | WASI_FD_TELL | WASI_FD_READDIR |
                                    WASI_FD_FILESTAT_GET | WASI_PATH_OPEN | WASI_POLL_FD_READWRITE;

struct fixture {
	char host[64]; /* a directory of this test's own: w, r, outside */
	struct fake_cell *fake;
};

/* For cmocka: in the host's directory w lies data ("0123456789") beside the directory sub, in r fixed
 * ("fixed"), and in outside, which the cell is not given, secret ("secret"). */
int fixture_set_up(void **state);
/* As fixture_set_up, with these files (borrowed) from the start. */
int fixture_with_files(void **state, const struct wasi_file *files, size_t file_count);
int fixture_tear_down(void **state);
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)

/* Of the host, by names below its directory. */
void host_path(const struct fixture *f, const char *name, char to[256]);
void host_write(const struct fixture *f, const char *name, const char *text);
void assert_host_content(const struct fixture *f, const char *name, const char *text);

/* Open `path` from the directory; the answer, the descriptor in *ret_fd. */
uint32_t open_path(struct fake_cell *fake, uint32_t directory, const char *path, uint32_t oflags,
                   uint64_t rights, uint32_t fdflags, uint32_t *ret_fd);
/* The same, which succeeds; the descriptor. */
uint32_t opened(struct fake_cell *fake, uint32_t directory, const char *path, uint32_t oflags,
                uint64_t rights);
/* What takes a directory and a path; the answer, as of the next three. */
uint32_t one_path(struct fake_cell *fake, const char *call, uint32_t directory, const char *path);
uint32_t rename_path(struct fake_cell *fake, uint32_t from_directory, const char *from, uint32_t to_directory,
                     const char *to);
uint32_t write_text(struct fake_cell *fake, uint32_t fd, const char *text);
uint32_t read_some(struct fake_cell *fake, uint32_t fd, uint32_t size);
/* A read gives this text, and no more. */
void assert_reads(struct fake_cell *fake, uint32_t fd, const char *text);

#endif
