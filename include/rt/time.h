/* SPDX-License-Identifier: MIT */
/*
 * Time: the monotonic clock, sleeping, intervals and timeouts.
 *
 * A point in time is an rt_time: nanoseconds of the monotonic clock, absolute.
 * Durations are nanoseconds too. Every function that waits takes a deadline as
 * its last parameter: RT_FOREVER never expires, RT_NOW has already expired, so
 * that the call only succeeds if it need not wait; it does not let others run, so
 * a loop of such calls sees nothing new unless it yields.
 */
#ifndef RT_TIME_H
#define RT_TIME_H

#include <rt/base.h>

RT_BEGIN_DECLS

struct rt_task;
typedef int64_t rt_time;

#define RT_FOREVER INT64_MAX
#define RT_NOW ((rt_time)0)

/* clang-format off */
#define RT_NS(n) ((rt_time)(n))
#define RT_US(n) ((rt_time)((n) * INT64_C(1000)))
#define RT_MS(n) ((rt_time)((n) * INT64_C(1000000)))
#define RT_S(n) ((rt_time)((n) * INT64_C(1000000000)))
/* clang-format on */

/* The current time: on a thread whose runtime has a virtual clock, that clock's. Any thread. */
RT_API rt_time rt_now(void);

/*
 * The deadline that is duration nanoseconds from now. A duration that is not
 * positive gives a deadline that has passed; one that would overflow gives
 * RT_FOREVER. Any thread.
 */
RT_API rt_time rt_in(rt_time duration);

/*
 * Sleeps for duration nanoseconds (until deadline). Returns 0, or -ECANCELED
 * when the task was cancelled, -EPERM outside of a task. A time that has passed
 * still lets the other tasks run once. Suspends.
 */
RT_API int rt_sleep(rt_time duration);
RT_API int rt_sleep_until(rt_time deadline);

/*
 * Moves the virtual clock of the calling task's runtime on by hand, even if tasks are always busy: from
 * deadline to deadline, and lets run what has become due at each, until nothing is left to do. Returns 0,
 * -EINVAL without a virtual clock, for a negative duration or one without an end, -EBUSY while
 * another task does the same, -ECANCELED, -EPERM outside of a task. Suspends.
 */
RT_API int rt_clock_advance(rt_time duration);

/* Ticks without drift: the n-th tick is due at start + n * period. */
struct rt_interval {
	rt_time period;
	rt_time next;
};

/*
 * Starts an interval whose first tick is one period from now. Returns 0, or
 * -EINVAL if the period is not positive. Any thread.
 */
RT_API int rt_interval_init(struct rt_interval *interval, rt_time period);

/*
 * Waits for the next tick. Ticks that were missed are skipped. Returns 0 or
 * -ECANCELED, which leaves the tick to the next call. Suspends.
 */
RT_API int rt_interval_wait(struct rt_interval *interval);

/*
 * A place in a task's stack of timeouts, scopes and shields; part of their structs.
 * The members are the library's own.
 */
struct rt_frame {
	struct rt_frame *outer;
	struct rt_task *task; /* that is in it; NULL: none, it has been left */
	rt_time deadline;
	rt_time effective; /* the nearest one, its own or from outside */
	uint8_t kind;
	bool cancelled;
	bool expired;
};

/*
 * A deadline for everything that the task awaits between enter and leave,
 * whatever deadlines the calls in between have: the nearest one wins. A wait
 * that this one ends gives -ECANCELED, and so does every further wait, until
 * leave. The struct belongs to the caller and must outlive leave.
 *
 * Timeouts nest, in each other and in scopes:
 *
 *	the inner deadline is nearer    inner leave gives -ETIMEDOUT, waits work again
 *	the outer deadline is nearer    inner leave gives 0, waits give -ECANCELED on,
 *	                                outer leave gives -ETIMEDOUT
 *	both have passed at that wait   inner leave gives -ETIMEDOUT, waits give
 *	(equal ones, for example)       -ECANCELED on, outer leave gives -ETIMEDOUT
 *	it has passed before enter      the same as if it passed at the first wait
 *
 * What has not ended a wait has not happened: leave gives 0 if nothing was awaited
 * after the deadline, and if the waits were ended by something else: a timeout
 * further out, or rt_cancel(). A call whose own deadline is as near gives -ETIMEDOUT.
 */
struct rt_timeout {
	struct rt_frame frame;
};

/* Outside of a task it does nothing. Does not suspend. */
RT_API void rt_timeout_enter(struct rt_timeout *timeout, rt_time deadline);

/*
 * Returns -ETIMEDOUT if a wait was ended by this timeout, otherwise 0. What was
 * entered after it and has not been left is left too. Leaving twice does nothing.
 * Does not suspend.
 */
RT_API int rt_timeout_leave(struct rt_timeout *timeout);

RT_END_DECLS
#endif
