/* SPDX-License-Identifier: MIT */
/*
 * Where one worker sleeps until another unparks it. An unpark that comes before the worker sleeps is not
 *lost: the next park returns at once. Several of them count as one.
 *
 * A worker may sleep in something else instead, the driver: a reactor that it polls, say.
 *
 *	if (parker_begin_driver(parker)) {
 *		poll the reactor;
 *		parker_end_driver(parker);
 *	}
 *
 * All that was written before parker_unpark() is seen by the worker after it was woken by it.
 */
#ifndef RT_PARKER_H
#define RT_PARKER_H

#include <rt/time.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct parker {
	_Atomic unsigned state;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	void (*interrupt)(void *arg);
	void *arg;
};

/*
 * interrupt(arg) ends the worker's sleep in the driver; it is called on the thread that unparks. It may
 * come before the sleep has begun, and must end it then too; and late, when the sleep
 * has ended: then it may end another one, without harm. May be NULL if the driver is not used.
 */
void parker_init(struct parker *parker, void (*interrupt)(void *arg), void *arg);

/* No thread may be using it, nor be in parker_unpark(). */
void parker_finish(struct parker *parker);

/*
 * Sleeps until it is unparked or until deadline, of the monotonic clock. Returns whether it was unparked;
 * that wins over a deadline that has passed. Blocks the thread. Owner worker only.
 */
bool parker_park(struct parker *parker, rt_time deadline);

/* Wakes the worker, or has its next sleep end at once. Any thread. */
void parker_unpark(struct parker *parker);

/*
 * Announces that the worker goes to sleep in the driver. False if it must not, since it was unparked;
 * then that counts no longer. Owner worker only.
 */
bool parker_begin_driver(struct parker *parker);

/* Back from the driver. Returns whether it was unparked meanwhile. Owner worker only. */
bool parker_end_driver(struct parker *parker);

#endif
