/* SPDX-License-Identifier: MIT */
/* The monotonic clock; see clock.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic(rt_time (*)(void)) replacement;

/* initial-exec: no call into the dynamic linker, also in a loaded module. */
static __thread const rt_time *bound __attribute__((tls_model("initial-exec")));

void clock_replace(rt_time (*now)(void))
{
	atomic_store(&replacement, now);
}

void clock_bind(const rt_time *time)
{
	bound = time;
}

rt_time clock_real(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return RT_S(time.tv_sec) + time.tv_nsec;
}

rt_time rt_now(void)
{
	/* Pairs with the store in clock_replace(). */
	rt_time (*now)(void) = atomic_load_explicit(&replacement, memory_order_acquire);

	if (__builtin_expect(now != NULL, 0))
		return now();
	return __builtin_expect(bound != NULL, 0) ? *bound : clock_real();
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
