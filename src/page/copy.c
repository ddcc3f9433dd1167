/* Copies by the host, a pin at a time: a fault would come too late where a page is lost. */
#include <string.h>

#include "page/page.h"

int page_read(struct mem_region *region, size_t from, void *to, size_t size, struct error *err)
{
	for (size_t done = 0, pinned; done < size; done += pinned) {
		const uint8_t *at = region->base + from + done;
		int rc = page_pin(region, at, size - done, false, &pinned, err);
		if (rc < 0)
			return rc;
		memcpy((uint8_t *)to + done, at, pinned);
		page_unpin(region, at, pinned);
	}
	return 0;
}

int page_write(struct mem_region *region, size_t to, const void *from, size_t size, struct error *err)
{
	for (size_t done = 0, pinned; done < size; done += pinned) {
		uint8_t *at = region->base + to + done;
		int rc = page_pin(region, at, size - done, true, &pinned, err);
		if (rc < 0)
			return rc;
		memcpy(at, (const uint8_t *)from + done, pinned);
		page_unpin(region, at, pinned);
	}
	return 0;
}
