/* SPDX-License-Identifier: MIT */
/*
 * Running the tests of rt/test.h. Knows nothing of Check: a test's failure is stored
 * here, and raised by the header's inline functions, in the program that has Check.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <rt/test_run.h>

#include "base/error.h"
#include "runtime/lifecycle.h"
#include "task/fiber_task.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A test that runs, in its caller's memory. */
struct run {
	const struct rt_test *test;
	struct rt_test_failure *failure;
	uint32_t first; /* the id of the body's task */
	bool failed;
	bool done;
};

/* Check runs one test at a time. */
static struct run *running;

int rt_test_add(struct rt_test *test, const struct rt_test_options *options)
{
	static const struct rt_test_options defaults;

	if (test->variant_count == RT_TEST_VARIANTS) {
		fprintf(stderr, "%s:%d: %s has been added %d times already\n", test->file, test->line,
			test->name, RT_TEST_VARIANTS);
		abort();
	}
	test->variants[test->variant_count] = options ? *options : defaults;
	return test->variant_count++;
}

/* ---- Failures: the first one counts ---- */

static void fail_at(struct run *run, const char *file, int line, const char *text)
{
	if (!run->failed) {
		run->failure->file = file;
		run->failure->line = line;
		snprintf(run->failure->text, sizeof run->failure->text, "%s", text);
	}
	run->failed = true;
	run->done = true;
}

static void fail(struct run *run, const char *text)
{
	fail_at(run, run->test->file, run->test->line, text);
}

void rt_test_fail(const char *file, int line, const char *text)
{
	if (!running || !rt_task_current())
		return;
	fail_at(running, file, line, text);
	/* The task never runs again; if it is cancelled, until the runtime has noticed. */
	for (;;)
		rt_sleep_until(RT_FOREVER);
}

/* ---- What is left behind ---- */

struct listing {
	struct run *run;
	char text[RT_TEST_TEXT_MAX];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void add(struct listing *listing, const char *format, ...)
{
	size_t room = sizeof listing->text - listing->length;
	va_list args;

	va_start(args, format);
	int length = vsnprintf(listing->text + listing->length, room, format, args);

	va_end(args);
	if (length > 0)
		listing->length += (size_t)length < room ? (size_t)length : room - 1;
}

static void add_task(const struct rt_task_info *info, void *arg)
{
	struct listing *listing = arg;

	if (info->id == listing->run->first)
		return;
	add(listing, "; '%s' (spawned at %s) ", info->name, info->site);
	if (info->waits_for)
		add(listing, "waits for: %s", info->waits_for);
	else
		add(listing, "is %s", info->status);
}

static void name_tasks(struct run *run, struct listing *listing)
{
	listing->run = run;
	rt_task_list(add_task, listing);
	fail(run, listing->text);
}

static void check_tasks_left(struct run *run, size_t own)
{
	size_t left = rt_runtime_current()->task_count - own;
	struct listing listing = {0};

	if (left == 0)
		return;
	add(&listing, "left %zu task%s behind", left, left == 1 ? "" : "s");
	name_tasks(run, &listing);
}

/* ---- Running ---- */

static int run_body(void *arg)
{
	struct run *run = arg;

	run->first = task_current_id();
	run->test->body();
	check_tasks_left(run, 1);
	run->done = true;
	return 0;
}

static int spawn_body(struct run *run)
{
	const struct rt_task_options options = {.name = run->test->name};
	struct rt_task *task = rt_spawn_with(run_body, run, &options);

	if (!task)
		return -error_last();
	rt_detach(task);
	return 0;
}

static void report_error(struct run *run, int err)
{
	struct listing listing = {0};

	if (err == -EDEADLK) {
		add(&listing, "deadlock: every task waits for something that nothing can bring about");
		run->first = 0;
		name_tasks(run, &listing);
		return;
	}
	add(&listing, "cannot run: %s", error_text(err));
	fail(run, listing.text);
}

/* After a failure nothing more may run: it could fail again, or wait for what does not come any more. */
static void end(struct run *run, struct rt_runtime *runtime)
{
	if (!run->failed) {
		fiber_tasks_cancel(runtime);
		runtime_drain(runtime, LIFECYCLE_GRACE);
	}
	runtime_close(runtime);
}

static void run_in_runtime(struct run *run, const struct rt_runtime_ops *ops,
			   const struct rt_runtime_options *options)
{
	struct rt_runtime *runtime;
	int err = runtime_open(ops, options, &runtime);

	if (err == -EBUSY)
		fail(run, "a runtime is running on this thread already: has a test before failed in a task, "
			  "in a file that does not include <rt/test.h>?");
	else if (err < 0)
		report_error(run, err);
	if (err < 0)
		return;
	err = spawn_body(run);
	if (err == 0)
		err = runtime->ops->run(runtime, &run->done);
	if (err < 0)
		report_error(run, err);
	end(run, runtime);
}

bool rt_test_run(const struct rt_test *test, int variant, struct rt_test_failure *failure)
{
	struct run run = {.test = test, .failure = failure};
	const struct rt_test_options *options = &test->variants[variant];

	running = &run;
	run_in_runtime(&run, options->runtime, NULL);
	running = NULL;
	return !run.failed;
}
