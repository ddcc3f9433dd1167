/* What the files of the CAS's routes share: reading requests, answering them. */
#ifndef CAS_API_ANSWER_H
#define CAS_API_ANSWER_H

#include <jansson.h>

#include "cas/api.h"
#include "cas/requester.h"

struct cas_requester api_requester(const struct https_request *request);

/* Counts denials. */
void api_answer_error(struct cas_api *api, struct https_request *request, const struct error *err);
/* Takes `json`; NULL where memory ran out. */
void api_answer_json(struct https_request *request, unsigned status, json_t *json);
/* {name: list}, which is taken, or why there is none. */
void api_answer_list(struct cas_api *api, struct https_request *request, const char *name, json_t *list,
                     int rc, const struct error *err);

/* The body as an object of exactly these members, which are strings of *ret_json. */
int api_read_strings(const struct https_request *request, const char *const *names, const char **ret_values,
                     size_t count, json_t **ret_json, struct error *err) must_check;
/* 2 * size digits; NULL is none. `what` continues "... has". */
int api_read_hex(const char *hex, const char *what, void *ret, size_t size, struct error *err) must_check;
int api_read_base64url(const char *text, const char *what, struct buf *ret, struct error *err) must_check;

#endif
