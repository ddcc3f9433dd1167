#include "mat.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ecg_limits.h"

enum {
	MAT_HEADER_SIZE = 24,
	MAT_COUNT_OFFSET = 8,
	MAT_NAME_OFFSET = 20,
};

static const struct {
	uint32_t offset;
	uint32_t value;
	const char *what;
} mat_fixed[] = {
	{0, 30, "type (30: little-endian int16)"},
	{4, 1, "number of rows"},
	{12, 0, "imaginary part"},
	{16, 4, "size of the matrix's name"},
};

static const char mat_name[4] = "val";

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_u32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

void recording_done(struct recording *r)
{
	free(r->samples);
	*r = (struct recording){0};
}

static int mat_check_header(const uint8_t *data, size_t size, const char *name, uint32_t *ret_count,
                            struct failure *why)
{
	if (size < MAT_HEADER_SIZE)
		return failed(
			why,
			"%s: the file ends at byte %zu, inside the header of %d bytes of a MAT v4 recording",
			name, size, MAT_HEADER_SIZE);
	for (size_t i = 0; i < sizeof(mat_fixed) / sizeof(mat_fixed[0]); i++) {
		uint32_t value = get_u32(data + mat_fixed[i].offset);
		if (value != mat_fixed[i].value)
			return failed(why,
			              "%s: byte %" PRIu32 ": the %s is %" PRIu32 ", expected %" PRIu32
			              "; only MAT v4 recordings of one int16 row can be read",
			              name, mat_fixed[i].offset, mat_fixed[i].what, value,
			              mat_fixed[i].value);
	}
	if (memcmp(data + MAT_NAME_OFFSET, mat_name, sizeof(mat_name)) != 0)
		return failed(why, "%s: byte %d: the matrix is not named 'val'", name, MAT_NAME_OFFSET);
	uint32_t count = get_u32(data + MAT_COUNT_OFFSET);
	if (count == 0 || count > MAT_SAMPLES_MAX)
		return failed(why, "%s: byte %d: the header names %" PRIu32 " samples, expected 1 to %d",
		              name, MAT_COUNT_OFFSET, count, MAT_SAMPLES_MAX);
	*ret_count = count;
	return 0;
}

int mat_parse(const void *data, size_t size, const char *name, struct recording *ret, struct failure *why)
{
	const uint8_t *bytes = data;
	uint32_t count = 0;
	if (mat_check_header(bytes, size, name, &count, why) < 0)
		return -1;
	size_t expected = MAT_HEADER_SIZE + 2 * (size_t)count;
	if (size != expected)
		return failed(why,
		              "%s: byte %zu: the file %s, but its header names %" PRIu32
		              " samples, %zu bytes in all",
		              name, size < expected ? size : expected,
		              size < expected ? "ends here" : "goes on behind the last sample", count,
		              expected);
	int16_t *samples = malloc(count * sizeof(*samples));
	if (!samples)
		return failed_memory(why, "a recording");
	for (size_t i = 0; i < count; i++) {
		const uint8_t *at = bytes + MAT_HEADER_SIZE + 2 * i;
		samples[i] = (int16_t)(at[0] | at[1] << 8);
	}
	*ret = (struct recording){.samples = samples, .count = count};
	return 0;
}

static int mat_read_open(FILE *file, const char *path, struct recording *ret, struct failure *why)
{
	uint8_t header[MAT_HEADER_SIZE];
	size_t size = fread(header, 1, sizeof(header), file);
	if (ferror(file))
		return failed_errno(why, "%s: cannot read the recording", path);
	uint32_t count = 0;
	if (mat_check_header(header, size, path, &count, why) < 0)
		return -1;
	/* One byte more than the header announces, to see a file that goes on. */
	size_t room = 2 * (size_t)count + 1;
	cleanup_free uint8_t *data = malloc(MAT_HEADER_SIZE + room);
	if (!data)
		return failed_memory(why, "a recording");
	memcpy(data, header, MAT_HEADER_SIZE);
	size += fread(data + MAT_HEADER_SIZE, 1, room, file);
	if (ferror(file))
		return failed_errno(why, "%s: cannot read the recording", path);
	return mat_parse(data, size, path, ret, why);
}

int mat_read(const char *path, struct recording *ret, struct failure *why)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return failed_errno(why, "%s: cannot open the recording", path);
	int rc = mat_read_open(file, path, ret, why);
	fclose(file);
	return rc;
}

int mat_write(const char *path, const int16_t *samples, uint32_t count, struct failure *why)
{
	size_t size = MAT_HEADER_SIZE + 2 * (size_t)count;
	cleanup_free uint8_t *data = malloc(size);
	if (!data)
		return failed_memory(why, "a recording");
	for (size_t i = 0; i < sizeof(mat_fixed) / sizeof(mat_fixed[0]); i++)
		put_u32(data + mat_fixed[i].offset, mat_fixed[i].value);
	put_u32(data + MAT_COUNT_OFFSET, count);
	memcpy(data + MAT_NAME_OFFSET, mat_name, sizeof(mat_name));
	for (size_t i = 0; i < count; i++) {
		data[MAT_HEADER_SIZE + 2 * i] = (uint8_t)(uint16_t)samples[i];
		data[MAT_HEADER_SIZE + 2 * i + 1] = (uint8_t)((uint16_t)samples[i] >> 8);
	}
	FILE *file = fopen(path, "wb");
	if (!file)
		return failed_errno(why, "%s: cannot create the recording", path);
	size_t written = fwrite(data, 1, size, file);
	if (fclose(file) != 0 || written != size)
		return failed_errno(why, "%s: cannot write the recording", path);
	return 0;
}
