/*
 * What scripts/check-tidy tells clang's analyser, which sees one file at a time: the functions of
 * base/error.h return the code that they are given, so a failed call is not taken for a good one.
 */
#include "base/error.h"

#define error_set(err, code, ...) ((void)error_set(err, code, __VA_ARGS__), (code))
#define error_errno(err, code, ...) ((void)error_errno(err, code, __VA_ARGS__), (code))
#define error_prefix(err, code, ...) ((void)error_prefix(err, code, __VA_ARGS__), (code))
