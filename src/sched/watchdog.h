/* SPDX-License-Identifier: MIT */
/*
 * Notices a task that stays on its worker for too long, from a thread of its own, and
 * reports it while it still runs: the worker's own signal handler names the task on
 * stderr, with a backtrace where the task can give one.
 */
#ifndef RT_WATCHDOG_H
#define RT_WATCHDOG_H

#include <rt/time.h>

RT_PRIVATE_BEGIN

struct watchdog;

/*
 * Watches the calling thread; limit in nanoseconds (> 0). One report for each stay. Takes
 * SIGURG, which is ignored by default. Returns 0 or -errno.
 */
int watchdog_create(struct watchdog **watchdog, rt_time limit);

/*
 * Watches the calling thread as well, until it leaves, which it does before it ends. NULL is fine; without
 * memory it goes unwatched. A thread has one watchdog at a time.
 */
void watchdog_enter(struct watchdog *watchdog);
void watchdog_leave(struct watchdog *watchdog);

/* Returns when the watchdog's thread has ended. All but the calling one have left. NULL is fine. */
void watchdog_destroy(struct watchdog *watchdog);

RT_PRIVATE_END

#endif
