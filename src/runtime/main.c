/* SPDX-License-Identifier: MIT */
/* Async main: rt_run() and rt_main(). */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "runtime/lifecycle.h"

#include "runtime/signals.h"

#include "base/error.h"
#include "task/fiber_task.h"

#include <rt/version.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct first {
	rt_task_fn *fn;
	void *arg;
	int result;
	bool done;
};

static int run_first(void *arg)
{
	struct first *first = arg;

	first->result = first->fn(first->arg);
	__atomic_store_n(&first->done, true, __ATOMIC_RELEASE);
	return 0;
}

static int spawn_first(struct first *first, const char *name)
{
	struct rt_task *task = rt_spawn_with(run_first, first, &(struct rt_task_options){.name = name});

	if (!task)
		return -error_last();
	rt_detach(task);
	return 0;
}

static void end_tasks(struct rt_runtime *runtime)
{
	fiber_tasks_cancel(runtime);
	runtime_drain(runtime, NULL, LIFECYCLE_GRACE);
	size_t left = runtime_task_count(runtime, NULL);

	if (left == 0)
		return;
	const char *name = rt_task_name(runtime->tasks), *site = rt_task_site(runtime->tasks);

	if (left == 1)
		fprintf(stderr, "1 task ignores its cancellation and is abandoned: %s (spawned at %s)\n",
			name, site);
	else
		fprintf(stderr,
			"%zu tasks ignore their cancellation and are abandoned, the first is %s (spawned at "
			"%s)\n",
			left, name, site);
}

/* A program's own: it answers SIGQUIT, and says why it cannot go on. */
static int run_program(struct rt_runtime *runtime, const struct first *first)
{
	signals_open(runtime, NULL);
	int err = runtime->ops->run(runtime, &first->done);

	if (err == -EDEADLK) {
		fflush(stdout);
		fprintf(stderr, "deadlock: every task waits for something that nothing can bring about\n");
		rt_task_dump(stderr);
	}
	signals_close(runtime);
	return err;
}

static int run(const struct rt_runtime_ops *ops, const struct rt_runtime_options *options,
	       struct first *first, const char *name, bool program)
{
	struct rt_runtime *runtime;
	int err = runtime_open(ops, options, &runtime);

	if (err < 0)
		return err;
	err = spawn_first(first, name ? name : "main");
	if (err == 0 && program)
		err = run_program(runtime, first);
	else if (err == 0)
		err = runtime->ops->run(runtime, &first->done);
	end_tasks(runtime);
	runtime_close(runtime);
	return err < 0 ? err : first->result;
}

int rt_run(const struct rt_runtime_ops *ops, const struct rt_runtime_options *options, rt_task_fn *fn,
	   void *arg, const char *name)
{
	return fn ? run(ops, options, &(struct first){.fn = fn, .arg = arg}, name, false) : -EINVAL;
}

struct arguments {
	int argc;
	char **argv;
	rt_main_fn *fn;
};

static int call_main(void *arg)
{
	struct arguments *arguments = arg;

	return arguments->fn(arguments->argc, arguments->argv);
}

static void ignore(int signal)
{
	(void)signal;
}

int rt_main(int argc, char **argv, rt_main_fn *fn, const char *name, const struct rt_runtime_ops *ops)
{
	struct arguments arguments = {argc, argv, fn};

	/* A handler, not SIG_IGN: programs that are executed start with the default again. */
	signal(SIGPIPE, ignore);
	int result = run(ops, NULL, &(struct first){.fn = call_main, .arg = &arguments}, name, true);

	if (result >= 0)
		return result;
	fflush(stdout);
	fprintf(stderr, "%s: %s: %s\n", argc > 0 ? argv[0] : "rt", name, error_text(result));
	return EXIT_FAILURE;
}

const char *rt_version(void)
{
	return RT_VERSION;
}
