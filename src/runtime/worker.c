/* SPDX-License-Identifier: MIT */
/* Workers of the native runtime; see worker.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "runtime/worker.h"

#include "base/list.h"
#include "task/task.h"

/* How many runnables run before the reactor is asked for news. */
enum { BATCH = 64 };

static void hand_in(struct worker *worker, struct rt_runnable *runnable)
{
	pthread_mutex_lock(&worker->lock);
	queue_push(&worker->inbox, runnable);
	/* Under the lock: once the runnable is taken, the runtime may end. */
	reactor_wake(worker->reactor);
	pthread_mutex_unlock(&worker->lock);
}

void worker_schedule(struct worker *worker, struct rt_runnable *runnable)
{
	if (self_get()->worker != worker) {
		hand_in(worker, runnable);
		return;
	}
	queue_push(&worker->ready, runnable);
	if (!worker->guest)
		return;
	reactor_hold(worker->reactor, true);
	reactor_kick(worker->reactor, false);
}

static void schedule(struct rt_executor *executor, struct rt_runnable *runnable)
{
	worker_schedule(container_of(executor, struct worker, executor), runnable);
}

bool worker_has_mail(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	bool has_mail = worker->inbox.head;

	pthread_mutex_unlock(&worker->lock);
	return has_mail;
}

void worker_empty_inbox(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	struct queue inbox = worker->inbox;

	worker->inbox.head = NULL;
	pthread_mutex_unlock(&worker->lock);
	for (struct rt_runnable *runnable; (runnable = queue_pop(&inbox));)
		queue_push(&worker->ready, runnable);
}

void worker_run_batch(struct worker *worker)
{
	for (int i = 0; i < BATCH && !(worker->crew && crew_must_rest(worker->crew)); i++) {
		struct rt_runnable *next = queue_next(&worker->ready);

		if (!next)
			return;
		if (worker->ready.head)
			task_fetch(worker->ready.head);
		next->run(next);
	}
}

int worker_init(struct worker *worker, struct rt_runtime *runtime, const struct reactor_options *options)
{
	*worker = (struct worker){
		.executor.schedule = schedule,
		.runtime = runtime,
		.guest = options->event_base,
	};
	int err = reactor_create(&worker->reactor, options);

	if (err == 0)
		pthread_mutex_init(&worker->lock, NULL);
	return err;
}

void worker_finish(struct worker *worker)
{
	reactor_destroy(worker->reactor);
	pthread_mutex_destroy(&worker->lock);
}

/* ---- For other threads ---- */

struct request {
	struct rt_runnable runnable;
	struct rt_watch *watch;
	struct reactor *reactor;
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool done;
};

static void serve(struct rt_runnable *runnable)
{
	struct request *request = container_of(runnable, struct request, runnable);

	reactor_unwatch(request->reactor, request->watch);
	pthread_mutex_lock(&request->lock);
	request->done = true;
	pthread_cond_signal(&request->change);
	pthread_mutex_unlock(&request->lock);
}

void worker_unwatch(struct worker *worker, struct rt_watch *watch)
{
	struct request request = {.runnable.run = serve, .watch = watch, .reactor = worker->reactor};

	pthread_mutex_init(&request.lock, NULL);
	pthread_cond_init(&request.change, NULL);
	worker_schedule(worker, &request.runnable);
	pthread_mutex_lock(&request.lock);
	while (!request.done)
		pthread_cond_wait(&request.change, &request.lock);
	pthread_mutex_unlock(&request.lock);
	pthread_cond_destroy(&request.change);
	pthread_mutex_destroy(&request.lock);
}
