/* Where this node's launcher has its key: one that CASes know. */
#ifndef CLI_LAS_KEY_H
#define CLI_LAS_KEY_H

#include "crypto/key_file.h"

#define LAS_KEY_NAME "the launcher's key"

static inline int las_key_place(char to[CRYPTO_KEY_PATH_MAX], struct error *err)
{
	return crypto_key_file_place("CELLA_LAS_KEY", "las.key", LAS_KEY_NAME, to, err);
}

#endif
