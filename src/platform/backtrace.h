/* SPDX-License-Identifier: MIT */
/* What is on the calling stack, by the C library where it can tell. */
#ifndef RT_BACKTRACE_H
#define RT_BACKTRACE_H

#include <stdio.h>

enum { BACKTRACE_FRAMES = 32 };

/* To be called once before any of these is called in a signal handler. */
void backtrace_prepare(void);

/* Stores the return addresses on this stack, the innermost first, and returns how many; 0: no support. */
int backtrace_capture(void *frames[static BACKTRACE_FRAMES]);

/* Prints them, without the first skip, in lines that are indented. */
void backtrace_print(void *const *frames, int count, int skip, FILE *file, int indent);

/* The same to a descriptor, not indented. Async-signal-safe. */
void backtrace_write(void *const *frames, int count, int skip, int fd);

#endif
