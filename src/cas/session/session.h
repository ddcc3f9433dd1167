/*
 * Sessions: what an owner lets run where, and what it gets. The language is docs/reference/session.md.
 *
 * A session comes as YAML from whoever may write to the CAS, so its text is an attacker's: it is bounded,
 * decoded strictly, and every mistake in it is named by line and column. What comes out holds no mistake that
 * can be seen in it alone; what other sessions say (imports, predecessors) is for their keeper to check.
 *
 * Everything here is a function of its arguments: no files, no clock, no state.
 *
 * Secrets that stand in a session lie in the pool that it was parsed into, or where there is none in ordinary
 * memory, and are wiped with it; so is what the parser had on the way, which is ordinary memory in any case.
 * The text itself is its owner's to wipe. No error text quotes a secret's value, or a text that one may stand
 * in.
 */
#ifndef CAS_SESSION_H
#define CAS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cas/session/text.h"
#include "crypto/crypto.h"
#include "mem/mem.h"

enum session_limits {
	SESSION_TEXT_MAX = 1 << 20,    /* bytes of a session's YAML */
	SESSION_DEPTH_MAX = 12,        /* lists and maps in each other */
	SESSION_NODES_MAX = 32768,     /* values in it, lists and maps among them */
	SESSION_FIELDS_MAX = 1024,     /* of one map */
	SESSION_NAME_MAX = 63,         /* of a service, secret, volume, image; a component of a session's */
	SESSION_WHOLE_NAME_MAX = 255,  /* "namespace/session" */
	SESSION_SERVICES_MAX = 256,
	SESSION_SECRETS_MAX = 1024,
	SESSION_VOLUMES_MAX = 256,
	SESSION_IMAGES_MAX = 256,
	SESSION_FILES_MAX = 256,       /* of an image */
	SESSION_NAMESPACES_MAX = 256,
	SESSION_ARGUMENTS_MAX = 1024,
	SESSION_ALTERNATIVES_MAX = 64,
	SESSION_NEEDS_MAX = 16,        /* machine classes with requirements, of one alternative or secret */
	SESSION_MAX_AGE_S = 3600,      /* of what hardware says of a machine, where nothing else is said */
	SESSION_MAX_AGE_MAX_S = 31 * 86400,
	SESSION_CHOICES_MAX = 64,      /* cells, builders, ... of one requirement */
	SESSION_KEYS_MAX = 64,         /* of one access policy, identities among them */
	SESSION_PEERS_MAX = 64,        /* sessions that one thing is exported to */
	SESSION_PATH_MAX = 1023,
	SESSION_VARIABLE_MAX = 255,    /* name of an environment variable */
	SESSION_COMMON_NAME_MAX = 64,  /* of a certificate */
	SESSION_DNS_MAX = 8,           /* names in a certificate */
	SESSION_DNS_NAME_MAX = 253,
	SESSION_STRING_MAX = 65536,    /* bytes of one argument, variable, value or file */
	SESSION_GENERATED_MAX = 4096,  /* bytes or characters of a generated secret */
	SESSION_OFFLINE_MAX_S = 31 * 86400,
	SESSION_VALID_MAX_S = 3653 * 86400, /* of a certificate: ten years */
	SESSION_BOUND_MAX = 1 << 20,   /* commits */
	SESSION_MISTAKES_MAX = 20,     /* that are told at once */
	SESSION_KEY_HASH_SIZE = 32,    /* SHA-256 of a SubjectPublicKeyInfo */
	SESSION_VOLUME_KEY_SIZE = CRYPTO_KEY_SIZE,
};

/* Strings end with a zero byte and hold no other. */
struct session_strings {
	const char **items;
	size_t count;
};
struct session_variable {
	const char *name, *value;
};
/* Values of one size, such as digests, one after another. */
struct session_values {
	const uint8_t *bytes;
	size_t size; /* of each */
	size_t count;
};
struct session_digest {
	bool given;
	uint8_t hash[CRYPTO_SHA384_SIZE]; /* session_hash's */
};

enum session_machine {
	SESSION_SOFT,
	SESSION_TPM,
	SESSION_SNP,
	SESSION_TDX,
	SESSION_SGX,
	SESSION_AZURE,
	SESSION_MACHINES
};
/* "soft", "tpm", "snp", "tdx", "sgx", "azure"; false for another name. */
const char *session_machine_name(enum session_machine machine);
bool session_machine_parse(const char *name, enum session_machine *ret_machine);

/* What is demanded of the hardware that vouches for a machine (cas/session/machine.h). */
struct session_need {
	enum session_machine machine; /* not SESSION_SOFT */
	const char *policy; /* JSON, in one form; NULL: the class alone is demanded */
	uint64_t max_age_s; /* of the hardware's word */
	const char *open; /* what the policy leaves open of what runs there; NULL: nothing */
};

