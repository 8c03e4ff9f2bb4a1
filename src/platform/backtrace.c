/* SPDX-License-Identifier: MIT */
/* Backtraces; see backtrace.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/backtrace.h"

#if HAVE_EXECINFO_H
#include <execinfo.h>

enum { FRAMES = 32 };

void backtrace_prepare(void)
{
	void *frame;

	backtrace(&frame, 1);
}

void backtrace_print(int fd, int skip)
{
	void *frames[FRAMES];
	int count = backtrace(frames, FRAMES);

	/* Our own is one more. */
	if (count > skip + 1)
		backtrace_symbols_fd(frames + skip + 1, count - skip - 1, fd);
}

#else

void backtrace_prepare(void)
{
}

void backtrace_print(int fd, int skip)
{
	(void)fd;
	(void)skip;
}

#endif
