#include "cli/lease_store.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/base64url.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "crypto/key_file.h"

enum { FILE_MAX = 4 << 20, NAME_BYTES = 24 };

static int place(const struct lease_name *name, char to[CRYPTO_KEY_PATH_MAX], struct error *err)
{
	char directory[CRYPTO_KEY_PATH_MAX], hex[2 * NAME_BYTES + 1];
	uint8_t digest[CRYPTO_SHA384_SIZE];
	const struct crypto_part parts[] = {{name->pin, strlen(name->pin)},
	                                    {name->session, strlen(name->session)},
	                                    {name->service, strlen(name->service)}};
	int rc = crypto_key_file_place("CELLA_LEASES", "leases", "offline leases", directory, err);
	if (rc == 0)
		rc = crypto_sha384_parts(parts, array_count(parts), digest, err);
	if (rc < 0)
		return rc;
	io_hex(digest, NAME_BYTES, hex);
	return snprintf(to, CRYPTO_KEY_PATH_MAX, "%s/%s.json", directory, hex) >= CRYPTO_KEY_PATH_MAX
	               ? error_set(err, CELLA_EINVAL, "the path %.60s... is too long", directory)
	               : 0;
}

int lease_store_put(const struct lease_name *name, const void *keep_bytes, size_t keep_size,
                    uint64_t offline_s, const void *lease, size_t size, struct error *err)
{
	char path[CRYPTO_KEY_PATH_MAX], boot[2 * LEASE_BOOT_SIZE + 1];
	struct lease_keep keep;
	int rc = lease_keep_decode(keep_bytes, keep_size, &keep, err);
	if (rc == 0)
		rc = place(name, path, err);
	if (rc < 0)
		return rc;
	cleanup_free char *sealed = malloc(base64url_size(size) + 1);
	if (!sealed)
		return error_set(err, CELLA_ENOMEM, "no memory for an offline lease");
	base64url_encode(lease, size, sealed);
	const uint64_t end = keep.time_s + offline_s;
	io_hex(keep.boot, sizeof(keep.boot), boot);
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s%}", "cas", name->pin, "session",
	                         name->session, "service", name->service, "boot", boot, "end",
	                         (json_int_t)end, "lease", sealed, base64url_size(size));
	cleanup_free char *text = json_dumps(json, JSON_INDENT(1));
	json_decref(json);
	rc = text ? crypto_key_file_parents(path, err)
	          : error_set(err, CELLA_ENOMEM, "no memory for an offline lease");
	return rc == 0 ? io_write_file(path, text, strlen(text), 0600, err) : rc;
}

static bool says(const json_t *json, const char *member, const char *text)
{
	const char *found = json_string_value(json_object_get(json, member));
	return found && strcmp(found, text) == 0;
}

/* By the kernel's start and its clock since then; the launcher looks more closely. */
static int read_left(const json_t *json, uint64_t *ret_left_s, struct error *err)
{
	cleanup_buf struct buf text = {0};
	char boot[2 * LEASE_BOOT_SIZE + 1] = {0};
	struct timespec now = {0};
	size_t size = 0;
	int rc = io_read_file("/proc/sys/kernel/random/boot_id", 64, &text, err);
	for (size_t i = 0; rc == 0 && i < text.size && size < sizeof(boot) - 1; i++)
		if (text.data[i] != '-')
			boot[size++] = (char)text.data[i];
	clock_gettime(CLOCK_BOOTTIME, &now);
	const json_int_t end = json_integer_value(json_object_get(json, "end"));
	if (rc < 0)
		return rc;
	if (!says(json, "boot", boot) || end <= now.tv_sec)
		return error_set(err, CELLA_EPERM, "its offline lease has ended");
	*ret_left_s = (uint64_t)(end - now.tv_sec);
	return 0;
}

int lease_store_get(const struct lease_name *name, struct buf *ret_lease, uint64_t *ret_left_s,
                    struct error *err)
{
	char path[CRYPTO_KEY_PATH_MAX];
	cleanup_buf struct buf text = {0};
	int rc = place(name, path, err);
	if (rc == 0 && access(path, F_OK) < 0)
		rc = error_set(err, CELLA_ENOENT, "this node keeps no offline lease of it");
	if (rc == 0)
		rc = io_read_file(path, FILE_MAX, &text, err);
	if (rc < 0)
		return rc;
	json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
	const json_t *lease = json_object_get(json, "lease");
	const size_t size = json_string_length(lease);
	uint8_t *to = json_is_string(lease) ? buf_reserve(ret_lease, base64url_bytes(size)) : NULL;
	if (!to || !base64url_decode(json_string_value(lease), size, to) ||
	    !says(json, "session", name->session) || !says(json, "service", name->service) ||
	    !says(json, "cas", name->pin))
		rc = error_set(err, CELLA_EFORMAT, "%s is no offline lease of it", path);
	else
		rc = read_left(json, ret_left_s, err);
	json_decref(json);
	return rc;
}

void lease_store_remove(const struct lease_name *name)
{
	char path[CRYPTO_KEY_PATH_MAX];
	if (place(name, path, NULL) == 0)
		unlink(path);
}
