#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static const int full_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

int io_read_full(int fd, void *to, size_t size, struct error *err)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, (uint8_t *)to + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, CELLA_EIO, "cannot read");
		if (n == 0)
			return error_set(err, CELLA_EIO, "ended after %zu of %zu bytes", done, size);
		done += (size_t)n;
	}
	return 0;
}

int io_write_full(int fd, const void *from, size_t size, struct error *err)
{
	for (size_t done = 0; done < size;) {
		struct pollfd ready = {.fd = fd, .events = POLLOUT};
		ssize_t n = write(fd, (const uint8_t *)from + done, size - done);
		if (n < 0 && errno == EAGAIN)
			n = min_of(poll(&ready, 1, -1), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, CELLA_EIO, "cannot write");
		done += (size_t)n;
	}
	return 0;
}

int io_read_fd(int fd, const char *path, size_t limit, struct buf *ret, struct error *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return error_errno(err, CELLA_EIO, "cannot stat %s", path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, CELLA_EINVAL, "%s is a directory, not a file", path);
	size_t total = 0;
	for (;;) {
		size_t step = total == 0 && st.st_size > 0 ? (size_t)st.st_size + 1 : 65536;
		step = min_of(step - 1, limit - total) + 1;
		uint8_t *at = buf_reserve(ret, step);
		if (!at)
			return error_set(err, CELLA_ENOMEM, "no memory to read %s", path);
		ssize_t n = read(fd, at, step);
		ret->size -= step - (size_t)max_of(n, (ssize_t)0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, CELLA_EIO, "cannot read %s", path);
		if (n == 0)
			return 0;
		total += (size_t)n;
		if (total > limit)
			return error_set(err, CELLA_ELIMIT, "%s is larger than the %zu bytes allowed here",
			                 path, limit);
	}
}

int io_read_file(const char *path, size_t limit, struct buf *ret, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno == ENOENT ? CELLA_ENOENT : CELLA_EIO, "cannot open %s", path);
	return io_read_fd(fd, path, limit, ret, err);
}

static int write_into(const char *path, const void *data, size_t size, struct error *err)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, CELLA_EIO, "cannot open %s", path);
	int rc = io_write_full(fd, data, size, err);
	return rc < 0 ? error_prefix(err, rc, "writing %s: ", path) : 0;
}

int io_replace_file(const char *path, const void *data, size_t size, mode_t mode, struct error *err)
{
	char beside[PATH_MAX];
	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= (int)sizeof(beside))
		return error_set(err, CELLA_EINVAL, "the path %.60s... is too long", path);
	cleanup_close int fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, CELLA_EIO, "cannot create a file beside %s", path);
	int rc = io_write_full(fd, data, size, err);
	if (rc == 0 && fchmod(fd, mode) < 0)
		rc = error_errno(err, CELLA_EIO, "cannot set the mode");
	if (rc == 0 && rename(beside, path) < 0)
		rc = error_errno(err, CELLA_EIO, "cannot rename it into place");
	if (rc < 0) {
		unlink(beside);
		return error_prefix(err, rc, "writing %s: ", path);
	}
	return 0;
}

int io_write_file(const char *path, const void *data, size_t size, mode_t mode, struct error *err)
{
	struct stat st;
	char target[PATH_MAX];
	if (stat(path, &st) < 0)
		return io_replace_file(path, data, size, mode, err);
	if (!S_ISREG(st.st_mode))
		return write_into(path, data, size, err);
	if (!realpath(path, target))
		return error_errno(err, CELLA_EIO, "cannot resolve %s", path);
	return io_replace_file(target, data, size, mode, err);
}

int io_sync_name(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path))
	                                  : strdup(".");
	cleanup_close int fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return fd < 0 || fsync(fd) < 0 ? error_errno(err, CELLA_EIO, "cannot make the name %s durable", path)
	                               : 0;
}

int io_open_private(const char *path, const char *what, int *ret_fd, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno == ENOENT ? CELLA_ENOENT : CELLA_EIO, "cannot open %s %s", what,
		                   path);
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return error_set(err, CELLA_EPERM, "%s %s is open to others: chmod 600 it, as its owner",
		                 what, path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, CELLA_EFORMAT, "%s is no file that could hold %s", path, what);
	*ret_fd = take_fd(&fd);
	return 0;
}

int io_create_private(const char *path, const void *data, size_t size, struct error *err)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, errno == EEXIST ? CELLA_EEXIST : CELLA_EIO, "cannot create %s", path);
	int rc = io_write_full(fd, data, size, err);
	if (rc == 0 && fsync(fd) < 0)
		rc = error_errno(err, CELLA_EIO, "cannot make it durable");
	if (rc == 0)
		rc = io_sync_name(path, err);
	if (rc < 0)
		unlink(path);
	return rc < 0 ? error_prefix(err, rc, "writing %s: ", path) : 0;
}

