/* SPDX-License-Identifier: MIT */
/* The calling stack's backtrace, by the C library where it has one. */
#ifndef RT_BACKTRACE_H
#define RT_BACKTRACE_H

/* To be called once before backtrace_print() is called in a signal handler. */
void backtrace_prepare(void);

/*
 * Writes the functions that are active on this stack to fd, a line each, without the innermost
 * skip, which count the caller. Nothing where there is no support. Async-signal-safe.
 */
void backtrace_print(int fd, int skip);

#endif
