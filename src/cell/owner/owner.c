#include "cell/owner/owner.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cell/identity_question.h"
#include "cell/keeper_question.h"
#include "cell/provision.h"

/* A question to a root keeper whose answer is taken later. */
struct later {
	TAILQ_ENTRY(later) link;
	const void *asker;
	uint32_t grant;
	uint64_t number;
	bool answered;
	int rc; /* the answer */
	struct error why;
};
TAILQ_HEAD(laters, later);

struct owner {
	int fd;
	uint32_t executor;
	struct mem_pool *pool;
	struct seal_session *session;
	uint64_t records[3]; /* next record number of standard input, output, error */
	struct owner_keeper {
		struct seal_session *session;
		uint64_t questions, last; /* so far; of the latter, that are left with the owner */
	} keepers[1 + PROVISION_GRANTS_MAX]; /* the owner's, then those of the grants */
	struct laters laters; /* as they were asked */
	uint8_t *sealed; /* a record of a stream, the exit, or an answer, on its way: ciphertext only */
};

int owner_new(int fd, struct mem_pool *pool, struct owner **ret_owner, struct error *err)
{
	struct owner *o = mem_alloc(pool, sizeof(*o));
	uint8_t *sealed = malloc(seal_size(OWNER_STREAM_MAX));
	if (!o || !sealed) {
		free(sealed);
		mem_free(pool, o);
		return error_set(err, CELLA_ENOMEM, "no memory for the owner's channel");
	}
	*o = (struct owner){.fd = fd, .pool = pool, .sealed = sealed};
	TAILQ_INIT(&o->laters);
	*ret_owner = o;
	return 0;
}

static void forget(struct owner *o, struct later *l)
{
	TAILQ_REMOVE(&o->laters, l, link);
	free(l);
}

void owner_free(struct owner *o)
{
	struct later *l;
	if (!o)
		return;
	while ((l = TAILQ_FIRST(&o->laters)))
		forget(o, l);
	free(o->sealed);
	mem_free(o->pool, o);
}

void owner_set_session(struct owner *o, struct seal_session *session, uint32_t executor)
{
	o->session = session;
	o->executor = executor;
	o->keepers[0].session = session;
}

void owner_set_grant(struct owner *o, uint32_t grant, struct seal_session *session)
{
	o->keepers[grant].session = session;
}

