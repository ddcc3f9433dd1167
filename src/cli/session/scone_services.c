/* Services: what they run, and what a program must be to get what they have. */
#include <stdio.h>
#include <string.h>

#include "cli/session/scone_parts.h"

enum { CELL_DIGITS = 2 * CRYPTO_SHA384_SIZE, KEY_DIGITS = 2 * CRYPTO_ED25519_SIZE, SHOWN = 16 };

/* ---- security */

static const char no_platforms[] =
	"it is about SGX; which machines will do is said by machine, las and host in attestation, and what may "
	"fail of that by tolerate at a service";
static const char azure[] = "there is no attestation by Microsoft; see the remark on machine";

static const struct scone_known security_fields[] = {
	{"attestation", 0, NULL},
	{"singleton_enclaves", SCONE_TRANSLATED,
         "every start proves itself with a nonce and a key of its own, always"},
	{"service_access_token", SCONE_LEFT_OUT, "no second factor is asked of who starts a service"},
};
static const struct scone_known attestation_fields[] = {
	{"mode", 0, NULL},
	{"tolerate", 0, NULL},
	{"ignore_advisories", SCONE_LEFT_OUT, no_platforms},
	{"trusted_scone_qe_pubkeys", SCONE_LEFT_OUT,
         "launchers that are believed are enrolled (cella las enrol); a service may name one by las"},
	{"url", SCONE_LEFT_OUT, azure},
	{"certificates", SCONE_LEFT_OUT, azure},
	{"min_rsa_signing_key_size", SCONE_LEFT_OUT, azure},
	{"one_time_password_shared_secret", SCONE_LEFT_OUT,
         "no second factor is asked of who starts a service"},
};

static void read_tolerance(struct scone *c, const struct tree_node *list)
{
	for (const struct tree_node *n = scone_first(list); n; n = scone_next(list, n)) {
		const char *name = scone_string(n);
		bool debug = name && (strcmp(name, "debug-mode") == 0 || strcmp(name, "debug") == 0);
		c->no_hardware |= debug;
		if (debug)
			scone_remark(
				c, SCONE_CHANGED, n->place,
				"tolerate: debug-mode protects nothing from root, so no machine is wanted here; "
				"memory must be protected all the same");
		else
			scone_remark(c, SCONE_LEFT_OUT, n->place, "tolerate: %.40s: %s", name ? name : "",
			             no_platforms);
	}
}

void scone_security(struct scone *c)
{
	const struct tree_node *security = scone_member(c->root, "security");
	if (!security ||
	    !scone_known_fields(c, security, "security", security_fields, array_count(security_fields)))
		return;
	const struct tree_node *a = scone_member(security, "attestation");
	if (!a || !scone_known_fields(c, a, "security.attestation", attestation_fields,
	                              array_count(attestation_fields)))
		return;
	const struct tree_node *mode = scone_member(a, "mode");
	const char *name = scone_string(mode);
	bool hardware = name && strcmp(name, "hardware") == 0;
	if (name && strcmp(name, "none") == 0) {
		c->no_hardware = true;
		scone_remark(c, SCONE_CHANGED, mode->place,
		             "mode: none gives the secrets to any program; here each service says to which");
	} else if (mode && !hardware)
		scone_remark(c, SCONE_CHANGED, mode->place, "mode: \"%.40s\" is read as hardware",
		             name ? name : "");
	read_tolerance(c, scone_member(a, "tolerate"));
}

/* ---- attestation */

/* The first characters of a measurement, which tell it from others. */
static const char *short_text(struct scone *c, const struct tree_node *node)
{
	const char *text = scone_string(node);
	const char *shown = session_arena_printf(&c->arena, "%.*s%s", SHOWN, text ? text : "",
	                                         text && strlen(text) > SHOWN ? "..." : "");
	return shown ? shown : "";
}

