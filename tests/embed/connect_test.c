/* SPDX-License-Identifier: MIT */
/*
 * Connecting where an event of another descriptor with the same number comes first, as it can with several
 * threads: a runtime whose watch() remembers what connects, so that the test can tell of such an event.
 */
#include "support/run_suite.h"

#include <rtlua.h>

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS = 2 };

static struct rt_watch *watched;

static int watch(struct rt_runtime *runtime, struct rt_watch *new)
{
	watched = new;
	return rt_stealing.watch(runtime, new);
}

static struct rt_runtime_ops misleading(void)
{
	struct rt_runtime_ops ops = rt_stealing;

	ops.watch = watch;
	watched = NULL;
	return ops;
}

/* Whose queue is full: connecting to it takes until somebody accepts. */
struct full_listener {
	int fd, first;
	char address[64];
};

static void open_full(struct full_listener *full)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof addr;

	full->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(full->fd, (struct sockaddr *)&addr, size), 0);
	ck_assert_int_eq(listen(full->fd, 0), 0);
	ck_assert_int_eq(getsockname(full->fd, (struct sockaddr *)&addr, &size), 0);
	full->first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(full->first, (struct sockaddr *)&addr, size), 0);
	snprintf(full->address, sizeof full->address, "127.0.0.1:%d", ntohs(addr.sin_port));
}

static void close_full(const struct full_listener *full)
{
	close(full->first);
	close(full->fd);
}

static bool somebody_connects(void)
{
	struct rt_runtime *runtime = rt_runtime_current();

	rt_runtime_lock(runtime);
	bool waits = watched && watched->writer;

	rt_runtime_unlock(runtime);
	return waits;
}

/* Wakes whoever connects though nothing has happened. Then it waits again, or else it is done. */
static void mislead(void)
{
	while (!somebody_connects())
		ck_assert_int_eq(rt_yield(), 0);
	rt_watch_ready(watched, RT_WRITE);
}

static int connect_to(void *address)
{
	struct rt_tcp *tcp;
	int err = rt_tcp_connect(&tcp, address, RT_FOREVER);

	if (err == 0)
		rt_tcp_destroy(tcp);
	return err;
}

static int goes_on(void *arg)
{
	struct full_listener full;
	int result;

	(void)arg;
	open_full(&full);
	struct rt_task *task = rt_spawn(connect_to, full.address);

	for (int i = 0; i < 3; i++) {
		mislead();
		while (!somebody_connects())
			ck_assert_int_eq(rt_join(task, &result, rt_in(RT_MS(1))), -ETIMEDOUT);
	}
	rt_cancel(task);
	ck_assert_int_eq(rt_join(task, &result, RT_FOREVER), 0);
	ck_assert_int_eq(result, -ECANCELED);
	close_full(&full);
	return 0;
}

START_TEST(a_task_that_connects_goes_on)
{
	struct rt_runtime_ops ops = misleading();
	struct rt_runtime_options options = {.workers = WORKERS};

	ck_assert_int_eq(rt_run(&ops, &options, goes_on, NULL, "test"), 0);
}
END_TEST

static int mislead_lua(lua_State *L)
{
	(void)L;
	mislead();
	return 0;
}

static int connects(lua_State *L)
{
	lua_pushboolean(L, somebody_connects());
	return 1;
}

static const char program[] = "local rt, address = require 'rt', ...\n"
			      "local task = rt.spawn(function() return rt.net.tcp.connect(address) end)\n"
			      "for _ = 1, 3 do\n"
			      "  mislead()\n"
			      "  while not connects() do\n"
			      "    local ok, message = task:join(0.001)\n"
			      "    assert(not ok and message == 'timeout', 'it has not gone on')\n"
			      "  end\n"
			      "end\n"
			      "task:cancel()\n"
			      "assert(not task:join())\n";

START_TEST(a_lua_task_that_connects_goes_on)
{
	struct rt_runtime_ops ops = misleading();
	struct rtlua_options options = RTLUA_OPTIONS_INIT;
	struct full_listener full;
	struct rtlua *lua;

	options.runtime = &ops;
	options.workers = WORKERS;
	ck_assert_int_eq(rtlua_open(&lua, &options), 0);
	lua_State *L = rtlua_state(lua);

	lua_register(L, "mislead", mislead_lua);
	lua_register(L, "connects", connects);
	open_full(&full);
	ck_assert_int_eq(luaL_loadstring(L, program), 0);
	lua_pushstring(L, full.address);
	ck_assert_int_eq(rtlua_run(lua, 1), 0);
	close_full(&full);
	rtlua_close(lua);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connect");
	TCase *tc = tcase_create("connect");

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_task_that_connects_goes_on);
	tcase_add_test(tc, a_lua_task_that_connects_goes_on);
	return run_suite(suite);
}
