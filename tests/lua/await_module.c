/* SPDX-License-Identifier: MIT */
/* A C module whose functions wait, for await_c_test.lua: rt_* comes from the program that loads it. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <rt.h>
#include <string.h>

int luaopen_await_module(lua_State *L);
int await_module_yields(int n);
int64_t await_module_sleep(int64_t duration);
int await_module_calls(int (*callback)(int), int n);

/* For the FFI. */
int await_module_yields(int n)
{
	int err = 0;

	for (int i = 0; i < n && err == 0; i++)
		err = rt_yield();
	return err;
}

int64_t await_module_sleep(int64_t duration)
{
	return rt_sleep(duration);
}

int await_module_calls(int (*callback)(int), int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++)
		sum += callback(i);
	return sum;
}

static int check(lua_State *L, int err)
{
	return err < 0 ? luaL_error(L, "%s", err == -ECANCELED ? "ECANCELED" : strerror(-err)) : 0;
}

/* yield(x) -> x */
static int yield(lua_State *L)
{
	check(L, rt_yield());
	lua_settop(L, 1);
	return 1;
}

/* sleep(seconds, x) -> x */
static int sleep_for(lua_State *L)
{
	check(L, rt_sleep((rt_time)(luaL_checknumber(L, 1) * 1e9)));
	return 1;
}

/* fail(message): an error after a wait */
static int fail(lua_State *L)
{
	rt_sleep(RT_US(10));
	lua_settop(L, 1);
	return lua_error(L);
}

/* protect(fn, ...) -> ok, ...: lua_pcall() with waits before, in and after it */
static int protect(lua_State *L)
{
	check(L, rt_yield());
	int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);

	check(L, rt_yield());
	lua_pushboolean(L, status == 0);
	lua_insert(L, 1);
	return lua_gettop(L);
}

/* call(fn, ...) -> ...: lua_call() between waits */
static int call(lua_State *L)
{
	check(L, rt_yield());
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	check(L, rt_yield());
	return lua_gettop(L);
}

static int protected_wait(lua_State *L)
{
	check(L, rt_sleep(RT_US(10)));
	return luaL_error(L, "from cpcall");
}

/* cpcall() -> message of an error that is thrown after a wait in lua_cpcall() */
static int cpcall(lua_State *L)
{
	return lua_cpcall(L, protected_wait, NULL) != 0;
}

/* resume(fn, x) -> what fn(x) yields or returns, having resumed it from C in a coroutine that is then dropped
 */
static int resume(lua_State *L)
{
	lua_State *thread = lua_newthread(L);

	lua_insert(L, 1);
	lua_xmove(L, thread, 2);
	lua_resume(thread, 1);
	lua_xmove(thread, L, 1);
	lua_remove(L, 1);
	for (int i = 0; i < 3; i++) {
		check(L, rt_yield());
		lua_gc(L, LUA_GCCOLLECT, 0);
	}
	return 1;
}

static int echo(void *arg)
{
	struct rt_tcp *tcp = arg;
	char buf[64];
	ssize_t got;

	while ((got = rt_tcp_read(tcp, buf, sizeof buf, RT_FOREVER)) > 0)
		rt_tcp_write(tcp, buf, (size_t)got, NULL, RT_FOREVER);
	rt_tcp_destroy(tcp);
	return 0;
}

static int accept_one(void *arg)
{
	struct rt_tcp *tcp;
	int err = rt_tcp_accept(arg, &tcp, NULL, RT_FOREVER);

	return err < 0 ? err : echo(tcp);
}

/* echo(text) -> text, through a connection to a C task */
static int through_socket(lua_State *L)
{
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	struct rt_tcp_listener *listener;
	struct rt_tcp *tcp;
	struct rt_addr addr;
	char buf[64];
	int result = -1;

	check(L, rt_tcp_listen(&listener, "127.0.0.1:0", NULL));
	rt_tcp_listener_local_addr(listener, &addr);
	struct rt_task *server = rt_spawn(accept_one, listener);
	int err = rt_tcp_connect_addr(&tcp, &addr, RT_FOREVER);
	ssize_t got = err;

	if (err == 0) {
		rt_tcp_write(tcp, text, size, NULL, RT_FOREVER);
		got = rt_tcp_read_exactly(tcp, buf, size, NULL, RT_FOREVER);
		rt_tcp_destroy(tcp);
	}
	rt_join(server, &result, RT_FOREVER);
	rt_tcp_listener_destroy(listener);
	check(L, (int)got);
	check(L, result);
	lua_pushlstring(L, buf, (size_t)got);
	return 1;
}

/* timeout(seconds) -> what rt_timeout_leave() says about a wait that never ends otherwise */
static int timeout(lua_State *L)
{
	struct rt_timeout limit;

	rt_timeout_enter(&limit, rt_in((rt_time)(luaL_checknumber(L, 1) * 1e9)));
	int err = rt_sleep_until(RT_FOREVER);

	lua_pushboolean(L, rt_timeout_leave(&limit) == -ETIMEDOUT && err == -ECANCELED);
	return 1;
}

static int sleep_until_arg(void *arg)
{
	return rt_sleep_until(*(rt_time *)arg);
}

/* scope(seconds, limit) -> what leaving a scope gives whose two C tasks sleep that long, with that limit */
static int scope(lua_State *L)
{
	rt_time until = rt_in((rt_time)(luaL_checknumber(L, 1) * 1e9));
	struct rt_scope owner;

	rt_scope_enter(&owner, rt_in((rt_time)(luaL_checknumber(L, 2) * 1e9)));
	rt_scope_spawn(&owner, sleep_until_arg, &until);
	rt_scope_spawn(&owner, sleep_until_arg, &until);
	lua_pushinteger(L, rt_scope_leave(&owner));
	return 1;
}

static const luaL_Reg functions[] = {
	{"yield", yield}, {"sleep", sleep_for}, {"fail", fail},     {"protect", protect},
	{"call", call},   {"cpcall", cpcall},   {"resume", resume}, {"echo", through_socket},
	{"scope", scope}, {"timeout", timeout}, {NULL, NULL},
};

int luaopen_await_module(lua_State *L)
{
	/* A module that waits while it is loaded. */
	check(L, rt_yield());
	lua_newtable(L);
	luaL_register(L, NULL, functions);
	return 1;
}
