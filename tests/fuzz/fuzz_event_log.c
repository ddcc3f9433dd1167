/* Do logs of measured boots stay inside themselves, and does a replay see the events that reading does? */
#include <stdlib.h>

#include "attest/event_log.h"
#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_all(const uint8_t *data, size_t size, size_t *ret_count)
{
	struct event_log log;
	struct event event;
	int rc = event_log_open(data, size, &log, NULL);
	if (rc < 0)
		return rc;
	while ((rc = event_log_next(&log, &event, NULL)) > 0) {
		if (event.index >= EVENT_LOG_REGISTERS || event.data < data || event.size > size ||
		    event.data + event.size > data + size || !*event_type_name(event.type))
			abort();
		for (size_t i = 0; i < log.hash_count; i++)
			if (event.digests[i] &&
			    (event.digests[i] < data || event.digests[i] + log.hashes[i].size > data + size))
				abort();
	}
	*ret_count = log.event_count;
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	struct event_registers registers;
	size_t count = 0;
	if (!started && crypto_init(NULL, NULL) < 0)
		abort();
	started = true;
	const int rc = read_all(data, size, &count);
	for (int hash = 0; hash < CRYPTO_HASHES; hash++) {
		const int replayed = event_log_replay(data, size, (enum crypto_hash)hash, &registers, NULL);
		if ((rc < 0 && replayed == 0) || (rc == 0 && replayed != 0 && replayed != CELLA_ENOENT) ||
		    (replayed == 0 && registers.event_count != count))
			abort();
	}
	return 0;
}
