/*
 * cella-cas: the configuration and attestation service.
 *
 *     cella-cas --dir DIR [--listen ADDRESS:PORT] [--key-file FILE | --passphrase-fd N] [--init OWNER]
 *               [--host NAME]... [--insecure-memory-none] [--insecure-older] [--rate N]
 *     cella-cas --dir DIR --key-file FILE | --passphrase-fd N --task NAME [--file FILE] [--epoch N]
 *               [--session NAME] [--since SECONDS] [--json] [--new-key-file FILE | --new-passphrase-fd N]
 *
 * The command line (cella cas) starts it, with everything spelled out. When it listens it prints its port,
 * its key's hash, and after its first start where the owner's credential lies. SIGTERM and SIGINT end it in
 * order. With --task it does what cas/records/upkeep.h says with a CAS that is stopped, and ends.
 */
#include <event2/event.h>
#include <jansson.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "cas/api.h"
#include "cas/identity.h"
#include "cas/records/upkeep.h"
#include "cas/server_certificate.h"
#include "cas/test_roots.h"
#include "net/tls.h"

enum {
	TLS_MEMORY = 256 << 20,
	SERVER_MEMORY = 128 << 20,
	STOP_MS = 5000,
	WORKERS = CAS_DESKS,
};

struct arguments {
	const char *directory, *listen, *key_file, *init, *passphrase_fd, *task, *file, *epoch, *rate,
		*session, *since, *new_key_file, *new_passphrase_fd;
	const char *hosts[SERVER_CERTIFICATE_HOSTS_MAX];
	size_t host_count;
	bool insecure_memory_none, insecure_older, json;
};

struct daemon {
	struct arguments arguments;
	struct mem_pool *tls_pool, *server_pool;
	struct vault_bytes passphrase, new_passphrase;
	bool made_key; /* its key file, for a first start */
	struct cas *cas;
	struct cert *certificate;
	struct tls_context *tls;
	struct metrics *metrics;
	struct cas_api *api;
	struct event_base *base;
	struct event *signals[2];
	struct https_server *server;
};

static bool parse(int argc, char **argv, struct arguments *ret)
{
	const struct {
		const char *name;
		const char **value;
	} values[] = {{"--dir", &ret->directory},
	              {"--listen", &ret->listen},
	              {"--key-file", &ret->key_file},
	              {"--passphrase-fd", &ret->passphrase_fd},
	              {"--init", &ret->init},
	              {"--task", &ret->task},
	              {"--file", &ret->file},
	              {"--epoch", &ret->epoch},
	              {"--rate", &ret->rate},
	              {"--session", &ret->session},
	              {"--since", &ret->since},
	              {"--new-key-file", &ret->new_key_file},
	              {"--new-passphrase-fd", &ret->new_passphrase_fd}};
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {{"--insecure-memory-none", &ret->insecure_memory_none},
	             {"--insecure-older", &ret->insecure_older},
	             {"--json", &ret->json}};
	for (int i = 1; i < argc; i++) {
		bool known = false;
		for (size_t k = 0; k < array_count(values) && i + 1 < argc && !known; k++)
			if (strcmp(argv[i], values[k].name) == 0) {
				*values[k].value = argv[++i];
				known = true;
			}
		for (size_t k = 0; k < array_count(flags) && !known; k++)
			if (strcmp(argv[i], flags[k].name) == 0)
				*flags[k].flag = known = true;
		if (!known && strcmp(argv[i], "--host") == 0 && i + 1 < argc &&
		    ret->host_count < array_count(ret->hosts)) {
			ret->hosts[ret->host_count++] = argv[++i];
			known = true;
		}
		if (!known)
			return false;
	}
	return ret->directory && (ret->key_file || ret->passphrase_fd);
}

static int64_t now_s(void *arg)
{
	(void)arg;
	return (int64_t)time(NULL);
}

/* ---- opening */

