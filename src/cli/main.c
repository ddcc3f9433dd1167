/* cella: the command line. Finds the verb and enters it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/nearest.h"
#include "cli/man.h"
#include "cli/verbs.h"

static const struct verb *const verbs[] = {&cc_verb,      &cxx_verb,     &build_verb,  &run_verb,
                                           &doctor_verb,  &inspect_verb, &verify_verb, &volume_verb,
                                           &session_verb, &cas_verb,     &las_verb,    &evidence_verb,
                                           &bench_verb};

static const char description[] =
	"Runs programs on machines that their owner does not trust: in protected cells, whose memory\n"
	"not even root can read, fed and emptied with sealed data.\n";

static void print_help(FILE *to)
{
	fprintf(to, "Usage: cella VERB [options] [operands]\n\n%s\nVerbs:\n", description);
	for (size_t i = 0; i < array_count(verbs); i++)
		fprintf(to, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("  help       show the help of a verb\n\n"
	      "cella --version prints the version.\n\nExample:\n"
	      "  cella doctor\n"
	      "  cella cc hello.c -o hello.cell && cella run hello.cell\n",
	      to);
}

static void print_manual(FILE *to)
{
	fputs("# The command line\n\n"
	      "`cella VERB [options] [operands]`. The same texts are printed by `cella VERB --help`.\n",
	      to);
	for (size_t i = 0; i < array_count(verbs); i++)
		verb_print_manual(verbs[i], to);
}

static const char *verb_name(const void *data, size_t index)
{
	const struct verb *const *table = data;
	return table[index]->name;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < array_count(verbs); i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static int no_such_verb(const char *name)
{
	const char *nearest = nearest_name(name, verb_name, verbs, array_count(verbs));
	if (nearest)
		fprintf(stderr, "cella: there is no verb %s; did you mean %s?\n", name, nearest);
	else
		fprintf(stderr, "cella: there is no verb %s\nTry: cella help\n", name);
	return VERB_USAGE;
}

/* A man page: of the program, or of a verb. */
static int man(int argc, char **argv)
{
	if (argc < 2) {
		man_print_program(description,
		                  "cella doctor\ncella cc hello.c -o hello.cell && cella run hello.cell",
		                  CELLA_VERSION, verbs, array_count(verbs), stdout);
		return VERB_DONE;
	}
	const struct verb *verb = find_verb(argv[1]);
	if (!verb)
		return no_such_verb(argv[1]);
	man_print_verb(verb, CELLA_VERSION, verbs, array_count(verbs), stdout);
	return VERB_DONE;
}

static int help(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stdout);
		return VERB_DONE;
	}
	if (strcmp(argv[1], "--manual") == 0) {
		print_manual(stdout);
		return VERB_DONE;
	}
	if (strcmp(argv[1], "--man") == 0)
		return man(argc - 1, argv + 1);
	const struct verb *verb = find_verb(argv[1]);
	if (!verb)
		return no_such_verb(argv[1]);
	verb_print_help(verb, stdout);
	return VERB_DONE;
}

static int enter(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return VERB_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("cella %s\n", CELLA_VERSION);
		return VERB_DONE;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(argc - 1, argv + 1);
	const struct verb *verb = find_verb(argv[1]);
	return verb ? verb->enter(argc - 1, argv + 1) : no_such_verb(argv[1]);
}

/* A closed standard stream must not become another file's number: it is replaced by one that
 * cannot be read (standard input: that is empty) or written. */
static void open_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			_exit(VERB_FAILED);
}

int main(int argc, char **argv)
{
	open_standard_streams();
	signal(SIGCHLD, SIG_DFL);
	log_from_environment("cella");
	int status = enter(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("cella: cannot write to standard output\n", stderr);
		return status == VERB_DONE ? VERB_FAILED : status;
	}
	return status;
}
