/* SPDX-License-Identifier: MIT */
/*
 * Blocking work: functions that would stop a whole thread, on threads of their own.
 *
 *	static int checksum(void *arg)
 *	{
 *		struct file *file = arg;
 *		int fd = open(file->path, O_RDONLY | O_CLOEXEC);
 *
 *		return fd < 0 ? -errno : sum_up(fd, &file->sum);
 *	}
 *
 *	struct file file = {.path = path};
 *	int err = rt_blocking(checksum, &file, rt_in(RT_S(5)));
 */
#ifndef RT_BLOCKING_H
#define RT_BLOCKING_H

#include <rt/time.h>

RT_BEGIN_DECLS

/* Runs on a thread of the pool, where no runtime runs: what waits in this library gives -EPERM there. */
typedef int rt_blocking_fn(void *arg);

/*
 * Calls fn(arg) on another thread and waits for it; other tasks run meanwhile. Returns what fn returns: by
 * convention 0 or more, or -errno. Without a call of fn it returns
 *
 *	-ETIMEDOUT     the deadline passed before fn had begun
 *	-ECANCELED     the task was cancelled, or a deadline around it passed, before fn had begun
 *	-EAGAIN        there was no thread, and none could be started
 *	-ENOMEM, -EPERM outside of a task, -EINVAL for no fn, -ENOTSUP where it cannot wait
 *
 * What has begun cannot be stopped, so the wait does not end before it: rt_blocking() then returns what fn
 * returns, however late that is, and the next wait gives -ECANCELED if the task was cancelled. So fn may
 * use whatever arg points to, the caller's stack included. A fn that takes long should look at the time
 * itself. Who must tell a refusal from a failure of fn has fn store its own where arg points to.
 *
 * Calls begin in the order in which they were made, as many at once as the runtime has threads for them
 * (blocking_threads in struct rt_runtime_options). A task has one call at a time, so one that calls again
 * is behind all that wait by then: nobody starves.
 *
 * At the end of the program fn has as much time as tasks have, two seconds; after that it is left running,
 * with the stack of its caller, until the process exits. What has not begun, or is left, is counted on
 * stderr. Suspends.
 */
RT_API int rt_blocking(rt_blocking_fn *fn, void *arg, rt_time deadline);

RT_END_DECLS
#endif
