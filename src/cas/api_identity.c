#include "cas/api_identity.h"

#include "attest/claims.h"
#include "base/cleanup.h"
#include "cas/api_answer.h"
#include "cas/identity.h"
#include "cas/secret_read.h"

void api_get_identity_ca(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	cleanup_buf struct buf pem = {0};
	struct error err;
	if (cert_write_pem(cas_identity_ca(api->cas), &pem, &err) < 0)
		api_answer_error(api, request, &err);
	else
		https_answer(request, 200, "application/pem-certificate-chain", pem.data, pem.size);
}

void api_get_identity_crl(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	cleanup_buf struct buf crl = {0};
	struct error err;
	if (cas_identity_crl(api->cas, &crl, &err) < 0)
		api_answer_error(api, request, &err);
	else
		https_answer(request, 200, "application/pkix-crl", crl.data, crl.size);
}

static int add_certificate(void *arg, const struct cas_certificate *c, struct error *err)
{
	const struct records_certificate *r = &c->record;
	json_t *json = json_pack("{s:o, s:s, s:I, s:I, s:o, s:b}", "serial",
	                         claims_hex(r->serial, sizeof(r->serial)), "name", r->name, "issued",
	                         (json_int_t)(r->issued_ns / 1000000000u), "until",
	                         (json_int_t)r->not_after_s, "cell", claims_hex(r->cell, sizeof(r->cell)),
	                         "revoked", c->revoked_ns != 0);
	return json_array_append_new(arg, json) == 0
	               ? 0
	               : error_set(err, CELLA_ENOMEM, "no memory for a list of certificates");
}

void api_get_certificates(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	json_t *list = json_array();
	struct error err;
	api_answer_list(api, request, "certificates", list,
	                cas_certificate_list(api->cas, &who, add_certificate, list, &err), &err);
}

static void answer_secret(void *arg, const void *data, size_t size)
{
	https_answer(arg, 200, "application/octet-stream", data, size);
}

void api_get_secret(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	struct error err;
	if (cas_secret_read(api->cas, &who, https_segment(request, "session"),
	                    https_segment(request, "secret"), answer_secret, request, &err) < 0)
		api_answer_error(api, request, &err);
}