int io_sealed_memfd(const char *name, const void *data, size_t size, bool executable, int *ret_fd,
                    struct error *err)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	cleanup_close int fd = memfd_create(name, flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL));
	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create(name, flags);
	if (fd < 0)
		return error_errno(err, CELLA_EIO, "cannot create the memory file %s", name);
	int rc = io_write_full(fd, data, size, err);
	if (rc < 0)
		return error_prefix(err, rc, "memory file %s: ", name);
	if (fcntl(fd, F_ADD_SEALS, full_seals) < 0)
		return error_errno(err, CELLA_EIO, "cannot seal the memory file %s", name);
	*ret_fd = take_fd(&fd);
	return 0;
}

int io_check_sealed(int fd, struct error *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & full_seals) != full_seals)
		return error_set(err, CELLA_EAUTH, "the memory file is not sealed against change");
	return 0;
}

int io_send_message(int socket, const void *data, size_t size, const int *fds, size_t fd_count,
                    struct error *err)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * IO_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd_count > IO_FDS_MAX)
		return error_set(err, CELLA_EBUG, "%zu descriptors in one message", fd_count);
	if (fd_count) {
		memset(&control, 0, sizeof(control));
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(head), fds, sizeof(int) * fd_count);
	}
	ssize_t n;
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, errno == EAGAIN ? CELLA_EAGAIN : CELLA_EIO, "cannot send a message");
	if ((size_t)n != size)
		return error_set(err, CELLA_EIO, "sent %zd of %zu bytes", n, size);
	return 0;
}

static void close_fds(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

/* Never more than the control buffer holds. */
static size_t collect_fds(struct msghdr *message, int ret_fds[IO_FDS_MAX])
{
	size_t count = 0;
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		size_t got = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(ret_fds + count, CMSG_DATA(head), got * sizeof(int));
		count += got;
	}
	return count;
}

/* A peer that closed with messages of ours unread resets the connection, and the kernel says so once
 * before it gives out what the peer sent last: so again. */
static ssize_t receive(int socket, struct msghdr *message)
{
	ssize_t n;
	do
		n = recvmsg(socket, message, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	return n;
}

int io_receive_message(int socket, void *data, size_t capacity, size_t *ret_size, int *ret_fds,
                       size_t fd_capacity, size_t *ret_fd_count, struct error *err)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * IO_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec part = {.iov_base = data, .iov_len = capacity};
	struct msghdr message = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control.bytes,
	                         .msg_controllen = sizeof(control.bytes)};
	int fds[IO_FDS_MAX];
	ssize_t n = receive(socket, &message);
	if (n < 0)
		return error_errno(err, errno == EAGAIN ? CELLA_EAGAIN : CELLA_EIO,
		                   "cannot receive a message");
	size_t count = collect_fds(&message, fds);
	if (message.msg_flags & MSG_TRUNC) {
		close_fds(fds, count);
		return error_set(err, CELLA_EFORMAT, "a message is longer than %zu bytes", capacity);
	}
	/* Callers take no bytes for the end, and look no further. */
	size_t kept = n ? min_of(count, fd_capacity) : 0;
	close_fds(fds + kept, count - kept);
	for (size_t i = 0; i < kept; i++)
		ret_fds[i] = fds[i];
	*ret_size = (size_t)n;
	if (ret_fd_count)
		*ret_fd_count = kept;
	return 0;
}

void io_hex(const void *data, size_t size, char *to)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	for (size_t i = 0; i < size; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
	to[2 * size] = '\0';
}

int io_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool io_unhex(const char *digits, size_t size, void *ret)
{
	for (size_t i = 0; i < 2 * size; i++)
		if (io_hex_digit(digits[i]) < 0)
			return false;
	for (size_t i = 0; i < size; i++)
		((uint8_t *)ret)[i] = (uint8_t)(io_hex_digit(digits[2 * i]) << 4 |
		                                io_hex_digit(digits[2 * i + 1]));
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

bool io_unhex_text(const char *text, size_t size, struct buf *ret)
{
	int high = -1;
	size_t at = 0, count = 0;
	while (at < size && is_space(text[at]))
		at++;
	if (size - at >= 2 && text[at] == '0' && (text[at + 1] == 'x' || text[at + 1] == 'X'))
		at += 2;
	for (; at < size; at++) {
		const int digit = io_hex_digit(text[at]);
		if (digit < 0 && is_space(text[at]))
			continue;
		if (digit < 0)
			return false;
		if (high >= 0)
			buf_put_u8(ret, (uint8_t)(high << 4 | digit));
		high = high >= 0 ? -1 : digit;
		count++;
	}
	return high < 0 && count > 0;
}
