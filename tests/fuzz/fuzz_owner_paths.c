/*
 * Requests about paths, as an executor might send them. The preopened directory is empty and
 * removed: nothing can be opened but itself, and an answer fits its room.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cell/owner/paths.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct owner_paths *start(void)
{
	static char directory[] = "/tmp/cella-fuzz-paths-XXXXXX";
	struct owner_paths *paths;
	if (!mkdtemp(directory) || owner_paths_new(&paths, NULL) < 0 ||
	    owner_paths_add(paths, directory, false, NULL) < 0 ||
	    owner_paths_add(paths, directory, true, NULL) < 0)
		abort();
	rmdir(directory);
	return paths;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct owner_paths *paths;
	uint8_t answer[256];
	struct owner_path_reply reply;
	size_t answer_size;
	int fd;
	if (!paths)
		paths = start();
	if (owner_paths_serve(paths, data, size, answer, sizeof(answer), &answer_size, &fd, NULL) < 0)
		return 0;
	memcpy(&reply, answer, sizeof(reply));
	if (answer_size > sizeof(answer) || answer_size != sizeof(reply) + reply.size ||
	    (reply.error && fd >= 0))
		abort();
	if (fd >= 0)
		close(fd);
	return 0;
}
