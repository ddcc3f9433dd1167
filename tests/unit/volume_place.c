#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include "volume_place.h"

struct mem_pool *pool;
const uint8_t key[1][CRYPTO_KEY_SIZE] = {{1, 2, 3}};
struct error err;

int place_init(void)
{
	if (mem_pool_new(MEM_INSECURE_NONE, 256 * MIB, &pool, &err) < 0 || crypto_init(pool, &err) < 0)
		return 1;
	mem_set_process_pool(pool);
	return 0;
}

static int remove_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	snprintf(p->directory, sizeof(p->directory), "/tmp/test_volume.XXXXXX");
	assert_non_null(mkdtemp(p->directory));
	snprintf(p->root, sizeof(p->root), "%s.root", p->directory);
	p->config = (struct volume_config){.pool = pool,
	                                   .keys = key,
	                                   .key_count = 1,
	                                   .cache = 2 * MIB,
	                                   .writable = true};
	assert_ok(volume_disk_directory(open(p->directory, O_RDONLY | O_DIRECTORY), &p->config.disk, &err));
	assert_ok(volume_keeper_file(p->root, &p->config.keeper, &err));
	assert_ok(volume_create(&p->config, &err));
	*state = p;
	return 0;
}

int tear_down(void **state)
{
	struct place *p = *state;
	volume_disk_directory_free(&p->config.disk);
	volume_keeper_file_free(&p->config.keeper);
	nftw(p->directory, remove_file, 8, FTW_DEPTH | FTW_PHYS);
	unlink(p->root);
	free(p);
	return 0;
}

void write_file(struct volume *v, const char *path, uint64_t offset, const void *bytes, size_t size)
{
	struct volume_file *f;
	assert_ok(volume_file_open(v, path, VOLUME_WRITE | VOLUME_CREATE, 0644, &f, &err));
	assert_ok(volume_file_write(f, offset, bytes, size, &err));
	volume_file_close(f);
}

void check_file(struct volume *v, const char *path, uint64_t offset, const void *bytes, size_t size)
{
	struct volume_file *f;
	size_t got;
	uint8_t *read = malloc(size + 1);
	assert_ok(volume_file_open(v, path, 0, 0, &f, &err));
	assert_ok(volume_file_read(f, offset, read, size, &got, &err));
	assert_int_equal(got, size);
	assert_memory_equal(read, bytes, size);
	volume_file_close(f);
	free(read);
}

void flip(const struct place *p, unsigned segment, off_t at)
{
	char path[128];
	uint8_t byte;
	snprintf(path, sizeof(path), "%s/%08x.segment", p->directory, segment);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}
