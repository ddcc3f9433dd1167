#include "tpm/td_quote.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "attest/claims.h"
#include "base/base64url.h"
#include "base/cleanup.h"
#include "net/http.h"

enum { ADDRESS_SIZE = 16, SECONDS = 20, STEP = 4096, ANSWER_MAX = HTTP_HEAD_MAX + 2 * TD_QUOTE_MAX };

static int read_address(const char *server, struct sockaddr_in *ret, struct error *err)
{
	char address[ADDRESS_SIZE];
	const char *colon = strchr(server, ':');
	char *end = NULL;
	const unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (!colon || (size_t)(colon - server) >= sizeof(address) || *end != '\0' || port == 0 ||
	    port > UINT16_MAX)
		return error_set(err, CELLA_EINVAL, "%.60s is no IPv4 address and port", server);
	memcpy(address, server, (size_t)(colon - server));
	address[colon - server] = '\0';
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return error_set(err, CELLA_EINVAL, "%.60s is no IPv4 address and port", server);
	*ret = to;
	return 0;
}

static int failed(const char *server, struct error *err)
{
	const int code = errno == EAGAIN || errno == EINPROGRESS ? CELLA_ETIMEOUT : CELLA_EIO;
	return error_errno(err, code, "Azure's quoting service at %.60s", server);
}

static int connect_to(const char *server, int *ret_fd, struct error *err)
{
	struct sockaddr_in to;
	const struct timeval time = {.tv_sec = SECONDS};
	int rc = read_address(server, &to, err);
	if (rc < 0)
		return rc;
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) < 0 ||
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return failed(server, err);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int send_request(int fd, const char *server, const uint8_t report[TD_REPORT_SIZE], struct error *err)
{
	static const char begin[] = "{\"report\":\"", end[] = "\"}";
	char text[TD_REPORT_SIZE * 4 / 3 + 4];
	cleanup_buf struct buf request = {0};
	const size_t size = base64url_size(TD_REPORT_SIZE);
	base64url_encode(report, TD_REPORT_SIZE, text);
	buf_printf(&request,
	           "POST /acc/tdquote HTTP/1.1\r\nHost: %.60s\r\nContent-Type: application/json\r\n"
	           "Content-Length: %zu\r\nConnection: close\r\n\r\n",
	           server, sizeof(begin) - 1 + size + sizeof(end) - 1);
	buf_put(&request, begin, sizeof(begin) - 1);
	buf_put(&request, text, size);
	buf_put(&request, end, sizeof(end) - 1);
	if (request.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a request");
	for (size_t at = 0; at < request.size;) {
		const ssize_t n = send(fd, request.data + at, request.size - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return failed(server, err);
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* To the end of the connection. */
static int receive(int fd, const char *server, struct buf *to, struct error *err)
{
	uint8_t bytes[STEP];
	while (to->size <= ANSWER_MAX) {
		const ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
		if (n == 0)
			return to->failed ? error_set(err, CELLA_ENOMEM, "no memory for an answer") : 0;
		if (n < 0 && errno != EINTR)
			return failed(server, err);
		buf_put(to, bytes, n > 0 ? (size_t)n : 0);
	}
	return error_set(err, CELLA_EIO, "Azure's quoting service at %.60s answers more than %d bytes",
	                 server, ANSWER_MAX);
}

static int unchunk(const char *bytes, size_t size, struct buf *to, struct error *err)
{
	struct http_chunks chunks = {0};
	for (size_t at = 0; !chunks.ended;) {
		size_t used, part;
		const char *data;
		int rc = http_chunks_read(&chunks, bytes + at, size - at, &used, &data, &part, err);
		if (rc < 0)
			return rc;
		if (used == 0)
			return error_set(err, CELLA_EFORMAT, "it is cut");
		buf_put(to, data, part);
		at += used;
	}
	return 0;
}

static int read_body(struct buf *answer, struct buf *to, struct error *err)
{
	struct http_response response;
	size_t scanned = 0;
	char *bytes = (char *)answer->data;
	const size_t head = answer->size > 0 ? http_head_size(bytes, answer->size, &scanned) : 0;
	if (head == 0)
		return error_set(err, CELLA_EFORMAT, "it is no HTTP, or cut");
	int rc = http_response_read(bytes, head, "POST", &response, err);
	if (rc < 0)
		return rc;
	if (response.status != 200)
		return error_set(err, CELLA_EIO, "%u %s", response.status, http_status_name(response.status));
	const size_t left = answer->size - head;
	if (response.body == HTTP_BODY_CHUNKED)
		return unchunk(bytes + head, left, to, err);
	if (response.body == HTTP_BODY_SIZED && response.body_size != left)
		return error_set(err, CELLA_EFORMAT, "it is cut");
	buf_put(to, bytes + head, left);
	return 0;
}

/* {"quote": base64url}, with padding or not. */
static int read_quote(const struct buf *body, struct buf *ret_quote, struct error *err)
{
	json_t *root;
	int rc = claims_load((const char *)body->data, body->size, &root, err);
	if (rc < 0)
		return rc;
	const char *text = json_string_value(json_object_get(root, "quote"));
	size_t size = text ? strlen(text) : 0;
	while (size > 0 && text[size - 1] == '=')
		size--;
	uint8_t *to = size > 0 && base64url_bytes(size) <= TD_QUOTE_MAX
	                      ? buf_reserve(ret_quote, base64url_bytes(size))
	                      : NULL;
	const bool decoded = to && base64url_decode(text, size, to);
	json_decref(root);
	return decoded ? 0 : error_set(err, CELLA_EFORMAT, "it has no quote");
}

int td_quote_fetch(const char *server, const uint8_t report[TD_REPORT_SIZE], struct buf *ret_quote,
                   struct error *err)
{
	cleanup_close int fd = -1;
	cleanup_buf struct buf answer = {0}, body = {0};
	int rc = connect_to(server, &fd, err);
	if (rc == 0)
		rc = send_request(fd, server, report, err);
	if (rc == 0)
		rc = receive(fd, server, &answer, err);
	if (rc < 0)
		return rc;
	rc = read_body(&answer, &body, err);
	if (rc == 0)
		rc = read_quote(&body, ret_quote, err);
	if (rc < 0)
		return error_prefix(err, rc == CELLA_ENOMEM ? rc : CELLA_EIO,
		                    "the answer of Azure's quoting service at %.60s: ", server);
	return 0;
}
