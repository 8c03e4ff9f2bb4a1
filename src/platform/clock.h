/* SPDX-License-Identifier: MIT */
/* The monotonic clock, what takes its place on a thread, and the seam through which tests replace it. */
#ifndef RT_CLOCK_H
#define RT_CLOCK_H

#include <rt/time.h>

RT_PRIVATE_BEGIN

/* When set, rt_now() gives what this returns. For tests. */
void clock_replace(rt_time (*now)(void));

/* From now on rt_now() gives *time on this thread; NULL: the monotonic clock again. */
void clock_bind(const rt_time *time);

/* The monotonic clock, whatever rt_now() gives. Any thread. */
rt_time clock_real(void);

RT_PRIVATE_END

#endif
