/* SPDX-License-Identifier: MIT */
/* A task for each kind of wait, by the name that lists give to it. */
#ifndef RT_TESTS_NAMED_WAITS_H
#define RT_TESTS_NAMED_WAITS_H

#include "support/listing.h"

#include <unistd.h>

static struct {
	struct rt_chan *empty, *full;
	struct rt_mutex *mutex;
	struct rt_semaphore *semaphore;
	struct rt_event *event;
	struct rt_wait_group *group;
	struct rt_task *task;
	int pipe[2];
} sources;

static int element;

static inline void open_sources(void)
{
	ck_assert_int_eq(rt_chan_create(&sources.empty, sizeof element, 0), 0);
	ck_assert_int_eq(rt_chan_create(&sources.full, sizeof element, 1), 0);
	ck_assert_int_eq(rt_chan_send(sources.full, &element, RT_NOW), 0);
	ck_assert_int_eq(rt_mutex_create(&sources.mutex), 0);
	ck_assert_int_eq(rt_mutex_lock(sources.mutex, RT_NOW), 0);
	ck_assert_int_eq(rt_semaphore_create(&sources.semaphore, 1), 0);
	ck_assert_int_eq(rt_semaphore_acquire(sources.semaphore, RT_NOW), 0);
	ck_assert_int_eq(rt_event_create(&sources.event), 0);
	ck_assert_int_eq(rt_wait_group_create(&sources.group), 0);
	ck_assert_int_eq(rt_wait_group_add(sources.group, 1), 0);
	ck_assert_int_eq(pipe(sources.pipe), 0);
	sources.task = spawn_named(sleeps, NULL, "target");
}

static inline void close_sources(void)
{
	stop(sources.task);
	rt_chan_destroy(sources.empty);
	rt_chan_destroy(sources.full);
	rt_mutex_unlock(sources.mutex);
	rt_mutex_destroy(sources.mutex);
	rt_semaphore_destroy(sources.semaphore);
	rt_event_destroy(sources.event);
	rt_wait_group_done(sources.group);
	rt_wait_group_destroy(sources.group);
	close(sources.pipe[0]);
	close(sources.pipe[1]);
}

static inline int sleeps_for(rt_time deadline)
{
	return rt_sleep_until(deadline);
}

static inline int joins(rt_time deadline)
{
	return rt_join(sources.task, NULL, deadline);
}

static inline int reads(rt_time deadline)
{
	return rt_wait_fd(sources.pipe[0], RT_READ, deadline);
}

static inline int sends(rt_time deadline)
{
	return rt_chan_send(sources.full, &element, deadline);
}

static inline int receives(rt_time deadline)
{
	return rt_chan_recv(sources.empty, &element, deadline);
}

static inline int locks(rt_time deadline)
{
	return rt_mutex_lock(sources.mutex, deadline);
}

static inline int acquires(rt_time deadline)
{
	return rt_semaphore_acquire(sources.semaphore, deadline);
}

static inline int awaits_event(rt_time deadline)
{
	return rt_event_wait(sources.event, deadline);
}

static inline int awaits_group(rt_time deadline)
{
	return rt_wait_group_wait(sources.group, deadline);
}

static inline int selects(rt_time deadline)
{
	struct rt_select_case cases[] = {RT_CASE_RECV(sources.empty, &element), RT_CASE_EVENT(sources.event)};

	return rt_select(cases, 2, deadline);
}

static inline int leaves_scope(rt_time deadline)
{
	struct rt_scope scope;

	rt_scope_enter(&scope, deadline);
	rt_scope_spawn(&scope, sleeps, NULL);
	return rt_scope_leave(&scope);
}

/* What to expect of the detail without a deadline; with one, "... s left" follows. */
static const struct wait {
	int (*wait)(rt_time deadline);
	const char *what, *detail;
} waits[] = {
	{sleeps_for, "sleep", ""},
	{joins, "join", "task [0-9]+, spawned at .*listing\\.h:[0-9]+"},
	{reads, "readable", "descriptor [0-9]+"},
	{sends, "send", ""},
	{receives, "receive", ""},
	{locks, "lock", ""},
	{acquires, "acquire", ""},
	{awaits_event, "event", ""},
	{awaits_group, "wait group", ""},
	{selects, "select", ""},
	{leaves_scope, "scope", ""},
};
enum { WAITS = sizeof waits / sizeof *waits };

static inline int wait_for_ever(void *arg)
{
	return ((const struct wait *)arg)->wait(RT_FOREVER);
}

static inline int wait_until(void *arg)
{
	return ((const struct wait *)arg)->wait(rt_in(RT_S(500)));
}

#endif
