/* Do buffers, readers, maps, errors, the log and the I/O helpers keep what their headers promise? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "base/printable.h"

/* Buffers and readers. */

static void integers_are_little_endian_and_come_back(void **state)
{
	(void)state;
	static const uint8_t expected[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f,
	                                   0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08};
	cleanup_buf struct buf b = {0};
	buf_put_u8(&b, 0x01);
	buf_put_u16(&b, 0x0203);
	buf_put_u32(&b, 0x04050607);
	buf_put_u64(&b, 0x08090a0b0c0d0e0f);
	assert_false(b.failed);
	assert_int_equal(b.size, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));

	struct reader r = reader_of(b.data, b.size);
	assert_int_equal(reader_u8(&r), 0x01);
	assert_int_equal(reader_u16(&r), 0x0203);
	assert_int_equal(reader_u32(&r), 0x04050607);
	assert_true(reader_u64(&r) == 0x08090a0b0c0d0e0f);
	assert_true(reader_finished(&r));
}

static void blobs_and_strings_come_back_in_place(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	buf_put_blob(&b, "\0\1\2", 3);
	buf_put_string(&b, "");
	buf_put_string(&b, "recording");
	struct reader r = reader_of(b.data, b.size);
	size_t size;
	const uint8_t *blob = reader_blob(&r, &size);
	assert_int_equal(size, 3);
	assert_ptr_equal(blob, b.data + 4);
	assert_non_null(reader_blob(&r, &size));
	assert_int_equal(size, 0);
	assert_memory_equal(reader_blob(&r, &size), "recording", 9);
	assert_int_equal(size, 9);
	assert_int_equal(reader_left(&r), 0);
	assert_true(reader_finished(&r));
}

static void a_buf_grows_over_many_writes(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	for (uint32_t i = 0; i < 100000; i++)
		buf_put_u32(&b, i);
	assert_false(b.failed);
	assert_int_equal(b.size, 400000);
	struct reader r = reader_of(b.data, b.size);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(reader_u32(&r), i);
	buf_done(&b);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
}

static void printf_appends_without_its_terminator(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	buf_printf(&b, "%s-%04d", "cell", 7);
	buf_printf(&b, "%s", "");
	buf_printf(&b, "%300s", "x");
	assert_false(b.failed);
	assert_int_equal(b.size, 9 + 300);
	assert_memory_equal(b.data, "cell-0007", 9);
	assert_int_equal(b.data[308], 'x');
}

static void reserve_gives_zeroed_room(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	for (int round = 0; round < 20; round++) {
		uint8_t *at = buf_reserve(&b, 1000);
		assert_non_null(at);
		for (size_t i = 0; i < 1000; i++)
			assert_int_equal(at[i], 0);
		memset(at, 0xff, 1000);
		b.size -= 500;
	}
	assert_int_equal(b.size, 20 * 500);
}

static void copy_takes_bytes_out(void **state)
{
	(void)state;
	char to[4];
	struct reader r = reader_of("abcdef", 6);
	reader_copy(&r, to, 4);
	assert_memory_equal(to, "abcd", 4);
	assert_int_equal(reader_left(&r), 2);
	assert_false(reader_finished(&r));
}

static void a_reader_that_failed_returns_zeros_and_stays(void **state)
{
	(void)state;
	uint8_t to[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	size_t size = 99;
	struct reader r = reader_of("\1\2\3", 3);
	assert_int_equal(reader_u8(&r), 1);
	assert_int_equal(reader_u32(&r), 0);
	assert_true(r.failed);
	assert_int_equal(r.at, 1);
	assert_int_equal(reader_u8(&r), 0);
	assert_null(reader_bytes(&r, 0));
	assert_null(reader_blob(&r, &size));
	assert_int_equal(size, 0);
	reader_copy(&r, to, sizeof(to));
	assert_memory_equal(to, "\0\0\0\0\0\0\0\0", sizeof(to));
	assert_false(reader_finished(&r));
}

static void a_blob_longer_than_the_input_fails(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{"", 0}, {"\1\0\0", 3}, {"\1\0\0\0", 4}, {"\4\0\0\0abc", 7}, {"\377\377\377\377abc", 7},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct reader r = reader_of(cases[i].bytes, cases[i].size);
		size_t size = 99;
		assert_null(reader_blob(&r, &size));
		assert_int_equal(size, 0);
		assert_true(r.failed);
	}
}

