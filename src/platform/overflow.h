/* SPDX-License-Identifier: MIT */
/*
 * Stack overflow: says which task ran out of stack before the process dies.
 *
 * A SIGSEGV handler on an alternate stack, one per thread. A fault that is not in
 * a guard goes to whatever handler was there before. Not used under ASan, which
 * reports overflows itself.
 */
#ifndef RT_OVERFLOW_H
#define RT_OVERFLOW_H

RT_PRIVATE_BEGIN

/*
 * Called in the handler with the faulting address; writes its report to fd 2 with
 * write() and returns true if the address was in a guard. Async-signal-safe.
 */
typedef _Bool overflow_report_fn(const void *address);

/* Installs the handler (once per process) and this thread's alternate stack. Returns 0 or -errno. */
int overflow_guard_thread(overflow_report_fn *report);

/* Takes this thread's alternate stack away. */
void overflow_unguard_thread(void);

/* write(2, ...) all of a string. Async-signal-safe. */
void overflow_print(const char *text);

RT_PRIVATE_END

#endif
