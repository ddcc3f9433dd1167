/* A seccomp notifier that gives its victim ordinary memory for secret memory. */
#ifndef ATTACKS_NOTIFY_H
#define ATTACKS_NOTIFY_H

#include <stddef.h>

enum { NOTIFY_FILES_MAX = 1024 };

/* The ordinary files that the victim took for protected ones. */
struct loot {
	int files[NOTIFY_FILES_MAX];
	size_t count;
};

/* Puts this process under a filter that asks about memfd_secret and allows the rest; the descriptor
 * to answer on, or -1. */
int notify_install(void);
/* Answers one question with an ordinary memory file. 0, or -1 if it cannot. */
int notify_answer(int listener, struct loot *loot);

#endif
