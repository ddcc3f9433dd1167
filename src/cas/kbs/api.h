/* The routes of confidential guests (cas/kbs/kbs.h): those under /kbs/v0 are Confidential Containers' own,
 * with their errors; those under /v1 are of this CAS. */
#ifndef CAS_KBS_API_H
#define CAS_KBS_API_H

#include "cas/api.h"

/* The guests and their metrics, in `api`; kbs_api_end also after a failure. */
int kbs_api_begin(struct cas_api *api, struct error *err) must_check;
void kbs_api_end(struct cas_api *api);

extern const struct https_route kbs_routes[];
extern const size_t kbs_route_count;

#endif
