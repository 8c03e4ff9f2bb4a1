/* SPDX-License-Identifier: MIT */
/* Waiting for a descriptor of somebody else: a registration for the time of one wait. */
#ifndef RT_NET_WAIT_FD_H
#define RT_NET_WAIT_FD_H

#include "net/watch.h"

#include <rt/net.h>

RT_PRIVATE_BEGIN

/* How it stands right now: the events of poll(), none: it is not ready; or -errno. */
int fd_poll(int fd, int direction);

/* Publishes task on a watch of its own. After the wait: watch_finish(). Errors as rt_wait_fd(). */
int fd_await(struct rt_watch *watch, int fd, int direction, struct rt_task *task);

/*
 * Whether to wait once more, after a wait that has succeeded: with several threads, what has ended it may be
 * an event that an earlier registration of that number had been about, fetched before this one.
 */
bool fd_was_misled(int fd, int direction);

RT_PRIVATE_END

#endif
