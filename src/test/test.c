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
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Kept free behind a failure's text. */
enum { SEED_ROOM = 48 };

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

static void set_done(struct run *run)
{
	__atomic_store_n(&run->done, true, __ATOMIC_RELEASE);
}

static void fail_at(struct run *run, const char *file, int line, const char *text)
{
	struct rt_runtime *runtime = self_lock();

	if (!run->failed) {
		run->failure->file = file;
		run->failure->line = line;
		snprintf(run->failure->text, sizeof run->failure->text - SEED_ROOM, "%s", text);
	}
	run->failed = true;
	self_unlock(runtime);
	set_done(run);
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
	char text[RT_TEST_TEXT_MAX - SEED_ROOM];
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
	struct rt_runtime *runtime = self_lock();
	size_t left = runtime->task_count - own;

	self_unlock(runtime);
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
	set_done(run);
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
		runtime_drain(runtime, NULL, LIFECYCLE_GRACE);
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

/* ---- Options and the environment ---- */

/* Returns whether there is a value; run has failed if it is none. */
static bool read_number(struct run *run, const char *variable, uint64_t *number)
{
	const char *text = getenv(variable);
	struct listing listing = {0};
	char *end;

	if (!text || !*text)
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	if (errno == 0 && !*end && *text >= '0' && *text <= '9')
		return true;
	add(&listing, "%s=%s is not a number", variable, text);
	fail(run, listing.text);
	return false;
}

static void read_clock(struct run *run, enum rt_clock *clock)
{
	const char *text = getenv("RT_CLOCK");
	struct listing listing = {0};

	if (!text || !*text)
		return;
	if (strcmp(text, "virtual") == 0) {
		*clock = RT_CLOCK_VIRTUAL;
	} else if (strcmp(text, "real") == 0) {
		*clock = RT_CLOCK_REAL;
	} else {
		add(&listing, "RT_CLOCK=%s is neither virtual nor real", text);
		fail(run, listing.text);
	}
}

/* Of tests that name none. */
static void read_runtime(struct run *run, const struct rt_runtime_ops **ops)
{
	const char *name = getenv("RT_RUNTIME");
	struct listing listing = {0};

	if (*ops || !name || !*name)
		return;
	*ops = rt_runtime_find(name);
	if (*ops)
		return;
	add(&listing, "RT_RUNTIME=%s is no runtime; there is:", name);
	for (unsigned i = 0; rt_runtime_name(i); i++)
		add(&listing, "%s %s", i > 0 ? "," : "", rt_runtime_name(i));
	fail(run, listing.text);
}

/* The environment says more than the program does. */
static void read_environment(struct run *run, struct rt_test_options *options)
{
	uint64_t workers, seed, explore;

	read_runtime(run, &options->runtime);
	read_clock(run, &options->clock);
	if (read_number(run, "RT_WORKERS", &workers))
		options->workers = workers < UINT32_MAX ? (unsigned)workers : UINT32_MAX;
	if (read_number(run, "RT_SEED", &seed)) {
		options->seed = seed;
		options->explore = 0;
	}
	if (read_number(run, "RT_EXPLORE", &explore))
		options->explore = explore < UINT32_MAX ? (unsigned)explore : UINT32_MAX;
	if (options->explore > 0 && options->seed == 0)
		options->seed = 1;
}

static void name_seed(struct run *run, uint64_t seed)
{
	char *text = run->failure->text;
	size_t length = strlen(text);

	snprintf(text + length, RT_TEST_TEXT_MAX - length, " (with RT_SEED=%" PRIu64 ")", seed);
}

static void run_seed(struct run *run, const struct rt_test_options *options, uint64_t seed)
{
	const struct rt_runtime_options with = {
		.workers = options->workers, .clock = options->clock, .seed = seed};

	run->done = false;
	run_in_runtime(run, options->runtime, &with);
	if (run->failed && seed)
		name_seed(run, seed);
}

bool rt_test_run(const struct rt_test *test, int variant, struct rt_test_failure *failure)
{
	struct run run = {.test = test, .failure = failure};
	struct rt_test_options options = test->variants[variant];

	read_environment(&run, &options);
	running = &run;
	for (unsigned i = 0; !run.failed && (i == 0 || i < options.explore); i++)
		run_seed(&run, &options, options.seed + i);
	running = NULL;
	return !run.failed;
}
