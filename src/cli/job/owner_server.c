#include "cli/job/owner_server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cell/owner/frame.h"
#include "cli/quote.h"

struct owner_server {
	struct owner_server_config config;
	struct buf in;
	size_t wants_input;
	uint64_t records[3]; /* next record number of standard input, output, error */
	uint64_t keeper_questions;
	bool handling, held; /* frames are handled just now; a question waits */
	bool ended;
	struct owner_end end;
};

int owner_server_new(const struct owner_server_config *config, struct owner_server **ret_server,
                     struct error *err)
{
	struct owner_server *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for an executor's channel");
	s->config = *config;
	*ret_server = s;
	return 0;
}

void owner_server_free(struct owner_server *s)
{
	if (!s)
		return;
	close(s->config.fd);
	buf_done(&s->in);
	free(s);
}

int owner_server_fd(const struct owner_server *s)
{
	return s->config.fd;
}

/* Head and body, with a descriptor beside the head if fd is not -1. */
static int send_frame(struct owner_server *s, uint32_t type, const void *body, size_t size, int fd,
                      struct error *err)
{
	struct owner_frame head = {.type = type, .size = (uint32_t)size};
	int rc = io_send_message(s->config.fd, &head, sizeof(head), &fd, fd >= 0, err);
	if (rc == 0 && size)
		rc = io_write_full(s->config.fd, body, size, err);
	return rc < 0 ? error_prefix(err, CELLA_ELOST, "executor %u's channel: ", s->config.executor) : 0;
}

int owner_server_provision(struct owner_server *s, const uint8_t public_key[CRYPTO_X25519_SIZE],
                           const struct provision *provision, struct error *err)
{
	uint8_t *plain;
	size_t size;
	int rc = provision_write(provision, s->config.pool, &plain, &size, err);
	if (rc < 0)
		return rc;
	cleanup_free uint8_t *sealed = malloc(size + CRYPTO_HPKE_OVERHEAD);
	rc = sealed ? crypto_hpke_seal(public_key, PROVISION_INFO, strlen(PROVISION_INFO), NULL, 0, plain,
	                               size, sealed, err)
	            : error_set(err, CELLA_ENOMEM, "no memory for a provisioning");
	mem_free(s->config.pool, plain);
	return rc < 0 ? rc : send_frame(s, OWNER_PROVISION, sealed, size + CRYPTO_HPKE_OVERHEAD, -1, err);
}

int owner_server_grant(struct owner_server *s, const void *sealed, size_t size, struct error *err)
{
	if (size > PROVISION_SIZE_MAX + CRYPTO_HPKE_OVERHEAD)
		return error_set(err, CELLA_ELIMIT, "a grant of %zu bytes", size);
	return send_frame(s, OWNER_GRANT, sealed, size, -1, err);
}

/* Opens a record into protected memory that the caller frees. */
static int open_record(struct owner_server *s, const struct seal_id *id, const uint8_t *body, size_t size,
                       uint8_t **ret_plain, size_t *ret_size, struct error *err)
{
	if (size < SEAL_OVERHEAD)
		return error_set(err, CELLA_EFORMAT, "executor %u sent a record of %zu bytes",
		                 s->config.executor, size);
	size_t plain_size = size - SEAL_OVERHEAD;
	uint8_t *plain = mem_alloc(s->config.pool, plain_size + 1);
	if (!plain)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a record");
	int rc = seal_open(s->config.session, id, NULL, 0, body, size, plain, plain_size, err);
	if (rc < 0) {
		mem_free(s->config.pool, plain);
		return error_prefix(err, rc, "executor %u: ", s->config.executor);
	}
	*ret_plain = plain;
	*ret_size = plain_size;
	return 0;
}

static int on_stream(struct owner_server *s, const uint8_t *body, size_t size, struct error *err)
{
	struct seal_id claimed;
	size_t plain_size;
	int rc = seal_peek(body, size, &claimed, &plain_size, err);
	if (rc < 0)
		return rc;
	int stream = (int)(claimed.object & 0xff);
	if (stream != STDOUT_FILENO && stream != STDERR_FILENO)
		return error_set(err, CELLA_EFORMAT, "executor %u wrote to stream %d", s->config.executor,
		                 stream);
	struct seal_id id = owner_stream_id(s->config.executor, stream, s->records[stream]);
	uint8_t *plain;
	rc = open_record(s, &id, body, size, &plain, &plain_size, err);
	if (rc < 0)
		return rc;
	s->records[stream]++;
	rc = output_write(s->config.output, stream, plain, plain_size, err);
	mem_free(s->config.pool, plain);
	return rc < 0 ? error_prefix(err, rc,
	                             stream == STDOUT_FILENO ? "standard output: " : "standard error: ")
	              : 0;
}

