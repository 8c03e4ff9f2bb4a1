/* SPDX-License-Identifier: MIT */
/* SIGQUIT and SIGINT; see signals.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "runtime/signals.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Of the process, as signal handlers are. */
static struct {
	_Atomic(struct rt_runtime *) runtime; /* whom all of this belongs to; NULL: nobody */
	struct rt_task *main;
	struct rt_watch watch; /* an eventfd that the handler writes */
	struct rt_waiter waiter;
	struct rt_runnable runnable; /* what is left for outside of the lock */
	atomic_bool scheduled;
	struct sigaction previous_quit, previous_int;
	bool interrupted;
} signals;

static atomic_int handler_fd = -1;
static atomic_bool quit_came, int_came;

static void handle(int signal)
{
	uint64_t one = 1;
	int saved = errno;

	atomic_store(signal == SIGQUIT ? &quit_came : &int_came, true);
	(void)!write(atomic_load(&handler_fd), &one, sizeof one);
	errno = saved;
}

/* As a task would, not locked. */
static void serve(struct rt_runnable *runnable)
{
	(void)runnable;
	atomic_store(&signals.scheduled, false);
	if (!atomic_load(&signals.runtime))
		return;
	if (atomic_exchange(&quit_came, false))
		rt_task_dump(stderr);
	if (atomic_exchange(&int_came, false)) {
		signals.interrupted = true;
		rt_cancel(signals.main);
	}
}

/* As after a try that gives EAGAIN: a runtime may look only for what is not set. */
static void expect_news(void)
{
	uint64_t count;

	__atomic_and_fetch(&signals.watch.ready, ~(uint32_t)RT_READ, __ATOMIC_ACQ_REL);
	(void)!read(signals.watch.fd, &count, sizeof count);
	signals.watch.reader = &signals.waiter;
}

static void woken(struct rt_waiter *waiter, int result)
{
	struct rt_runtime *runtime = atomic_load(&signals.runtime);

	(void)waiter;
	expect_news();
	if (result == 0 && !atomic_exchange(&signals.scheduled, true))
		runtime->ops->schedule(&runtime->executor, &signals.runnable);
}

/* What is ignored, as nohup(1) and shells in the background have it, stays so. */
static void install(int signal, int flags, struct sigaction *previous)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART | flags};

	sigemptyset(&action.sa_mask);
	sigaction(signal, NULL, previous);
	if (previous->sa_handler != SIG_IGN)
		sigaction(signal, &action, NULL);
}

static int open_fd(struct rt_runtime *runtime)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return -error_last();
	signals.waiter.wake = woken;
	signals.runnable.run = serve;
	atomic_store(&signals.scheduled, false);
	signals.watch = (struct rt_watch){.fd = fd, .reader = &signals.waiter};
	int err = runtime->ops->watch(runtime, &signals.watch);

	if (err < 0)
		close(fd);
	return err;
}

int signals_open(struct rt_runtime *runtime, struct rt_task *main)
{
	struct rt_runtime *nobody = NULL;

	if (!atomic_compare_exchange_strong(&signals.runtime, &nobody, runtime))
		return -EBUSY;
	int err = open_fd(runtime);

	if (err < 0) {
		atomic_store(&signals.runtime, NULL);
		return err;
	}
	signals.main = main;
	signals.interrupted = false;
	/* What came when the previous runtime had ended was meant for that one. */
	atomic_store(&quit_came, false);
	atomic_store(&int_came, false);
	atomic_store(&handler_fd, signals.watch.fd);
	install(SIGQUIT, 0, &signals.previous_quit);
	/* The next one kills. */
	if (main)
		install(SIGINT, SA_RESETHAND, &signals.previous_int);
	return 0;
}

bool signals_interrupted(const struct rt_runtime *runtime)
{
	return atomic_load(&signals.runtime) == runtime && signals.interrupted;
}

void signals_close(struct rt_runtime *runtime)
{
	if (atomic_load(&signals.runtime) != runtime)
		return;
	sigaction(SIGQUIT, &signals.previous_quit, NULL);
	if (signals.main)
		sigaction(SIGINT, &signals.previous_int, NULL);
	atomic_store(&handler_fd, -1);
	runtime->ops->unwatch(runtime, &signals.watch);
	close(signals.watch.fd);
	atomic_store(&signals.runtime, NULL);
}