static void a_buf_that_failed_drops_what_is_written(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	buf_put_u8(&b, 1);
	assert_null(buf_reserve(&b, SIZE_MAX / 2));
	assert_true(b.failed);
	buf_put_u64(&b, 2);
	buf_printf(&b, "%d", 3);
	assert_int_equal(b.size, 1);

	cleanup_buf struct buf large = {0};
	buf_put_blob(&large, "x", (size_t)UINT32_MAX + 1);
	assert_true(large.failed);
	assert_int_equal(large.size, 0);
}

/* Maps. */

/* A generator good enough to mix operations (Marsaglia's xorshift64). */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void a_map_agrees_with_an_array(void **state)
{
	(void)state;
	enum { KEYS = 512, ROUNDS = 200000 };
	static char *model[KEYS];
	static char values[16];
	struct map m = {0};
	uint64_t seed = 1;
	size_t count = 0;
	for (size_t round = 0; round < ROUNDS; round++) {
		uint64_t key = next_random(&seed) % KEYS;
		char *value = &values[next_random(&seed) % array_count(values)];
		if (next_random(&seed) % 2) {
			assert_int_equal(map_put(&m, key << 32, value), 0);
			count += !model[key];
			model[key] = value;
		} else {
			assert_ptr_equal(map_take(&m, key << 32), model[key]);
			count -= model[key] != NULL;
			model[key] = NULL;
		}
		assert_int_equal(m.count, count);
	}
	for (uint64_t key = 0; key < KEYS; key++)
		assert_ptr_equal(map_get(&m, key << 32), model[key]);
	map_done(&m);
}

static void map_next_visits_each_entry_once(void **state)
{
	(void)state;
	static bool seen[1000];
	static char value;
	struct map m = {0};
	for (uint64_t key = 0; key < array_count(seen); key++)
		assert_int_equal(map_put(&m, key, &value), 0);
	struct map_slot *slot;
	size_t visited = 0;
	for (size_t i = 0; (slot = map_next(&m, &i)); visited++) {
		assert_false(seen[slot->key]);
		seen[slot->key] = true;
	}
	assert_int_equal(visited, array_count(seen));
	map_done(&m);
}

static void an_empty_map_holds_nothing(void **state)
{
	(void)state;
	struct map m = {0};
	size_t at = 0;
	assert_null(map_get(&m, 1));
	assert_null(map_take(&m, 1));
	assert_null(map_next(&m, &at));
	map_done(&m);
}

/* Errors. */

static void an_error_keeps_code_and_sentence(void **state)
{
	(void)state;
	struct error err;
	assert_int_equal(error_set(&err, CELLA_EFORMAT, "section %d", 3), CELLA_EFORMAT);
	assert_int_equal(err.code, CELLA_EFORMAT);
	assert_string_equal(err.text, "section 3");
	assert_int_equal(error_prefix(&err, CELLA_EIO, "bundle %s: ", "a.cell"), CELLA_EIO);
	assert_int_equal(err.code, CELLA_EIO);
	assert_string_equal(err.text, "bundle a.cell: section 3");
	errno = ENOENT;
	assert_int_equal(error_errno(&err, CELLA_ENOENT, "cannot open %s", "x"), CELLA_ENOENT);
	assert_string_equal(err.text, "cannot open x: No such file or directory");
}

static void an_error_object_is_optional(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, CELLA_EBUG, "x"), CELLA_EBUG);
	assert_int_equal(error_errno(NULL, CELLA_EIO, "x"), CELLA_EIO);
	assert_int_equal(error_prefix(NULL, CELLA_EIO, "x"), CELLA_EIO);
}

