#include "cli/resources.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/spawn.h"

enum { PROGRAM_PATH_MAX = 4096 };

int resources_directory(char *ret_path, size_t capacity, struct error *err)
{
	static const char *const places[] = {"share/cella", "../share/cella"};
	char program[PROGRAM_PATH_MAX], path[PROGRAM_PATH_MAX + 64];
	int rc = spawn_directory(program, sizeof(program), err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < array_count(places); i++) {
		snprintf(path, sizeof(path), "%s/%s/include/cella/task.h", program, places[i]);
		if (access(path, R_OK) == 0 &&
		    snprintf(ret_path, capacity, "%s/%s", program, places[i]) < (int)capacity)
			return 0;
	}
	return error_set(
		err, CELLA_ENOENT,
		"Cella's own headers are neither in %s/share/cella nor in %s/../share/cella: install Cella "
		"again",
		program, program);
}

int resources_find(const char *name, char *ret_path, size_t capacity, struct error *err)
{
	char directory[PROGRAM_PATH_MAX];
	int rc = resources_directory(directory, sizeof(directory), err);
	if (rc < 0)
		return rc;
	if (snprintf(ret_path, capacity, "%s/%s", directory, name) >= (int)capacity ||
	    access(ret_path, R_OK) < 0)
		return error_set(err, CELLA_ENOENT, "there is no %s in %s", name, directory);
	return 0;
}