static int on_input(struct owner_server *s, const uint8_t *body, size_t size, struct error *err)
{
	struct reader r = reader_of(body, size);
	uint32_t wanted = reader_u32(&r);
	if (!reader_finished(&r) || wanted == 0 || wanted > OWNER_STREAM_MAX || s->wants_input)
		return error_set(err, CELLA_EFORMAT, "executor %u asked wrongly for standard input",
		                 s->config.executor);
	s->wants_input = wanted;
	return 0;
}

size_t owner_server_wants_input(const struct owner_server *s)
{
	return s->wants_input;
}

int owner_server_input(struct owner_server *s, const void *bytes, size_t size, struct error *err)
{
	cleanup_free uint8_t *sealed = malloc(seal_size(size));
	if (!sealed)
		return error_set(err, CELLA_ENOMEM, "no memory for standard input");
	struct seal_id id = owner_stream_id(s->config.executor, STDIN_FILENO, s->records[STDIN_FILENO]++);
	s->wants_input = 0;
	int rc = seal_object(s->config.session, &id, NULL, 0, bytes, size, sealed, err);
	return rc < 0 ? rc : send_frame(s, OWNER_INPUT, sealed, seal_size(size), -1, err);
}

static int on_exit_record(struct owner_server *s, const uint8_t *body, size_t size, struct error *err)
{
	struct seal_id id = owner_exit_id(s->config.executor, s->records);
	uint8_t *plain;
	size_t plain_size;
	int rc = open_record(s, &id, body, size, &plain, &plain_size, err);
	if (rc < 0)
		return rc;
	struct reader r = reader_of(plain, plain_size);
	reader_copy(&r, &s->end.exit, sizeof(s->end.exit));
	size_t text_size = min_of(s->end.exit.text_size, (uint32_t)sizeof(s->end.text) - 1);
	reader_copy(&r, s->end.text, text_size);
	mem_free(s->config.pool, plain);
	if (r.failed || s->end.exit.error > 0)
		return error_set(err, CELLA_EFORMAT, "executor %u's exit record is malformed",
		                 s->config.executor);
	s->ended = true;
	return 0;
}

const struct owner_end *owner_server_end(const struct owner_server *s)
{
	return s->ended ? &s->end : NULL;
}

static int on_refused(struct owner_server *s, const uint8_t *body, size_t size, struct error *err)
{
	char text[QUOTE_MAX];
	struct reader r = reader_of(body, size);
	reader_u32(&r);
	return error_set(err, CELLA_EPERM, "executor %u refused: %s", s->config.executor,
	                 quote(body + r.at, reader_left(&r), text));
}

static int on_path(struct owner_server *s, const uint8_t *body, size_t size, struct error *err)
{
	uint8_t answer[sizeof(struct owner_path_reply) + OWNER_PATH_MAX];
	size_t answer_size = 0;
	cleanup_close int fd = -1;
	int rc = owner_paths_serve(s->config.paths, body, size, answer, sizeof(answer), &answer_size, &fd,
	                           err);
	return rc < 0 ? rc : send_frame(s, OWNER_PATH, answer, answer_size, fd, err);
}

/* To a keeper of the owner's own. */
static int answer_keeper(struct owner_server *s, const uint8_t *body, size_t size, struct buf *ret_sealed,
                         struct error *err)
{
	static const struct owner_keepers none;
	uint8_t answer[KEEPER_ANSWER_MAX], *question;
	size_t question_size, answer_size;
	struct seal_id asked = owner_keeper_id(s->config.executor, false, s->keeper_questions);
	struct seal_id answered = owner_keeper_id(s->config.executor, true, s->keeper_questions++);
	int rc = open_record(s, &asked, body, size, &question, &question_size, err);
	if (rc < 0)
		return rc;
	rc = owner_keepers_serve(s->config.keepers ? s->config.keepers : &none, question, question_size,
	                         answer, &answer_size, err);
	mem_free(s->config.pool, question);
	if (rc < 0)
		return rc;
	uint8_t *to = buf_reserve(ret_sealed, seal_size(answer_size));
	return to ? seal_object(s->config.session, &answered, NULL, 0, answer, answer_size, to, err)
	          : error_set(err, CELLA_ENOMEM, "no memory for a root keeper's answer");
}

static int send_answer(struct owner_server *s, const struct owner_keeper_head *head, const void *bytes,
                       size_t size, struct error *err)
{
	cleanup_buf struct buf frame = {0};
	buf_put(&frame, head, sizeof(*head));
	buf_put(&frame, bytes, size);
	return frame.failed ? error_set(err, CELLA_ENOMEM, "no memory for a root keeper's answer")
	                    : send_frame(s, OWNER_KEEPER, frame.data, frame.size, -1, err);
}

