/*
 * Response files: @FILE on a compiler's command line stands for the words in that file, as gcc and clang
 * read it: separated by white space, with single and double quotes, and a backslash, between quotes of
 * either kind too, before what is to be taken as it is. A file may name others. What names no readable
 * file is an ordinary word.
 */
#ifndef CLI_RESPONSE_H
#define CLI_RESPONSE_H

#include "base/error.h"
#include "cli/process.h"

/* Appends argv[0..argc) to `ret`, a zeroed `struct arguments`, with response files replaced. */
int response_expand(int argc, char *const *argv, struct arguments *ret, struct error *err) must_check;

#endif
