/* What a handler sees of a request, and the answers that it gives. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/https_state.h"

bool https_block_new(struct https_memory *m, size_t capacity, struct https_block *ret_block)
{
	uint8_t *data;
	if (m->pool) {
		pthread_mutex_lock(&m->lock);
		data = mem_alloc(m->pool, capacity);
		pthread_mutex_unlock(&m->lock);
	} else {
		data = malloc(capacity);
	}
	if (!data)
		return false;
	*ret_block = (struct https_block){data, 0, capacity};
	return true;
}

void https_block_free(struct https_memory *m, struct https_block *block)
{
	if (block->data && m->pool) {
		pthread_mutex_lock(&m->lock);
		mem_free(m->pool, block->data);
		pthread_mutex_unlock(&m->lock);
	} else if (block->data) {
		mem_wipe(block->data, block->capacity);
		free(block->data);
	}
	*block = (struct https_block){0};
}

struct https_request *https_request_new(struct https_server *server)
{
	struct https_request *r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->server = server;
	r->began_ns = clock_ns();
	return r;
}

void https_request_free(struct https_request *r)
{
	if (!r)
		return;
	struct https_memory *memory = &r->server->memory;
	https_block_free(memory, &r->head);
	https_block_free(memory, &r->body);
	https_block_free(memory, &r->answer);
	buf_done(&r->extra);
	free(r);
}

const char *https_method(const struct https_request *r)
{
	return r->http.method;
}

const char *https_segment(const struct https_request *r, const char *name)
{
	return http_pattern_segment(r->route->pattern, &r->http, name);
}

const char *https_parameter(const struct https_request *r, const char *name)
{
	return http_field(r->http.query, r->http.query_count, name);
}

const char *https_header(const struct https_request *r, const char *name)
{
	return http_field(r->http.fields, r->http.field_count, name);
}

const void *https_body(const struct https_request *r, size_t *ret_size)
{
	*ret_size = r->body.size;
	return r->body.data ? (const void *)r->body.data : "";
}

const struct tls_peer *https_peer(const struct https_request *r)
{
	return &r->peer;
}

const char *https_address(const struct https_request *r)
{
	return r->address;
}

void https_add_header(struct https_request *r, const char *name, const char *value)
{
	bool fits = r->extra.size + strlen(name) + strlen(value) < HTTPS_EXTRA_MAX;
	for (const char *c = value; fits && *c; c++)
		fits = (unsigned char)*c >= ' ' && *c != 0x7f;
	if (fits)
		buf_printf(&r->extra, "%s: %s\r\n", name, value);
	else
		log_error("https: the field %s is left out of an answer: it is too long, or no text", name);
}

static void put_date(struct buf *head, int64_t now)
{
	char text[64];
	struct tm tm;
	time_t t = (time_t)now;
	if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		buf_printf(head, "Date: %s\r\n", text);
}

static void put_head(struct https_request *r, struct buf *head, const char *type, size_t size)
{
	const struct https_server_options *o = &r->server->options;
	buf_printf(head, "HTTP/1.1 %u %s\r\n", r->status, http_status_name(r->status));
	put_date(head, o->now(o->now_arg));
	if (r->status != 204)
		buf_printf(head, "Content-Length: %zu\r\n", size);
	if (size > 0)
		buf_printf(head, "Content-Type: %s\r\n", type);
	buf_printf(head, "Cache-Control: no-store\r\n");
	buf_put(head, r->extra.data, r->extra.size);
	buf_printf(head, "%s\r\n", r->close ? "Connection: close\r\n" : "");
	head->failed = head->failed || r->extra.failed;
}

/* The answer; without memory for it there is none, and the connection ends. */
static void build(struct https_request *r, unsigned status, const char *type, const void *body, size_t size)
{
	cleanup_buf struct buf head = {0};
	bool no_body = status == 204 || (r->http.method && strcmp(r->http.method, "HEAD") == 0);
	r->status = status;
	put_head(r, &head, type, status == 204 ? 0 : size);
	if (head.failed || !https_block_new(&r->server->memory, head.size + (no_body ? 0 : size), &r->answer))
		return;
	memcpy(r->answer.data, head.data, head.size);
	r->answer.size = head.size;
	if (no_body || size == 0)
		return;
	memcpy(r->answer.data + head.size, body, size);
	r->answer.size += size;
}

