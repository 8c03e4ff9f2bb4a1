/* SPDX-License-Identifier: MIT */
/* What is on the calling stack, by the C library where it can tell. */
#ifndef RT_BACKTRACE_H
#define RT_BACKTRACE_H

#include <stdio.h>

enum { BACKTRACE_FRAMES = 32 };

/* To be called once before any of these is called in a signal handler or on a small stack. */
void backtrace_prepare(void);

/*
 * Stores the return addresses on this stack, the innermost first, and returns how many; 0: no
 * support. Those down to caller, which is a function's __builtin_return_address(0), are left
 * out: calls that compilers inline or turn into jumps cannot be counted.
 */
int backtrace_capture(void *frames[static BACKTRACE_FRAMES], const void *caller);

/* Prints them in lines that are indented. */
void backtrace_print(void *const *frames, int count, FILE *file, int indent);

/* The same to a descriptor, not indented. Async-signal-safe. */
void backtrace_write(void *const *frames, int count, int fd);

#endif
