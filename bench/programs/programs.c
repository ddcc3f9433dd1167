/* The table of the programs' cases. */
#include "program.h"

const struct trial_case trial_cases[] = {
	{"sqlite-main", program_sqlite},   {"sqlite-cte", program_sqlite},
	{"sqlite-fp", program_sqlite},     {"sqlite-orm", program_sqlite},
	{"zlib-deflate", program_deflate}, {"zlib-inflate", program_inflate},
	{"lua-binary-trees", program_lua}, {"lua-fannkuch", program_lua},
	{"lua-n-body", program_lua},       {"lua-words", program_lua},
};
const int trial_case_count = sizeof(trial_cases) / sizeof(trial_cases[0]);