/* The loop sends it. */
static void wake(struct https_server *s)
{
	uint64_t one = 1;
	if (pthread_equal(pthread_self(), s->loop))
		event_active(s->wake, EV_READ, 0);
	else if (write(s->wake_fd, &one, sizeof(one)) < 0)
		log_error("https: cannot wake the loop: %m");
}

void https_answer(struct https_request *r, unsigned status, const char *type, const void *body, size_t size)
{
	struct https_server *s = r->server;
	build(r, status, type, body, size);
	pthread_mutex_lock(&s->lock);
	r->answered = true;
	STAILQ_INSERT_TAIL(&s->answers, r, link);
	/* Under the lock, as the server may be freed once it has the last answer. */
	if (!pthread_equal(pthread_self(), s->loop) || s->dispatched != r)
		wake(s);
	pthread_mutex_unlock(&s->lock);
}

void https_answer_json(struct https_request *r, unsigned status, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	if (!text) {
		https_answer_problem(r, &(struct https_problem){.status = 500});
		return;
	}
	https_answer(r, status, "application/json", text, strlen(text));
	mem_wipe(text, strlen(text));
	free(text);
}

static json_t *problem_json(const struct https_problem *p)
{
	json_t *json = json_object();
	if (p->others)
		json_object_update(json, (json_t *)p->others);
	json_object_set_new(json, "type", json_string(p->type ? p->type : "about:blank"));
	json_object_set_new(json, "title", json_string(p->title ? p->title : http_status_name(p->status)));
	json_object_set_new(json, "status", json_integer(p->status));
	if (p->detail)
		json_object_set_new(json, "detail", json_string(p->detail));
	return json;
}

static char *problem_text(const struct https_problem *p)
{
	json_t *json = problem_json(p);
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return text;
}

static const char problem_type[] = "application/problem+json";

void https_answer_problem(struct https_request *r, const struct https_problem *p)
{
	char *text = problem_text(p);
	https_answer(r, p->status, problem_type, text ? text : "{}", text ? strlen(text) : 2);
	free(text);
}

void https_problem_answer(struct https_request *r, unsigned status, const char *detail)
{
	const struct https_problem p = {.status = status, .detail = detail};
	char *text = problem_text(&p);
	build(r, status, problem_type, text ? text : "{}", text ? strlen(text) : 2);
	free(text);
}

static unsigned status_of(int code)
{
	switch (code) {
	case CELLA_EINVAL:
	case CELLA_EFORMAT: return 400;
	case CELLA_EPERM:
	case CELLA_EAUTH: return 403;
	case CELLA_ENOENT: return 404;
	case CELLA_EEXIST:
	case CELLA_EFENCED:
	case CELLA_ENOTEMPTY: return 409;
	case CELLA_ELIMIT: return 422;
	case CELLA_EUNSUPPORTED: return 501;
	case CELLA_EAGAIN:
	case CELLA_ECANCELED: return 503;
	case CELLA_ETIMEOUT: return 504;
	case CELLA_ENOSPC: return 507;
	default: return 500;
	}
}

void https_answer_error(struct https_request *r, const struct error *error)
{
	struct https_problem p = {.status = status_of(error->code), .detail = error->text};
	if (p.status >= 500) {
		log_error("https: %s %s: %s", r->http.method, r->route->pattern, error->text);
		p.detail = NULL;
	}
	https_answer_problem(r, &p);
}

void https_answer_metrics(struct https_request *r, const struct metrics *metrics)
{
	cleanup_buf struct buf text = {0};
	metrics_write(metrics, &text);
	if (text.failed)
		https_answer_problem(r, &(struct https_problem){.status = 503});
	else
		https_answer(r, 200, METRICS_CONTENT_TYPE, text.data, text.size);
}

void https_answer_health(struct https_request *r, const struct https_check *checks, size_t count)
{
	json_t *json = json_object(), *all = json_object();
	bool passes = true;
	for (size_t i = 0; i < count; i++) {
		const char *failure = checks[i].failure;
		json_t *one = json_object();
		json_object_set_new(one, "status", json_string(failure ? "fail" : "pass"));
		if (failure)
			json_object_set_new(one, "output", json_string(failure));
		json_object_set_new(all, checks[i].name, one);
		passes = passes && !failure;
	}
	json_object_set_new(json, "status", json_string(passes ? "pass" : "fail"));
	json_object_set_new(json, "checks", all);
	https_answer_json(r, passes ? 200 : 503, json);
	json_decref(json);
}
