#include "attest/evidence_format.h"

#define FIELD(name) CLAIMS_FIELD(struct evidence, name)
#define OBJECT(name)                    \
	(const struct claims_object)    \
	{                               \
		name, array_count(name) \
	}

static const char *const isolation_bits[] = {
	"own-uid",       "user-namespace", "mount-namespace", "pid-namespace",       "net-namespace",
	"ipc-namespace", "uts-namespace",  "cgroup",          "no-inherited-filter", "no-new-privs",
};
static_assert(1u << array_count(isolation_bits) == EVIDENCE_ISOLATION_ALL + 1u, "a name for each bit");
const struct claims_names evidence_isolation = {isolation_bits, array_count(isolation_bits)};

static const char *const host_bits[] = {"lockdown-confidentiality", "yama-scope-3", "kexec-disabled"};
static_assert(1u << array_count(host_bits) == EVIDENCE_HOST_ALL + 1u, "a name for each bit");
const struct claims_names evidence_host = {host_bits, array_count(host_bits)};

/* ---- the executor, as it says ---- */

static const struct claims_member jwk[] = {
	{"crv", CLAIMS_CONSTANT, .constant = "X25519"},
	{"kty", CLAIMS_CONSTANT, .constant = "OKP"},
	{"x", CLAIMS_BASE64URL, FIELD(public_key)},
};
static const struct claims_member cnf[] = {
	{"jwk", CLAIMS_OBJECT, .object = &OBJECT(jwk)},
};
static const struct claims_member executor[] = {
	{"builder", CLAIMS_HEX, FIELD(builder)},
	{"cell", CLAIMS_HEX, FIELD(cell)},
	{"cnf", CLAIMS_OBJECT, .object = &OBJECT(cnf)},
	{"memory_level", CLAIMS_LEVEL, FIELD(memory_level)},
};

/* ---- the launcher ---- */

static const struct claims_member measured[] = {
	{"executor", CLAIMS_HEX, FIELD(executor)},
	{"heap", CLAIMS_U64, FIELD(heap)},
	{"isolation", CLAIMS_NAMES, FIELD(isolation), .names = &evidence_isolation},
	{"uid", CLAIMS_U32, FIELD(uid)},
};
static const struct claims_member launcher[] = {
	{"host", CLAIMS_NAMES, FIELD(host), .names = &evidence_host},
	{"kernel", CLAIMS_TEXT, FIELD(kernel)},
	{"machine", CLAIMS_TEXT, FIELD(machine)},
	{"measured", CLAIMS_OBJECT, .object = &OBJECT(measured)},
};

/* ---- the token ---- */

static const struct claims_member submods[] = {
	{"executor", CLAIMS_OBJECT, .object = &OBJECT(executor)},
	{"launcher", CLAIMS_OBJECT, .object = &OBJECT(launcher)},
};
static const struct claims_member claims[] = {
	{"eat_nonce", CLAIMS_BASE64URL, FIELD(nonce)},
	{"eat_profile", CLAIMS_CONSTANT, .constant = EVIDENCE_PROFILE},
	{"iat", CLAIMS_U64, FIELD(time_s)},
	{"submods", CLAIMS_OBJECT, .object = &OBJECT(submods)},
};
const struct claims_object evidence_claims = {claims, array_count(claims)};