/* A placeholder for each of a list, or for one. */
static void put_placeholders(struct scone *c, struct scone_map *m, const char *key,
                             const struct tree_node *list, unsigned digits, const char *of, const char *how)
{
	size_t count = scone_count(list), i = 0;
	struct scone_item *items = session_arena_take(&c->arena, (count + 1) * sizeof(*items));
	if (!items || !count)
		return;
	for (const struct tree_node *n = scone_first(list); n && i < count; n = scone_next(list, n), i++) {
		const char *shown = short_text(c, n);
		scone_remark(c, SCONE_PLACEHOLDER, n->place, "%s: in place of %s %s: %s", key, of, shown,
		             how);
		items[i] = (struct scone_item){scone_placeholder_hex(c, digits, "%s in place of %s %s", key,
		                                                     of, shown),
		                               n->place};
	}
	scone_list(c, m, key, scone_first(list)->place, items, count);
}

static void put_cells(struct scone *c, struct scone_map *m, const struct tree_node *list)
{
	put_placeholders(
		c, m, "cell", list, CELL_DIGITS, "mrenclave",
		"the identity of the cell, which cella inspect CELL prints; it does not depend on the size "
		"of the memory, so several may become one");
}

static const struct scone_known signer_fields[] = {
	{"mrsigner", 0, NULL},
	{"isvprodid", SCONE_LEFT_OUT,
         "a builder's key has no products; say cell beside it, or use a key for each"},
	{"isvsvn", SCONE_LEFT_OUT, "there are no version numbers; revoke cells that are too old"},
	{"isvsvn_min", SCONE_LEFT_OUT, "there are no version numbers; revoke cells that are too old"},
	{"isvsvn_max", SCONE_LEFT_OUT, "there are no version numbers; revoke cells that are too old"},
};
static const struct scone_known alternative_fields[] = {
	{"mrenclave", 0, NULL},
	{"signer", 0, NULL},
	{"mrsigner", 0, NULL},
};

static void put_builder(struct scone *c, struct scone_map *m, const struct tree_node *signer)
{
	const struct tree_node *mrsigner = signer;
	if (signer->kind == TREE_MAP) {
		scone_known_fields(c, signer, "a signer", signer_fields, array_count(signer_fields));
		mrsigner = scone_member(signer, "mrsigner");
	}
	put_placeholders(c, m, "builder", mrsigner ? mrsigner : signer, KEY_DIGITS, "mrsigner",
	                 "the key of who builds the cell, which cella verify CELL prints");
}

/* What no field of the source says: it must not be anything. */
static void put_no_cell(struct scone *c, struct scone_map *m, struct tree_place place, const char *why)
{
	scone_remark(c, SCONE_PLACEHOLDER, place,
	             "cell: %s; the identity of a cell is what cella inspect CELL prints", why);
	scone_field(c, m, "cell", place,
	            scone_placeholder_hex(c, CELL_DIGITS, "cell that may have the secrets"));
}

static void put_rest(struct scone *c, struct scone_map *m, const struct tree_node *service,
                     struct tree_place place)
{
	static const char *const hardware[] = {"snp", "tdx", "sgx"};
	struct scone_item items[array_count(hardware)];
	const struct tree_node *platforms = scone_member(service, "platforms");
	if (platforms)
		put_placeholders(c, m, "las", platforms, KEY_DIGITS, "platform",
		                 "the key of the launcher there, which cella las enrol prints");
	if (c->no_hardware)
		return;
	for (size_t i = 0; i < array_count(hardware); i++)
		items[i] = (struct scone_item){scone_same(hardware[i]), place};
	scone_list(c, m, "machine", place, items, array_count(hardware));
}

static void put_alternative(struct scone *c, struct scone_map m, const struct tree_node *service,
                            const struct tree_node *a)
{
	const struct tree_node *cell = scone_member(a, "mrenclave"), *signer = scone_member(a, "signer");
	signer = signer ? signer : scone_member(a, "mrsigner");
	if (a->kind == TREE_MAP)
		scone_known_fields(c, a, "an alternative of attestation", alternative_fields,
		                   array_count(alternative_fields));
	bool said = scone_count(cell) || scone_count(signer);
	if (scone_count(cell))
		put_cells(c, &m, cell);
	if (scone_count(signer))
		put_builder(c, &m, signer);
	if (!said)
		put_no_cell(c, &m, a->place,
		            a->kind == TREE_MAP ? "this alternative names no program"
		                                : "what it must be stands in another secret");
	put_rest(c, &m, service, a->place);
}

