/*
 * Lists of files that may run, as sha256sum writes them: lines of 64 hexadecimal digits, a space, a space or
 * a '*', and a path; a '\' before them where the path has characters that are escaped. What a list is worth
 * says whoever names it by its hash (the policy's "ima_lists"). They stand among the collateral, and are
 * known there by their form, whether somebody names them or not.
 */
#ifndef ATTEST_TPM_IMA_LIST_H
#define ATTEST_TPM_IMA_LIST_H

#include "attest/tee.h"
#include "base/buf.h"

/* Does its first line look like one of a list? */
bool ima_list_is(const void *data, size_t size);
/* Appends the files' SHA-256, in the list's order. CELLA_EFORMAT with the line. */
int ima_list_read(const struct tee_blob *list, struct buf *ret_digests, struct error *err) must_check;

#endif