/* An alternative of `attestation`: all of it must hold. An empty list, or no bits: anything. */
struct session_requirements {
	struct session_values cells, builders, executors, launchers; /* one of each */
	enum mem_level memory_level; /* at least */
	/* One of them, of the named classes (1 << enum session_machine) and of the needs. */
	uint32_t machines;
	struct session_need *needs;
	size_t need_count;
	uint32_t host, isolation; /* bits of attest/evidence.h: all of them */
};
/* What may fail, and is reported. */
struct session_tolerance {
	bool memory_level, machine;
	uint32_t host, isolation;
};
struct session_service {
	const char *name;
	struct session_strings command; /* may hold references to secrets, as the environment may */
	struct session_variable *environment; /* sorted by name */
	size_t environment_count;
	const char *pwd; /* NULL: none is said */
	const char *image; /* of the session; NULL: none */
	const char *identity; /* the directory in which it finds its certificate; NULL: it has none */
	uint64_t offline_s; /* how long keys may be kept without asking again; 0: not at all */
	struct session_requirements *alternatives; /* at least one */
	size_t alternative_count;
	struct session_tolerance tolerate;
};

enum session_origin { SESSION_GIVEN, SESSION_GENERATED, SESSION_IMPORTED, SESSION_UPLOADED };
struct session_import {
	const char *session, *name; /* whose, and as what it is exported there */
	struct session_digest hash; /* that session must have it */
};
struct session_peer {
	const char *session; /* to whom something is exported */
	struct session_digest hash;
};
struct session_peers {
	struct session_peer *items;
	size_t count;
};

enum session_kind {
	SESSION_ASCII,
	SESSION_BINARY,
	SESSION_PRIVATE_KEY, /* as PEM, as all those that follow */
	SESSION_PUBLIC_KEY,
	SESSION_X509,
	SESSION_X509_CA,
	SESSION_KINDS
};
const char *session_kind_name(enum session_kind kind);
const char *session_origin_name(enum session_origin origin); /* "given" */
enum session_use { SESSION_FOR_SERVER = 1, SESSION_FOR_CLIENT = 2 };
struct session_secret {
	const char *name;
	enum session_kind kind;
	enum session_origin origin;
	const uint8_t *value; /* SESSION_GIVEN */
	size_t value_size;
	uint64_t size; /* SESSION_GENERATED: of ascii in characters, of binary in bytes */
	struct session_import import;
	struct session_peers exports;
	/* Confidential guests that get it as a resource: one of these must hold. None: no guest does. */
	struct session_need *guests;
	size_t guest_count;
	/* Names of secrets of this session: whose public key or certificate it is, NULL if that is not said;
	 * and of what is generated the CA, which has a private key. Then what a certificate says. */
	const char *private_key, *issuer, *common_name;
	struct session_strings dns;
	uint64_t valid_s;
	unsigned use; /* bits of enum session_use */
};

enum session_update { SESSION_STRICT, SESSION_BOUNDED, SESSION_NO_ROLLBACK_PROTECTION };
struct session_volume {
	const char *name, *path; /* where a cell sees it */
	bool writable;
	enum session_origin origin; /* SESSION_GIVEN: `key` names a secret */
	const char *key;
	struct session_import import;
	struct session_peers exports;
	enum session_update update;
	uint64_t bound; /* SESSION_BOUNDED: commits that may be ahead of what the CAS has confirmed */
};

struct session_file {
	const char *path, *content; /* may hold references */
};
struct session_image {
	const char *name;
	struct session_strings volumes; /* of the session */
	struct session_file *files;
	size_t file_count;
};

enum session_who { SESSION_NOBODY, SESSION_ANYBODY, SESSION_KEYS };
struct session_access {
	enum session_who who;
	struct session_values keys; /* hashes, SESSION_KEY_HASH_SIZE each */
	bool creator; /* is among them */
	struct session_strings identities; /* of cells, as session_identity names them; of `read` alone */
	uint64_t at_least; /* so many of all of them; 0: all */
};

/* What a service's certificate calls it: "cella://", the session's whole name, "/" and the service's,
 * compared byte by byte. A service's name has no '/', so the last one divides the two. */
#define SESSION_IDENTITY_SCHEME "cella://"
enum { SESSION_IDENTITY_MAX = 8 + SESSION_WHOLE_NAME_MAX + 1 + SESSION_NAME_MAX };
void session_identity(const char *session, const char *service, char ret_uri[SESSION_IDENTITY_MAX + 1]);

struct session {
	const char *name; /* with its namespace: "clinic/hospital" */
	struct session_digest predecessor;
	bool has_creator;
	uint8_t creator[SESSION_KEY_HASH_SIZE];
	struct session_strings namespaces;
	struct session_secret *secrets;
	size_t secret_count;
	struct session_volume *volumes;
	size_t volume_count;
	struct session_image *images;
	size_t image_count;
	struct session_service *services;
	size_t service_count;
	struct session_access read, update, create;
	struct session_arena arena; /* all of it */
};

struct session_mistake {
	unsigned line, column; /* from 1; columns in characters */
	char text[700];
};
struct session_mistakes {
	size_t count; /* of those there are; the first SESSION_MISTAKES_MAX of them are told */
	struct session_mistake items[SESSION_MISTAKES_MAX];
};

