/* cella verify: are a cell's signatures good, and whose are they? */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "cli/builder.h"
#include "cli/cell_file.h"
#include "cli/verbs.h"

struct verify_options {
	struct option_list builders;
	const char *identity;
	bool quiet;
};

static const struct option verify_table[] = {
	{"--builder", NULL, OPTION_LIST, "HEX",
         "accept this builder instead of your own key; may be repeated",
         option_field(verify_options, builders)},
	{"--identity", NULL, OPTION_TEXT, "HEX", "the identity that the cell must have",
         option_field(verify_options, identity)},
	{"--quiet", "-q", OPTION_FLAG, NULL, "print nothing when all is well",
         option_field(verify_options, quiet)},
};

const struct verb verify_verb = {
	.name = "verify",
	.operands = "FILE.cell",
	.summary = "check a cell's signatures, builder and identity",
	.description =
		"Computes the cell's identity (SHA-384 of its WebAssembly module and manifest), checks the\n"
		"signature over each of its artifacts (its machine code for a target), and that each builder\n"
		"is one you accept: those given with --builder, else the holder of your own builder's key.\n"
		"Exit status: 0 if all holds; 1 if something does not; 2 for a mistake in the options.",
	.example = "cella verify hello.cell",
	.table = {verify_table, array_count(verify_table), false},
	.operands_min = 1,
	.operands_max = 1,
	.enter = verb_verify,
};

static int check_named(const struct bundle_artifact *a, const struct option_list *builders, struct error *err)
{
	char hex[2 * CRYPTO_ED25519_SIZE + 1];
	for (size_t i = 0; i < builders->count; i++) {
		uint8_t key[CRYPTO_ED25519_SIZE];
		int rc = builder_parse(builders->items[i], key, err);
		if (rc < 0)
			return rc;
		if (crypto_equal(key, a->builder, sizeof(key)))
			return 0;
	}
	io_hex(a->builder, sizeof(a->builder), hex);
	return error_set(err, CELLA_EAUTH, "it was built by %s, which is none of those given", hex);
}

static int check_builder(const struct verify_options *o, const struct bundle_artifact *a, struct error *err)
{
	int rc = o->builders.count ? check_named(a, &o->builders, err)
	                           : builder_check(a->builder, NULL, 0, err);
	return rc < 0 ? error_prefix(err, rc, "the artifact for %s: ", a->target) : 0;
}

static int check(const struct verify_options *o, const struct cell_file *f, struct error *err)
{
	if (o->identity && strcasecmp(o->identity, f->identity) != 0)
		return error_set(err, CELLA_EAUTH, "its identity is %s", f->identity);
	int rc = cell_file_verify(f, err);
	for (size_t i = 0; rc == 0 && i < f->bundle.artifact_count; i++)
		rc = check_builder(o, &f->bundle.artifacts[i], err);
	return rc;
}

static void print(const struct cell_file *f)
{
	printf("identity %s\n", f->identity);
	for (size_t i = 0; i < f->bundle.artifact_count; i++) {
		const struct bundle_artifact *a = &f->bundle.artifacts[i];
		char hex[2 * CRYPTO_ED25519_SIZE + 1];
		io_hex(a->builder, sizeof(a->builder), hex);
		printf("machine  %s, translator %s, %s, %zu bytes\nbuilder  %s\n", a->target, a->translator,
		       a->compiler, a->image_size, hex);
	}
	puts("the signatures hold");
}

int verb_verify(int argc, char **argv)
{
	struct verify_options o = {0};
	struct error err;
	cleanup_cell_file struct cell_file f = {0};
	int status, count;
	if (!verb_begin(&verify_verb, argc, argv, &o, &count, &status))
		return status;
	int rc = crypto_init(NULL, &err);
	if (rc == 0)
		rc = cell_file_open(argv[1], &f, &err);
	if (rc == 0) {
		rc = check(&o, &f, &err);
		if (rc < 0)
			error_prefix(&err, rc, "%s: ", argv[1]);
	}
	option_list_done(&o.builders);
	if (rc < 0)
		return verb_fail(&verify_verb, &err);
	if (!o.quiet)
		print(&f);
	return VERB_DONE;
}
