/* The CAS's routes: HTTPS in front of what sessions.h, attest.h and kbs.h do. docs/reference/cas-api.json
 * (OpenAPI) describes them, and a test holds it against the tables of api.c and kbs/api.c. */
#ifndef CAS_API_H
#define CAS_API_H

#include <pthread.h>

#include "attest/tee.h"
#include "cas/requester.h"
#include "net/https_server.h"

struct kbs;

struct cas_api {
	struct cas *cas;
	struct kbs *kbs;
	struct metrics *metrics;
	struct metric *granted, *refused, *denied, *guests, *guests_refused, *resources, *resources_refused;
	pthread_mutex_t ends_lock;
	struct metric *collateral_ends[TEE_KINDS]; /* NULL: of no such evidence */
	struct https_route *routes;
	size_t route_count;
};

/* Routes over `cas`, which they borrow. */
int cas_api_new(struct cas *cas, struct metrics *metrics, struct cas_api **ret_api,
                struct error *err) must_check;
void cas_api_free(struct cas_api *api);

#endif
