/*
 * What an executor sends to its owner, before and after it is provisioned: nothing of it does more than
 * end the channel, and no record is accepted that is not sealed under the session's key.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/job/owner_server.h"

enum { INPUT_MAX = 100000 }; /* fits the socket's buffer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* As it came, whatever is in it: only its CAS can open it. */
static int keep_last(void *data, uint32_t executor, uint32_t grant, const void *question, size_t size,
                     struct error *err)
{
	(void)data;
	demand(executor == 1 && grant > 0 && size == seal_size(sizeof(struct owner_keeper_request)));
	return ((const uint8_t *)question)[size - 1] ? 0 : error_set(err, CELLA_EFORMAT, "not this one");
}

static struct owner_server_config start(void)
{
	static struct output output;
	static char directory[] = "/tmp/cella-fuzz-owner-XXXXXX";
	struct mem_pool *pool = NULL;
	struct seal_session *session = NULL;
	struct owner_paths *paths = NULL;
	const uint8_t key[32] = {1};
	demand(mem_pool_new(MEM_INSECURE_NONE, 64 << 20, &pool, NULL) == 0 && crypto_init(pool, NULL) == 0);
	demand(seal_session_new(key, &session, NULL) == 0 && owner_paths_new(&paths, NULL) == 0);
	demand(mkdtemp(directory) && owner_paths_add(paths, directory, false, NULL) == 0);
	rmdir(directory);
	output_init(&output, -1);
	return (struct owner_server_config){.output = &output,
	                                    .executor = 1,
	                                    .keep_last = keep_last,
	                                    .pool = pool,
	                                    .session = session,
	                                    .paths = paths};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct owner_server_config config;
	struct owner_server *server;
	int ends[2];
	int rc = 0;
	if (!config.pool)
		config = start();
	if (size > INPUT_MAX)
		return 0;
	demand(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	demand(io_write_full(ends[1], data, size, NULL) == 0);
	shutdown(ends[1], SHUT_WR);
	config.fd = ends[0];
	demand(owner_server_new(&config, &server, NULL) == 0);
	while (rc == 0) {
		rc = owner_server_readable(server, NULL);
		if (rc == 0 && owner_server_wants_input(server))
			rc = owner_server_input(server, "typed", 5, NULL);
	}
	demand(!owner_server_end(server));
	owner_server_free(server);
	close(ends[1]);
	return 0;
}
