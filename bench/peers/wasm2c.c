/*
 * A host for a WASI program that Debian's wasm2c has translated (-n peer): arguments, the clock, and
 * standard output, which is all that a benchmark's program needs. Nothing here is a sandbox: pointers
 * are not checked, and nothing catches a trap (Debian has no header for that).
 */
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WASI_OK = 0, WASI_BAD_DESCRIPTOR = 8, WASI_CHARACTER_DEVICE = 2, WASI_STAT_SIZE = 24 };

struct Z_wasi_snapshot_preview1_instance_t {
	Z_peer_instance_t *module;
	int argc;
	char **argv;
};
typedef struct Z_wasi_snapshot_preview1_instance_t host;

static u8 *at(host *h, u32 address)
{
	return Z_peerZ_memory(h->module)->data + address;
}

static u32 get(host *h, u32 address)
{
	u32 value;
	memcpy(&value, at(h, address), sizeof(value));
	return value;
}

static void put(host *h, u32 address, u32 value)
{
	memcpy(at(h, address), &value, sizeof(value));
}

u32 Z_wasi_snapshot_preview1Z_args_sizes_get(host *h, u32 count, u32 size)
{
	u32 total = 0;
	for (int i = 0; i < h->argc; i++)
		total += (u32)strlen(h->argv[i]) + 1;
	put(h, count, (u32)h->argc);
	put(h, size, total);
	return WASI_OK;
}

u32 Z_wasi_snapshot_preview1Z_args_get(host *h, u32 pointers, u32 text)
{
	for (int i = 0; i < h->argc; i++) {
		u32 size = (u32)strlen(h->argv[i]) + 1;
		put(h, pointers + 4 * (u32)i, text);
		memcpy(at(h, text), h->argv[i], size);
		text += size;
	}
	return WASI_OK;
}

u32 Z_wasi_snapshot_preview1Z_clock_time_get(host *h, u32 clock, u64 precision, u32 ret)
{
	struct timespec now;
	(void)precision;
	clock_gettime(clock == 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
	u64 ns = (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
	memcpy(at(h, ret), &ns, sizeof(ns));
	return WASI_OK;
}

u32 Z_wasi_snapshot_preview1Z_fd_write(host *h, u32 fd, u32 vectors, u32 count, u32 ret)
{
	u32 written = 0;
	for (u32 i = 0; i < count; i++) {
		u32 size = get(h, vectors + 8 * i + 4);
		if (write((int)fd, at(h, get(h, vectors + 8 * i)), size) != (ssize_t)size)
			return WASI_BAD_DESCRIPTOR;
		written += size;
	}
	put(h, ret, written);
	return WASI_OK;
}

u32 Z_wasi_snapshot_preview1Z_fd_fdstat_get(host *h, u32 fd, u32 ret)
{
	if (fd > STDERR_FILENO)
		return WASI_BAD_DESCRIPTOR;
	memset(at(h, ret), 0, WASI_STAT_SIZE);
	*at(h, ret) = WASI_CHARACTER_DEVICE;
	return WASI_OK;
}

u32 Z_wasi_snapshot_preview1Z_fd_close(host *h, u32 fd)
{
	(void)h;
	return fd > STDERR_FILENO ? WASI_BAD_DESCRIPTOR : WASI_OK;
}

u32 Z_wasi_snapshot_preview1Z_fd_seek(host *h, u32 fd, u64 offset, u32 whence, u32 ret)
{
	(void)h, (void)fd, (void)offset, (void)whence, (void)ret;
	return WASI_BAD_DESCRIPTOR;
}

void Z_wasi_snapshot_preview1Z_proc_exit(host *h, u32 status)
{
	(void)h;
	exit((int)status);
}

int main(int argc, char **argv)
{
	Z_peer_instance_t module;
	host h = {.module = &module, .argc = argc, .argv = argv};
	wasm_rt_init();
	Z_peer_init_module();
	Z_peer_instantiate(&module, &h);
	Z_peerZ__start(&module);
	return 0;
}
