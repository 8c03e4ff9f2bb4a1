/* SPDX-License-Identifier: MIT */
/* The thread-local; see self.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/self.h"

#include "base/random.h"

/* initial-exec: no call into the dynamic linker, also in a loaded module. */
static __thread struct self self __attribute__((tls_model("initial-exec")));

/* noinline: compilers compute a thread-local's address once per function, across a switch. */
__attribute__((noinline)) struct self *self_get(void)
{
	__asm__ volatile("");
	return &self;
}

unsigned self_choose(unsigned count)
{
	return random_below(&self_get()->random, count);
}

struct rt_runtime *rt_runtime_current(void)
{
	return self_get()->runtime;
}

struct rt_task *rt_task_current(void)
{
	return self_get()->task;
}
