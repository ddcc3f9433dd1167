/*
 * SQLite, zlib and Lua at work: other people's programs, whose sources unpack.py fetches and unpacks, and
 * what they are given to do. One binary has them all; the cases are in programs.c.
 */
#ifndef PROGRAMS_PROGRAM_H
#define PROGRAMS_PROGRAM_H

#include "../trial/trial.h"

/* How much there is to do, and how little in tests. */
#ifdef QUICK
#define SIZE(whole, mini) mini
#else
#define SIZE(whole, mini) whole
#endif

void program_sqlite(struct trial *t);
void program_deflate(struct trial *t);
void program_inflate(struct trial *t);
void program_lua(struct trial *t);

#endif
