/*
 * The reader and the writer of a ring against a peer that writes anything anywhere: the input is a
 * script of (place, word) writes, with a read and a put between them. Bodies must stay within their
 * size, and nothing outside the ring be touched (AddressSanitizer: the ring is one heap block).
 */
#include <stdlib.h>
#include <string.h>

#include "net/ring.h"

enum { CAPACITY = 4 * RING_RECORD_MAX };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t body[RING_RECORD_MAX];
	uint8_t *memory = aligned_alloc(64, ring_memory_size(CAPACITY));
	struct ring_writer w;
	struct ring_reader r;
	if (!memory)
		abort();
	memset(memory, 0, ring_memory_size(CAPACITY));
	ring_writer_init(&w, memory, CAPACITY, -1);
	ring_reader_init(&r, memory, CAPACITY, -1, -1);
	for (; size >= 12; data += 12, size -= 12) {
		uint32_t place, type = 0;
		uint64_t word;
		size_t got = 0;
		memcpy(&place, data, sizeof(place));
		memcpy(&word, data + 4, sizeof(word));
		memcpy(memory + place % (ring_memory_size(CAPACITY) / 8) * 8, &word, sizeof(word));
		struct ring_part part = {body, place % 3000};
		int rc = ring_put(&w, 1 + place % 7, &part, 1);
		if (rc == 0)
			ring_flush(&w);
		if (ring_get(&r, &type, body, &got) < 0 || rc == CELLA_EFORMAT)
			break;
		if (got > sizeof(body))
			abort();
		if (place & 1 && ring_prepare_sleep(&r))
			ring_awake(&r);
		if (place & 2 && ring_writer_prepare_sleep(&w))
			ring_writer_awake(&w);
	}
	free(memory);
	return 0;
}
