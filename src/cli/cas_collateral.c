/* cella cas collateral: what the current CAS verifies evidence of hardware by. */
#include <string.h>
#include <time.h>

#include "attest/claims.h"
#include "attest/tee.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/nearest.h"
#include "cli/cas_client.h"
#include "cli/cas_owner.h"
#include "cli/verb.h"
#include "crypto/x509.h"

enum { FILE_MAX = 1 << 20, DAY_S = 86400, WARN_DAYS = 7 };

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

/* "2026-12-05T10:00:00Z", with a warning where that is near or past. */
static void print_end(int64_t ends, FILE *to)
{
	char text[CERT_TIME_TEXT_SIZE];
	const int64_t left = ends - (int64_t)time(NULL);
	if (ends == INT64_MAX) {
		fprintf(to, "nothing in it ends");
		return;
	}
	cert_time_text(ends, text);
	fprintf(to, "%s %s", left < 0 ? "ENDED" : "ends", text);
	if (left >= 0 && left < (int64_t)WARN_DAYS * DAY_S)
		fprintf(to, ", in %d day%s: behind that, evidence is refused; add a newer one",
		        (int)(left / DAY_S), left / DAY_S == 1 ? "" : "s");
}

static int add_file(const char *kind, const char *path, struct error *err)
{
	cleanup_buf struct buf file = {0};
	json_t *answer = NULL;
	int rc = io_read_file(path, FILE_MAX, &file, err);
	if (rc < 0)
		return rc;
	rc = cas_owner_ask("POST", "/v1/collateral",
	                   json_pack("{s:s, s:s, s:o}", "tee", kind, "label", file_name(path), "data",
	                             claims_base64url(file.data, file.size)),
	                   &answer, err);
	if (rc == CELLA_EEXIST) {
		printf("%s is there already\n", path);
		return 0;
	}
	if (rc < 0) /* what the CAS calls a bad request is the file, not the words here */
		return error_prefix(err, rc == CELLA_EINVAL ? CELLA_EFORMAT : rc, "%s: ", path);
	printf("%s is collateral of %s; ", path, kind);
	print_end((int64_t)json_integer_value(json_object_get(answer, "ends")), stdout);
	putchar('\n');
	json_decref(answer);
	return 0;
}

static int add(const struct cas_owner_options *o not_used, const char *const *operands, struct error *err)
{
	enum tee_kind kind;
	int rc = operands[0] && operands[1]
	                 ? tee_kind_parse(operands[0], &kind, err)
	                 : error_set(err, CELLA_EINVAL,
	                             "collateral add wants a KIND (snp, tdx, sgx, tpm, azure) and FILEs");
	for (size_t i = 1; rc == 0 && operands[i]; i++)
		rc = add_file(operands[0], operands[i], err);
	return rc;
}

static void print_one(const json_t *one)
{
	printf("%-5s %s  ", json_string_value(json_object_get(one, "tee")),
	       json_string_value(json_object_get(one, "hash")));
	cas_owner_print_text(one, "label");
	printf("  ");
	print_end((int64_t)json_integer_value(json_object_get(one, "ends")), stdout);
	putchar('\n');
}

static int list(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	if (operands[0])
		return error_set(err, CELLA_EINVAL, "collateral list wants no operand");
	return cas_owner_show(o, "/v1/collateral", "collateral", print_one, err);
}

static int remove_one(const struct cas_owner_options *o not_used, const char *const *operands,
                      struct error *err)
{
	char target[200];
	enum tee_kind kind;
	if (!operands[0] || !operands[1] || operands[2])
		return error_set(err, CELLA_EINVAL,
		                 "collateral remove wants KIND and HASH, as collateral list has them");
	int rc = tee_kind_parse(operands[0], &kind, err);
	if (rc == 0 && (strlen(operands[1]) > 96 ||
	                strspn(operands[1], "0123456789abcdefABCDEF") != strlen(operands[1])))
		rc = error_set(err, CELLA_EINVAL, "%.100s is no hash: it has 96 hexadecimal digits",
		               operands[1]);
	if (rc < 0)
		return rc;
	snprintf(target, sizeof(target), "/v1/collateral/%s/%s", operands[0], operands[1]);
	rc = cas_owner_ask("DELETE", target, NULL, NULL, err);
	if (rc == 0)
		puts("removed");
	return rc;
}

static const struct command_row {
	const char *name;
	int (*run)(const struct cas_owner_options *o, const char *const *operands, struct error *err);
} commands[] = {{"add", add}, {"list", list}, {"remove", remove_one}};

int cas_owner_collateral(const struct cas_owner_options *o, const char *const *operands, struct error *err)
{
	size_t found;
	int rc = verb_find_command(operands[0], commands, sizeof(commands[0]), array_count(commands), &found,
	                           err);
	return rc == 0 ? commands[found].run(o, operands + 1, err) : rc;
}

/* Who is no owner is told nothing. */
void cas_owner_collateral_warn(struct cas_client *client)
{
	json_t *answer = NULL, *one;
	size_t i;
	if (cas_client_json(client, "GET", "/v1/collateral", NULL, &answer, NULL) < 0)
		return;
	const int64_t soon = (int64_t)time(NULL) + (int64_t)WARN_DAYS * DAY_S;
	json_array_foreach(json_object_get(answer, "collateral"), i, one)
	{
		const int64_t ends = (int64_t)json_integer_value(json_object_get(one, "ends"));
		if (ends >= soon)
			continue;
		fprintf(stderr,
		        "warning: collateral of %s, %.200s: ", json_string_value(json_object_get(one, "tee")),
		        json_string_value(json_object_get(one, "label")));
		print_end(ends, stderr);
		fputc('\n', stderr);
	}
	json_decref(answer);
}
