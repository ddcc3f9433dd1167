/* An entry of the audit log, as cas/audit/json.h makes it, for a person. */
#ifndef CAS_AUDIT_PRINT_H
#define CAS_AUDIT_PRINT_H

#include <jansson.h>
#include <stdio.h>

/* One line; digests are shortened. Whatever the JSON holds, no control characters. */
void audit_print(const json_t *entry, FILE *to);

#endif
