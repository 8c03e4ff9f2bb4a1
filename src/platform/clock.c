/* SPDX-License-Identifier: MIT */
/* The monotonic clock, and the seam through which tests replace it. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic(rt_time (*)(void)) replacement;

void clock_replace(rt_time (*now)(void))
{
	atomic_store(&replacement, now);
}

rt_time rt_now(void)
{
	/* Pairs with the store in clock_replace(). */
	rt_time (*now)(void) = atomic_load_explicit(&replacement, memory_order_acquire);
	struct timespec time;

	if (__builtin_expect(now != NULL, 0))
		return now();
	clock_gettime(CLOCK_MONOTONIC, &time);
	return RT_S(time.tv_sec) + time.tv_nsec;
}

rt_time rt_in(rt_time duration)
{
	rt_time deadline;

	if (duration <= 0)
		return RT_NOW;
	if (__builtin_add_overflow(rt_now(), duration, &deadline))
		return RT_FOREVER;
	return deadline;
}
