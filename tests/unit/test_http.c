/*
 * Parts of HTTPS that need no connection: are heads, chunks and routes read as RFC 9112 and RFC 3986 say, are
 * metrics written as Prometheus reads them, and do buckets and counts let through what they should?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "crypto/crypto.h"
#include "net/http.h"
#include "net/https_limits.h"
#include "net/metrics.h"

static char text[65536];

/* Of a head that is given whole; the strings are in `text`. */
static int read_request(const char *head, struct http_request *ret_request, struct http_refusal *why)
{
	size_t scanned = 0, size = strlen(head);
	memcpy(text, head, size + 1);
	size_t found = http_head_size(text, size, &scanned);
	assert_int_equal(found, size);
	return http_request_read(text, size, ret_request, why);
}

static void test_request(void **state not_used)
{
	struct http_request r;
	struct http_refusal why;
	assert_int_equal(read_request("POST /a/b%2fc/%C3%A9?x=1&y=a%26b+c&z= HTTP/1.1\r\nHOST: h:1\r\n"
	                              "Content-Length: 007\r\nX-Empty:\r\nX-Spaces: \t a b \t\r\n"
	                              "connection: keep-alive, Close\r\n\r\n",
	                              &r, &why),
	                 0);
	assert_string_equal(r.method, "POST");
	assert_int_equal(r.segment_count, 3);
	assert_string_equal(r.segments[0], "a");
	assert_string_equal(r.segments[1], "b/c");
	assert_string_equal(r.segments[2], "é");
	assert_int_equal(r.query_count, 3);
	assert_string_equal(http_field(r.query, r.query_count, "y"), "a&b c");
	assert_string_equal(http_field(r.query, r.query_count, "z"), "");
	assert_null(http_field(r.query, r.query_count, "w"));
	assert_int_equal(r.body_size, 7);
	assert_string_equal(http_field(r.fields, r.field_count, "x-empty"), "");
	assert_string_equal(http_field(r.fields, r.field_count, "x-spaces"), "a b");
	assert_true(r.close);
	assert_false(r.wants_continue);
	assert_int_equal(read_request("GET / HTTP/1.1\r\nHost:\r\nConnection: closed\r\n\r\n", &r, &why), 0);
	assert_int_equal(r.segment_count, 0);
	assert_false(r.close);
}

static void test_head_size(void **state not_used)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nmore";
	size_t scanned = 0;
	for (size_t size = 0; size < sizeof(head) - 5; size++)
		assert_int_equal(http_head_size(head, size, &scanned), 0);
	assert_int_equal(http_head_size(head, sizeof(head) - 1, &scanned), sizeof(head) - 5);
}

/* A line between the first and Host, or a target, and the status that it gets. */
static void test_refused(void **state not_used)
{
	static const struct {
		const char *target;
		unsigned status;
	} targets[] = {
		{"", 400},
		{"a", 400},
		{"*", 400},
		{"//", 400},
		{"/a//b", 400},
		{"/a/", 400},
		{"/.", 400},
		{"/%2e%2e", 400},
		{"/%2", 400},
		{"/%zz", 400},
		{"/%00", 400},
		{"/%0a", 400},
		{"/%7f", 400},
		{"/%ff", 400},
		{"/%c3", 400},
		{"/%c0%80", 400},
		{"/%ed%a0%80", 400},
		{"/#a", 400},
		{"/?a", 400},
		{"/?=a", 400},
		{"/?a=1&", 400},
		{"/?a=%", 400},
		{"/?a=1&a=2", 400},
		{"/?%61=1&a=2", 400},
		{"/\xc3\xa9", 400},
		{"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", 414},
		{"/?a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k=&l=&m=&n=&o=&p=&q=", 414},
	};
	struct http_request r;
	struct http_refusal why;
	for (size_t i = 0; i < array_count(targets); i++) {
		char head[256];
		snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", targets[i].target);
		if (read_request(head, &r, &why) == 0 || why.status != targets[i].status)
			fail_msg("%s: %u", targets[i].target, why.status);
	}
	cleanup_buf struct buf many = {0};
	buf_printf(&many, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < HTTP_FIELDS_MAX; i++)
		buf_printf(&many, "x%d: y\r\n", i);
	buf_printf(&many, "Host: a\r\n\r\n%c", 0);
	assert_true(read_request((char *)many.data, &r, &why) < 0);
	assert_int_equal(why.status, 431);
}

