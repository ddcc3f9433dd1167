/* The reader of the agent's event log, and every report from what it accepts. */
#include <stdlib.h>
#include <string.h>

#include "agent/report.h"
#include "base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf out = {0};
	cleanup_free uint8_t *log = malloc(size + 1); /* aligned, as a mapped file is */
	struct report *r;
	struct error err;
	if (!log)
		abort();
	memcpy(log, data, size);
	if (report_new(log, size, &r, &err) < 0)
		return 0;
	report_dot(r, &out);
	if (report_svg(r, &out, &err) < 0 && err.code != CELLA_ELIMIT)
		abort();
	report_trace(r, &out);
	report_record(r, &out);
	report_free(r);
	return 0;
}