static void put_attestation(struct scone *c, struct scone_map *m, const struct tree_node *service)
{
	const struct tree_node *list = scone_member(service, "attestation"),
			       *old = scone_member(service, "mrenclaves");
	struct tree_place place = list ? list->key_place : old ? old->key_place : service->place;
	struct scone_map items = scone_open(c, m, "attestation", place);
	items.item = true;
	if (old && scone_count(old)) {
		struct scone_map first = items;
		put_cells(c, &first, old);
		put_rest(c, &first, service, old->place);
	}
	for (const struct tree_node *n = scone_first(list); n; n = scone_next(list, n))
		put_alternative(c, items, service, n);
	if (scone_count(old) || scone_count(list))
		return;
	put_no_cell(c, &items, service->place, "the service names no program");
	put_rest(c, &items, service, service->place);
}

/* ---- services */

static const char one_file_system[] =
	"there is no file system beside volumes: what the program reads is in its cell (cella build), in a volume, "
	"or injected";

static const struct scone_known service_fields[] = {
	{"name", 0, NULL},
	{"command", 0, NULL},
	{"environment", 0, NULL},
	{"pwd", 0, NULL},
	{"image_name", 0, NULL},
	{"mrenclaves", 0, NULL},
	{"attestation", 0, NULL},
	{"platforms", 0, NULL},
	{"fspf_path", SCONE_LEFT_OUT, one_file_system},
	{"fspf_key", SCONE_LEFT_OUT, one_file_system},
	{"fspf_tag", SCONE_LEFT_OUT, one_file_system},
	{"fspf_update_policy", SCONE_LEFT_OUT, one_file_system},
	{"one_time_password_shared_secret", SCONE_LEFT_OUT,
         "no second factor is asked of who starts a service"},
	{"tags", SCONE_LEFT_OUT, "services have no tags"},
	{"persistency", SCONE_LEFT_OUT, "what stays of a service is in its volumes"},
};

static bool has_image(const struct scone *c, const char *name)
{
	const struct tree_node *list = scone_member(c->root, "images");
	for (const struct tree_node *n = list && list->kind == TREE_LIST ? list->first : NULL; n;
	     n = n->next) {
		const char *other = scone_member_string(n, "name");
		if (other && strcmp(name, other) == 0)
			return true;
	}
	return false;
}

static void put_service(struct scone *c, const struct tree_node *service)
{
	struct scone_map m = {2, true};
	if (!scone_known_fields(c, service, "a service", service_fields, array_count(service_fields)))
		return;
	const struct tree_node *pwd = scone_member(service, "pwd"),
			       *image = scone_member(service, "image_name");
	scone_name_field(c, &m, service, "service");
	scone_command(c, &m, service);
	scone_environment(c, &m, service);
	if (scone_string(pwd))
		scone_field(c, &m, "pwd", pwd->key_place, scone_path(c, pwd->place, pwd->text));
	if (scone_string(image) && has_image(c, image->text))
		scone_field(c, &m, "image_name", image->key_place, scone_same(scone_rename(c, image->text)));
	else if (image)
		scone_remark(c, SCONE_LEFT_OUT, image->key_place,
		             "image_name: no image of this session is called so; what runs is the cell");
	put_attestation(c, &m, service);
}

void scone_services(struct scone *c)
{
	const struct tree_node *list = scone_member(c->root, "services");
	struct scone_map top = {0};
	if (list && list->kind != TREE_LIST)
		scone_remark(c, SCONE_LEFT_OUT, list->place, "services: it is no list");
	if (!list || list->kind != TREE_LIST || !list->count)
		return;
	if (!c->no_hardware)
		scone_remark(
			c, SCONE_ADDED, list->key_place,
			"machine: [snp, tdx, sgx], as SCONE accepts programs that hardware protects alone; take it "
			"out where the word of an enrolled launcher (soft) is enough");
	if (scone_has_maps(list)) {
		scone_gap(c);
		scone_open(c, &top, "services", list->key_place);
	}
	for (const struct tree_node *n = list->first; n; n = n->next)
		put_service(c, n);
}
