#include "las/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"

enum { UUID_TEXT_SIZE = 36 };
static const ino_t FIRST_TIME_NAMESPACE = 0xeffffffa; /* PROC_TIME_INIT_INO of the kernel */

static int read_boot(uint8_t ret_boot[LEASE_BOOT_SIZE], struct error *err)
{
	cleanup_buf struct buf text = {0};
	char hex[UUID_TEXT_SIZE + 1];
	size_t size = 0;
	int rc = io_read_file("/proc/sys/kernel/random/boot_id", 64, &text, err);
	for (size_t i = 0; rc == 0 && i < min_of(text.size, (size_t)UUID_TEXT_SIZE); i++)
		if (text.data[i] != '-')
			hex[size++] = (char)text.data[i];
	if (rc == 0 && (size != (size_t)2 * LEASE_BOOT_SIZE || !io_unhex(hex, LEASE_BOOT_SIZE, ret_boot)))
		rc = error_set(err, CELLA_EUNSUPPORTED,
		               "the kernel does not say which start of the machine this is");
	return rc;
}

int clock_since_boot(uint8_t ret_boot[LEASE_BOOT_SIZE], uint64_t *ret_now_s, struct error *err)
{
	struct timespec now;
	struct stat st;
	/* A kernel without time namespaces has no such file. */
	if (stat("/proc/self/ns/time", &st) == 0 ? st.st_ino != FIRST_TIME_NAMESPACE : errno != ENOENT)
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "the launcher is in a time namespace, whose maker sets its clocks");
	if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return error_errno(err, CELLA_EUNSUPPORTED, "the kernel does not say when it was started");
	int rc = read_boot(ret_boot, err);
	if (rc == 0)
		*ret_now_s = (uint64_t)now.tv_sec;
	return rc;
}
