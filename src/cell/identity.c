#include "cell/identity.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "crypto/x509.h"

enum { KEY_FILE, CERT_FILE, CA_FILE };

static const uint64_t SECOND = 1000000000;

struct identity {
	struct identity_config config;
	struct owner_identity_request question;
	uint64_t renew_ns;
	struct wasi_file files[IDENTITY_FILES];
	char paths[IDENTITY_FILES][IDENTITY_PATH_MAX];
	char key[CERT_KEY_PEM_MAX];
	uint8_t answer[IDENTITY_ANSWER_MAX]; /* that cert.pem and ca.pem lie in */
	uint8_t next[IDENTITY_ANSWER_MAX];   /* where a newer one comes */
};

static int no_memory(struct error *err)
{
	return error_set(err, CELLA_ENOMEM, "no protected memory for a cell's identity");
}

static int make_key(struct identity *i, struct error *err)
{
	static_assert((int)OWNER_IDENTITY_PUBLIC_MAX < (int)CERT_PUBLIC_MAX, "cert_key_public has room");
	struct cert_key *key;
	uint8_t public_key[CERT_PUBLIC_MAX];
	size_t size = 0;
	int rc = cert_key_generate(&key, err);
	if (rc < 0)
		return rc;
	rc = cert_key_write(key, i->key, &i->files[KEY_FILE].size, err);
	if (rc == 0)
		rc = cert_key_public(key, public_key, &size, err);
	cert_key_free(key);
	if (rc == 0 && size > sizeof(i->question.public_key))
		rc = error_set(err, CELLA_EBUG, "a public key takes %zu bytes", size);
	if (rc < 0)
		return rc;
	i->question.operation = OWNER_IDENTITY_CERTIFY;
	i->question.public_size = (uint32_t)size;
	memcpy(i->question.public_key, public_key, size);
	return 0;
}

/* Half of its life counts from before the question, so that nothing that delays the answer adds to it. */
static int certify(struct identity *i, struct error *err)
{
	struct identity_answer a;
	uint64_t asked_ns = i->config.now();
	size_t size = 0;
	int rc = i->config.ask(i->config.data, &i->question, i->next, &size, err);
	if (rc == 0)
		rc = identity_answer_read(i->next, size, &a, err);
	if (rc < 0)
		return error_prefix(err, rc, "the cell's certificate: ");
	memcpy(i->answer, i->next, size);
	(void)!identity_answer_read(i->answer, size, &a, NULL);
	i->files[CERT_FILE].data = a.certificate;
	i->files[CERT_FILE].size = a.certificate_size;
	i->files[CA_FILE].data = a.ca;
	i->files[CA_FILE].size = a.ca_size;
	i->renew_ns = asked_ns + a.life_s * SECOND / 2;
	return 0;
}

static int name_files(struct identity *i, struct error *err)
{
	for (size_t f = 0; f < IDENTITY_FILES; f++) {
		int size = snprintf(i->paths[f], IDENTITY_PATH_MAX, "%s/%s", i->config.path,
		                    identity_file_names[f]);
		if (size >= IDENTITY_PATH_MAX)
			return error_set(err, CELLA_ELIMIT, "the path of the cell's identity has %d bytes",
			                 size);
		i->files[f].path = i->paths[f];
	}
	i->config.path = NULL;
	i->files[KEY_FILE].data = i->key;
	return 0;
}

int identity_new(const struct identity_config *config, struct identity **ret_identity, struct error *err)
{
	struct identity *i = mem_alloc(config->pool, sizeof(*i));
	if (!i)
		return no_memory(err);
	i->config = *config;
	int rc = name_files(i, err);
	if (rc == 0)
		rc = make_key(i, err);
	if (rc == 0)
		rc = certify(i, err);
	if (rc < 0) {
		identity_free(i);
		return rc;
	}
	*ret_identity = i;
	return 0;
}

void identity_free(struct identity *i)
{
	if (i)
		mem_free(i->config.pool, i);
}

const struct wasi_file *identity_files(const struct identity *i)
{
	return i->files;
}

bool identity_opened(struct identity *i, const char *path)
{
	struct error why;
	size_t f = 0;
	while (f < IDENTITY_FILES && strcmp(i->paths[f], path) != 0)
		f++;
	if (f == IDENTITY_FILES || i->config.now() < i->renew_ns)
		return false;
	if (certify(i, &why) == 0)
		return true;
	i->renew_ns = i->config.now() + IDENTITY_RETRY_S * SECOND;
	log_warn("%s; the one that it has stays", why.text);
	return false;
}
