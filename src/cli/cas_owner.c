#include "cli/cas_owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "cas/audit/print.h"
#include "cli/cas_client.h"
#include "cli/cell_file.h"
#include "cli/verb.h"
#include "crypto/x509.h"

/* ---- asking the current CAS */

static int open_current(struct cas_client **ret_client, struct error *err)
{
	struct context context;
	struct cas_client *client = NULL;
	int rc = context_load(NULL, &context, err);
	if (rc == 0)
		rc = cas_client_open(&context, NULL, &client, err);
	if (rc == 0)
		rc = cas_client_check(client, &context, NULL, err);
	if (rc == 0)
		rc = context_save(&context, false, err);
	if (rc < 0)
		cas_client_free(client);
	else
		*ret_client = client;
	return rc;
}

int cas_owner_ask(const char *method, const char *target, json_t *body, json_t **ret_json, struct error *err)
{
	struct cas_client *client;
	int rc = open_current(&client, err);
	if (rc < 0) {
		json_decref(body);
		return rc;
	}
	rc = cas_client_json(client, method, target, body, ret_json, err);
	cas_client_free(client);
	return rc;
}

static int ask_of_key(const char *method, const char *route, const char *key, struct error *err)
{
	char target[160];
	if (strspn(key, "0123456789abcdefABCDEF") != strlen(key) || strlen(key) > 64)
		return error_set(err, CELLA_EINVAL, "%.80s is no key: it has 64 hexadecimal digits", key);
	snprintf(target, sizeof(target), "%s/%s", route, key);
	return cas_owner_ask(method, target, NULL, NULL, err);
}

static void print_time(const json_t *seconds)
{
	char text[CERT_TIME_TEXT_SIZE];
	cert_time_text((int64_t)json_integer_value(seconds), text);
	printf("%s", text);
}

int cas_owner_show(const struct cas_owner_options *o, const char *target, const char *name,
                   void (*print)(const json_t *one), struct error *err)
{
	json_t *answer = NULL, *one;
	size_t i;
	int rc = cas_owner_ask("GET", target, NULL, &answer, err);
	if (rc < 0)
		return rc;
	json_t *list = json_object_get(answer, name);
	if (o->json) {
		json_incref(list);
		rc = verb_print_json(list, err);
	} else {
		json_array_foreach(list, i, one) print(one);
	}
	json_decref(answer);
	return rc;
}

void cas_owner_print_text(const json_t *one, const char *member)
{
	char text[512];
	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(one, member)));
	printable(text, strlen(text), false);
	fputs(text, stdout);
}

static void print_party(const json_t *one)
{
	cas_owner_print_text(one, "key");
	printf("  ");
	if (json_integer_value(json_object_get(one, "since")) == 0)
		printf("%-20s", "from its beginning");
	else
		print_time(json_object_get(one, "since"));
	printf("  ");
	cas_owner_print_text(one, "label");
	puts(json_is_true(json_object_get(one, "revoked")) ? "  revoked" : "");
}

static void print_revocation(const json_t *one)
{
	cas_owner_print_text(one, "kind");
	putchar(' ');
	cas_owner_print_text(one, "what");
	printf("  ");
	print_time(json_object_get(one, "since"));
	printf("  ");
	cas_owner_print_text(one, "reason");
	putchar('\n');
}

/* ---- owners */

int cas_owner_credential(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	char hash[CERT_KEY_HASH_SIZE];
	int rc = cert_credential_create(operands[0], "Cella owner", (int64_t)time(NULL), hash, err);
	if (rc < 0)
		return rc;
	if (o->json)
		return verb_print_json(json_pack("{s:s, s:s}", "file", operands[0], "key", hash), err);
	puts(hash);
	return 0;
}

int cas_owner_list(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	(void)operands;
	return cas_owner_show(o, "/v1/owners", "owners", print_party, err);
}

