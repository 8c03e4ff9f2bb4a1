/* SPDX-License-Identifier: MIT */
/* Counting processors; see cpus.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <rt/runtime.h>

#include "runtime/cpus.h"

#include <sched.h>

unsigned cpus_available(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	if (count < 1)
		return 1;
	return count < RT_WORKERS_MAX ? (unsigned)count : RT_WORKERS_MAX;
}
