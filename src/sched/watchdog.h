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
 * Watches the calling thread, and those that enter; limit in nanoseconds (> 0). One report for each stay.
 * Takes SIGURG, which is ignored by default. Returns 0 or -errno.
 */
int watchdog_create(struct watchdog **watchdog, rt_time limit);

/*
 * Has the calling thread watched as well, if no watchdog watches it. NULL is fine. Not while it is
 * destroyed.
 */
void watchdog_enter(struct watchdog *watchdog);

/* The calling thread is watched no more; its watchdog may be gone, or there may have been none. */
void watchdog_leave(void);

/* Returns when its own thread has ended; nobody is watched any more. Any thread. NULL is fine. */
void watchdog_destroy(struct watchdog *watchdog);

RT_PRIVATE_END

#endif
