/*
 * A few threads that share out equal parts of a piece of work, among them the one that asks. They sleep
 * while there is none. One piece at a time: the volume's lock sees to that.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "volume/volume_state.h"

struct crew_thread {
	pthread_t id;
	struct crew *crew;
	unsigned worker;
};

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	crew_function *fn;
	void *arg;
	size_t next, parts;
	unsigned busy; /* threads at work on it */
	bool ending;
	int rc;
	unsigned thread_count;
	struct crew_thread threads[VOLUME_WORKERS_MAX - 1];
};

/* Parts until there is none left. */
static void take_parts(struct crew *c, unsigned worker)
{
	pthread_mutex_lock(&c->lock);
	while (c->next < c->parts && c->rc == 0) {
		size_t part = c->next++;
		pthread_mutex_unlock(&c->lock);
		int rc = c->fn(c->arg, part, worker);
		pthread_mutex_lock(&c->lock);
		if (rc < 0 && c->rc == 0)
			c->rc = rc;
	}
	pthread_mutex_unlock(&c->lock);
}

static void *thread_main(void *arg)
{
	const struct crew_thread *self = arg;
	struct crew *c = self->crew;
	pthread_mutex_lock(&c->lock);
	while (!c->ending) {
		if (c->next >= c->parts || c->rc < 0) {
			pthread_cond_wait(&c->work, &c->lock);
			continue;
		}
		c->busy++;
		pthread_mutex_unlock(&c->lock);
		take_parts(c, self->worker);
		pthread_mutex_lock(&c->lock);
		if (--c->busy == 0)
			pthread_cond_signal(&c->done);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* With every signal blocked: they are for the threads of whoever uses the volume. */
static int start(struct crew_thread *t)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&t->id, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int crew_new(unsigned workers, struct crew **ret_crew, struct error *err)
{
	struct crew *c = calloc(1, sizeof(*c));
	if (!c)
		return error_set(err, CELLA_ENOMEM, "no memory for a volume's threads");
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	pthread_cond_init(&c->done, NULL);
	for (unsigned i = 1; i < workers; i++) {
		struct crew_thread *t = &c->threads[c->thread_count];
		*t = (struct crew_thread){.crew = c, .worker = i};
		int rc = start(t);
		if (rc) {
			crew_free(c);
			return error_set(err, CELLA_ENOMEM, "cannot start a volume's thread %u of %u", i,
			                 workers);
		}
		c->thread_count++;
	}
	*ret_crew = c;
	return 0;
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->ending = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < c->thread_count; i++)
		pthread_join(c->threads[i].id, NULL);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->done);
	free(c);
}

int crew_run(struct crew *c, crew_function *fn, void *arg, size_t parts)
{
	if (parts == 1 || c->thread_count == 0) {
		for (size_t i = 0; i < parts; i++) {
			int rc = fn(arg, i, 0);
			if (rc < 0)
				return rc;
		}
		return 0;
	}
	pthread_mutex_lock(&c->lock);
	c->fn = fn;
	c->arg = arg;
	c->rc = 0;
	c->next = 0;
	c->parts = parts;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	take_parts(c, 0);
	pthread_mutex_lock(&c->lock);
	while (c->busy)
		pthread_cond_wait(&c->done, &c->lock);
	c->parts = 0;
	int rc = c->rc;
	pthread_mutex_unlock(&c->lock);
	return rc;
}
