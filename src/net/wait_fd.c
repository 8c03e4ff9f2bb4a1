/* SPDX-License-Identifier: MIT */
/* Waiting for a descriptor of somebody else; see rt/net.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "net/wait_fd.h"

#include "base/error.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

/* poll() has them ready for ever, the reactor does not take them. */
static bool is_file(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

int fd_poll(int fd, int direction)
{
	struct pollfd pollfd = {.fd = fd, .events = direction == RT_READ ? POLLIN : POLLOUT};
	int ready;

	do
		ready = poll(&pollfd, 1, 0);
	while (ready < 0 && error_last() == EINTR);
	return ready < 0 ? -error_last() : pollfd.revents;
}

/* How a foreign descriptor stands right now: > 0 ready, 0 not, or -errno. */
static int look(int fd, int direction)
{
	int events = fd_poll(fd, direction);

	if (events > 0 && (events & POLLNVAL))
		return -EBADF;
	if (events > 0 && is_file(fd))
		return -EPERM;
	return events;
}

int fd_await(struct rt_watch *watch, int fd, int direction, struct rt_task *task)
{
	if (fd < 0)
		return -EBADF;
	if (direction != RT_READ && direction != RT_WRITE)
		return -EINVAL;
	int ready = look(fd, direction);

	if (ready < 0)
		return ready;
	watch_init(watch, fd);
	if (ready == 0)
		watch->ready = 0;
	return watch_await(watch, direction, task);
}

bool fd_was_misled(int fd, int direction)
{
	return self_is_shared() && look(fd, direction) == 0;
}

static int wait_once(struct rt_task *task, int fd, int direction, rt_time deadline)
{
	struct rt_watch watch;
	int err = fd_await(&watch, fd, direction, task);

	if (err < 0)
		return err;
	err = task_suspend(task, deadline);
	watch_finish(&watch);
	return err;
}

int rt_wait_fd(int fd, int events, rt_time deadline)
{
	struct rt_task *task = self_get()->task;
	int err;

	if (!task)
		return -EPERM;
	do
		err = wait_once(task, fd, events, deadline);
	while (err == 0 && fd_was_misled(fd, events));
	return err;
}
