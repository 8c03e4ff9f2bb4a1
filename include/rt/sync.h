/* SPDX-License-Identifier: MIT */
/*
 * Synchronisation between tasks: channels, mutexes, semaphores, events, wait
 * groups, and select.
 *
 * Everything is fair: who waits is served in order of arrival, by handing over
 * directly, so nobody who comes later gets in between. What has been handed over
 * is never lost: it beats a cancellation and a deadline that come after it, and
 * whoever gives up waiting leaves everything as if it had never waited. With RT_NOW
 * a call succeeds only if it need not wait for anybody; a try_ function is the same
 * and never lets the others run.
 *
 * Everything may be created, and used without waiting, outside of a task; what
 * waits gives -EPERM there, and -EINVAL for NULL. Destroying wakes those that wait
 * with -EPIPE. All functions of this page: Owner worker only.
 */
#ifndef RT_SYNC_H
#define RT_SYNC_H

#include <rt/task.h>

RT_BEGIN_DECLS

/* ---- Channels ---- */

/*
 * Passes elements of one size, by copy. Any number of tasks may send and receive.
 */
struct rt_chan;

/* Called with each element that is left when the channel is destroyed. Must not wait. */
typedef void rt_chan_drop_fn(void *element, void *arg);

/*
 * Makes a channel that holds up to capacity elements. With capacity 0 it is a
 * rendezvous: a send waits until a receiver takes the element. With element_size 0
 * it passes nothing but signals. Returns 0, -ENOMEM, -EINVAL. Does not suspend.
 */
RT_API int rt_chan_create(struct rt_chan **chan, size_t element_size, size_t capacity);

/* Closes it, drops what it holds, and frees it. NULL is fine. Does not suspend. */
RT_API void rt_chan_destroy(struct rt_chan *chan);

/* For elements that own something: drop(element, arg) at rt_chan_destroy(). NULL: none. Does not suspend. */
RT_API void rt_chan_set_drop(struct rt_chan *chan, rt_chan_drop_fn *drop, void *arg);

/*
 * Sends a copy of *element, waiting for room. Returns 0; on every error the element
 * has not been sent: -EPIPE the channel is closed, -ETIMEDOUT, -ECANCELED. Suspends.
 */
RT_API int rt_chan_send(struct rt_chan *chan, const void *element, rt_time deadline);

/*
 * Receives an element into *element. Returns 0, or -EPIPE when the channel is closed
 * and empty, -ETIMEDOUT, -ECANCELED. Suspends.
 */
RT_API int rt_chan_recv(struct rt_chan *chan, void *element, rt_time deadline);

/* The same without waiting: -EAGAIN where they would wait. Do not suspend. */
RT_API int rt_chan_try_send(struct rt_chan *chan, const void *element);
RT_API int rt_chan_try_recv(struct rt_chan *chan, void *element);

/*
 * Says that nothing more will be sent: those that wait to send get -EPIPE, and
 * those that receive too, as soon as nothing is left. Returns 0, or -EALREADY when
 * it is closed already. Does not suspend.
 */
RT_API int rt_chan_close(struct rt_chan *chan);

/* How many elements it holds, and can hold. Do not suspend. */
RT_API size_t rt_chan_count(const struct rt_chan *chan);
RT_API size_t rt_chan_capacity(const struct rt_chan *chan);

/* ---- Mutexes ---- */

/*
 * Mutual exclusion across waits. Not recursive. A task that ends while it holds a
 * mutex leaves what it guards in doubt: those that wait, and everyone who comes
 * later, get -EOWNERDEAD, and the mutex can only be destroyed.
 */
struct rt_mutex;

/* Returns 0, -ENOMEM, -EINVAL. Does not suspend. */
RT_API int rt_mutex_create(struct rt_mutex **mutex);

/* NULL is fine; so is a mutex that is held, which nobody may unlock any more. Does not suspend. */
RT_API void rt_mutex_destroy(struct rt_mutex *mutex);

/*
 * Locks. Returns 0, or -EDEADLK when the calling task holds it already, -EOWNERDEAD,
 * -ETIMEDOUT, -ECANCELED. Suspends.
 */
RT_API int rt_mutex_lock(struct rt_mutex *mutex, rt_time deadline);

/*
 * The same without waiting: -EAGAIN when another task holds it. -EPERM outside of
 * a task. Does not suspend.
 */
RT_API int rt_mutex_try_lock(struct rt_mutex *mutex);

/*
 * Unlocks: hands the mutex to the task that has waited longest. Returns 0, or
 * -EPERM when the calling task does not hold it. Does not suspend.
 */
RT_API int rt_mutex_unlock(struct rt_mutex *mutex);

/* ---- Semaphores ---- */

/* A number of permits that tasks acquire and release, not necessarily the same ones. */
struct rt_semaphore;

/*
 * With that many permits, at least 1, which is also the most it can have. Returns
 * 0, -ENOMEM, -EINVAL. Does not suspend.
 */
