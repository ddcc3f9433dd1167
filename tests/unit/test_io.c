/* Do the helpers for files, pipes, memory files and messages keep what their header promises, and are
 * descriptors closed that nobody keeps? */
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"

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
	snprintf(s->directory, sizeof(s->directory), "%.40s/cella-io-XXXXXX", parent ? parent : "/tmp");
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

#define in_scratch(test) cmocka_unit_test_setup_teardown(test, scratch_new, scratch_free)

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
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
		cmocka_unit_test(cleanup_closes_and_take_keeps),
	};
	return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