static int owner_send(struct owner *o, uint32_t type, const void *body, size_t size, struct error *err)
{
	struct owner_frame head = {.type = type, .size = (uint32_t)size};
	struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)body, size}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = size ? 2 : 1};
	while (message.msg_iovlen) {
		ssize_t n = sendmsg(o->fd, &message, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, CELLA_ELOST, "the owner's command line is gone");
		while (message.msg_iovlen && (size_t)n >= message.msg_iov->iov_len) {
			n -= (ssize_t)message.msg_iov->iov_len;
			message.msg_iov++;
			message.msg_iovlen--;
		}
		if (message.msg_iovlen) {
			message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + n;
			message.msg_iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* ---- answers of root keepers; of each keeper they come in the order of the questions */

/* What a frame of a keeper's holds: in o->sealed, behind its head. */
struct answer {
	struct owner_keeper_head head;
	size_t size;
};

/* Why a grant's CAS gave no answer comes in the clear. */
static int open_answer(struct owner *o, const struct answer *a, uint64_t number, uint8_t *plain, size_t room,
                       size_t *ret_size, struct error *err)
{
	const uint32_t grant = a->head.grant;
	const struct seal_id id = owner_keeper_id(grant ? 0 : o->executor, true, number);
	if (a->head.error)
		return error_set(err, a->head.error, "%.*s", (int)a->size, (const char *)o->sealed);
	if (a->size < SEAL_OVERHEAD || a->size > seal_size(room))
		return error_set(err, CELLA_EFORMAT, "a root keeper's answer has %zu bytes", a->size);
	*ret_size = a->size - SEAL_OVERHEAD;
	return seal_open(o->keepers[grant].session, &id, NULL, 0, o->sealed, a->size, plain, *ret_size, err);
}

/* What the keeper says; its own error, too. */
static int open_reply(struct owner *o, const struct answer *a, uint64_t number,
                      struct owner_keeper_reply *ret_reply, struct error *err)
{
	uint8_t plain[KEEPER_ANSWER_MAX];
	size_t size = 0;
	int rc = open_answer(o, a, number, plain, sizeof(plain), &size, err);
	if (rc == 0 && size < sizeof(*ret_reply))
		rc = error_set(err, CELLA_EFORMAT, "its answer has %zu bytes", size);
	if (rc < 0)
		return error_prefix(err, rc, "the root keeper: ");
	memcpy(ret_reply, plain, sizeof(*ret_reply));
	size_t text_size = size - sizeof(*ret_reply);
	if (ret_reply->text_size != text_size || ret_reply->error > 0)
		return error_set(err, CELLA_EFORMAT, "a root keeper's answer is malformed");
	return ret_reply->error ? error_set(err, ret_reply->error, "%.*s", (int)text_size,
	                                    (const char *)plain + sizeof(*ret_reply))
	                        : 0;
}

/* The oldest question to this keeper that has no answer yet; NULL: none that is answered later. */
static struct later *awaited(struct owner *o, uint32_t grant)
{
	struct later *l;
	TAILQ_FOREACH(l, &o->laters, link)
	{
		if (l->grant == grant && !l->answered)
			return l;
	}
	return NULL;
}

/* The body of a frame. *ret_noted: it was the answer to a question that is answered later. */
static int read_answer(struct owner *o, uint32_t size, struct answer *ret_answer, bool *ret_noted,
                       struct error *err)
{
	const size_t room = max_of((size_t)IDENTITY_ANSWER_MAX, (size_t)KEEPER_ANSWER_MAX);
	struct answer a;
	if (size < sizeof(a.head) || size > sizeof(a.head) + seal_size(room))
		return error_set(err, CELLA_EFORMAT, "a root keeper's answer has %u bytes", size);
	a.size = size - sizeof(a.head);
	int rc = io_read_full(o->fd, &a.head, sizeof(a.head), err);
	if (rc == 0)
		rc = io_read_full(o->fd, o->sealed, a.size, err);
	if (rc == 0 && (a.head.grant > PROVISION_GRANTS_MAX || a.head.error > 0))
		rc = error_set(err, CELLA_EFORMAT, "a root keeper's answer is malformed");
	if (rc < 0)
		return rc;
	struct later *l = awaited(o, a.head.grant);
	*ret_noted = l;
	*ret_answer = a;
	if (l) {
		struct owner_keeper_reply reply;
		l->rc = open_reply(o, &a, l->number, &reply, &l->why);
		l->answered = true;
	}
	return 0;
}

/* ---- what the owner sends */

/* The next frame's head and the descriptor that came with it (-1: none). */
static int receive_head(struct owner *o, struct owner_frame *ret_head, int *ret_fd, struct error *err)
{
	size_t size = 0, fd_count = 0;
	int fd = -1;
	int rc = io_receive_message(o->fd, ret_head, sizeof(*ret_head), &size, &fd, 1, &fd_count, err);
	if (rc == 0 && size == 0)
		rc = error_set(err, CELLA_ELOST, "the owner's command line is gone");
	if (rc == 0 && size < sizeof(*ret_head))
		rc = io_read_full(o->fd, (uint8_t *)ret_head + size, sizeof(*ret_head) - size, err);
	*ret_fd = fd_count ? fd : -1;
	return rc;
}

/* The head of a frame of this type; answers to earlier questions that come before it are noted. */
static int owner_receive_head(struct owner *o, uint32_t type, uint32_t limit, struct owner_frame *ret_head,
                              int *ret_fd, struct error *err)
{
	cleanup_close int fd = -1;
	bool noted = true;
	int rc = receive_head(o, ret_head, &fd, err);
	while (rc == 0 && noted && ret_head->type == OWNER_KEEPER && type != OWNER_KEEPER) {
		struct answer a;
		rc = read_answer(o, ret_head->size, &a, &noted, err);
		cleanup_close_fn(&fd);
		if (rc == 0 && noted)
			rc = receive_head(o, ret_head, &fd, err);
	}
	if (rc == 0 && (ret_head->type != type || ret_head->size > limit))
		rc = error_set(err, CELLA_EFORMAT,
		               "the owner's command line sent frame %u of %u bytes, not %u", ret_head->type,
		               ret_head->size, type);
	if (rc == 0)
		*ret_fd = take_fd(&fd);
	return rc;
}

int owner_receive_provision(struct owner *o, enum owner_type type, const struct crypto_key_pair *pair,
                            uint8_t **ret_data, size_t *ret_size, struct error *err)
{
	const char *info = type == OWNER_GRANT ? PROVISION_GRANT_INFO : PROVISION_INFO;
	struct owner_frame head;
	cleanup_close int fd = -1;
	int rc = owner_receive_head(o, type, PROVISION_SIZE_MAX + CRYPTO_HPKE_OVERHEAD, &head, &fd, err);
	if (rc < 0)
		return rc;
	if (head.size <= CRYPTO_HPKE_OVERHEAD)
		return error_set(err, CELLA_EFORMAT, "the provisioning has only %u bytes", head.size);
	cleanup_free uint8_t *sealed = malloc(head.size);
	size_t size = head.size - CRYPTO_HPKE_OVERHEAD;
	uint8_t *data = mem_alloc(o->pool, size);
	rc = sealed && data ? io_read_full(o->fd, sealed, head.size, err)
	                    : error_set(err, CELLA_ENOMEM, "no memory for the provisioning");
	if (rc == 0)
		rc = crypto_hpke_open(pair, info, strlen(info), NULL, 0, sealed, head.size, data, err);
	if (rc < 0) {
		mem_free(o->pool, data);
		return error_prefix(err, rc, "provisioning: ");
	}
	*ret_data = data;
	*ret_size = size;
	return 0;
}

static int owner_send_sealed(struct owner *o, uint32_t type, const struct seal_id *id, const void *bytes,
                             size_t size, struct error *err)
{
	int rc = seal_object(o->session, id, NULL, 0, bytes, size, o->sealed, err);
	return rc < 0 ? rc : owner_send(o, type, o->sealed, seal_size(size), err);
}

static int write_stream(void *data, int stream, const void *bytes, size_t size)
{
	struct owner *o = data;
	for (size_t done = 0; done < size;) {
		size_t step = min_of(size - done, (size_t)OWNER_STREAM_MAX);
		struct seal_id id = owner_stream_id(o->executor, stream, o->records[stream]++);
		int rc = owner_send_sealed(o, OWNER_STREAM, &id, (const uint8_t *)bytes + done, step, NULL);
		if (rc < 0)
			return rc;
		done += step;
	}
	return 0;
}

static ssize_t read_input(void *data, void *to, size_t size)
{
	struct owner *o = data;
	if (size == 0)
		return 0;
	uint32_t wanted = (uint32_t)min_of(size, (size_t)OWNER_STREAM_MAX);
	struct owner_frame head;
	cleanup_close int fd = -1;
	int rc = owner_send(o, OWNER_INPUT, &wanted, sizeof(wanted), NULL);
	if (rc == 0)
		rc = owner_receive_head(o, OWNER_INPUT, (uint32_t)seal_size(wanted), &head, &fd, NULL);
	if (rc == 0 && head.size < SEAL_OVERHEAD)
		rc = CELLA_EFORMAT;
	if (rc == 0)
		rc = io_read_full(o->fd, o->sealed, head.size, NULL);
	if (rc < 0)
		return rc;
	struct seal_id id = owner_stream_id(o->executor, STDIN_FILENO, o->records[STDIN_FILENO]++);
	size_t got = head.size - SEAL_OVERHEAD;
	rc = seal_open(o->session, &id, NULL, 0, o->sealed, head.size, to, got, NULL);
	return rc < 0 ? rc : (ssize_t)got;
}

static int path_operation(void *data, const struct owner_path_request *request, const char *path,
                          const char *second, struct owner_path_reply *reply, void *reply_data,
                          size_t capacity, int *ret_fd)
{
	struct owner *o = data;
	uint8_t body[sizeof(*request) + 2 * OWNER_PATH_MAX];
	struct owner_frame head;
	cleanup_close int fd = -1;
	if (request->path_size > OWNER_PATH_MAX || request->second_size > OWNER_PATH_MAX)
		return CELLA_EINVAL;
	memcpy(body, request, sizeof(*request));
	memcpy(body + sizeof(*request), path, request->path_size);
	if (request->second_size)
		memcpy(body + sizeof(*request) + request->path_size, second, request->second_size);
	size_t size = sizeof(*request) + request->path_size + request->second_size;
	int rc = owner_send(o, OWNER_PATH, body, size, NULL);
	if (rc == 0)
		rc = owner_receive_head(o, OWNER_PATH, (uint32_t)(sizeof(*reply) + capacity), &head, &fd,
		                        NULL);
	if (rc == 0 && head.size < sizeof(*reply))
		rc = CELLA_EFORMAT;
	if (rc == 0)
		rc = io_read_full(o->fd, reply, sizeof(*reply), NULL);
	if (rc == 0 && reply->size != head.size - sizeof(*reply))
		rc = CELLA_EFORMAT;
	if (rc == 0 && reply->size)
		rc = io_read_full(o->fd, reply_data, reply->size, NULL);
	if (rc == 0)
		*ret_fd = take_fd(&fd);
	return rc;
}

struct wasi_host owner_wasi_host(struct owner *o)
{
	return (struct wasi_host){.data = o,
	                          .write_stream = write_stream,
	                          .read_input = read_input,
	                          .path = path_operation};
}

/* ---- questions to root keepers */

static int receive_answer(struct owner *o, struct answer *ret_answer, bool *ret_noted, struct error *err)
{
	struct owner_frame frame;
	cleanup_close int fd = -1;
	int rc = owner_receive_head(o, OWNER_KEEPER, UINT32_MAX, &frame, &fd, err);
	return rc == 0 ? read_answer(o, frame.size, ret_answer, ret_noted, err) : rc;
}

/* Its kinds have one size. */
static int send_numbered(struct owner *o, uint32_t type, uint32_t grant, const void *request, uint64_t number,
                         struct error *err)
{
	enum { REQUEST_SIZE = sizeof(struct owner_keeper_request) };
	uint8_t body[sizeof(struct owner_keeper_head) + REQUEST_SIZE + SEAL_OVERHEAD];
	const struct owner_keeper_head head = {.grant = grant};
	const struct seal_id id = owner_keeper_id(grant ? 0 : o->executor, false, number);
	memcpy(body, &head, sizeof(head));
	int rc = seal_object(o->keepers[grant].session, &id, NULL, 0, request, REQUEST_SIZE,
	                     body + sizeof(head), err);
	return rc < 0 ? rc : owner_send(o, type, body, sizeof(body), err);
}

static int send_question(struct owner *o, uint32_t grant, const void *request, uint64_t *ret_number,
                         struct error *err)
{
	*ret_number = o->keepers[grant].questions++;
	return send_numbered(o, OWNER_KEEPER, grant, request, *ret_number, err);
}

int owner_leave_last(struct owner *o, uint32_t grant, const struct owner_keeper_request *request,
                     struct error *err)
{
	return send_numbered(o, OWNER_LAST, grant, request, owner_last_number(o->keepers[grant].last++), err);
}

static int ask(struct owner *o, uint32_t grant, const void *request, struct answer *ret_answer,
               uint64_t *ret_number, struct error *err)
{
	bool noted = true;
	int rc = send_question(o, grant, request, ret_number, err);
	while (rc == 0 && noted)
		rc = receive_answer(o, ret_answer, &noted, err);
	if (rc == 0 && ret_answer->head.grant != grant)
		rc = error_set(err, CELLA_EFORMAT, "a root keeper's answer is another's");
	return rc;
}

int owner_ask_identity(struct owner *o, uint32_t grant, const struct owner_identity_request *request,
                       uint8_t ret_answer[IDENTITY_ANSWER_MAX], size_t *ret_size, struct error *err)
{
	struct answer a;
	uint64_t number;
	int rc = ask(o, grant, request, &a, &number, err);
	return rc == 0 ? open_answer(o, &a, number, ret_answer, IDENTITY_ANSWER_MAX, ret_size, err) : rc;
}

int owner_ask_keeper(struct owner *o, uint32_t grant, const struct owner_keeper_request *request,
                     struct owner_keeper_reply *ret_reply, struct error *err)
{
	struct answer a;
	uint64_t number;
	int rc = ask(o, grant, request, &a, &number, err);
	return rc == 0 ? open_reply(o, &a, number, ret_reply, err)
	               : error_prefix(err, rc, "the root keeper: ");
}

int owner_ask_later(struct owner *o, uint32_t grant, const struct owner_keeper_request *request,
                    const void *asker, struct error *err)
{
	struct later *l = calloc(1, sizeof(*l));
	if (!l)
		return error_set(err, CELLA_ENOMEM, "no memory for a question");
	int rc = send_question(o, grant, request, &l->number, err);
	if (rc < 0) {
		free(l);
		return rc;
	}
	l->asker = asker;
	l->grant = grant;
	TAILQ_INSERT_TAIL(&o->laters, l, link);
	return 0;
}

static struct later *first_of(struct owner *o, const void *asker)
{
	struct later *l;
	TAILQ_FOREACH(l, &o->laters, link)
	{
		if (l->asker == asker)
			return l;
	}
	return NULL;
}

static int await(struct owner *o, struct error *err)
{
	struct answer a;
	bool noted = false;
	int rc = receive_answer(o, &a, &noted, err);
	return rc == 0 && !noted ? error_set(err, CELLA_EFORMAT, "a root keeper answers what nobody asked")
	                         : rc;
}

bool owner_has_answer(struct owner *o, const void *asker)
{
	const struct later *l = first_of(o, asker);
	struct pollfd p = {.fd = o->fd, .events = POLLIN};
	while (l && !l->answered && poll(&p, 1, 0) > 0)
		if (await(o, NULL) < 0)
			return true;
	return l && l->answered;
}

int owner_take_answer(struct owner *o, const void *asker, struct error *err)
{
	struct later *l = first_of(o, asker);
	int rc = l ? 0 : error_set(err, CELLA_EBUG, "nobody asked a root keeper");
	while (rc == 0 && !l->answered)
		rc = await(o, err);
	if (rc == 0 && l->rc < 0 && err)
		*err = l->why;
	if (rc == 0)
		rc = l->rc;
	if (l)
		forget(o, l);
	return rc;
}

int owner_send_exit(struct owner *o, const struct owner_exit *end, const char *text, struct error *err)
{
	uint8_t body[4096];
	struct owner_exit head = *end;
	head.text_size = (uint32_t)min_of(strlen(text), sizeof(body) - sizeof(head));
	memcpy(body, &head, sizeof(head));
	memcpy(body + sizeof(head), text, head.text_size);
	struct seal_id id = owner_exit_id(o->executor, o->records);
	return owner_send_sealed(o, OWNER_EXIT, &id, body, sizeof(head) + head.text_size, err);
}

void owner_send_refused(struct owner *o, const struct error *why)
{
	uint8_t body[4 + sizeof(why->text)];
	int32_t code = why->code;
	size_t size = strnlen(why->text, sizeof(why->text));
	memcpy(body, &code, sizeof(code));
	memcpy(body + sizeof(code), why->text, size);
	if (owner_send(o, OWNER_REFUSED, body, sizeof(code) + size, NULL) < 0)
		return;
}
