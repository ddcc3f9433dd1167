/*
 * Runs a program in a faked world: whatever it or a process that it starts takes for secret memory is
 * ordinary memory, which this program reads along.
 *
 *     watch MARKER-FILE LOOT PROGRAM [ARGUMENT...]
 *
 * When the content of MARKER-FILE appears in that memory, LOOT is created. PROGRAM keeps this process's id;
 * the one who watches is a child of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "notify.h"

enum { MARKER_MAX = 4096, CHUNK = 1 << 20, LOOK_MS = 20, LISTENER_FD = 3 };

static bool chunk_has(int file, off_t at, const struct buf *marker)
{
	static uint8_t bytes[CHUNK];
	ssize_t size = pread(file, bytes, sizeof(bytes), at);
	return size > 0 && memmem(bytes, (size_t)size, marker->data, marker->size);
}

/* Only where there is data: a hole that is read is filled. */
static bool file_has(int file, const struct buf *marker)
{
	for (off_t at = 0; (at = lseek(file, at, SEEK_DATA)) >= 0;) {
		off_t end = lseek(file, at, SEEK_HOLE);
		for (; at < end; at += CHUNK - (off_t)marker->size)
			if (chunk_has(file, at, marker))
				return true;
	}
	return false;
}

static bool loot_has(const struct loot *loot, const struct buf *marker)
{
	for (size_t i = 0; i < loot->count; i++)
		if (file_has(loot->files[i], marker))
			return true;
	return false;
}

/* Until nobody is left who could ask. */
static int keep_watch(int listener, const struct buf *marker, const char *place)
{
	static struct loot loot;
	struct pollfd wait = {.fd = listener, .events = POLLIN};
	bool found = false;
	for (;;) {
		int ready = poll(&wait, 1, LOOK_MS);
		if (ready > 0 && !(wait.revents & POLLIN))
			return 0;
		if (ready > 0 && notify_answer(listener, &loot) < 0)
			return 1;
		if (ready == 0 && !found && loot_has(&loot, marker)) {
			found = true;
			close(open(place, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		}
	}
}

static int start_watch(int control, const struct buf *marker, const char *place)
{
	uint8_t byte;
	int listener = -1;
	size_t size, count = 0;
	if (io_receive_message(control, &byte, 1, &size, &listener, 1, &count, NULL) < 0 || count != 1)
		return 1;
	dup2(listener, LISTENER_FD);
	closefrom(LISTENER_FD + 1);
	return keep_watch(LISTENER_FD, marker, place);
}

int main(int argc, char **argv)
{
	int control[2];
	cleanup_buf struct buf marker = {0};
	struct error err = {0};
	if (argc < 4 || io_read_file(argv[1], MARKER_MAX, &marker, &err) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0) {
		fprintf(stderr, "usage: watch MARKER-FILE LOOT PROGRAM [ARGUMENT...] %s\n", err.text);
		return 2;
	}
	pid_t watcher = fork();
	if (watcher == 0)
		_exit(start_watch(control[0], &marker, argv[2]));
	int listener = notify_install();
	if (watcher < 0 || listener < 0 || io_send_message(control[1], "", 1, &listener, 1, &err) < 0) {
		fprintf(stderr, "watch: the kernel gives no notifier here: %s\n", strerror(errno));
		return 77;
	}
	close(listener);
	execv(argv[3], argv + 3);
	fprintf(stderr, "watch: %s: %s\n", argv[3], strerror(errno));
	return 127;
}
