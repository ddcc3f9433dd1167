#include "cli/interrupt.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { STATUS_SIGNAL = 128 }; /* what a shell adds to a signal's number */

static void interrupt_signals(sigset_t *ret)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	sigemptyset(ret);
	for (size_t i = 0; i < array_count(numbers); i++) {
		struct sigaction now;
		if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(ret, numbers[i]);
	}
}

int interrupt_open(int *ret_fd, struct error *err)
{
	sigset_t ends;
	interrupt_signals(&ends);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	int fd = signalfd(-1, &ends, SFD_CLOEXEC);
	if (fd < 0)
		return error_errno(err, CELLA_EIO, "cannot wait for signals");
	*ret_fd = fd;
	return 0;
}

int interrupt_pending(void)
{
	sigset_t ends, pending;
	interrupt_signals(&ends);
	sigpending(&pending);
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&ends, number) == 1 && sigismember(&pending, number) == 1)
			return number;
	return 0;
}

int interrupt_take(int fd)
{
	struct signalfd_siginfo taken;
	if (!interrupt_pending() || read(fd, &taken, sizeof(taken)) != (ssize_t)sizeof(taken))
		return 0;
	return (int)taken.ssi_signo;
}

void interrupt_put_back(int number)
{
	kill(getpid(), number);
}

int interrupt_pass(void)
{
	sigset_t ends;
	int number = interrupt_pending();
	interrupt_signals(&ends);
	sigprocmask(SIG_UNBLOCK, &ends, NULL);
	return STATUS_SIGNAL + number;
}
