#include "cli/bench/ecg.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/cell_file.h"
#include "cli/spawn.h"
#include "cli/toolchain.h"

static void close_directory(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Compile the program from Cella's own sources: where it is installed, nothing is built already. */
static int compile(const char *directory, const char *output, bool native, struct error *err)
{
	enum { FILES_MAX = BENCH_WORDS_MAX - 8 };
	static char paths[FILES_MAX][TOOLCHAIN_PATH_MAX + 320];
	const char *words[BENCH_WORDS_MAX] = {"cc", "-o", output};
	size_t files = 0, count = 3;
	cleanup_with(close_directory) DIR *d = opendir(directory);
	if (!d)
		return error_errno(err, CELLA_ENOENT, "cannot open %s", directory);
	if (native)
		words[count++] = "--native";
	for (struct dirent *e; files < FILES_MAX && (e = readdir(d));) {
		size_t size = strlen(e->d_name);
		if (size < 3 || strcmp(e->d_name + size - 2, ".c") != 0)
			continue;
		snprintf(paths[files], sizeof(paths[files]), "%s/%s", directory, e->d_name);
		words[count++] = paths[files++];
	}
	return bench_compile(words, count, native, err);
}

/* Beside this program in a build tree, else made in the scratch directory. */
static int find_programs(struct ecg_files *f, const char *resources, struct error *err)
{
	char beside[400], sources[TOOLCHAIN_PATH_MAX + 32];
	int rc = spawn_directory(beside, sizeof(beside), err);
	if (rc < 0)
		return rc;
	snprintf(f->cell, sizeof(f->cell), "%s/examples/ecg/ecg.cell", beside);
	snprintf(f->native, sizeof(f->native), "%s/examples/ecg/ecg-native", beside);
	if (access(f->cell, R_OK) == 0 && access(f->native, X_OK) == 0)
		return 0;
	snprintf(sources, sizeof(sources), "%s/examples/ecg", resources);
	snprintf(f->cell, sizeof(f->cell), "%.400s/ecg.cell", f->out);
	snprintf(f->native, sizeof(f->native), "%.400s/ecg-native", f->out);
	rc = compile(sources, f->cell, false, err);
	return rc < 0 ? rc : compile(sources, f->native, true, err);
}

static int find_builder(struct ecg_files *f, struct error *err)
{
	cleanup_cell_file struct cell_file cell = {0};
	int rc = crypto_init(NULL, err);
	if (rc == 0)
		rc = cell_file_open(f->cell, &cell, err);
	if (rc == 0)
		rc = cell_file_verify(&cell, err);
	if (rc == 0)
		io_hex(cell.bundle.artifacts[0].builder, CRYPTO_ED25519_SIZE, f->builder);
	return rc;
}

static bool has_recordings(const char *directory)
{
	char path[ECG_PATH_MAX];
	snprintf(path, sizeof(path), "%s/labels.csv", directory);
	if (access(path, R_OK) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/training2017", directory);
	return access(path, X_OK) == 0;
}

/* *ret is "" if there are none. Who names a directory means that one. */
static int find_recordings(const char *resources, char ret[BENCH_PATH_MAX], struct error *err)
{
	static const char *const places[] = {"data/ecg2017", "../shared/data/ecg2017"};
	const char *named = getenv("CELLA_ECG_DATA");
	if (named && *named) {
		snprintf(ret, BENCH_PATH_MAX, "%s", named);
		return has_recordings(ret) ? 0
		                           : error_set(err, CELLA_ENOENT,
		                                       "CELLA_ECG_DATA=%s holds no labels.csv beside "
		                                       "training2017/",
		                                       named);
	}
	for (size_t i = 0; i < array_count(places); i++) {
		snprintf(ret, BENCH_PATH_MAX, "%.300s/%s", resources, places[i]);
		if (has_recordings(ret))
			return 0;
	}
	*ret = '\0';
	return 0;
}

/* The first of the labels' recordings that is there. `below`: their folder, with a slash behind it, or "". */
static int find_record(struct ecg_files *f, const char *below, struct error *err)
{
	char path[ECG_PATH_MAX], line[256];
	snprintf(path, sizeof(path), "%s/labels.csv", f->data);
	cleanup_fclose FILE *labels = fopen(path, "r");
	while (labels && fgets(line, sizeof(line), labels)) {
		int size = (int)min_of(strcspn(line, ",\r\n"), (size_t)32);
		snprintf(f->record, sizeof(f->record), "%s/%s%.*s.mat", f->data, below, size, line);
		snprintf(f->guest_records, sizeof(f->guest_records), "/data/%s", below);
		snprintf(f->guest_record, sizeof(f->guest_record), "%s%.*s.mat", f->guest_records, size,
		         line);
		if (access(f->record, R_OK) == 0)
			return 0;
	}
	return error_set(err, CELLA_ENOENT, "%s names no recording that is there", path);
}

static int make_recordings(struct ecg_files *f, struct error *err)
{
	char *words[] = {f->native, "synth", "--count", "400", "--seed", "0", "--dir", f->data, NULL};
	snprintf(f->data, sizeof(f->data), "%.400s/recordings", f->out);
	if (mkdir(f->data, 0700) < 0)
		return error_errno(err, CELLA_EIO, "cannot make %s", f->data);
	return bench_execute(words, NULL, NULL, err);
}

static int train(struct ecg_files *f, const char *below, struct error *err)
{
	char labels[ECG_PATH_MAX], recordings[ECG_PATH_MAX];
	snprintf(labels, sizeof(labels), "%s/labels.csv", f->data);
	snprintf(recordings, sizeof(recordings), "%s/%s", f->data, below);
	snprintf(f->forest, sizeof(f->forest), "%s/forest.txt", f->out);
	snprintf(f->guest_forest, sizeof(f->guest_forest), "/out/forest.txt");
	char *words[] = {f->native, "train",  "--labels", labels, "--dir",   recordings, "--trees",
	                 "40",      "--seed", "0",        "-o",   f->forest, NULL};
	return bench_execute(words, NULL, NULL, err);
}

static int find_data(struct bench *b, struct ecg_files *f, const char *resources, struct error *err)
{
	int rc = find_recordings(resources, f->data, err);
	bool real = rc == 0 && *f->data;
	const char *below = real ? "training2017/" : "";
	if (rc == 0 && !real)
		rc = make_recordings(f, err);
	if (rc == 0)
		rc = find_record(f, below, err);
	if (rc < 0)
		return rc;
	snprintf(f->forest, sizeof(f->forest), "%s/forest_compact.txt", f->data);
	snprintf(f->guest_forest, sizeof(f->guest_forest), "/data/forest_compact.txt");
	bool reference = real && access(f->forest, R_OK) == 0;
	snprintf(b->ecg, sizeof(b->ecg), "%s, %s",
	         real ? "a recording of PhysioNet/CinC Challenge 2017"
	              : "a SYNTHETIC recording, made by Cella",
	         reference ? "the reference forest"
	         : real    ? "a forest trained here on such recordings"
	                   : "a forest trained here on 400 of them");
	return reference ? 0 : train(f, below, err);
}

int ecg_find(struct bench *b, struct ecg_files *ret, struct error *err)
{
	struct toolchain tools;
	snprintf(ret->out, sizeof(ret->out), "%.400s", b->directory);
	snprintf(ret->timings, sizeof(ret->timings), "%s/timings.json", ret->out);
	int rc = toolchain_find_resources(&tools, err);
	if (rc == 0)
		rc = find_programs(ret, tools.resources, err);
	if (rc == 0)
		rc = find_builder(ret, err);
	return rc < 0 ? rc : find_data(b, ret, tools.resources, err);
}
