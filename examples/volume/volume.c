/*
 * A sealed volume from C: makes one, writes a file, commits, and reads it back.
 *
 *     cc volume.c -lcella -lcrypto -lpthread -o volume && ./volume notes.vol
 *
 * A second argument, "insecure", does without protected memory.
 */
#include <stdio.h>
#include <string.h>

#include <cella/volume.h>

static struct cella_volume_error error;

static int write_notes(const char *path, struct cella_volume_options options)
{
	static const char text[] = "seen by nobody else\n";
	struct cella_volume *volume;
	options.writable = 1;
	int rc = cella_volume_open(path, &options, &volume, &error);
	if (rc < 0)
		return rc;
	rc = cella_volume_mkdir(volume, "notes", &error);
	if (rc == 0)
		rc = cella_volume_write(volume, "notes/first", 0, text, strlen(text), &error);
	if (rc == 0)
		rc = cella_volume_write(volume, "notes/other", 0, text, strlen(text), &error);
	if (rc == 0)
		rc = cella_volume_truncate(volume, "notes/other", 4, &error);
	if (rc == 0)
		rc = cella_volume_rename(volume, "notes/other", "notes/second", &error);
	if (rc == 0)
		rc = cella_volume_commit(volume, &error);
	if (rc == 0) /* not committed: it is there all the same when the volume is opened again */
		rc = cella_volume_remove(volume, "notes/first", &error);
	cella_volume_close(volume);
	return rc;
}

static int read_notes(const char *path, struct cella_volume_options options)
{
	struct cella_volume *volume;
	struct cella_volume_stat st;
	char name[256] = "", file[300], text[100];
	size_t size;
	int rc = cella_volume_open(path, &options, &volume, &error);
	if (rc < 0)
		return rc;
	while ((rc = cella_volume_next(volume, "notes", name, name, &error)) == 0) {
		snprintf(file, sizeof(file), "notes/%s", name);
		rc = cella_volume_stat(volume, file, &st, &error);
		if (rc == 0)
			rc = cella_volume_read(volume, file, 0, text, sizeof(text) - 1, &size, &error);
		if (rc < 0)
			break;
		text[size] = '\0';
		printf("%s, %llu bytes: %.*s\n", file, (unsigned long long)st.size, (int)strcspn(text, "\n"),
		       text);
	}
	cella_volume_close(volume);
	return rc == CELLA_ENOENT ? 0 : rc;
}

int main(int argc, char **argv)
{
	struct cella_volume_options options = {.insecure_memory = argc > 2};
	const char *path = argc > 1 ? argv[1] : "notes.vol";
	int rc = cella_volume_create(path, &options, &error);
	if (rc == 0)
		rc = write_notes(path, options);
	if (rc == 0)
		rc = read_notes(path, options);
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", path, error.text);
	return rc < 0;
}
