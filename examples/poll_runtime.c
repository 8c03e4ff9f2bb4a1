/* SPDX-License-Identifier: MIT */
/*
 * A whole runtime in one file, against the public headers alone: one thread, poll(2), a list of
 * timers, and a thread for each blocking job. It is here to be read next to the second half of
 * rt/runtime.h, and to be copied by whoever writes another one; poll_echo.c is a program on it. It passes
 * the tests of tests/conformance. What it does not care for is speed with many descriptors or timers.
 */
#define _GNU_SOURCE 1 /* ppoll, POLLRDHUP */
#include "poll_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct poller {
	struct rt_runtime runtime; /* first, so that a pointer to it is one to all of this */
	/* The loop's own. */
	struct rt_waiter timers; /* the head of a ring of those that are armed, the next one to fire first */
	struct rt_watch **watches; /* from 1 on */
	struct pollfd *fds; /* of the same places; at 0, wake_fd */
	size_t count, room; /* of both arrays */
	size_t jobs; /* that are not done */
	/* Any thread, under the lock. */
	pthread_mutex_t lock;
	struct rt_runnable *first, **last; /* scheduled */
	int wake_fd; /* an eventfd that ends poll() */
};

static struct poller *poller(struct rt_runtime *runtime)
{
	return (struct poller *)runtime;
}

/* ---- What is scheduled ---- */

static void schedule(struct rt_executor *executor, struct rt_runnable *runnable)
{
	struct poller *self = (struct poller *)executor; /* the first member of the first member */
	uint64_t one = 1;

	runnable->next = NULL;
	pthread_mutex_lock(&self->lock);
	*self->last = runnable;
	self->last = &runnable->next;
	/* Under the lock: after that, all of this may be gone. */
	if (rt_runtime_current() != &self->runtime)
		(void)!write(self->wake_fd, &one, sizeof one);
	pthread_mutex_unlock(&self->lock);
}

static struct rt_runnable *take_scheduled(struct poller *self)
{
	pthread_mutex_lock(&self->lock);
	struct rt_runnable *first = self->first;

	self->first = NULL;
	self->last = &self->first;
	pthread_mutex_unlock(&self->lock);
	return first;
}

static bool has_scheduled(struct poller *self)
{
	pthread_mutex_lock(&self->lock);
	bool found = self->first;

	pthread_mutex_unlock(&self->lock);
	return found;
}

/* ---- Timers ---- */

/* The waiter is its first member. */
static struct rt_timer *timer_of(struct rt_waiter *waiter)
{
	return (struct rt_timer *)waiter;
}

static int arm(struct rt_runtime *runtime, struct rt_timer *timer)
{
	struct rt_waiter *head = &poller(runtime)->timers, *before = head->prev;

	while (before != head && timer_of(before)->deadline > timer->deadline)
		before = before->prev;
	timer->waiter.prev = before;
	timer->waiter.next = before->next;
	before->next->prev = &timer->waiter;
	before->next = &timer->waiter;
	timer->slot = 1;
	return 0;
}

static void disarm(struct rt_runtime *runtime, struct rt_timer *timer)
{
	(void)runtime;
	if (timer->slot == 0)
		return;
	timer->waiter.prev->next = timer->waiter.next;
	timer->waiter.next->prev = timer->waiter.prev;
	timer->slot = 0;
}

/* RT_FOREVER if none is armed. */
static rt_time next_deadline(const struct poller *self)
{
	struct rt_waiter *next = self->timers.next;

	return next == &self->timers ? RT_FOREVER : timer_of(next)->deadline;
}

static void fire_timers(struct poller *self)
{
	rt_time now = rt_now();

	while (next_deadline(self) <= now) {
		struct rt_timer *timer = timer_of(self->timers.next);

		disarm(&self->runtime, timer);
		timer->waiter.wake(&timer->waiter, -ETIMEDOUT);
	}
}

/* ---- Descriptors ---- */

static int make_room(struct poller *self)
{
	size_t room = self->room > 0 ? 2 * self->room : 16;
	struct rt_watch **watches = realloc(self->watches, room * sizeof *watches);
	struct pollfd *fds = realloc(self->fds, room * sizeof *fds);

	self->watches = watches ? watches : self->watches;
	self->fds = fds ? fds : self->fds;
	if (!watches || !fds)
		return -ENOMEM;
	self->room = room;
	return 0;
}

static int watch(struct rt_runtime *runtime, struct rt_watch *watched)
{
	struct poller *self = poller(runtime);

	if (fcntl(watched->fd, F_GETFD) < 0)
		return -errno;
	if (self->count == self->room && make_room(self) < 0)
		return -ENOMEM;
	watched->registration[0] = self->count;
	self->watches[self->count++] = watched;
	return 0;
}

/* The last one takes its place. */
static void unwatch(struct rt_runtime *runtime, struct rt_watch *watched)
{
	struct poller *self = poller(runtime);
	size_t place = watched->registration[0], last = --self->count;

	self->watches[place] = self->watches[last];
	self->watches[place]->registration[0] = place;
}

/*
 * poll() tells how things are, the library wants to hear of changes: so we ask only for the bits that are not
 * set, and not at all about a descriptor that has both, as poll() would report a hang-up for ever.
 */
static void ask(const struct rt_watch *watched, struct pollfd *fd)
{
	int events = (watched->ready & RT_READ ? 0 : POLLIN | POLLRDHUP) |
		     (watched->ready & RT_WRITE ? 0 : POLLOUT);

	*fd = (struct pollfd){.fd = events ? watched->fd : -1, .events = (short)events};
}