/* We cannot read it. That there is none is told in the clear. */
int owner_server_answer(struct owner_server *s, uint32_t grant, int rc, const struct error *why,
                        const struct buf *answer, struct error *err)
{
	const struct owner_keeper_head head = {.grant = grant, .error = rc};
	return rc < 0 ? send_answer(s, &head, why->text, min_of(strlen(why->text), (size_t)KEEPER_ANSWER_MAX),
	                            err)
	              : send_answer(s, &head, answer->data, answer->size, err);
}

static int on_keeper(struct owner_server *s, const uint8_t *body, size_t size, struct error *err)
{
	struct owner_keeper_head head;
	cleanup_buf struct buf answer = {0};
	memcpy(&head, body, sizeof(head));
	body += sizeof(head);
	size -= sizeof(head);
	if (head.error || (head.grant && !s->config.ask_cas))
		return error_set(err, CELLA_EFORMAT, "an executor asked for a root keeper it does not have");
	if (head.grant)
		return s->config.ask_cas(s->config.ask_data, s->config.executor, head.grant, body, size, err);
	int rc = answer_keeper(s, body, size, &answer, err);
	return rc == 0 ? send_answer(s, &head, answer.data, answer.size, err) : rc;
}

/* Who asks CASes keeps these, too. */
static int on_last(struct owner_server *s, const uint8_t *body, size_t size, struct error *err)
{
	struct owner_keeper_head head;
	memcpy(&head, body, sizeof(head));
	if (head.error || !head.grant || !s->config.keep_last)
		return error_set(err, CELLA_EFORMAT,
		                 "an executor left a question for a root keeper it does not have");
	return s->config.keep_last(s->config.ask_data, s->config.executor, head.grant, body + sizeof(head),
	                           size - sizeof(head), err);
}

static int on_frame(struct owner_server *s, uint32_t type, const uint8_t *body, size_t size,
                    struct error *err)
{
	if (s->ended)
		return error_set(err, CELLA_EFORMAT, "executor %u spoke on after its end",
		                 s->config.executor);
	switch (type) {
	case OWNER_STREAM: return on_stream(s, body, size, err);
	case OWNER_INPUT: return on_input(s, body, size, err);
	case OWNER_PATH: return on_path(s, body, size, err);
	case OWNER_KEEPER: return on_keeper(s, body, size, err);
	case OWNER_LAST: return on_last(s, body, size, err);
	case OWNER_EXIT: return on_exit_record(s, body, size, err);
	case OWNER_REFUSED: return on_refused(s, body, size, err);
	default: return error_set(err, CELLA_EBUG, "a frame of type %u has no reader", type);
	}
}

static bool has_to_wait(const struct owner_server *s, const struct owner_frame_view *frame)
{
	return frame->type == OWNER_KEEPER && s->config.may_ask && !s->config.may_ask(s->config.ask_data);
}

/* Handle the whole frames in the buffer, up to a question that has to wait, and keep the rest. */
static int handle_whole(struct owner_server *s, size_t *ret_done, struct error *err)
{
	struct reader r = reader_of(s->in.data, s->in.size);
	struct owner_frame_view frame;
	int rc = owner_frame_next(&r, &frame, err);
	s->held = false;
	while (rc == 0 && frame.type) {
		s->held = has_to_wait(s, &frame);
		if (s->held)
			return 0;
		rc = on_frame(s, frame.type, frame.body, frame.size, err);
		if (rc < 0)
			return rc;
		*ret_done = r.at;
		rc = owner_frame_next(&r, &frame, err);
	}
	return rc < 0 ? error_prefix(err, rc, "executor %u sent ", s->config.executor) : 0;
}

static int handle_frames(struct owner_server *s, struct error *err)
{
	size_t done = 0;
	s->handling = true;
	int rc = handle_whole(s, &done, err);
	s->handling = false;
	s->in.size -= done;
	memmove(s->in.data, s->in.data + done, s->in.size);
	return rc;
}

bool owner_server_is_held(const struct owner_server *s)
{
	return s->held || s->handling;
}

int owner_server_go_on(struct owner_server *s, struct error *err)
{
	return handle_frames(s, err);
}

int owner_server_readable(struct owner_server *s, struct error *err)
{
	enum { STEP = 65536 };
	uint8_t *at = buf_reserve(&s->in, STEP);
	if (!at)
		return error_set(err, CELLA_ENOMEM, "no memory for an executor's messages");
	ssize_t n = recv(s->config.fd, at, STEP, MSG_DONTWAIT);
	int error_number = errno;
	s->in.size -= STEP - (size_t)max_of(n, (ssize_t)0);
	if (n < 0 && (error_number == EAGAIN || error_number == EINTR))
		return 0;
	if (n <= 0)
		return error_set(err, CELLA_ELOST, "executor %u is gone", s->config.executor);
	return handle_frames(s, err);
}
