/* An endorsement as anybody may send it to a CAS: refused, or what is encoded again to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "attest/endorsement_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf again = {0};
	struct endorsement e;
	struct tee_input input = {0};
	struct error err;
	int rc = endorsement_decode(data, size, &e, &err);
	demand(rc == 0 || rc == CELLA_EFORMAT || rc == CELLA_EUNSUPPORTED);
	if (rc < 0)
		return 0;
	endorsement_input(&e, &input);
	demand(input.cert_count <= TEE_BLOBS_MAX && input.event_log_count <= TEE_BLOBS_MAX);
	if (size > ENDORSEMENT_MAX - 1024)
		return 0;
	demand(endorsement_encode(&e, &again, &err) == 0);
	demand(again.size == size && memcmp(again.data, data, size) == 0);
	return 0;
}
