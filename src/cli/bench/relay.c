#include "cli/bench/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum { PAIRS_MAX = 64, PIECE = 16384, PIECES = 32 };

/* What came in, and when it may go out. */
struct piece {
	uint64_t due_ns;
	size_t size, sent;
	uint8_t bytes[PIECE];
};

/* One way of a connection: a ring of pieces. */
struct way {
	int from, to;
	bool ended; /* nothing more comes */
	size_t first, count;
	struct piece pieces[PIECES];
};

struct pair {
	int ends[2]; /* -1: free */
	struct way ways[2];
};

struct relay {
	int listener;
	uint16_t port;
	uint64_t delay_ns;
	struct pair pairs[PAIRS_MAX];
};

static struct sockaddr_in address_of(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	                            .sin_port = htons(port),
	                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int quick_socket(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void close_pair(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		close(p->ends[i]);
		p->ends[i] = -1;
	}
}

static void accept_pair(struct relay *r)
{
	size_t i = 0;
	int one = 1;
	const struct sockaddr_in there = address_of(r->port);
	cleanup_close int in = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
	cleanup_close int out = quick_socket();
	while (i < PAIRS_MAX && r->pairs[i].ends[0] >= 0)
		i++;
	if (in < 0 || out < 0 || i == PAIRS_MAX ||
	    connect(out, (const struct sockaddr *)&there, sizeof(there)) < 0)
		return;
	setsockopt(in, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct pair *p = &r->pairs[i];
	p->ends[0] = take_fd(&in);
	p->ends[1] = take_fd(&out);
	for (int w = 0; w < 2; w++) {
		p->ways[w].from = p->ends[w];
		p->ways[w].to = p->ends[1 - w];
		p->ways[w].ended = false;
		p->ways[w].first = p->ways[w].count = 0;
	}
}

/* False: the connection is broken. */
static bool take_in(const struct relay *r, struct way *w)
{
	struct piece *piece = &w->pieces[(w->first + w->count) % PIECES];
	ssize_t got = recv(w->from, piece->bytes, sizeof(piece->bytes), MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	piece->due_ns = clock_ns() + r->delay_ns;
	piece->size = (size_t)got; /* 0: the end, which waits its turn as well */
	piece->sent = 0;
	w->count++;
	w->ended = got == 0;
	return true;
}

static bool pass_on(struct way *w, uint64_t now_ns)
{
	while (w->count && w->pieces[w->first].due_ns <= now_ns) {
		struct piece *piece = &w->pieces[w->first];
		ssize_t sent = piece->size ? send(w->to, piece->bytes + piece->sent,
		                                  piece->size - piece->sent, MSG_NOSIGNAL)
		                           : shutdown(w->to, SHUT_WR);
		if (sent < 0)
			return errno == EINTR;
		piece->sent += (size_t)sent;
		if (piece->sent < piece->size)
			continue;
		w->first = (w->first + 1) % PIECES;
		w->count--;
	}
	return true;
}

static bool is_over(const struct pair *p)
{
	return p->ways[0].ended && p->ways[1].ended && !p->ways[0].count && !p->ways[1].count;
}

/* Milliseconds until the next piece is due, -1: none waits. */
static int next_due(const struct relay *r, uint64_t now_ns)
{
	uint64_t least = UINT64_MAX;
	for (size_t i = 0; i < PAIRS_MAX; i++)
		for (int w = 0; w < 2 && r->pairs[i].ends[0] >= 0; w++)
			if (r->pairs[i].ways[w].count)
				least = min_of(least,
				               r->pairs[i].ways[w].pieces[r->pairs[i].ways[w].first].due_ns);
	if (least == UINT64_MAX)
		return -1;
	return least <= now_ns ? 0 : (int)((least - now_ns + 999999u) / 1000000u);
}

static void relay_step(struct relay *r)
{
	struct pollfd fds[1 + 2 * PAIRS_MAX] = {{.fd = r->listener, .events = POLLIN}};
	struct way *ways[1 + 2 * PAIRS_MAX] = {NULL};
	size_t count = 1;
	for (size_t i = 0; i < PAIRS_MAX; i++)
		for (int w = 0; w < 2 && r->pairs[i].ends[0] >= 0; w++) {
			struct way *way = &r->pairs[i].ways[w];
			if (way->ended || way->count == PIECES)
				continue;
			fds[count] = (struct pollfd){.fd = way->from, .events = POLLIN};
			ways[count++] = way;
		}
	poll(fds, count, next_due(r, clock_ns()));
	if (fds[0].revents)
		accept_pair(r);
	for (size_t i = 1; i < count; i++)
		if (fds[i].revents && !take_in(r, ways[i]))
			ways[i]->ended = true;
	for (size_t i = 0; i < PAIRS_MAX; i++) {
		struct pair *p = &r->pairs[i];
		if (p->ends[0] < 0)
			continue;
		bool whole = pass_on(&p->ways[0], clock_ns()) && pass_on(&p->ways[1], clock_ns());
		if (!whole || is_over(p))
			close_pair(p);
	}
}

int bench_relay_start(uint16_t port, unsigned delay_ms, uint16_t *ret_port, pid_t *ret_pid, struct error *err)
{
	static struct relay r;
	struct sockaddr_in here = address_of(0);
	socklen_t size = sizeof(here);
	cleanup_close int listener = quick_socket();
	if (listener < 0 || bind(listener, (const struct sockaddr *)&here, sizeof(here)) < 0 ||
	    listen(listener, PAIRS_MAX) < 0 || getsockname(listener, (struct sockaddr *)&here, &size) < 0)
		return error_errno(err, CELLA_EIO, "cannot make a relay's socket");
	*ret_port = ntohs(here.sin_port);
	*ret_pid = fork();
	if (*ret_pid < 0)
		return error_errno(err, CELLA_EIO, "cannot start a relay");
	if (*ret_pid > 0)
		return 0;
	sigset_t none;
	sigemptyset(&none);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL); /* benchmarks hold back what ends them */
	r = (struct relay){.listener = listener, .port = port, .delay_ns = delay_ms * 1000000ull};
	for (size_t i = 0; i < PAIRS_MAX; i++)
		r.pairs[i].ends[0] = r.pairs[i].ends[1] = -1;
	for (;;)
		relay_step(&r);
}