/*
 * From YAML. CELLA_EFORMAT: the first mistake, "FILE:LINE:COLUMN: ..."; all of them in *ret_mistakes unless
 * that is NULL (it is set in any case). CELLA_ENOMEM where the pool is at its end. `file` is for the text
 * alone. The pool (NULL: ordinary memory) must outlive the session. crypto_init must have been called.
 */
int session_parse(const char *file, const void *text, size_t size, struct mem_pool *pool,
                  struct session_mistakes *ret_mistakes, struct session **ret_session,
                  struct error *err) must_check;
/* Wipes it. NULL is fine. */
void session_free(struct session *s);

/* By name; NULL if there is none. */
const struct session_service *session_service(const struct session *s, const char *name);
const struct session_secret *session_secret(const struct session *s, const char *name);
const struct session_volume *session_volume(const struct session *s, const char *name);
const struct session_image *session_image(const struct session *s, const char *name);
/* Does a session of that name lie in a namespace of `s`, so that its `create` says who may create it? */
bool session_has_namespace_of(const struct session *s, const char *name);

/* What is no mistake but may not be meant: lines, appended. */
void session_remarks(const struct session *s, struct buf *ret);

/* SHA-384 of the canonical encoding (docs/protocols/session.md), which comments, layout and the order of
 * fields do not change. */
int session_hash(const struct session *s, uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err) must_check;
/* That encoding, with the secrets that stand in the session. Fails as *ret does. */
void session_encode(const struct session *s, struct session_text *ret);

/* A requirement of a machine that does not hold. */
typedef void session_fail_fn(void *arg, const char *requirement, const char *wanted, const char *found);
/* What hardware says of the launcher's machine, for whoever has its evidence. 0 for either answer; `tell` is
 * called for each requirement that does not hold, and for none if all do. */
typedef int session_hardware_fn(void *data, const struct session_need *need, bool *ret_holds,
                                session_fail_fn *tell, void *arg, struct error *err);

/* What evidence states, and what is known of its launcher. */
struct session_claims {
	bool enrolled; /* the launcher: an owner vouches for it and its machine */
	session_hardware_fn *hardware; /* NULL: no hardware says anything */
	void *hardware_data;
	uint8_t launcher[CRYPTO_ED25519_SIZE]; /* who signed */
	uint8_t executor[CRYPTO_SHA384_SIZE];
	bool has_cell; /* it holds a bundle */
	uint8_t cell[CRYPTO_SHA384_SIZE];
	uint8_t builder[CRYPTO_ED25519_SIZE];
	enum mem_level memory_level;
	enum session_machine machine; /* by the launcher's own word, which is no more than SESSION_SOFT */
	uint32_t host, isolation; /* bits of attest/evidence.h */
};
/* A requirement that does not hold. */
struct session_failure {
	size_t alternative; /* from 0 */
	const char *requirement; /* as `tolerate` names it: "cell", "memory_level", "host.kexec-disabled" */
	const char *wanted, *found;
	bool tolerated;
};
struct session_verdict {
	bool accepted;
	size_t alternative; /* accepted: which; the first that holds, else the first that is tolerated */
	enum session_machine machine; /* accepted: what vouches for the machine, as far as that was asked */
	size_t alternative_count;
	struct session_failure *failures; /* of all alternatives, tolerated ones included */
	size_t failure_count;
	struct session_arena arena;
};
/* May such a cell have what the service gets? 0 for either answer. The owner may see all of it; the cell is
 * told `accepted` and no more.
 *
 * A launcher that is not enrolled is accepted only by an alternative with a need that holds and leaves
 * nothing open, whatever is tolerated: else nobody would vouch for what runs beneath it. */
int session_verdict(const struct session_service *service, const struct session_claims *claims,
                    struct session_verdict *ret_verdict, struct error *err) must_check;
void session_verdict_done(struct session_verdict *v);
/* Lines, appended: of an accepted one what was tolerated, of another every failure. */
void session_verdict_print(const struct session_verdict *v, struct buf *ret);

/* What a reference to a secret stands for. */
struct session_value {
	enum session_kind kind;
	const void *data; /* stays until the call returns */
	size_t size;
};
typedef int session_lookup(void *data, const char *name, struct session_value *ret_value, struct error *err);
enum session_place { SESSION_IN_STRING, SESSION_IN_FILE }; /* a file may hold zero bytes */
/* `text` with its $$CELLA::name:format$$ replaced, appended to *ret, whose memory is the caller's choice.
 * CELLA_EFORMAT for a malformed reference; else what `lookup` says. On failure *ret is to be wiped. */
int session_expand(const char *text, enum session_place place, session_lookup *lookup, void *data,
                   struct session_text *ret, struct error *err) must_check;

/* Who asks: the hashes of the keys that signed, or of the one that the connection has; and whose cell it
 * is. */
struct session_requesters {
	const uint8_t (*keys)[SESSION_KEY_HASH_SIZE];
	size_t count;
	const char *identity; /* NULL: no cell's */
};
/* 0, or CELLA_EPERM with how many keys are missing and which would do. `what` is "read" or the like. */
int session_access(const struct session_access *policy, const char *what,
                   const uint8_t creator[SESSION_KEY_HASH_SIZE], const struct session_requesters *requesters,
                   struct error *err) must_check;

#endif
