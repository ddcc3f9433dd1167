/* The CAS's routes about machines: endorsements of launchers, collateral. */
#ifndef CAS_API_MACHINES_H
#define CAS_API_MACHINES_H

#include "attest/endorsement_format.h"
#include "cas/records/records.h"
#include "net/https_server.h"

enum {
	API_AROUND_MAX = 4096, /* JSON around what is in base64url */
	ENDORSE_BODY_MAX = (ENDORSEMENT_MAX + 2) / 3 * 4 + API_AROUND_MAX,
	COLLATERAL_BODY_MAX = (RECORDS_MACHINE_MAX + 2) / 3 * 4 + API_AROUND_MAX,
};

/* Metrics; before requests come. */
struct cas_api;
int api_machines_begin(struct cas_api *api, struct error *err) must_check;
void post_endorsement(void *api, struct https_request *request);
void get_endorsements(void *api, struct https_request *request);
void get_collateral(void *api, struct https_request *request);
void post_collateral(void *api, struct https_request *request);
void delete_collateral(void *api, struct https_request *request);

#endif
