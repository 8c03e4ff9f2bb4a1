/* SPDX-License-Identifier: MIT */
/*
 * Who sleeps and who searches, among the workers of a scheduler that steals. After tokio's
 * runtime/scheduler/multi_thread/idle.rs.
 *
 * A worker is awake or parked; awake it may be searching: looking for work in the queues of
 * others. At most half of the workers, rounded up, search at a time. Whoever makes work wakes one parked
 * worker, unless somebody searches and so will find it: a burst of work wakes one worker, which, when it
 * finds some, wakes the next. No work is forgotten if everybody keeps to this:
 *
 *	makes work       queues it, then idle_notify(), and unparks the worker that it gives
 *	finds work       if it was searching: idle_stop_searching(), and if that says so, idle_notify()
 *	finds none       idle_park(), and if that says so, looks at all queues again: idle_notify() if
 *	                 there is something; then it sleeps
 *	wakes up         idle_unpark_self(); false: idle_notify() has woken it, so it is searching
 *
 * Here it is only counted: nothing sleeps, nobody is woken. All workers begin awake, not searching.
 */
#ifndef RT_IDLE_H
#define RT_IDLE_H

#include <stdbool.h>

struct idle;

/* For workers 0 to workers - 1, up to IDLE_MAX_WORKERS. Returns 0, -EINVAL or -ENOMEM. */
enum { IDLE_MAX_WORKERS = 0x7fff };
int idle_create(struct idle **idle, unsigned workers);

/* No thread may be using it. NULL is fine. */
void idle_destroy(struct idle *idle);

/*
 * After work has been queued: returns the parked worker that is to be unparked, the last one that
 * parked, from now on counted as awake and searching; -1 if somebody searches or nobody is parked.
 * Any thread.
 */
int idle_notify(struct idle *idle);

/* Returns whether the caller may search, and is counted so. It must not be searching. Workers only. */
bool idle_start_searching(struct idle *idle);

/* Returns true when it was the last that searched: if it has found work, it must notify one more. Workers
 * only. */
bool idle_stop_searching(struct idle *idle);

/*
 * Counts the worker as parked, and no longer as searching if it was. Returns true when nobody searches
 * now: it must look at all queues again. By the worker itself, which must be awake.
 */
bool idle_park(struct idle *idle, unsigned worker, bool searching);

/*
 * Counts the worker as awake, after it was woken by something: a descriptor, a timer, another worker. Returns
 * true if it was still counted as parked; now it is awake and not searching. False if it has been notified:
 * it is searching, and has to find work or stop or park as a searcher. Must be called once after each
 * idle_park(), by the worker itself.
 */
bool idle_unpark_self(struct idle *idle, unsigned worker);

/* Returns whether the worker is counted as parked: false means that it has been notified. By the worker
 * itself. */
bool idle_is_parked(struct idle *idle, unsigned worker);

/*
 * How many are parked: a snapshot. A worker that is counted and wakes up later sees what the caller has
 * written before. Any thread.
 */
unsigned idle_parked(struct idle *idle);

#endif