/* A hash as it is written, or of the first certificate in a file. */
static int key_of(const char *text, char ret_hash[CERT_KEY_HASH_SIZE], struct error *err)
{
	cleanup_buf struct buf pem = {0};
	struct cert *chain[CERT_CHAIN_MAX];
	struct cert_facts facts;
	size_t count;
	if (access(text, R_OK) < 0)
		return cert_key_hash_parse(text, "the owner's key", ret_hash, err);
	int rc = io_read_file(text, CERT_TEXT_MAX, &pem, err);
	if (rc == 0)
		rc = cert_read_pem(pem.data, pem.size, chain, &count, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", text);
	rc = cert_describe(chain[0], &facts, err);
	if (rc == 0)
		memcpy(ret_hash, facts.key_hash, sizeof(facts.key_hash));
	for (size_t i = 0; i < count; i++)
		cert_free(chain[i]);
	return rc;
}

int cas_owner_add(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	char hash[CERT_KEY_HASH_SIZE];
	int rc = key_of(operands[0], hash, err);
	if (rc == 0)
		rc = cas_owner_ask("POST", "/v1/owners",
		                   json_pack("{s:s, s:s}", "key", hash, "label",
		                             o->label ? o->label : "an owner"),
		                   NULL, err);
	if (rc == 0)
		printf("%s is an owner\n", hash);
	return rc;
}

int cas_owner_remove(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	(void)o;
	int rc = ask_of_key("DELETE", "/v1/owners", operands[0], err);
	if (rc == 0)
		printf("%s is no owner any more\n", operands[0]);
	return rc;
}

/* ---- launchers */

int cas_owner_launchers(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	(void)operands;
	return cas_owner_show(o, "/v1/las", "las", print_party, err);
}

static void print_endorsed(const json_t *one)
{
	cas_owner_print_text(one, "las");
	printf("  ");
	print_time(json_object_get(one, "time"));
	printf("  %s%s\n", json_string_value(json_object_get(one, "tee")),
	       json_is_true(json_object_get(one, "enrolled")) ? "" : "  not enrolled");
}

int cas_owner_endorsed(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	(void)operands;
	return cas_owner_show(o, "/v1/endorsements", "endorsements", print_endorsed, err);
}

int cas_owner_remove_launcher(const struct cas_owner_options *o, const char *const *operands,
                              struct error *err)
{
	(void)o;
	int rc = ask_of_key("DELETE", "/v1/las", operands[0], err);
	if (rc == 0)
		printf("%s is not enrolled any more\n", operands[0]);
	return rc;
}

/* ---- certificates of cells */

/* To standard output, as it comes. */
static int print_answer(const char *target, struct error *err)
{
	const struct https_message message = {.method = "GET", .target = target};
	struct cas_client *client;
	struct https_reply reply;
	int rc = open_current(&client, err);
	if (rc < 0)
		return rc;
	rc = cas_client_ask(client, &message, &reply, err);
	if (rc == 0) {
		if (reply.size && fwrite(reply.body, 1, reply.size, stdout) != reply.size)
			rc = error_errno(err, CELLA_EIO, "cannot write to standard output");
		https_reply_done(&reply);
	}
	cas_client_free(client);
	return rc;
}

int cas_owner_ca(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	(void)o;
	(void)operands;
	return print_answer("/v1/identity/ca", err);
}

int cas_owner_crl(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	(void)o;
	(void)operands;
	return print_answer("/v1/identity/crl", err);
}

static void print_certificate(const json_t *one)
{
	cas_owner_print_text(one, "serial");
	printf("  until ");
	print_time(json_object_get(one, "until"));
	printf("  ");
	cas_owner_print_text(one, "name");
	puts(json_is_true(json_object_get(one, "revoked")) ? "  revoked" : "");
}

int cas_owner_certificates(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	(void)operands;
	return cas_owner_show(o, "/v1/identity/certificates", "certificates", print_certificate, err);
}

/* ---- revocations */

int cas_owner_revoke(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	const char *kind = operands[0], *what = operands[1];
	cleanup_cell_file struct cell_file cell = {0};
	if (strcmp(kind, "cell") == 0 && strspn(what, "0123456789abcdefABCDEF") != strlen(what)) {
		int rc = cell_file_open(what, &cell, err);
		if (rc < 0)
			return rc;
		what = cell.identity;
	}
	int rc = cas_owner_ask("POST", "/v1/revocations",
	                       json_pack("{s:s, s:s, s:s}", "kind", kind, "what", what, "reason",
	                                 o->reason ? o->reason : ""),
	                       NULL, err);
	if (rc == 0)
		printf("%s %s is revoked, for every request from now on; what runs keeps the keys that it has\n",
		       kind, what);
	return rc;
}

int cas_owner_revocations(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	(void)operands;
	return cas_owner_show(o, "/v1/revocations", "revocations", print_revocation, err);
}

/* ---- guests */

static void print_refusal(const json_t *one)
{
	cas_owner_print_text(one, "id");
	printf("  ");
	print_time(json_object_get(one, "time"));
	printf("  from ");
	cas_owner_print_text(one, "from");
	putchar('\n');
	verb_print_lines(json_string_value(json_object_get(one, "reasons")));
}

int cas_owner_refusals(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	(void)operands;
	return cas_owner_show(o, "/v1/guests/refusals", "refusals", print_refusal, err);
}

/* ---- the audit log */

static int ask_page(struct cas_client *client, const struct cas_owner_options *o, json_int_t from,
                    json_t **ret_page, struct error *err)
{
	cleanup_buf struct buf target = {0};
	char start[96];
	int size = snprintf(start, sizeof(start), "/v1/audit?from=%" JSON_INTEGER_FORMAT "&since=%" PRId64,
	                    from, o->since);
	buf_put(&target, start, (size_t)size);
	if (o->session) {
		buf_put(&target, "&session=", strlen("&session="));
		http_encode(&target, o->session);
	}
	buf_put(&target, "", 1);
	return target.failed ? error_set(err, CELLA_ENOMEM, "no memory for a request")
	                     : cas_client_json(client, "GET", (const char *)target.data, NULL, ret_page, err);
}

/* Page by page; each names the next. */
static int list_pages(struct cas_client *client, const struct cas_owner_options *o, json_t *all,
                      struct error *err)
{
	json_int_t from = 1;
	while (from > 0) {
		json_t *page, *entry;
		size_t i;
		int rc = ask_page(client, o, from, &page, err);
		if (rc < 0)
			return rc;
		const json_int_t next = json_integer_value(json_object_get(page, "next"));
		json_array_foreach(json_object_get(page, "entries"), i, entry)
		{
			if (!o->json)
				audit_print(entry, stdout);
			else if (json_array_append(all, entry) < 0)
				rc = error_set(err, CELLA_ENOMEM, "no memory for the audit log");
		}
		json_decref(page);
		if (rc == 0 && next != 0 && next <= from)
			rc = error_set(err, CELLA_EFORMAT, "the CAS's answer leads back in its audit log");
		if (rc < 0)
			return rc;
		from = next;
	}
	return 0;
}

int cas_owner_audit(const struct cas_owner_options *o, struct error *err)
{
	struct cas_client *client;
	int rc = open_current(&client, err);
	if (rc < 0)
		return rc;
	json_t *all = json_array();
	rc = list_pages(client, o, all, err);
	cas_client_free(client);
	if (rc == 0 && o->json)
		return verb_print_json(all, err);
	json_decref(all);
	return rc;
}