/* An error is for whoever tries next, in whatever direction. */
static void tell(struct rt_watch *watched, int events)
{
	unsigned ready = 0;

	if (events & (POLLERR | POLLHUP | POLLNVAL))
		ready |= RT_READ | RT_WRITE;
	if (events & (POLLHUP | POLLRDHUP))
		ready |= RT_CLOSED | RT_READ;
	if (events & POLLIN)
		ready |= RT_READ;
	if (events & POLLOUT)
		ready |= RT_WRITE;
	if (ready)
		rt_watch_ready(watched, ready);
}

/* ---- Blocking work ---- */

struct errand {
	struct rt_runnable finish; /* first; scheduled when it is worked */
	struct poller *self;
	struct rt_job *job;
};

static void finish(struct rt_runnable *runnable)
{
	struct errand *errand = (struct errand *)runnable;

	errand->self->jobs--;
	errand->job->done(errand->job);
	free(errand);
}

static void *work(void *arg)
{
	struct errand *errand = arg;

	errand->job->work(errand->job);
	schedule(&errand->self->runtime.executor, &errand->finish);
	return NULL;
}

/* From its beginning: in the middle of glibc's pthread_detach() a thread that ends may be gone. */
static int start_detached(void *(*fn)(void *), void *arg)
{
	pthread_attr_t detached;
	pthread_t thread;

	int err = pthread_attr_init(&detached);

	if (err != 0)
		return err;
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &detached, fn, arg);
	pthread_attr_destroy(&detached);
	return err;
}

static int offload(struct rt_runtime *runtime, struct rt_job *job)
{
	struct errand *errand = malloc(sizeof *errand);

	if (!errand)
		return -ENOMEM;
	*errand = (struct errand){{.run = finish}, poller(runtime), job};
	int err = start_detached(work, errand);

	if (err != 0) {
		free(errand);
		return -err;
	}
	poller(runtime)->jobs++;
	return 0;
}

/* ---- The loop ---- */

/* What these schedule in turn has to wait until descriptors and timers have been looked at. */
static void run_scheduled(struct poller *self, bool jobs_only)
{
	for (struct rt_runnable *next, *runnable = take_scheduled(self); runnable; runnable = next) {
		next = runnable->next; /* running it may free it, or schedule it again */
		if (!jobs_only || runnable->run == finish)
			runnable->run(runnable);
	}
}

/* How long poll() may wait; NULL: until something happens. */
static struct timespec *time_left(const struct poller *self, bool busy, struct timespec *left)
{
	rt_time next = next_deadline(self), wait = busy ? 0 : next - rt_now();

	if (!busy && next == RT_FOREVER)
		return NULL;
	wait = wait > 0 ? wait : 0;
	*left = (struct timespec){.tv_sec = wait / RT_S(1), .tv_nsec = wait % RT_S(1)};
	return left;
}

static int poll_all(struct poller *self, bool busy)
{
	struct timespec left;
	uint64_t wakes;

	self->fds[0] = (struct pollfd){.fd = self->wake_fd, .events = POLLIN};
	for (size_t i = 1; i < self->count; i++)
		ask(self->watches[i], &self->fds[i]);
	if (ppoll(self->fds, self->count, time_left(self, busy, &left), NULL) < 0)
		return errno == EINTR ? 0 : -errno; /* the next turn asks the same again */
	if (self->fds[0].revents)
		(void)!read(self->wake_fd, &wakes, sizeof wakes);
	for (size_t i = 1; i < self->count; i++)
		tell(self->watches[i], self->fds[i].revents);
	return 0;
}

/* What other threads may do to it does not count: they have not said that they will. */
static bool can_wake(const struct poller *self)
{
	return self->runtime.watching > 0 || self->jobs > 0 || next_deadline(self) < RT_FOREVER;
}

static int run(struct rt_runtime *runtime, const bool *done)
{
	struct poller *self = poller(runtime);
	int err = 0;

	while (err == 0) {
		run_scheduled(self, false);
		if (*done)
			return 0;
		bool busy = has_scheduled(self);

		if (!busy && !can_wake(self))
			return -EDEADLK;
		err = poll_all(self, busy);
		fire_timers(self);
	}
	return err;
}

/* ---- Life ---- */

/* Tasks that were abandoned may still be scheduled, and must not run; jobs have to come to their end. */
static void destroy(struct rt_runtime *runtime)
{
	struct poller *self = poller(runtime);
	uint64_t wakes;

	run_scheduled(self, true);
	while (self->jobs > 0) {
		(void)!read(self->wake_fd, &wakes, sizeof wakes); /* waits */
		run_scheduled(self, true);
	}
	for (size_t i = 1; i < self->count; i++)
		self->watches[i]->ready &= ~(uint32_t)RT_REGISTERED;
	close(self->wake_fd);
	pthread_mutex_destroy(&self->lock);
	free(self->watches);
	free(self->fds);
	free(self);
}

static int create(struct rt_runtime **runtime, const struct rt_runtime_options *options)
{
	if (options->event_base)
		return -ENOTSUP;
	struct poller *self = calloc(1, sizeof *self);

	if (!self)
		return -ENOMEM;
	self->timers.next = self->timers.prev = &self->timers;
	self->last = &self->first;
	self->count = 1;
	pthread_mutex_init(&self->lock, NULL);
	self->wake_fd = eventfd(0, EFD_CLOEXEC);
	int err = self->wake_fd < 0 ? -errno : make_room(self);

	if (err < 0) {
		self->count = 0;
		destroy(&self->runtime);
		return err;
	}
	*runtime = &self->runtime;
	return 0;
}

const struct rt_runtime_ops poll_runtime = {
	.name = "poll",
	.create = create,
	.destroy = destroy,
	.run = run,
	.schedule = schedule,
	.offload = offload,
	.watch = watch,
	.unwatch = unwatch,
	.arm = arm,
	.disarm = disarm,
};
