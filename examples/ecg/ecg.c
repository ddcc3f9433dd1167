/*
 * ecg: an electrocardiogram workflow of tasks.
 *
 * A recording becomes a row of features, a random forest says which rhythm it is. Extraction, training and
 * prediction are graphs of tasks (cella/task.h): in cells they run in other processes than this main program,
 * natively one after the other.
 *
 * Exit status: 0; 1 if something could not be done; 2 for a mistake on the command line.
 */
#include <stdio.h>
#include <string.h>

#include "verbs.h"

struct verb_entry {
	enum verb verb;
	const char *name;
	int (*run)(const struct options *options, struct failure *why);
	const char *summary;
	const char *help;
};

static const struct verb_entry verb_table[] = {
	{VERB_FEATURES, "features", verb_features, "print the features of recordings as CSV",
         "usage: ecg features [--kind compact|spectrogram] FILE.mat...\n"
         "\n"
         "Prints a header and a row for each recording: its name and 111 (compact, the default)\n"
         "or 18810 (spectrogram) features.\n"
         "\n"
         "example: ecg features --kind compact /data/A00001.mat > features.csv\n"},
	{VERB_TRAIN, "train", verb_train, "grow a random forest",
         "usage: ecg train --labels FILE --dir DIR [--kind KIND] [--trees N] [--seed N] [-o FILE]\n"
         "       ecg train --features FILE [--labels FILE] [--trees N] [--seed N] [-o FILE]\n"
         "\n"
         "Trains on the records of the train split: on the recordings DIR/RECORD.mat that are there, or on\n"
         "the rows of a CSV of features. Records that the labels do not list count as train.\n"
         "  --labels FILE    CSV record,label[,split]\n"
         "  --features FILE  CSV record[,label],columns as `ecg features` prints them\n"
         "  --trees N        trees (40)\n"
         "  --seed N         the seed of bootstrap and choice of features (0)\n"
         "  -o FILE          where the forest goes (standard output)\n"
         "\n"
         "example: ecg train --labels /data/labels.csv --dir /data/training2017 -o /out/forest.txt\n"},
	{VERB_PREDICT, "predict", verb_predict, "print the probabilities of the classes as CSV",
         "usage: ecg predict --forest FILE [--kind KIND] [--repeat N [--timings FILE]] FILE.mat...\n"
         "\n"
         "Prints record,pN,pA,pO,pNoise: the mean over the forest's trees.\n"
         "  --kind KIND      compact or spectrogram; the default is the forest's kind\n"
         "  --repeat N       answer the same request N times (one recording only)\n"
         "  --timings FILE   where the times of the answers go, as JSON (standard error)\n"
         "\n"
         "example: ecg predict --forest /out/forest.txt --kind compact /data/A00001.mat\n"},
	{VERB_EVALUATE, "evaluate", verb_evaluate, "judge a forest by labelled recordings",
         "usage: ecg evaluate --forest FILE --labels FILE --dir DIR [--split test|train|all]\n"
         "       ecg evaluate --forest FILE --features FILE [--labels FILE] [--split test|train|all]\n"
         "\n"
         "Prints confusion matrix, F1 by class and accuracy over the records of the split (test).\n"
         "\n"
         "example: ecg evaluate --forest /out/forest.txt --labels /data/labels.csv --dir /data\n"},
	{VERB_SYNTH, "synth", verb_synth, "make synthetic recordings",
         "usage: ecg synth --dir DIR [--count N] [--seed N]\n"
         "\n"
         "Writes N (20) recordings DIR/S00001.mat... and DIR/labels.csv.\n"
         "\n"
         "example: ecg synth --count 200 --seed 1 --dir /data\n"},
};

enum { VERB_ENTRIES = sizeof(verb_table) / sizeof(verb_table[0]) };

static void print_help(FILE *file)
{
	fprintf(file, "usage: ecg VERB ...\n\n"
	              "Classifies electrocardiograms: normal, atrial fibrillation, other, noise.\n\n");
	for (int i = 0; i < VERB_ENTRIES; i++)
		fprintf(file, "  %-10s %s\n", verb_table[i].name, verb_table[i].summary);
	fprintf(file,
	        "\n`ecg VERB --help` says more.\n\nexample: ecg features --kind compact /data/A00001.mat\n");
}

/* What the verb needs and the table of options cannot say. */
static int check_options(const struct verb_entry *verb, struct options *o, struct failure *why)
{
	bool takes_files = verb->verb & (VERB_FEATURES | VERB_PREDICT);
	bool from_labels = verb->verb & (VERB_TRAIN | VERB_EVALUATE) && !o->features;
	if (takes_files && o->file_count == 0)
		return failed(why, "no recording is named");
	if (!takes_files && o->file_count > 0)
		return failed(why, "'%.80s' is one argument too many", o->files[0]);
	if (verb->verb & (VERB_PREDICT | VERB_EVALUATE) && !o->forest)
		return failed(why, "--forest FILE is missing");
	if (from_labels && !o->labels)
		return failed(why, "--labels FILE is missing");
	if ((from_labels || verb->verb == VERB_SYNTH) && !o->dir)
		return failed(why, "--dir DIR is missing");
	if (o->features && (o->dir || o->kind != FEATURE_KINDS))
		return failed(why, "--features FILE already says what --%s would", o->dir ? "dir" : "kind");
	if (o->repeat > 0 && o->file_count != 1)
		return failed(why, "--repeat times one request: name one recording");
	if (o->timings && o->repeat == 0)
		return failed(why, "--timings needs --repeat N");
	if (verb->verb & (VERB_FEATURES | VERB_TRAIN) && o->kind == FEATURE_KINDS)
		o->kind = FEATURES_COMPACT;
	return 0;
}

static int run_verb(const struct verb_entry *verb, int argc, char **argv)
{
	struct options options;
	struct failure why;
	if (options_parse(verb->verb, argc, argv, &options, &why) < 0 ||
	    check_options(verb, &options, &why) < 0) {
		fprintf(stderr, "ecg %s: %s; see ecg %s --help\n", verb->name, why.text, verb->name);
		return 2;
	}
	int rc = verb->run(&options, &why);
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		rc = failed(&why, "cannot write standard output");
	if (rc < 0)
		fprintf(stderr, "ecg %s: %s\n", verb->name, why.text);
	return rc < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		print_help(stdout);
		return 0;
	}
	for (int i = 0; i < VERB_ENTRIES; i++) {
		if (strcmp(name, verb_table[i].name) != 0)
			continue;
		if (argc > 2 && strcmp(argv[2], "--help") == 0) {
			fputs(verb_table[i].help, stdout);
			return 0;
		}
		return run_verb(&verb_table[i], argc - 2, argv + 2);
	}
	if (*name)
		fprintf(stderr, "ecg: '%.40s' is no verb\n", name);
	print_help(stderr);
	return 2;
}