RT_API int rt_semaphore_create(struct rt_semaphore **semaphore, size_t permits);

/* NULL is fine. Does not suspend. */
RT_API void rt_semaphore_destroy(struct rt_semaphore *semaphore);

/* Takes a permit, waiting for one. Returns 0, -ETIMEDOUT, -ECANCELED. Suspends. */
RT_API int rt_semaphore_acquire(struct rt_semaphore *semaphore, rt_time deadline);

/* The same without waiting: -EAGAIN when none is free. Does not suspend. */
RT_API int rt_semaphore_try_acquire(struct rt_semaphore *semaphore);

/*
 * Gives a permit back, or to the task that has waited longest. Returns 0, or
 * -EOVERFLOW when none is acquired. Does not suspend.
 */
RT_API int rt_semaphore_release(struct rt_semaphore *semaphore);

/* How many permits are free. Does not suspend. */
RT_API size_t rt_semaphore_permits(const struct rt_semaphore *semaphore);

/* ---- Events ---- */

/* A flag that tasks wait for. */
struct rt_event;

/* Not set at first. Returns 0, -ENOMEM, -EINVAL. Does not suspend. */
RT_API int rt_event_create(struct rt_event **event);

/* NULL is fine. Does not suspend. */
RT_API void rt_event_destroy(struct rt_event *event);

/*
 * Sets it, and wakes all that wait, even if it is cleared before they run. Returns
 * 0, -EINVAL. Does not suspend.
 */
RT_API int rt_event_set(struct rt_event *event);

/* Returns 0, -EINVAL. Does not suspend. */
RT_API int rt_event_clear(struct rt_event *event);

/* Does not suspend. */
RT_API bool rt_event_is_set(const struct rt_event *event);

/* Waits until it is set. Returns 0, -ETIMEDOUT, -ECANCELED. Suspends. */
RT_API int rt_event_wait(struct rt_event *event, rt_time deadline);

/* ---- Wait groups ---- */

/* Counts what is under way; tasks wait until it is all done. */
struct rt_wait_group;

/* With nothing under way. Returns 0, -ENOMEM, -EINVAL. Does not suspend. */
RT_API int rt_wait_group_create(struct rt_wait_group **group);

/* NULL is fine. Does not suspend. */
RT_API void rt_wait_group_destroy(struct rt_wait_group *group);

/*
 * Adds count, which may be negative, to what is under way; at 0 all that wait are
 * woken. Returns 0, or, changing nothing, -EINVAL when there is not as much,
 * -EOVERFLOW beyond INT_MAX. Does not suspend.
 */
RT_API int rt_wait_group_add(struct rt_wait_group *group, int count);

/* rt_wait_group_add(group, -1). Does not suspend. */
RT_API int rt_wait_group_done(struct rt_wait_group *group);

/* Waits until nothing is under way. Returns 0, -ETIMEDOUT, -ECANCELED. Suspends. */
RT_API int rt_wait_group_wait(struct rt_wait_group *group, rt_time deadline);

/* ---- Select ---- */

enum rt_select_what { RT_SELECT_SEND, RT_SELECT_RECV, RT_SELECT_TASK, RT_SELECT_EVENT };

/* One of several things to wait for; made by the macros below. */
struct rt_select_case {
	enum rt_select_what what;
	int result; /* of the case that was chosen: 0, or -EPIPE */
	struct rt_chan *chan;
	const void *from; /* the element to send; must not change before rt_select() returns */
	void *to; /* where to receive */
	struct rt_task *task;
	struct rt_event *event;
};

/*
 * Initializers, for struct rt_select_case cases[] = {RT_CASE_RECV(chan, &element), ...}.
 * A task counts when it has ended; its handle stays valid, to be joined.
 */
/* clang-format off */
#define RT_CASE_SEND(chan, from) {RT_SELECT_SEND, 0, (chan), (from), NULL, NULL, NULL}
#define RT_CASE_RECV(chan, to) {RT_SELECT_RECV, 0, (chan), NULL, (to), NULL, NULL}
#define RT_CASE_TASK(task) {RT_SELECT_TASK, 0, NULL, NULL, NULL, (task), NULL}
#define RT_CASE_EVENT(event) {RT_SELECT_EVENT, 0, NULL, NULL, NULL, NULL, (event)}
/* clang-format on */

/*
 * Waits until one of the cases can happen, and lets exactly that one happen: the
 * others lose nothing. Where several can, chance decides. Returns the index of the
 * case, whose result is in its result: 0, or -EPIPE for a closed channel or for
 * what was destroyed. -ETIMEDOUT and -ECANCELED: nothing has happened. -EINVAL for
 * a case that is not valid, for no cases without a deadline; -EDEADLK for the calling
 * task itself; -ENOMEM is possible with more than 16 cases. Suspends.
 */
RT_API int rt_select(struct rt_select_case *cases, unsigned count, rt_time deadline);

RT_END_DECLS
#endif
