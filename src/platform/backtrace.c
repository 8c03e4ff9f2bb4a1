/* SPDX-License-Identifier: MIT */
/* Backtraces; see backtrace.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/backtrace.h"

#include <stdlib.h>
#include <string.h>

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

int backtrace_capture(void *frames[static BACKTRACE_FRAMES], const void *caller)
{
	int count = backtrace(frames, BACKTRACE_FRAMES), own = 0;

	while (own < count && frames[own] != caller)
		own++;
	if (own == count)
		return count;
	own++;
	memmove(frames, frames + own, (size_t)(count - own) * sizeof *frames);
	return count - own;
}

void backtrace_print(void *const *frames, int count, FILE *file, int indent)
{
	char **symbols = count > 0 ? backtrace_symbols(frames, count) : NULL;

	for (int i = 0; symbols && i < count; i++)
		fprintf(file, "%*s%s\n", indent, "", symbols[i]);
	free(symbols);
}

void backtrace_write(void *const *frames, int count, int fd)
{
	backtrace_symbols_fd(frames, count, fd);
}
