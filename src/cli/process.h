/*
 * Other programs, such as compilers: started without a shell, found on the path, waited for.
 *
 * An interrupt (SIGINT, SIGTERM, SIGHUP) while they run ends them; it then reaches this process
 * when the caller lets it (cli/scratch.h).
 */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* A command line under construction; a zeroed one is empty and valid. */
struct arguments {
	char **items; /* ends with NULL */
	size_t count;
	bool failed; /* memory ran out */
};
void arguments_add(struct arguments *a, const char *word);
void arguments_print(struct arguments *a, const char *format, ...) printf_like(2, 3);
void arguments_done(struct arguments *a);
#define cleanup_arguments __attribute__((cleanup(arguments_done)))

/* How many compilers may well run at a time: one a processor, up to 8. */
size_t process_parallel(void);

/* Run them all, at most `parallel` at a time, with our standard streams; `verbose` prints each
 * command line. After the first that fails no other is started. CELLA_EINVAL: one had an exit status
 * other than 0 (it has said why itself); CELLA_ENOENT: no such program; CELLA_ECANCELED: interrupted. */
int process_run(const struct arguments *commands, size_t count, size_t parallel, bool verbose,
                struct error *err) must_check;
/* The same, and on a terminal a line says how far they are: "what 3/8". */
int process_run_shown(const struct arguments *commands, size_t count, size_t parallel, const char *what,
                      struct error *err) must_check;

/* Run one and append its standard output; its standard error is dropped. */
int process_read(const struct arguments *command, struct buf *ret_output, struct error *err) must_check;

/* Start a program (on the path, or by its path) with no signal blocked or ignored and these standard
 * streams; -1: /dev/null. Nothing else is inherited that is close-on-exec. The caller waits for it. */
struct process_streams {
	int input, output, errors;
};
int process_start(char *const *words, const struct process_streams *streams, pid_t *ret_pid,
                  struct error *err) must_check;

/* Wait for a child. When an interrupt waits to be let through (cli/interrupt.h), the child is ended first, in
 * order if it can: CELLA_ECANCELED. */
int process_wait(pid_t pid, int *ret_status, struct error *err) must_check;

/* The file that the path variable gives for a program's name (or the name itself if it has a slash). */
int process_find(const char *name, char *ret_path, size_t capacity, struct error *err) must_check;

#endif
