/* The server's worker threads, and the queue in front of them. They take no signals. */
#include <signal.h>
#include <stdlib.h>

#include "net/https_state.h"

struct https_workers {
	void (*run)(struct https_request *request);
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct https_requests queue;
	unsigned queued, queue_max;
	bool ending;
	unsigned count;
	pthread_t threads[];
};

static struct https_request *next(struct https_workers *w)
{
	pthread_mutex_lock(&w->lock);
	while (!w->ending && STAILQ_EMPTY(&w->queue))
		pthread_cond_wait(&w->more, &w->lock);
	struct https_request *request = w->ending ? NULL : STAILQ_FIRST(&w->queue);
	if (request) {
		STAILQ_REMOVE_HEAD(&w->queue, link);
		w->queued--;
	}
	pthread_mutex_unlock(&w->lock);
	return request;
}

static void *work(void *arg)
{
	struct https_workers *w = arg;
	for (struct https_request *request; (request = next(w));)
		w->run(request);
	return NULL;
}

static void end(struct https_workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->count; i++)
		pthread_join(w->threads[i], NULL);
}

int https_workers_new(unsigned threads, unsigned queue, void (*run)(struct https_request *request),
                      struct https_workers **ret_workers, struct error *err)
{
	sigset_t all, before;
	struct https_workers *w = calloc(1, sizeof(*w) + threads * sizeof(pthread_t));
	if (!w)
		return error_set(err, CELLA_ENOMEM, "no memory for worker threads");
	w->run = run;
	w->queue_max = queue;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	STAILQ_INIT(&w->queue);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (w->count < threads && pthread_create(&w->threads[w->count], NULL, work, w) == 0)
		w->count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (w->count < threads) {
		struct https_requests none;
		https_workers_free(w, &none);
		return error_set(err, CELLA_ELIMIT,
		                 "cannot start %u worker threads: ulimit -u says how many "
		                 "processes and threads there may be",
		                 threads);
	}
	*ret_workers = w;
	return 0;
}

bool https_workers_take(struct https_workers *w, struct https_request *request)
{
	pthread_mutex_lock(&w->lock);
	bool room = w->queued < w->queue_max;
	if (room) {
		STAILQ_INSERT_TAIL(&w->queue, request, link);
		w->queued++;
		pthread_cond_signal(&w->more);
	}
	pthread_mutex_unlock(&w->lock);
	return room;
}

void https_workers_free(struct https_workers *w, struct https_requests *ret_left)
{
	STAILQ_INIT(ret_left);
	if (!w)
		return;
	end(w);
	STAILQ_CONCAT(ret_left, &w->queue);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