static void test_patterns(void **state not_used)
{
	static const char *const wrong[] = {"",
	                                    "a",
	                                    "/a/",
	                                    "//",
	                                    "/{}",
	                                    "/{a",
	                                    "/a}",
	                                    "/x{a}",
	                                    "/{a}x",
	                                    "/{a{b}}",
	                                    "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
	static const char *const right[] = {"/", "/a", "/a/{b}/c", "/{a}/{b}"};
	struct http_request r;
	struct http_refusal why;
	for (size_t i = 0; i < array_count(wrong); i++)
		assert_int_equal(http_pattern_check(wrong[i], NULL), CELLA_EINVAL);
	for (size_t i = 0; i < array_count(right); i++)
		assert_int_equal(http_pattern_check(right[i], NULL), 0);
	assert_int_equal(read_request("GET /v1/x/y HTTP/1.1\r\nHost: a\r\n\r\n", &r, &why), 0);
	assert_true(http_pattern_matches("/v1/{a}/{b}", &r));
	assert_true(http_pattern_matches("/v1/x/{b}", &r));
	assert_false(http_pattern_matches("/v1/{a}", &r));
	assert_false(http_pattern_matches("/v1/{a}/{b}/{c}", &r));
	assert_false(http_pattern_matches("/v1/xx/{b}", &r));
	assert_false(http_pattern_matches("/", &r));
	assert_string_equal(http_pattern_segment("/v1/{a}/{b}", &r, "b"), "y");
	assert_null(http_pattern_segment("/v1/{a}/{b}", &r, "v1"));
}

static void test_encode(void **state not_used)
{
	cleanup_buf struct buf to = {0};
	http_encode(&to, "a/b c?é~%");
	buf_put_u8(&to, 0);
	assert_string_equal((char *)to.data, "a%2Fb%20c%3F%C3%A9~%25");
}

static void test_statuses(void **state not_used)
{
	assert_string_equal(http_status_name(404), "Not Found");
	assert_string_equal(http_status_name(299), "Status");
}

/* Lines that are no metric, and what is written. */
static void test_metrics(void **state not_used)
{
	static const uint64_t bounds[] = {1000, 2500000};
	static const struct metric_shape a = {"x_total", "Counts \\ and\nmore", {{"k", "v\"\\\n"}}};
	static const struct metric_shape b = {"x_total", "Counts", {{"k", "w"}, {"l", "m"}}};
	static const struct metric_shape gauge = {"y", "Is", {{0}}},
					 histogram = {"z_seconds", "Takes", {{0}}};
	static const struct metric_shape bad = {"1x", "", {{0}}}, label = {"ok", "", {{"a-b", "c"}}};
	cleanup_buf struct buf to = {0};
	struct metrics *m;
	struct metric *one, *two, *g, *h, *none;
	assert_int_equal(metrics_new(&m, NULL), 0);
	assert_int_equal(metrics_counter(m, &a, &one, NULL), 0);
	assert_int_equal(metrics_gauge(m, &gauge, &g, NULL), 0);
	assert_int_equal(metrics_counter(m, &b, &two, NULL), 0);
	assert_int_equal(metrics_histogram(m, &histogram, bounds, 2, &h, NULL), 0);
	assert_int_equal(metrics_counter(m, &a, &none, NULL), CELLA_EEXIST);
	assert_int_equal(metrics_gauge(m, &b, &none, NULL), CELLA_EEXIST);
	assert_int_equal(metrics_counter(m, &bad, &none, NULL), CELLA_EINVAL);
	assert_int_equal(metrics_counter(m, &label, &none, NULL), CELLA_EINVAL);
	assert_int_equal(metrics_histogram(m, &label, bounds, 0, &none, NULL), CELLA_EINVAL);
	metric_add(one, 3);
	metric_add(two, 1);
	metric_change(g, -2);
	metric_observe_us(h, 1000);
	metric_observe_us(h, 1001);
	metric_observe_us(h, 9000000);
	metric_add(NULL, 1);
	metrics_write(m, &to);
	buf_put_u8(&to, 0);
	assert_string_equal((char *)to.data, "# HELP x_total Counts \\\\ and\\nmore\n# TYPE x_total counter\n"
	                                     "x_total{k=\"v\\\"\\\\\\n\"} 3\nx_total{k=\"w\",l=\"m\"} 1\n"
	                                     "# HELP y Is\n# TYPE y gauge\ny -2\n"
	                                     "# HELP z_seconds Takes\n# TYPE z_seconds histogram\n"
	                                     "z_seconds_bucket{le=\"0.001000\"} 1\n"
	                                     "z_seconds_bucket{le=\"2.500000\"} 2\n"
	                                     "z_seconds_bucket{le=\"+Inf\"} 3\n"
	                                     "z_seconds_sum 9.002001\nz_seconds_count 3\n");
	metrics_free(m);
}

static void test_buckets(void **state not_used)
{
	struct https_buckets *b;
	const uint64_t second = 1000000000, start = 5 * second;
	assert_int_equal(https_buckets_new(10, &b, NULL), 0);
	for (int i = 0; i < 10; i++)
		assert_true(https_buckets_take(b, 1, start));
	assert_false(https_buckets_take(b, 1, start));
	assert_true(https_buckets_take(b, 2, start)); /* another's is full */
	assert_false(https_buckets_take(b, 1, start + second / 20));
	assert_true(https_buckets_take(b, 1, start + second / 10));
	assert_false(https_buckets_take(b, 1, start + second / 10));
	for (int i = 0; i < 10; i++) /* no more than full, however long ago */
		assert_true(https_buckets_take(b, 1, start + 1000 * second));
	assert_false(https_buckets_take(b, 1, start + 1000 * second));
	for (uint64_t peer = 0; peer < 100000; peer++)
		assert_true(https_buckets_take(b, peer + 1000, start + 1000 * second));
	https_buckets_free(b);
}

static void test_counts(void **state not_used)
{
	struct https_counts *c;
	assert_int_equal(https_counts_new(&c, NULL), 0);
	for (unsigned turn = 0; turn < 3; turn++) {
		for (uint64_t peer = 0; peer < 1000; peer++) {
			assert_true(https_counts_take(c, peer, 2));
			assert_true(https_counts_take(c, peer, 2));
			assert_false(https_counts_take(c, peer, 2));
		}
		for (uint64_t peer = 0; peer < 1000; peer++) {
			https_counts_give(c, peer);
			assert_true(https_counts_take(c, peer, 2));
			https_counts_give(c, peer);
			https_counts_give(c, peer);
		}
	}
	assert_true(https_counts_take(c, 1, 1));
	https_counts_free(c);
}

static uint64_t peer_of(int family, const char *address)
{
	struct sockaddr_in four = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	assert_int_equal(inet_pton(family, address,
	                           family == AF_INET ? (void *)&four.sin_addr : &six.sin6_addr),
	                 1);
	return https_peer_of_address(family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six);
}

static void test_peers(void **state not_used)
{
	assert_true(peer_of(AF_INET, "192.0.2.1") != peer_of(AF_INET, "192.0.2.2"));
	assert_true(peer_of(AF_INET, "192.0.2.1") == peer_of(AF_INET6, "::ffff:192.0.2.1"));
	assert_true(peer_of(AF_INET6, "2001:db8::1") == peer_of(AF_INET6, "2001:db8::2:1"));
	assert_true(peer_of(AF_INET6, "2001:db8::1") != peer_of(AF_INET6, "2001:db8:0:1::1"));
	assert_true(https_peer_of_key("0123456789abcdef0") == 0x0123456789abcdef);
}

static int set_up(void **state not_used)
{
	return crypto_init(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request), cmocka_unit_test(test_head_size),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_encode),  cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_metrics), cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_counts),  cmocka_unit_test(test_peers),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