static void a_long_error_is_cut_not_overrun(void **state)
{
	(void)state;
	struct error err;
	errno = EIO;
	error_errno(&err, CELLA_EIO, "%2000s", "end");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	error_set(&err, CELLA_EIO, "%990s", "tail");
	error_prefix(&err, CELLA_EIO, "%s", "a prefix of some length: ");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "a prefix of some length: ", 25);
	error_prefix(&err, CELLA_EIO, "%2000s", "x");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void every_code_has_a_name(void **state)
{
	(void)state;
	for (int code = 0; code >= CELLA_EFENCED; code--)
		assert_string_not_equal(cella_error_name(code), "unknown error");
	assert_string_equal(cella_error_name(CELLA_EFENCED - 1), "unknown error");
	assert_string_equal(cella_error_name(1), "unknown error");
}

/* The log. */

static void the_log_writes_one_line_up_to_its_level(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	log_open("test", ends[1], LOG_LEVEL_INFO);
	log_debug("left out");
	log_info("cell %d", 1);
	log_error("\x1b[2J\ntest: info: \xc3\xa9\xc3");
	log_error("%3000s", "x");
	log_open("test", -1, LOG_LEVEL_DEBUG);
	log_error("nowhere");
	close(ends[1]);
	char text[4096] = "";
	size_t size = 0;
	for (ssize_t n; (n = read(ends[0], text + size, sizeof(text) - size)) > 0;)
		size += (size_t)n;
	close(ends[0]);
	static const char first[] = "test: info: cell 1\ntest: error: ?[2J?test: info: \xc3\xa9?\n";
	const size_t at = strlen(first);
	assert_memory_equal(text, first, at);
	assert_memory_equal(text + at, "test: error:   ", 15);
	assert_in_range(size, 1000, 1400);
	assert_int_equal(text[size - 1], '\n');
	assert_ptr_equal(memchr(text + at, '\n', size - at), text + size - 1);
}

static void the_environment_names_the_level(void **state)
{
	(void)state;
	cleanup_close int saved = dup(STDERR_FILENO);
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	assert_return_code(dup2(ends[1], STDERR_FILENO), errno);
	close(ends[1]);
	setenv("CELLA_LOG", "error", 1);
	log_from_environment("test");
	log_warn("left out");
	setenv("CELLA_LOG", "no such level", 1);
	log_from_environment("test");
	log_warn("default");
	log_info("left out");
	unsetenv("CELLA_LOG");
	log_open("test", -1, LOG_LEVEL_WARN);
	assert_return_code(dup2(saved, STDERR_FILENO), errno);
	char text[100];
	ssize_t size = read(ends[0], text, sizeof(text));
	close(ends[0]);
	assert_int_equal(size, 20);
	assert_memory_equal(text, "test: warn: default\n", 20);
}

/* Files and descriptors. */

struct scratch {
	char directory[64];
	char path[96];
};

static int scratch_new(void **state)
{
	struct scratch *s = calloc(1, sizeof(*s));
	if (!s)
		return -1;
	const char *parent = getenv("TMPDIR");
	snprintf(s->directory, sizeof(s->directory), "%.40s/cella-base-XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(s->directory)) {
		free(s);
		return -1;
	}
	snprintf(s->path, sizeof(s->path), "%s/file", s->directory);
	*state = s;
	return 0;
}

static int scratch_free(void **state)
{
	struct scratch *s = *state;
	unlink(s->path);
	int rc = rmdir(s->directory); /* fails if something was left beside the file */
	free(s);
	return rc;
}

static void a_file_is_replaced_whole_and_read_back(void **state)
{
	struct scratch *s = *state;
	struct error err;
	struct stat st;
	assert_int_equal(io_write_file(s->path, "first and longer", 16, 0600, &err), 0);
	assert_int_equal(io_write_file(s->path, "second", 6, 0640, &err), 0);
	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	cleanup_buf struct buf b = {0};
	buf_put_u8(&b, '>');
	assert_int_equal(io_read_file(s->path, 6, &b, &err), 0);
	assert_int_equal(b.size, 7);
	assert_memory_equal(b.data, ">second", 7);
}

