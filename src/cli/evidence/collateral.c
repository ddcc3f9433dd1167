/*
 * cella evidence collateral fetch: what the hardware's maker publishes that a verification needs, as files
 * that `cella evidence verify` takes. curl fetches them: it knows proxies and the system's certificates.
 * Nothing depends on either, for the files are signed by the maker. They go to a scratch directory first, and
 * to --out when all are there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "cli/evidence/verb.h"
#include "cli/place.h"
#include "cli/process.h"
#include "cli/scratch.h"
#include "cli/verb.h"

enum { URL_SIZE = 1024, SOURCES_MAX = 8, MODE = 0644 };

struct source {
	const char *meaning;
	char url[URL_SIZE];
	char path[PLACE_PATH_MAX], fetched[PLACE_PATH_MAX];
	struct buf bytes;
};

struct sources {
	struct source items[SOURCES_MAX];
	size_t count;
};

static void sources_done(struct sources *s)
{
	for (size_t i = 0; i < s->count; i++)
		buf_done(&s->items[i].bytes);
}

/* The maker's address, or the same path of another server. */
static int choose_url(const struct evidence_options *o, const char *address, char ret_url[URL_SIZE],
                      struct error *err)
{
	const char *path = strchr(strstr(address, "//") + 2, '/');
	size_t size = o->from ? strlen(o->from) : 0;
	while (size && o->from[size - 1] == '/')
		size--;
	const int whole = o->from ? snprintf(ret_url, URL_SIZE, "%.*s%s", (int)size, o->from, path)
	                          : snprintf(ret_url, URL_SIZE, "%s", address);
	return whole < URL_SIZE ? 0
	                        : error_set(err, CELLA_EINVAL, "the address %.60s... is too long", ret_url);
}

static int add_source(const struct evidence_options *o, const struct tee_claim *claim,
                      const struct scratch *scratch, struct sources *s, struct error *err)
{
	struct source *to = &s->items[s->count];
	if (s->count == SOURCES_MAX)
		return error_set(err, CELLA_EBUG, "more files than %d are needed", SOURCES_MAX);
	int rc = choose_url(o, claim->value, to->url, err);
	if (rc == 0 &&
	    (snprintf(to->path, sizeof(to->path), "%s/%s", o->out, claim->name) >= PLACE_PATH_MAX ||
	     snprintf(to->fetched, sizeof(to->fetched), "%s/%s", scratch->path, claim->name) >=
	             PLACE_PATH_MAX))
		rc = error_set(err, CELLA_EINVAL, "the path %.60s... is too long", o->out);
	to->meaning = claim->meaning;
	s->count += rc == 0;
	return rc;
}

static void curl_words(const struct source *source, struct arguments *words)
{
	static const char *const fixed[] = {"curl",        "-q",
	                                    "--globoff",   "--fail",
	                                    "--silent",    "--show-error",
	                                    "--location",  "--proto",
	                                    "=https,http", "--max-time",
	                                    "60",          "--retry",
	                                    "2",           "--max-filesize"};
	for (size_t i = 0; i < array_count(fixed); i++)
		arguments_add(words, fixed[i]);
	arguments_print(words, "%d", TEE_BLOB_MAX);
	arguments_add(words, "--output");
	arguments_add(words, source->fetched);
	arguments_add(words, "--url");
	arguments_add(words, source->url);
}

static int fetch_all(struct sources *s, struct error *err)
{
	struct arguments commands[SOURCES_MAX] = {0};
	bool failed = false;
	for (size_t i = 0; i < s->count; i++) {
		curl_words(&s->items[i], &commands[i]);
		failed = failed || commands[i].failed;
	}
	int rc = failed ? error_set(err, CELLA_ENOMEM, "no memory for command lines") : 0;
	if (rc == 0)
		rc = process_run_shown(commands, s->count, 1, "collateral", err); /* servers limit rates */
	for (size_t i = 0; i < s->count; i++)
		arguments_done(&commands[i]);
	if (rc == CELLA_ENOENT)
		return error_prefix(
			err, rc, "collateral is fetched with curl (apt install curl), or by hand from %s: ",
			s->items[0].url);
	return rc == CELLA_EINVAL
	               ? error_set(err, CELLA_EIO,
	                           "curl could not fetch all of the collateral: it says why above. Where "
	                           "there is no internet, fetch it elsewhere, or name a cache with --from")
	               : rc;
}