/* One that is too long is read as such, and refused by the vault. */
static int read_passphrase(const struct daemon *d, const char *fd_text, struct vault_bytes *to,
                           struct error *err)
{
	char *end;
	long fd = strtol(fd_text, &end, 10);
	int rc = vault_bytes_new(d->server_pool, VAULT_PASSPHRASE_MAX + 1, to, err);
	size_t used = 0;
	while (rc == 0 && used < to->size) {
		ssize_t n = read((int)fd, to->data + used, to->size - used);
		if (n < 0)
			return error_errno(err, CELLA_EIO, "cannot read the passphrase");
		if (n == 0)
			break;
		used += (size_t)n;
	}
	close((int)fd);
	to->size = used;
	return rc;
}

static struct vault_sealing sealing_of(const char *key_file, const struct vault_bytes *passphrase)
{
	return key_file ? (struct vault_sealing){.kind = VAULT_KEY_FILE, .key_file = key_file}
	                : (struct vault_sealing){.kind = VAULT_PASSPHRASE,
	                                         .passphrase = passphrase->data,
	                                         .passphrase_size = passphrase->size};
}

static int take_sealing(struct daemon *d, struct vault_sealing *ret, struct error *err)
{
	const struct arguments *a = &d->arguments;
	int rc = a->key_file ? 0 : read_passphrase(d, a->passphrase_fd, &d->passphrase, err);
	if (a->key_file && a->init && access(a->key_file, F_OK) < 0) {
		rc = vault_key_file_create(a->key_file, err);
		d->made_key = rc == 0;
	}
	*ret = sealing_of(a->key_file, &d->passphrase);
	return rc;
}

/* A first start that came to nothing leaves no key behind, which nothing is sealed by. */
static void drop_key(const struct daemon *d)
{
	char vault[PATH_MAX];
	const char *directory = d->arguments.directory;
	if (d->made_key && snprintf(vault, sizeof(vault), "%s/vault", directory) < PATH_MAX &&
	    access(vault, F_OK) < 0)
		unlink(d->arguments.key_file);
}

static int open_cas(struct daemon *d, struct error *err)
{
	const struct arguments *a = &d->arguments;
	struct cas_config config = {.directory = a->directory,
	                            .memory = a->insecure_memory_none ? MEM_INSECURE_NONE : MEM_SECRET,
	                            .insecure_older = a->insecure_older};
	int rc = take_sealing(d, &config.sealing, err);
	if (rc < 0)
		return rc;
	cas_test_roots(&config);
	rc = a->init ? cas_create(&config, a->init, &d->cas, err) : cas_open(&config, &d->cas, err);
	if (rc < 0)
		drop_key(d);
	if (d->passphrase.data)
		mem_wipe(d->passphrase.data, d->passphrase.size);
	return rc;
}

static int look_after(struct daemon *d, struct error *err)
{
	const struct arguments *a = &d->arguments;
	struct upkeep u = {.task = a->task,
	                   .file = a->file,
	                   .session = a->session,
	                   .since_ns = a->since ? strtoull(a->since, NULL, 10) * 1000000000u : 0,
	                   .json = a->json,
	                   .epoch = a->epoch ? strtoull(a->epoch, NULL, 10) : 0,
	                   .records = {.directory = a->directory,
	                               .pool = d->server_pool,
	                               .now_ns = (uint64_t)now_s(NULL) * 1000000000u,
	                               .who = "the operator",
	                               .insecure_older = a->insecure_older}};
	int rc = take_sealing(d, &u.records.sealing, err);
	if (rc == 0 && a->new_passphrase_fd)
		rc = read_passphrase(d, a->new_passphrase_fd, &d->new_passphrase, err);
	if (a->new_passphrase_fd || a->new_key_file)
		u.sealing = sealing_of(a->new_key_file, &d->new_passphrase);
	if (rc == 0)
		rc = upkeep_run(&u, err);
	if (d->passphrase.data)
		mem_wipe(d->passphrase.data, d->passphrase.size);
	return rc;
}

