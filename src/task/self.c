/* SPDX-License-Identifier: MIT */
/* The thread-local; see self.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/self.h"

#include "base/random.h"

__thread struct self self_of_thread __attribute__((used, tls_model("initial-exec")));

#if !(defined(__x86_64__) && defined(__LP64__))
__attribute__((noinline)) struct self *self_get(void)
{
	__asm__ volatile("");
	return &self_of_thread;
}
#endif

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