/* Is what came what a verification takes? A page of a captive portal is not. */
static int understand(const struct tee_input *asked, struct sources *s, struct error *err)
{
	struct tee_blob blobs[TEE_BLOBS_MAX];
	struct tee_input input = *asked;
	struct tee_verdict v = {0};
	int rc = 0;
	input.collateral = blobs;
	input.collateral_count = 0;
	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		struct source *source = &s->items[i];
		rc = io_read_file(source->fetched, TEE_BLOB_MAX, &source->bytes, err);
		blobs[input.collateral_count++] = (struct tee_blob){source->bytes.data, source->bytes.size,
		                                                    source->url};
	}
	if (rc == 0)
		rc = tee_show(&input, &v, err);
	tee_verdict_done(&v);
	return rc == CELLA_EFORMAT
	               ? error_set(err, CELLA_EIO, "what was fetched is no collateral: %s", err->text)
	               : rc;
}

static int keep(const struct evidence_options *o, const struct sources *s, struct error *err)
{
	int rc = mkdir(o->out, 0755) < 0 && errno != EEXIST
	                 ? error_errno(err, CELLA_EIO, "cannot make the directory %s", o->out)
	                 : 0;
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		rc = io_replace_file(s->items[i].path, s->items[i].bytes.data, s->items[i].bytes.size, MODE,
		                     err);
	return rc;
}

/* What nobody publishes, on standard error. */
static void tell_missing(const struct tee_verdict *needed)
{
	for (size_t i = 0; i < needed->check_count; i++)
		log_warn("%s cannot be fetched: %s", needed->checks[i].name, needed->checks[i].found);
}

static json_t *missing_json(const struct tee_verdict *needed)
{
	json_t *list = json_array();
	for (size_t i = 0; i < needed->check_count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", needed->checks[i].name, "why",
		                                      needed->checks[i].found));
	return list;
}

static int tell(const struct evidence_options *o, const struct sources *s, const struct tee_verdict *needed,
                struct error *err)
{
	json_t *list = o->json ? json_array() : NULL;
	for (size_t i = 0; i < s->count; i++) {
		const struct source *source = &s->items[i];
		if (o->json)
			json_array_append_new(list,
			                      json_pack("{s:s, s:s, s:I, s:s}", "path", source->path, "url",
			                                source->url, "bytes", (json_int_t)source->bytes.size,
			                                "meaning", source->meaning));
		else
			printf("%s  %zu bytes  %s\n", source->path, source->bytes.size, source->url);
	}
	tell_missing(needed);
	return o->json ? verb_print_json(json_pack("{s:o, s:o}", "files", list, "missing",
	                                           missing_json(needed)),
	                                 err)
	               : 0;
}

static int fetch(const struct evidence_options *o, const struct tee_input *input, struct sources *s,
                 const struct tee_verdict *needed, struct error *err)
{
	cleanup_scratch struct scratch scratch = {0};
	int rc = scratch_make(NULL, &scratch, err);
	for (size_t i = 0; rc == 0 && i < needed->claim_count; i++)
		rc = add_source(o, &needed->claims[i], &scratch, s, err);
	if (rc == 0)
		rc = fetch_all(s, err);
	if (rc == 0)
		rc = understand(input, s, err);
	if (rc == 0)
		rc = keep(o, s, err);
	return rc == 0 ? tell(o, s, needed, err) : rc;
}

int evidence_collateral(const struct evidence_options *o, const struct tee_input *input, struct error *err)
{
	struct tee_verdict needed = {0};
	struct sources s = {0};
	struct tee_input with_product = *input;
	with_product.product = o->product;
	if (!o->out)
		return error_set(err, CELLA_EINVAL, "--out is missing: the directory for what is fetched");
	int rc = tee_sources(&with_product, &needed, err);
	if (rc == 0)
		rc = fetch(o, input, &s, &needed, err);
	sources_done(&s);
	tee_verdict_done(&needed);
	return rc;
}
