/* Whole reads and writes, files, sealed memory files, and descriptors over sockets. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* All of `size` bytes, across EINTR and short counts; a write also waits for a descriptor that does
 * not block. CELLA_EIO when the peer or file ends early. */
int io_read_full(int fd, void *to, size_t size, struct error *err) must_check;
int io_write_full(int fd, const void *from, size_t size, struct error *err) must_check;

/* A whole file appended to `ret`; CELLA_ELIMIT beyond `limit` bytes. `path` names it in errors. */
int io_read_file(const char *path, size_t limit, struct buf *ret, struct error *err) must_check;
int io_read_fd(int fd, const char *path, size_t limit, struct buf *ret, struct error *err) must_check;
/* Replaces the regular file `path` at once (written beside it, then renamed), or the one that a
 * link there leads to. What is no regular file (/dev/stdout, a pipe) is written to. */
int io_write_file(const char *path, const void *data, size_t size, mode_t mode, struct error *err) must_check;
/* The same, but a link there is replaced itself, and leads nowhere: for a directory that others write to. */
int io_replace_file(const char *path, const void *data, size_t size, mode_t mode,
                    struct error *err) must_check;
/* A name that was made, replaced or removed is durable: the directory that it is in is synced. */
int io_sync_name(const char *path, struct error *err) must_check;

/* To read one that holds a secret: a regular file of this user, that nobody else may read; else
 * CELLA_EPERM, CELLA_EFORMAT, CELLA_ENOENT. `what` names it: "the builder's key". */
int io_open_private(const char *path, const char *what, int *ret_fd, struct error *err) must_check;

/* A new file with mode 0600, durable with its name, or none: CELLA_EEXIST. */
int io_create_private(const char *path, const void *data, size_t size, struct error *err) must_check;

/* A memory file with these bytes, sealed against writing, growing and shrinking. */
int io_sealed_memfd(const char *name, const void *data, size_t size, bool executable, int *ret_fd,
                    struct error *err) must_check;
/* CELLA_EAUTH unless `fd` is a memory file sealed that way. */
int io_check_sealed(int fd, struct error *err) must_check;

enum { IO_FDS_MAX = 16 };

/* One message of a SOCK_SEQPACKET socket with up to IO_FDS_MAX descriptors. A receiver owns
 * what it gets; *ret_size is 0, and there is no descriptor, when the peer has closed or sent no
 * byte. Descriptors arrive close-on-exec. */
int io_send_message(int socket, const void *data, size_t size, const int *fds, size_t fd_count,
                    struct error *err) must_check;
int io_receive_message(int socket, void *data, size_t capacity, size_t *ret_size, int *ret_fds,
                       size_t fd_capacity, size_t *ret_fd_count, struct error *err) must_check;

/* Lower-case hexadecimal; `to` holds 2 * size + 1 characters. */
void io_hex(const void *data, size_t size, char *to);
/* Of a hexadecimal digit, in either case; -1: it is none. */
int io_hex_digit(char c);
/* `size` bytes from 2 * size digits, in either case; what follows them is not looked at. False, and ret is
 * untouched, if there is another character. */
bool io_unhex(const char *digits, size_t size, void *ret) must_check;
/* A file of hexadecimal digits, with white space anywhere between and a 0x before them or not: appends the
 * bytes. False, and ret has grown by some, for anything else, also for no digit. */
bool io_unhex_text(const char *text, size_t size, struct buf *ret) must_check;

#endif