/* ---- listening */

/* Clients show keys of their own, or the certificates that cells have from this CAS. */
static int make_tls(struct daemon *d, struct error *err)
{
	const struct arguments *a = &d->arguments;
	int rc = server_certificate_issue(d->cas, a->hosts, a->host_count, now_s(NULL), &d->certificate, err);
	if (rc < 0)
		return rc;
	const struct cert *cas[] = {cas_identity_ca(d->cas)}, *chain[] = {d->certificate, cas[0]};
	const struct tls_options options = {.key = cas_tls_key(d->cas),
	                                    .chain = chain,
	                                    .chain_count = array_count(chain),
	                                    .now = now_s,
	                                    .protocol = "http/1.1",
	                                    .clients = TLS_CLIENTS_MAY_HAVE,
	                                    .any_client_key = true,
	                                    .cas = cas,
	                                    .ca_count = 1};
	return tls_server_context(&options, &d->tls, err);
}

/* ADDRESS:PORT, [ADDRESS]:PORT. */
static int parse_listen(const char *text, char address[64], uint16_t *ret_port, struct error *err)
{
	const char *colon = text ? strrchr(text, ':') : NULL;
	char *end = NULL;
	long port = colon ? strtol(colon + 1, &end, 10) : -1;
	size_t size = colon ? (size_t)(colon - text) : 0;
	bool bracketed = size >= 2 && text[0] == '[' && colon[-1] == ']';
	if (port < 0 || port > UINT16_MAX || end == colon + 1 || *end || size == 0 || size >= 64)
		return error_set(err, CELLA_EINVAL, "--listen wants ADDRESS:PORT, such as 127.0.0.1:8081");
	snprintf(address, 64, "%.*s", (int)(bracketed ? size - 2 : size), bracketed ? text + 1 : text);
	*ret_port = (uint16_t)port;
	return 0;
}

static const char *listen_of(const struct daemon *d)
{
	return d->arguments.listen ? d->arguments.listen : "127.0.0.1:8081";
}

static int listen_on(struct daemon *d, struct error *err)
{
	char address[64];
	uint16_t port;
	unsigned rate = d->arguments.rate ? (unsigned)strtoul(d->arguments.rate, NULL, 10) : 0;
	int rc = parse_listen(listen_of(d), address, &port, err);
	if (rc < 0)
		return rc;
	const struct https_server_options options = {.base = d->base,
	                                             .tls = d->tls,
	                                             .address = address,
	                                             .port = port,
	                                             .routes = d->api->routes,
	                                             .route_count = d->api->route_count,
	                                             .limits = {.workers = WORKERS,
	                                                        .handshakes_per_s = rate,
	                                                        .requests_per_s = rate},
	                                             .pool = d->server_pool,
	                                             .metrics = d->metrics,
	                                             .now = now_s};
	return https_server_new(&options, &d->server, err);
}

static void print_start(const struct daemon *d)
{
	printf("listening on port %u\npin   %s\n", https_server_port(d->server), cas_key_hash(d->cas));
	if (d->arguments.init)
		printf("owner %s\n", d->arguments.init);
	if (d->arguments.insecure_memory_none)
		puts("insecure-memory-none: keys and secrets lie in ordinary memory, which root can read");
	if (d->arguments.insecure_older)
		puts("insecure-older: what is kept may be older than what was here before");
	fflush(stdout);
}

/* ---- ending */

static void stopped(void *arg)
{
	struct daemon *d = arg;
	event_base_loopbreak(d->base);
}

static void on_signal(int number, short events, void *arg)
{
	struct daemon *d = arg;
	(void)events;
	log_info("SIG%s: ending", sigabbrev_np(number));
	for (size_t i = 0; i < array_count(d->signals); i++)
		event_del(d->signals[i]);
	https_server_stop(d->server, STOP_MS, stopped, d);
}

