/* SPDX-License-Identifier: MIT */
/* Ticks without drift; see rt/time.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <rt/time.h>

#include <errno.h>

int rt_interval_init(struct rt_interval *interval, rt_time period)
{
	if (period <= 0)
		return -EINVAL;
	interval->period = period;
	interval->next = rt_in(period);
	return 0;
}

int rt_interval_wait(struct rt_interval *interval)
{
	int err = rt_sleep_until(interval->next);

	if (err < 0)
		return err;
	rt_time late = rt_now() - interval->next;
	rt_time ticks = late > 0 ? late / interval->period + 1 : 1;

	if (__builtin_mul_overflow(ticks, interval->period, &ticks) ||
	    __builtin_add_overflow(interval->next, ticks, &interval->next))
		interval->next = RT_FOREVER;
	return 0;
}
