/*
 * The owner's channel, both ends of it, with somebody between who reads, keeps and sends frames as he
 * likes. Does what was printed arrive whole and in order, or not at all?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "cell/owner/frame.h"
#include "cell/owner/owner.h"
#include "cli/job/owner_server.h"

enum { FRAMES_MAX = 8 };

struct frame {
	struct owner_frame head;
	uint8_t body[256];
};

struct fixture {
	struct mem_pool *pool;
	struct seal_session *session;
	struct owner *executor;
	struct owner_server *server;
	struct output printed;
	int from, to; /* the ends of whoever sits between */
	int output, saved;
};

static struct mem_pool *pool;

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int executor[2], server[2];
	const uint8_t key[32] = {7};
	f->pool = pool;
	assert_int_equal(seal_session_new(key, &f->session, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, executor), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, server), 0);
	assert_int_equal(owner_new(executor[0], f->pool, &f->executor, NULL), 0);
	owner_set_session(f->executor, f->session, 3);
	output_init(&f->printed, -1);
	struct owner_server_config config = {.fd = server[0],
	                                     .output = &f->printed,
	                                     .executor = 3,
	                                     .pool = f->pool,
	                                     .session = f->session};
	assert_int_equal(owner_server_new(&config, &f->server, NULL), 0);
	f->from = executor[1];
	f->to = server[1];
	f->output = memfd_create("output", 0);
	f->saved = dup(STDERR_FILENO);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	owner_server_free(f->server);
	owner_free(f->executor);
	seal_session_free(f->session);
	close(f->from);
	close(f->output);
	close(f->saved);
	free(f);
	return 0;
}

/* Three records, then the end. */
static void print(struct fixture *f, struct frame frames[FRAMES_MAX])
{
	struct wasi_host host = owner_wasi_host(f->executor);
	static const char *const texts[] = {"one ", "two ", "three"};
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(host.write_stream(host.data, STDERR_FILENO, texts[i], strlen(texts[i])), 0);
	assert_int_equal(owner_send_exit(f->executor, &(struct owner_exit){.status = 5}, "", NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(io_read_full(f->from, &frames[i].head, sizeof(frames[i].head), NULL), 0);
		assert_true(frames[i].head.size <= sizeof(frames[i].body));
		assert_int_equal(io_read_full(f->from, frames[i].body, frames[i].head.size, NULL), 0);
	}
}

/* The first answer that is not 0. */
static int serve(struct fixture *f)
{
	int rc = 0;
	close(f->to);
	dup2(f->output, STDERR_FILENO);
	while (rc == 0)
		rc = owner_server_readable(f->server, NULL);
	dup2(f->saved, STDERR_FILENO);
	return rc;
}

static void assert_printed(struct fixture *f, const char *text)
{
	char bytes[64] = "";
	ssize_t size = pread(f->output, bytes, sizeof(bytes) - 1, 0);
	assert_int_equal(size, strlen(text));
	assert_string_equal(bytes, text);
}

/* Frames are named by their digits; 3 is the end. */
static const struct {
	const char *what, *passed;
	int code;
	bool ends;
	const char *printed;
} cases[] = {
	{"all", "0123", CELLA_ELOST, true, "one two three"},
	{"without the last record", "013", CELLA_EAUTH, false, "one two "},
	{"without any record", "3", CELLA_EAUTH, false, ""},
	{"without the end", "012", CELLA_ELOST, false, "one two three"},
	{"cut in the middle", "01", CELLA_ELOST, false, "one two "},
	{"swapped", "0213", CELLA_EAUTH, false, "one "},
	{"repeated", "0112", CELLA_EAUTH, false, "one two "},
	{"on after the end", "01233", CELLA_EFORMAT, true, "one two three"},
};

static void test_what_arrives(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame frames[FRAMES_MAX];
		if (i > 0)
			setup(state);
		struct fixture *f = *state;
		print(f, frames);
		for (const char *at = cases[i].passed; *at; at++) {
			const struct frame *frame = &frames[*at - '0'];
			size_t size = sizeof(frame->head) + frame->head.size;
			assert_int_equal(io_write_full(f->to, frame, size, NULL), 0);
		}
		int rc = serve(f);
		if (rc != cases[i].code)
			fail_msg("%s: %d, not %d", cases[i].what, rc, cases[i].code);
		const struct owner_end *end = owner_server_end(f->server);
		assert_int_equal(end != NULL, cases[i].ends);
		if (end)
			assert_int_equal(end->exit.status, 5);
		assert_printed(f, cases[i].printed);
		if (i + 1 < sizeof(cases) / sizeof(cases[0]))
			teardown(state);
	}
}

/* Heads that no executor's frame has are refused before their bodies are there. */
static void test_heads(void **state)
{
	static const struct {
		struct owner_frame head;
		int code;
	} heads[] = {
		{{OWNER_STREAM, SEAL_OVERHEAD}, 0},
		{{OWNER_STREAM, SEAL_OVERHEAD + OWNER_STREAM_MAX}, 0},
		{{OWNER_STREAM, SEAL_OVERHEAD + OWNER_STREAM_MAX + 1}, CELLA_EFORMAT},
		{{OWNER_STREAM, SEAL_OVERHEAD - 1}, CELLA_EFORMAT},
		{{OWNER_INPUT, 5}, CELLA_EFORMAT},
		{{OWNER_PATH, sizeof(struct owner_path_request) - 1}, CELLA_EFORMAT},
		{{OWNER_PATH, sizeof(struct owner_path_request)}, 0},
		{{OWNER_EXIT, SEAL_OVERHEAD}, CELLA_EFORMAT},
		{{OWNER_REFUSED, 3}, CELLA_EFORMAT},
		{{OWNER_PROVISION, 100}, CELLA_EFORMAT},
		{{0, 0}, CELLA_EFORMAT},
		{{OWNER_REFUSED + 1, 100}, CELLA_EFORMAT},
		{{OWNER_STREAM, UINT32_MAX}, CELLA_EFORMAT},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct reader r = reader_of(&heads[i].head, sizeof(heads[i].head));
		struct owner_frame_view frame;
		if (owner_frame_next(&r, &frame, NULL) != heads[i].code)
			fail_msg("case %zu: not %d", i, heads[i].code);
		assert_int_equal(frame.type, 0);
		assert_int_equal(r.at, 0);
	}
}

static int start(void **state)
{
	(void)state;
	return mem_pool_new(MEM_INSECURE_NONE, 16 << 20, &pool, NULL) < 0 || crypto_init(pool, NULL) < 0 ? -1
	                                                                                                 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_arrives, setup, teardown),
		cmocka_unit_test(test_heads),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