static int watch_signals(struct daemon *d, struct error *err)
{
	static const int numbers[] = {SIGTERM, SIGINT};
	for (size_t i = 0; i < array_count(numbers); i++) {
		d->signals[i] = evsignal_new(d->base, numbers[i], on_signal, d);
		if (!d->signals[i] || evsignal_add(d->signals[i], NULL) < 0)
			return error_set(err, CELLA_ENOMEM, "cannot watch for signals");
	}
	return 0;
}

/* ---- all of it */

static int make_pools(struct daemon *d, struct error *err)
{
	enum mem_level level = d->arguments.insecure_memory_none ? MEM_INSECURE_NONE : MEM_SECRET;
	int rc = mem_level_check(level, TLS_MEMORY / 16, err);
	if (rc == 0)
		rc = mem_pool_new(level, TLS_MEMORY, &d->tls_pool, err);
	if (rc == 0)
		rc = crypto_init(d->tls_pool, err);
	return rc == 0 ? mem_pool_new(level, SERVER_MEMORY, &d->server_pool, err) : rc;
}

/* jansson's memory holds keys of volumes on their way to the vault. */
static void free_wiped(void *p)
{
	if (p)
		mem_wipe(p, malloc_usable_size(p));
	free(p);
}

static int serve(struct daemon *d, struct error *err)
{
	char address[64];
	uint16_t port;
	json_set_alloc_funcs(malloc, free_wiped);
	int rc = d->arguments.task ? 0 : parse_listen(listen_of(d), address, &port, err);
	if (rc == 0)
		rc = server_certificate_check(d->arguments.hosts, d->arguments.host_count, err);
	if (rc < 0)
		return rc; /* before anything is made */
	rc = make_pools(d, err);
	if (rc == 0 && d->arguments.task)
		return look_after(d, err);
	if (rc == 0)
		rc = open_cas(d, err);
	if (rc == 0)
		rc = make_tls(d, err);
	if (rc == 0)
		rc = metrics_new(&d->metrics, err);
	if (rc == 0)
		rc = cas_api_new(d->cas, d->metrics, &d->api, err);
	if (rc < 0)
		return rc;
	d->base = event_base_new();
	if (!d->base)
		return error_set(err, CELLA_ENOMEM, "no memory for an event loop");
	rc = watch_signals(d, err);
	if (rc == 0)
		rc = listen_on(d, err);
	if (rc < 0)
		return rc;
	print_start(d);
	event_base_dispatch(d->base);
	return 0;
}

static void done(struct daemon *d)
{
	https_server_free(d->server);
	for (size_t i = 0; i < array_count(d->signals); i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	if (d->base)
		event_base_free(d->base);
	cas_api_free(d->api);
	metrics_free(d->metrics);
	tls_context_unref(d->tls);
	cert_free(d->certificate);
	vault_bytes_done(&d->passphrase);
	vault_bytes_done(&d->new_passphrase);
	cas_close(d->cas);
	mem_pool_free(d->server_pool);
}

int main(int argc, char **argv)
{
	static struct daemon d;
	struct error err = {0};
	log_from_environment("cella-cas");
	if (!parse(argc, argv, &d.arguments)) {
		log_error(
			"usage: cella-cas --dir DIR --key-file FILE|--passphrase-fd N [--listen ADDRESS:PORT] "
			"[--init OWNER]");
		return 2;
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none,
	            NULL); /* whoever started it may have held back the signals that end it */
	signal(SIGPIPE, SIG_IGN);
	int rc = serve(&d, &err);
	if (rc < 0)
		log_error("%s", err.text);
	if (rc < 0 && d.cas && d.arguments.init)
		log_warn("the CAS was made all the same: its owner's credential is %s", d.arguments.init);
	done(&d);
	return rc == CELLA_EINVAL ? 2 : rc < 0;
}
