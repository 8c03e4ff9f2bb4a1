/* SPDX-License-Identifier: MIT */
/*
 * An async main that sleeps, and a task that it spawns and joins.
 *
 * Try it:  ./dev build
 *          build/examples/hello
 *          build/examples/hello "your name"
 */
#include <rt.h>
#include <errno.h>
#include <stdio.h>

static int greet(void *arg)
{
	const char *name = arg;
	int err = rt_sleep(RT_MS(200));

	if (err < 0)
		return err;
	printf("hello, %s\n", name);
	return 42;
}

static int async_main(int argc, char **argv)
{
	char *name = argc > 1 ? argv[1] : "world";
	struct rt_task *task = rt_spawn(greet, name);
	int err, result;

	if (!task)
		return -ENOMEM;
	err = rt_sleep(RT_MS(100)); /* meanwhile, the task sleeps as well */
	if (err == 0) {
		printf("waiting for the task\n");
		err = rt_join(task, &result, RT_FOREVER);
	}
	if (err < 0) {
		rt_detach(task);
		return err;
	}
	if (result < 0)
		return result;
	printf("the task returned %d\n", result);
	return 0;
}

RT_MAIN(async_main)