static void a_link_is_followed_and_a_device_is_written_to(void **state)
{
	struct scratch *s = *state;
	struct error err;
	struct stat st;
	char link[sizeof(s->directory) + 8];
	cleanup_buf struct buf b = {0};
	snprintf(link, sizeof(link), "%s/link", s->directory);
	assert_int_equal(io_write_file(s->path, "first", 5, 0600, &err), 0);
	assert_int_equal(symlink(s->path, link), 0);
	assert_int_equal(io_write_file(link, "second", 6, 0600, &err), 0);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(io_read_file(s->path, 6, &b, &err), 0);
	assert_memory_equal(b.data, "second", 6);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("/dev/full", link), 0);
	assert_int_equal(io_write_file(link, "lost", 4, 0600, &err), CELLA_EIO);
	assert_int_equal(stat(link, &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(unlink(link), 0);
}

static void a_file_of_many_blocks_is_read_whole(void **state)
{
	struct scratch *s = *state;
	struct error err;
	enum { SIZE = 1000001 };
	cleanup_buf struct buf out = {0}, in = {0};
	uint8_t *bytes = buf_reserve(&out, SIZE);
	assert_non_null(bytes);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * i >> 3);
	assert_int_equal(io_write_file(s->path, bytes, SIZE, 0600, &err), 0);
	assert_int_equal(io_read_file(s->path, SIZE_MAX, &in, &err), 0);
	assert_int_equal(in.size, SIZE);
	assert_memory_equal(in.data, bytes, SIZE);
}

static void a_file_past_the_limit_or_missing_is_refused(void **state)
{
	struct scratch *s = *state;
	struct error err;
	cleanup_buf struct buf b = {0};
	assert_int_equal(io_read_file(s->path, 10, &b, &err), CELLA_ENOENT);
	assert_non_null(strstr(err.text, s->path));
	assert_int_equal(io_write_file(s->path, "0123456789", 10, 0600, &err), 0);
	assert_int_equal(io_read_file(s->path, 9, &b, &err), CELLA_ELIMIT);
	assert_non_null(strstr(err.text, "9 bytes"));
	assert_int_equal(io_read_file(s->directory, 9, &b, &err), CELLA_EINVAL);
	assert_int_equal(io_write_file("/nowhere/at/all", "x", 1, 0600, &err), CELLA_EIO);
	assert_int_equal(io_write_file(s->directory, "x", 1, 0600, &err), CELLA_EIO);
}

static void *write_in_pieces(void *arg)
{
	int fd = *(int *)arg;
	static const char bytes[] = "abcdefghij";
	for (size_t i = 0; i < 10; i++)
		if (write(fd, bytes + i, 1) != 1)
			abort();
	close(fd);
	return NULL;
}

static void a_full_read_waits_for_every_piece(void **state)
{
	(void)state;
	int ends[2];
	struct error err;
	pthread_t writer;
	char to[8];
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_in_pieces, &ends[1]), 0);
	assert_int_equal(io_read_full(ends[0], to, 8, &err), 0);
	assert_memory_equal(to, "abcdefgh", 8);
	assert_int_equal(io_read_full(ends[0], to, 8, &err), CELLA_EIO);
	assert_string_equal(err.text, "ended after 2 of 8 bytes");
	pthread_join(writer, NULL);
	close(ends[0]);
	assert_int_equal(io_read_full(-1, to, 1, &err), CELLA_EIO);
}

static void *read_all_slowly(void *data)
{
	int *fd = data;
	size_t *sum = calloc(1, sizeof(*sum));
	uint8_t piece[1000];
	for (ssize_t n; (n = read(*fd, piece, sizeof(piece))) > 0;)
		*sum += (size_t)n;
	return sum;
}

static void a_write_waits_for_a_pipe_that_does_not_block(void **state)
{
	(void)state;
	static uint8_t bytes[1 << 20];
	int ends[2];
	struct error err;
	pthread_t reader;
	void *sum;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_all_slowly, &ends[0]), 0);
	assert_int_equal(io_write_full(ends[1], bytes, sizeof(bytes), &err), 0);
	close(ends[1]);
	pthread_join(reader, &sum);
	assert_int_equal(*(size_t *)sum, sizeof(bytes));
	free(sum);
	close(ends[0]);
}

static void a_write_to_a_closed_pipe_is_an_error(void **state)
{
	(void)state;
	int ends[2];
	struct error err;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(io_write_full(ends[1], "x", 1, &err), CELLA_EIO);
	close(ends[1]);
	signal(SIGPIPE, SIG_DFL);
}

