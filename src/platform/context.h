/* SPDX-License-Identifier: MIT */
/*
 * Contexts: the machine's half of a fiber, one implementation per architecture.
 *
 * x86-64 and AArch64 are written in assembly; everything else, or all of them if
 * RT_CONTEXT_UCONTEXT is defined, goes through swapcontext(). Also read by the
 * assembler.
 */
#ifndef RT_CONTEXT_H
#define RT_CONTEXT_H

#if !defined(RT_CONTEXT_UCONTEXT)
#if defined(__x86_64__) && defined(__LP64__)
#define CONTEXT_X86_64 1
#elif defined(__aarch64__) && defined(__LP64__)
#define CONTEXT_AARCH64 1
#else
#define RT_CONTEXT_UCONTEXT 1
#endif
#endif

#ifndef __ASSEMBLER__

/*
 * Lays out a context between base and top (aligned to 16) of an unused stack.
 * Returns what to pass to context_switch() to have it call entry(arg), which
 * must not return.
 */
void *context_make(void *base, void *top, void (*entry)(void *arg), void *arg);

RT_PRIVATE_BEGIN

/* Saves the running context in *save and continues to. Returns when someone switches to *save. */
void context_switch(void **save, void *to);

RT_PRIVATE_END

#endif
#endif
