/* What no right allows, whoever asks: to take another session's volume, to leave the CAS without an owner. */
#ifndef CAS_GUARDS_H
#define CAS_GUARDS_H

#include "cas/sessions.h"

/* The root that counts belongs to the volume's id, which is no secret: who hands over one that other sessions
 * have handed over shows a key that one of them has, or could spoil it for them. CELLA_EPERM. */
int guard_volume(struct records *r, const char *session, const struct cas_volume *handed,
                 struct error *err) must_check;

/* For an owner's key that is to be removed or revoked: is there another that is not? CELLA_EINVAL. */
int guard_last_owner(struct records *r, const uint8_t key[RECORDS_KEY_SIZE], struct error *err) must_check;

#endif
