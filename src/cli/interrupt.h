/*
 * SIGINT, SIGTERM and SIGHUP for programs that must not end before they have put things in order.
 *
 * The signals are blocked and stay pending; a descriptor is readable as long as one is. Whoever waits
 * for something waits for that as well, and returns CELLA_ECANCELED. When all is in order the signal is
 * let through: the process ends by it, as a shell expects. Signals that were ignored from the start
 * (nohup) stay so.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include "base/error.h"

/* Block them and give the descriptor. */
int interrupt_open(int *ret_fd, struct error *err) must_check;
/* Which of them is pending; 0: none. */
int interrupt_pending(void);
/* Take the pending one off, so that a second one shows; 0: none is pending. It is put back before all is in
 * order: only what is pending is let through. */
int interrupt_take(int fd);
void interrupt_put_back(int number);
/* Let it through. Returns, with the exit status for it, only where it has no effect: to a container's first
 * process. */
int interrupt_pass(void);

#endif
