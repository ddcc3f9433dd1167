/* Man pages, in the man macros of troff, from the texts of the verbs. */
#ifndef CLI_MAN_H
#define CLI_MAN_H

#include "cli/verb.h"

/* cella-VERB(1). `others` are named under SEE ALSO. */
void man_print_verb(const struct verb *verb, const char *version, const struct verb *const *others,
                    size_t count, FILE *to);
/* cella(1): what the program is (lines), its verbs, an example. */
void man_print_program(const char *description, const char *example, const char *version,
                       const struct verb *const *verbs, size_t count, FILE *to);

#endif
