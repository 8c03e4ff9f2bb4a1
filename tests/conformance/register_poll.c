/* SPDX-License-Identifier: MIT */
/* Makes the runtime of examples/ one of those that the suite runs on; for one of your own, do the same. */
#include <rt.h>

extern const struct rt_runtime_ops poll_runtime;

__attribute__((constructor)) static void add(void)
{
	rt_runtime_register(&poll_runtime);
}
