/*
 * Recordings: MAT files of version 4 with one matrix `val` of one row of int16.
 *
 *     offset  size
 *          0     4  type, 30: little-endian, int16, full matrix
 *          4     4  rows, 1
 *          8     4  columns N, 1 to MAT_SAMPLES_MAX
 *         12     4  imaginary part, 0
 *         16     4  size of the name, 4
 *         20     4  "val\0"
 *         24    2N  samples, 1000 units per mV, 300 a second
 *
 * All numbers are little-endian. The file ends behind the samples. Anything else is refused
 * with the offset of the byte that is wrong.
 */
#ifndef ECG_MAT_H
#define ECG_MAT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "failure.h"

struct recording {
	int16_t *samples;
	uint32_t count;
};

/* A zeroed recording is empty and valid; recording_done leaves it so. */
void recording_done(struct recording *r);

/* `name` stands in the failure's text. *ret is untouched on failure, the caller's with its memory otherwise.
 * */
int mat_parse(const void *data, size_t size, const char *name, struct recording *ret,
              struct failure *why) must_check;
/* The same from a file; why->code is ENOENT if there is no such file. */
int mat_read(const char *path, struct recording *ret, struct failure *why) must_check;
int mat_write(const char *path, const int16_t *samples, uint32_t count, struct failure *why) must_check;

#endif
