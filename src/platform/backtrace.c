/* SPDX-License-Identifier: MIT */
/* Backtraces; see backtrace.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/backtrace.h"

#include <stdlib.h>

#if HAVE_EXECINFO_H
#include <execinfo.h>
#else
#define backtrace(frames, capacity) ((void)(frames), (void)(capacity), 0)
#define backtrace_symbols(frames, count) ((void)(frames), (void)(count), (char **)NULL)
#define backtrace_symbols_fd(frames, count, fd) ((void)(frames), (void)(count), (void)(fd))
#endif

/* The first use loads a library. */
void backtrace_prepare(void)
{
	void *frames[1];

	(void)backtrace(frames, 1);
}

__attribute__((noinline)) int backtrace_capture(void *frames[static BACKTRACE_FRAMES])
{
	return backtrace(frames, BACKTRACE_FRAMES);
}

void backtrace_print(void *const *frames, int count, int skip, FILE *file, int indent)
{
	char **symbols = count > skip ? backtrace_symbols(frames, count) : NULL;

	for (int i = skip; symbols && i < count; i++)
		fprintf(file, "%*s%s\n", indent, "", symbols[i]);
	free(symbols);
}

void backtrace_write(void *const *frames, int count, int skip, int fd)
{
	if (count > skip)
		backtrace_symbols_fd(frames + skip, count - skip, fd);
}
