#include "cli/job/grant.h"

#include <poll.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cell/launch_format.h"
#include "cell/provision.h"
#include "cli/quote.h"

static int send_lease(int las, const void *evidence, size_t evidence_size, const struct buf *lease,
                      struct error *err)
{
	struct launch_lease message = {.type = LAUNCH_LEASE, .evidence_size = (uint32_t)evidence_size};
	cleanup_close int file = -1;
	if (evidence_size > sizeof(message.evidence))
		return error_set(err, CELLA_EFORMAT, "evidence of %zu bytes", evidence_size);
	memcpy(message.evidence, evidence, evidence_size);
	int rc = io_sealed_memfd("cella-lease", lease->data, lease->size, false, &file, err);
	return rc == 0 ? io_send_message(las, &message, sizeof(message), &file, 1, err) : rc;
}

static int receive_grant(int las, struct buf *ret_grant, struct error *err)
{
	struct launch_granted granted;
	cleanup_close int file = -1;
	char text[QUOTE_MAX];
	size_t size, fd_count = 0;
	int rc = io_receive_message(las, &granted, sizeof(granted), &size, &file, 1, &fd_count, err);
	if (rc < 0 || size == 0)
		return error_set(err, CELLA_ELOST, "the launcher cella-las is gone");
	if (size != sizeof(granted) || granted.type != LAUNCH_GRANTED || granted.error > 0 ||
	    (granted.error == 0) != (fd_count == 1))
		return error_set(err, CELLA_EFORMAT, "the launcher cella-las answered wrongly");
	if (granted.error)
		return error_set(err, granted.error, "%s",
		                 quote((const uint8_t *)granted.text,
		                       strnlen(granted.text, sizeof(granted.text)), text));
	if (lseek(file, 0, SEEK_SET) != 0)
		return error_errno(err, CELLA_EIO, "cannot read a grant");
	return io_read_fd(file, "a grant", PROVISION_SIZE_MAX + CRYPTO_HPKE_OVERHEAD, ret_grant, err);
}

static int open_lease(int las, int interrupt, const struct job_grant_for *whom, const struct buf *lease,
                      struct buf *ret_grant, struct error *err)
{
	struct pollfd ready[] = {{.fd = las, .events = POLLIN}, {.fd = interrupt, .events = POLLIN}};
	int rc = send_lease(las, whom->evidence, whom->evidence_size, lease, err);
	if (rc < 0)
		return rc;
	if (poll(ready, array_count(ready), -1) < 0 || ready[1].revents)
		return error_set(err, CELLA_ECANCELED, "ended by a signal");
	return receive_grant(las, ret_grant, err);
}

/* That a lease has ended is a refusal as well. */
int job_grant_take(const struct job_grants *grants, uint32_t number, const struct job_grant_for *whom,
                   int las, int interrupt, struct buf *ret_sealed, struct error *err)
{
	cleanup_buf struct buf lease = {0};
	int rc = grants->take(grants->data, number, whom->evidence, whom->evidence_size, whom->keep,
	                      grants->offline ? &lease : ret_sealed, err);
	if (rc == 0 && grants->offline)
		rc = open_lease(las, interrupt, whom, &lease, ret_sealed, err);
	return rc == CELLA_EPERM && grants->offline ? CELLA_EAUTH : rc;
}