static void a_sealed_memory_file_cannot_change(void **state)
{
	(void)state;
	struct error err;
	cleanup_close int fd = -1;
	assert_int_equal(io_sealed_memfd("test", "content", 7, false, &fd, &err), 0);
	assert_int_equal(io_check_sealed(fd, &err), 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 3), -1);
	assert_int_equal(ftruncate(fd, 100), -1);
	assert_ptr_equal(mmap(NULL, 7, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	cleanup_buf struct buf b = {0};
	assert_return_code(lseek(fd, 0, SEEK_SET), errno);
	assert_int_equal(io_read_fd(fd, "test", 100, &b, &err), 0);
	assert_memory_equal(b.data, "content", 7);
	enum { NOEXEC_SEAL = 8 }; /* MFD_NOEXEC_SEAL, since Linux 6.3 */
	cleanup_close int known = memfd_create("test", NOEXEC_SEAL), program = -1;
	assert_int_equal(io_sealed_memfd("test", "content", 7, true, &program, &err), 0);
	assert_int_equal(fchmod(program, 0500), 0);
	if (known >= 0)
		assert_int_equal(fchmod(fd, 0500), -1);
}

static void a_memory_file_with_fewer_seals_is_refused(void **state)
{
	struct scratch *s = *state;
	struct error err;
	cleanup_close int fd = memfd_create("test", MFD_ALLOW_SEALING);
	assert_return_code(fd, errno);
	static const int seals[] = {0, F_SEAL_WRITE, F_SEAL_GROW, F_SEAL_SHRINK};
	for (size_t i = 0; i < array_count(seals); i++) {
		assert_return_code(fcntl(fd, F_ADD_SEALS, seals[i]), errno);
		assert_int_equal(io_check_sealed(fd, &err), CELLA_EAUTH);
	}
	assert_return_code(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), errno);
	assert_int_equal(io_check_sealed(fd, &err), 0);
	assert_int_equal(io_write_file(s->path, "x", 1, 0600, &err), 0);
	cleanup_close int file = open(s->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(io_check_sealed(file, &err), CELLA_EAUTH);
}

static void hex_is_lower_case(void **state)
{
	(void)state;
	char to[9];
	io_hex("\x00\x1f\xab\xff", 4, to);
	assert_string_equal(to, "001fabff");
	io_hex("", 0, to);
	assert_string_equal(to, "");
}

/* Messages with descriptors. */

static size_t open_descriptors(void)
{
	size_t count = 0;
	for (int fd = 0; fd < 1000; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void descriptors_arrive_close_on_exec(void **state)
{
	(void)state;
	int ends[2], got[IO_FDS_MAX], sent[IO_FDS_MAX];
	struct error err;
	char text[16];
	size_t size, count;
	size_t before = open_descriptors();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	for (size_t i = 0; i < IO_FDS_MAX; i++)
		sent[i] = ends[i % 2];
	assert_int_equal(io_send_message(ends[0], "hello", 5, sent, IO_FDS_MAX, &err), 0);
	assert_int_equal(io_receive_message(ends[1], text, sizeof(text), &size, got, IO_FDS_MAX, &count,
	                                    &err),
	                 0);
	assert_int_equal(size, 5);
	assert_memory_equal(text, "hello", 5);
	assert_int_equal(count, IO_FDS_MAX);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
		close(got[i]);
	}
	close(ends[0]);
	assert_int_equal(io_receive_message(ends[1], text, sizeof(text), &size, got, 0, NULL, &err), 0);
	assert_int_equal(size, 0);
	close(ends[1]);
	assert_int_equal(open_descriptors(), before);
}

static void descriptors_that_do_not_fit_are_closed(void **state)
{
	(void)state;
	int ends[2], got[2], sent[5];
	struct error err;
	char text[16];
	size_t size, count;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	for (size_t i = 0; i < array_count(sent); i++)
		sent[i] = ends[0];
	size_t before = open_descriptors();
	assert_int_equal(io_send_message(ends[0], "x", 1, sent, 5, &err), 0);
	assert_int_equal(io_receive_message(ends[1], text, sizeof(text), &size, got, 2, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_int_equal(open_descriptors(), before + 2);
	close(got[0]);
	close(got[1]);

	assert_int_equal(io_send_message(ends[0], "", 0, sent, 2, &err), 0);
	assert_int_equal(io_receive_message(ends[1], text, sizeof(text), &size, got, 2, &count, &err), 0);
	assert_int_equal(size, 0);
	assert_int_equal(count, 0);
	assert_int_equal(open_descriptors(), before);

	got[0] = got[1] = -1;
	size = count = 77;
	assert_int_equal(io_send_message(ends[0], "seventeen letters", 17, sent, 1, &err), 0);
	assert_int_equal(io_receive_message(ends[1], text, sizeof(text), &size, got, 2, &count, &err),
	                 CELLA_EFORMAT);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(got[0], -1);
	assert_int_equal(size, 77);
	assert_int_equal(count, 77);
	close(ends[0]);
	close(ends[1]);
}

/* A peer that closes with unread messages resets the connection, and the kernel reports that first. */
static void what_a_peer_said_last_is_heard(void **state)
{
	(void)state;
	int ends[2], got[2] = {-1, -1};
	struct error err;
	char text[16];
	size_t size, count;
	size_t before = open_descriptors();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_int_equal(io_send_message(ends[0], "never read", 10, NULL, 0, &err), 0);
	assert_int_equal(io_send_message(ends[1], "why", 3, ends, 1, &err), 0);
	close(ends[1]);
	assert_int_equal(io_receive_message(ends[0], text, sizeof(text), &size, got, 2, &count, &err), 0);
	assert_int_equal(size, 3);
	assert_memory_equal(text, "why", 3);
	assert_int_equal(count, 1);
	close(got[0]);
	assert_int_equal(io_receive_message(ends[0], text, sizeof(text), &size, got, 2, &count, &err), 0);
	assert_int_equal(size, 0);
	assert_int_equal(count, 0);
	close(ends[0]);
	assert_int_equal(open_descriptors(), before);
}

static void messages_that_cannot_be_sent_are_errors(void **state)
{
	(void)state;
	int ends[2], sent[IO_FDS_MAX + 1] = {0};
	struct error err;
	char text[16];
	size_t size;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(io_receive_message(ends[0], text, sizeof(text), &size, NULL, 0, NULL, &err),
	                 CELLA_EAGAIN);
	assert_int_equal(io_send_message(ends[0], "x", 1, sent, IO_FDS_MAX + 1, &err), CELLA_EBUG);
	int rc = 0;
	for (size_t i = 0; i < 100000 && rc == 0; i++)
		rc = io_send_message(ends[0], "0123456789abcdef", 16, NULL, 0, &err);
	assert_int_equal(rc, CELLA_EAGAIN);
	close(ends[1]);
	assert_int_equal(io_send_message(ends[0], "x", 1, NULL, 0, &err), CELLA_EIO);
	close(ends[0]);
}

/* What strangers say. */

static void no_control_character_reaches_a_terminal(void **state)
{
	(void)state;
	static const struct {
		const char *said, *shown;
		bool lines;
	} cases[] = {
		{"", "", false},
		{"plain ~", "plain ~", false},
		{"\033[31mred\x7f\r", "?[31mred??", false},
		{"one\ntwo", "one?two", false},
		{"one\ntwo", "one\ntwo", true},
		{"Gr\xc3\xb6\xc3\x9f"
	         "e \xe2\x82\xac \xf0\x9f\x90\x9a",
	         "Gr\xc3\xb6\xc3\x9f"
	         "e \xe2\x82\xac \xf0\x9f\x90\x9a",
	         false},
		{"\xc2\xa0", "\xc2\xa0", false},
		{"raw \x9b"
	         "31m \x80\x9f",
	         "raw ?31m ??", false},
		{"CSI \xc2\x9b"
	         "31m",
	         "CSI ??31m", false},
		{"overlong \xc1\x9b \xe0\x82\x9b \xf0\x80\x82\x9b", "overlong ?? ??? ????", false},
		{"surrogate \xed\xa0\x80", "surrogate ???", false},
		{"beyond \xf4\x90\x80\x80 \xf8", "beyond ???? ?", false},
		{"cut \xe2\x82", "cut ??", false},
		{"cut \xe2\x82z", "cut ??z", false},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		char text[64];
		snprintf(text, sizeof(text), "%s", cases[i].said);
		printable(text, strlen(text), cases[i].lines);
		assert_string_equal(text, cases[i].shown);
	}
}

/* The rest. */

static void cleanup_closes_and_take_keeps(void **state)
{
	(void)state;
	size_t before = open_descriptors();
	int kept;
	{
		cleanup_close int closed = dup(0), taken = dup(0);
		cleanup_free char *text = malloc(10);
		assert_return_code(closed, errno);
		kept = take_fd(&taken);
		assert_int_equal(taken, -1);
		char *stolen = take_ptr(&text);
		assert_null(text);
		free(stolen);
	}
	assert_int_equal(open_descriptors(), before + 1);
	close(kept);
}

static void the_clock_does_not_go_back(void **state)
{
	(void)state;
	uint64_t last = clock_ns();
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_ns();
		assert_true(now >= last);
		last = now;
	}
}

#define in_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_new, scratch_free)

/* Wherever the one byte lies that is not. */
static void test_zero_bytes(void **state)
{
	(void)state;
	uint8_t bytes[27] = {0};
	for (size_t size = 0; size < sizeof(bytes); size++) {
		assert_true(bytes_are_zero(bytes + 1, size));
		for (size_t at = 0; at < size; at++) {
			bytes[1 + at] = 1;
			assert_false(bytes_are_zero(bytes + 1, size));
			bytes[1 + at] = 0;
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_bytes),
		cmocka_unit_test(integers_are_little_endian_and_come_back),
		cmocka_unit_test(blobs_and_strings_come_back_in_place),
		cmocka_unit_test(a_buf_grows_over_many_writes),
		cmocka_unit_test(printf_appends_without_its_terminator),
		cmocka_unit_test(reserve_gives_zeroed_room),
		cmocka_unit_test(copy_takes_bytes_out),
		cmocka_unit_test(a_reader_that_failed_returns_zeros_and_stays),
		cmocka_unit_test(a_blob_longer_than_the_input_fails),
		cmocka_unit_test(a_buf_that_failed_drops_what_is_written),
		cmocka_unit_test(a_map_agrees_with_an_array),
		cmocka_unit_test(map_next_visits_each_entry_once),
		cmocka_unit_test(an_empty_map_holds_nothing),
		cmocka_unit_test(an_error_keeps_code_and_sentence),
		cmocka_unit_test(an_error_object_is_optional),
		cmocka_unit_test(a_long_error_is_cut_not_overrun),
		cmocka_unit_test(every_code_has_a_name),
		cmocka_unit_test(the_log_writes_one_line_up_to_its_level),
		cmocka_unit_test(the_environment_names_the_level),
		in_scratch(a_file_is_replaced_whole_and_read_back),
		in_scratch(a_link_is_followed_and_a_device_is_written_to),
		in_scratch(a_file_of_many_blocks_is_read_whole),
		in_scratch(a_file_past_the_limit_or_missing_is_refused),
		cmocka_unit_test(a_full_read_waits_for_every_piece),
		cmocka_unit_test(a_write_waits_for_a_pipe_that_does_not_block),
		cmocka_unit_test(a_write_to_a_closed_pipe_is_an_error),
		cmocka_unit_test(a_sealed_memory_file_cannot_change),
		in_scratch(a_memory_file_with_fewer_seals_is_refused),
		cmocka_unit_test(hex_is_lower_case),
		cmocka_unit_test(descriptors_arrive_close_on_exec),
		cmocka_unit_test(descriptors_that_do_not_fit_are_closed),
		cmocka_unit_test(what_a_peer_said_last_is_heard),
		cmocka_unit_test(messages_that_cannot_be_sent_are_errors),
		cmocka_unit_test(no_control_character_reaches_a_terminal),
		cmocka_unit_test(cleanup_closes_and_take_keeps),
		cmocka_unit_test(the_clock_does_not_go_back),
	};
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
