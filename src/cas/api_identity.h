/* The routes of cells' identities: the CA, what it has revoked, what it has issued. */
#ifndef CAS_API_IDENTITY_H
#define CAS_API_IDENTITY_H

#include "cas/api.h"

https_handler api_get_identity_ca, api_get_identity_crl, api_get_certificates, api_get_secret;

#endif
