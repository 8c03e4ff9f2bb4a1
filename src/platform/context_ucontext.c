/* SPDX-License-Identifier: MIT */
/* Contexts for every other machine, by swapcontext(), which costs two system calls per switch. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/context.h"

#ifdef RT_CONTEXT_UCONTEXT
#include <stdint.h>
#include <ucontext.h>

/* At the top of a new stack; dead once the context has started. */
struct launch {
	ucontext_t context;
	void (*entry)(void *arg);
	void *arg;
};

/* makecontext() passes ints only. */
static void start(unsigned high, unsigned low)
{
	struct launch *launch = (struct launch *)(uintptr_t)(((uint64_t)high << 32) | low);

	launch->entry(launch->arg);
	__builtin_trap();
}

void *context_make(void *base, void *top, void (*entry)(void *arg), void *arg)
{
	struct launch *launch = (struct launch *)(((uintptr_t)top - sizeof *launch) & ~(uintptr_t)63);
	uint64_t address = (uintptr_t)launch;

	getcontext(&launch->context);
	launch->context.uc_stack.ss_sp = base;
	launch->context.uc_stack.ss_size = (size_t)((char *)launch - (char *)base);
	launch->context.uc_link = 0;
	launch->entry = entry;
	launch->arg = arg;
	makecontext(&launch->context, (void (*)(void))start, 2, (unsigned)(address >> 32), (unsigned)address);
	return launch;
}

/* A context that waits lives in the frame of its own call. */
void context_switch(void **save, void *to)
{
	ucontext_t context;

	context.uc_stack.ss_sp = 0; /* ASan's swapcontext reads it, getcontext does not write it */
	context.uc_stack.ss_size = 0;
	*save = &context;
	swapcontext(&context, to);
}

#else
typedef int context_ucontext_unused; /* ISO C wants a declaration */
#endif
