/* SPDX-License-Identifier: MIT */
/* The monotonic clock, and the seam through which tests replace it. */
#ifndef RT_CLOCK_H
#define RT_CLOCK_H

#include <rt/time.h>

RT_PRIVATE_BEGIN

/* When set, rt_now() gives what this returns. For tests. */
void clock_replace(rt_time (*now)(void));

RT_PRIVATE_END

#endif
