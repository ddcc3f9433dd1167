#include "cell/agent_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "cell/launch_format.h"

enum { RING_CAPACITY_MAX = 1 << 26 };

static int map_shared(int fd, uint64_t size, const char *what, uint8_t **ret_memory, struct error *err)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || fstat(fd, &st) < 0)
		return error_errno(err, CELLA_EIO, "cannot examine the agent's %s", what);
	if (!(seals & F_SEAL_SHRINK) || st.st_size < 0 || (uint64_t)st.st_size < size)
		return error_set(err, CELLA_EFORMAT, "the agent's %s can shrink, or is too small", what);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return error_errno(err, CELLA_ENOMEM, "cannot map the agent's %s", what);
	madvise(memory, size, MADV_DONTDUMP); /* a core file would be as long as the store may grow */
	*ret_memory = memory;
	return 0;
}

static int link_map(struct agent_link *l, const struct launch_rings *m, const int fds[4], struct error *err)
{
	if (m->version != TASK_FORMAT_VERSION)
		return error_set(err, CELLA_EFORMAT,
		                 "the agent speaks version %u of the task protocol, this executor %d",
		                 m->version, TASK_FORMAT_VERSION);
	if (m->ring_capacity < 4 * RING_RECORD_MAX || m->ring_capacity > RING_CAPACITY_MAX ||
	    (m->ring_capacity & (m->ring_capacity - 1)) || m->store_size == 0 || m->store_size > SIZE_MAX / 2)
		return error_set(err, CELLA_EFORMAT, "the agent's rings or store have an impossible size");
	size_t one = ring_memory_size(m->ring_capacity);
	int rc = map_shared(fds[0], 2 * one, "rings", &l->rings, err);
	if (rc == 0) {
		l->rings_size = 2 * one;
		rc = map_shared(fds[1], m->store_size, "store", &l->store, err);
	}
	if (rc < 0)
		return rc;
	l->store_size = m->store_size;
	l->agent_bell = fds[2];
	l->bell = fds[3];
	ring_writer_init(&l->up, l->rings, m->ring_capacity, l->agent_bell);
	ring_reader_init(&l->down, l->rings + one, m->ring_capacity, l->bell, l->agent_bell);
	return 0;
}

int agent_link_open(struct agent_link *l, int agent, int owner, struct error *err)
{
	*l = (struct agent_link){.agent = agent, .owner = owner, .bell = -1, .agent_bell = -1};
	struct launch_rings m;
	int fds[4] = {-1, -1, -1, -1};
	size_t size, fd_count;
	int rc = io_receive_message(agent, &m, sizeof(m), &size, fds, array_count(fds), &fd_count, err);
	if (rc < 0)
		return rc;
	if (size == 0)
		rc = error_set(err, CELLA_ELOST, "the agent is gone");
	else if (size != sizeof(m) || fd_count != array_count(fds))
		rc = error_set(err, CELLA_EFORMAT, "the agent's first message is malformed");
	else
		rc = link_map(l, &m, fds, err);
	for (size_t i = 0; i < fd_count; i++)
		if (fds[i] != l->bell && fds[i] != l->agent_bell)
			close(fds[i]);
	return rc;
}

void agent_link_close(struct agent_link *l)
{
	if (l->rings)
		munmap(l->rings, l->rings_size);
	if (l->store)
		munmap(l->store, l->store_size);
	cleanup_close_fn(&l->bell);
	cleanup_close_fn(&l->agent_bell);
	*l = (struct agent_link){.bell = -1, .agent_bell = -1};
}

uint8_t *agent_link_store(const struct agent_link *l, uint64_t offset, uint64_t size)
{
	if (offset > l->store_size || size > l->store_size - offset)
		return NULL;
	return l->store + offset;
}

static int wait_for_bell(const struct agent_link *l, uint64_t deadline_ns, struct error *err)
{
	struct pollfd fds[] = {
		{.fd = l->bell, .events = POLLIN},
		{.fd = l->agent, .events = POLLRDHUP},
		{.fd = l->owner, .events = POLLRDHUP},
	};
	struct timespec left, *timeout = NULL;
	if (deadline_ns) {
		uint64_t now = clock_ns();
		uint64_t ns = deadline_ns > now ? deadline_ns - now : 0;
		left = (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
		timeout = &left;
	}
	if (ppoll(fds, array_count(fds), timeout, NULL) < 0 && errno != EINTR)
		return error_errno(err, CELLA_EIO, "cannot wait for the agent");
	if (fds[1].revents)
		return error_set(err, CELLA_ELOST, "the agent is gone");
	if (fds[2].revents)
		return error_set(err, CELLA_ELOST, "the owner is gone");
	return 0;
}

int agent_link_sleep(struct agent_link *l, bool for_room, uint64_t deadline_ns, struct error *err)
{
	int rc = 0;
	if (for_room && !ring_writer_prepare_sleep(&l->up))
		return 0;
	if (ring_prepare_sleep(&l->down)) {
		rc = wait_for_bell(l, deadline_ns, err);
		ring_awake(&l->down);
	}
	if (for_room)
		ring_writer_awake(&l->up);
	return rc;
}
