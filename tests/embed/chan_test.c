/* SPDX-License-Identifier: MIT */
/* A host's channels with C tasks at one end and Lua tasks at the other. */
#include "support/run_suite.h"

#include <rtlua.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 1000 };

static struct rt_chan *numbers, *strings;

static void set_global(struct rtlua *lua, const char *name, struct rt_chan *chan,
		       const struct rtlua_codec *codec)
{
	lua_State *L = rtlua_state(lua);

	ck_assert_int_eq(rtlua_push_chan(L, chan, codec), 0);
	lua_setglobal(L, name);
}

static struct rtlua *open_engine(size_t capacity)
{
	struct rtlua *lua;

	ck_assert_int_eq(rtlua_open(&lua, NULL), 0);
	ck_assert_int_eq(rt_chan_create(&numbers, sizeof(double), capacity), 0);
	ck_assert_int_eq(rt_chan_create(&strings, sizeof(struct rtlua_bytes), capacity), 0);
	rt_chan_set_drop(strings, rtlua_codec_string.drop, NULL);
	set_global(lua, "numbers", numbers, &rtlua_codec_number);
	set_global(lua, "strings", strings, &rtlua_codec_string);
	ck_assert_int_eq(luaL_dostring(rtlua_state(lua), "rt = require 'rt'"), 0);
	return lua;
}

static void close_engine(struct rtlua *lua)
{
	rtlua_close(lua);
	rt_chan_destroy(numbers);
	rt_chan_destroy(strings);
}

/* Runs code as the main task; it is to end well, unless code is to fail. */
static int run(struct rtlua *lua, const char *code)
{
	lua_State *L = rtlua_state(lua);

	if (luaL_loadbuffer(L, code, strlen(code), "=main") != 0)
		ck_abort_msg("%s", lua_tostring(L, -1));
	return rtlua_run(lua, 0);
}

static struct rtlua_bytes bytes(const char *text)
{
	struct rtlua_bytes made = {strdup(text), strlen(text)};

	ck_assert_ptr_nonnull(made.data);
	return made;
}

/* ---- C sends ---- */

static int send_numbers(void *arg)
{
	(void)arg;
	for (int i = 1; i <= VALUES; i++) {
		double value = i;
		int err = rt_chan_send(numbers, &value, RT_FOREVER);

		if (err < 0)
			return err;
	}
	return rt_chan_close(numbers);
}

static int send_strings(void *arg)
{
	(void)arg;
	for (int i = 1; i <= VALUES; i++) {
		char text[32];

		snprintf(text, sizeof text, "value %d", i);
		struct rtlua_bytes value = bytes(text);
		int err = rt_chan_send(strings, &value, RT_FOREVER);

		if (err < 0) {
			free(value.data);
			return err;
		}
	}
	return rt_chan_close(strings);
}

/* app.start(name): spawns a C task, to be joined by app.join(). */
static struct rt_task *started;

static int start(lua_State *L, rt_task_fn *fn)
{
	(void)L;
	started = rt_spawn(fn, NULL);
	ck_assert_ptr_nonnull(started);
	return 0;
}

static int start_numbers(lua_State *L)
{
	return start(L, send_numbers);
}

static int start_strings(lua_State *L)
{
	return start(L, send_strings);
}

static int join(lua_State *L)
{
	int result;

	ck_assert_int_eq(rt_join(started, &result, RT_FOREVER), 0);
	lua_pushinteger(L, result);
	return 1;
}

static const char lua_receives[] =
	"local app = require 'app'\n"
	"local count, sum = 0, 0\n"
	"app.start_numbers()\n"
	"for value in numbers:iter() do count, sum = count + 1, sum + value end\n"
	"assert(count == 1000 and sum == 500500, sum)\n"
	"assert(app.join() == 0)\n"
	"assert(select(3, numbers:recv()) == 'EOF')\n"
	"app.start_strings()\n"
	"for i = 1, 1000 do\n"
	"  local index, value = rt.select{strings}\n"
	"  assert(index == 1 and value == 'value ' .. i, value)\n"
	"end\n"
	"assert(app.join() == 0)\n"
	"local index, value, message, code = rt.select{strings}\n"
	"assert(index == 1 and value == nil and message == 'closed' and code == 'EOF')\n";

static void register_functions(struct rtlua *lua)
{
	ck_assert_int_eq(rtlua_register(lua, "app.start_numbers", start_numbers), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.start_strings", start_strings), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.join", join), 0);
}

static const size_t capacities[] = {0, 1, 10};

START_TEST(lua_receives_from_c)
{
	struct rtlua *lua = open_engine(capacities[_i]);

	register_functions(lua);
	ck_assert_int_eq(run(lua, lua_receives), 0);
	close_engine(lua);
}
END_TEST

/* ---- C receives ---- */

static double sum;
static int received;

static int recv_numbers(void *arg)
{
	double value;
	int err;

	(void)arg;
	while ((err = rt_chan_recv(numbers, &value, RT_FOREVER)) == 0)
		sum += value;
	return err;
}

static int recv_strings(void *arg)
{
	struct rtlua_bytes value;
	char text[32];
	int err;

	(void)arg;
	while ((err = rt_chan_recv(strings, &value, RT_FOREVER)) == 0) {
		snprintf(text, sizeof text, "value %d", ++received);
		ck_assert_uint_eq(value.size, strlen(text));
		ck_assert_str_eq(value.data, text);
		free(value.data);
	}
	return err;
}

static int start_recv_numbers(lua_State *L)
{
	return start(L, recv_numbers);
}

static int start_recv_strings(lua_State *L)
{
	return start(L, recv_strings);
}

static const char lua_sends[] =
	"local app = require 'app'\n"
	"app.start_recv_numbers()\n"
	"for i = 1, 1000 do assert(numbers:send(i)) end\n"
	"assert(numbers:close())\n"
	"app.join()\n"
	"app.start_recv_strings()\n"
	"for i = 1, 1000, 2 do\n"
	"  assert(strings:send('value ' .. i))\n"
	"  local index, sent = rt.select{{strings, 'value ' .. i + 1}, rt.sync.channel()}\n"
	"  assert(index == 1 and sent == true)\n"
	"end\n"
	"strings:close()\n"
	"app.join()\n"
	"assert(select(3, strings:send('late')) == 'EPIPE')\n"
	"assert(select(4, rt.select{{strings, 'late'}}) == 'EPIPE')\n";

START_TEST(c_receives_from_lua)
{
	struct rtlua *lua = open_engine(capacities[_i]);

	sum = received = 0;
	register_functions(lua);
	ck_assert_int_eq(rtlua_register(lua, "app.start_recv_numbers", start_recv_numbers), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.start_recv_strings", start_recv_strings), 0);
	ck_assert_int_eq(run(lua, lua_sends), 0);
	ck_assert_double_eq(sum, 500500);
	ck_assert_int_eq(received, VALUES);
	close_engine(lua);
}
END_TEST

/* ---- Misuse, and who frees what ---- */

START_TEST(codecs_refuse_other_values)
{
	struct rtlua *lua = open_engine(2);

	ck_assert_int_eq(
		run(lua, "local function fails(text, fn, ...)\n"
			 "  local ok, err = pcall(fn, ...)\n"
			 "  assert(not ok and err:find(text, 1, true), err)\n"
			 "end\n"
			 "local function send(ch, value) ch:send(value) end\n"
			 "local function try(ch, value) ch:try_send(value) end\n"
			 "local function choose(cases) rt.select(cases) end\n"
			 "fails(\"main:5: bad argument #1 to 'send' (number expected, got table)\", send, "
			 "numbers, {})\n"
			 "fails(\"main:6: bad argument #1 to 'try_send' (string expected, got boolean)\", "
			 "try, strings, true)\n"
			 "fails(\"main:7: bad case #3 to 'select' (string expected, got table)\", choose,\n"
			 "  {{strings, 'dropped'}, {rt.sync.channel(1), {}}, {strings, {}}})\n"
			 "assert(strings:count() == 0 and numbers:count() == 0)\n"
			 "assert(numbers:send('12') and numbers:recv() == 12)\n"
			 "assert(strings:send(12) and strings:recv() == '12')\n"
			 "assert(strings:send('a\\0b') and strings:recv() == 'a\\0b')\n"
			 "assert(strings:send('') and strings:recv() == '')\n"
			 "assert(strings:capacity() == 2 and tostring(strings) == 'channel (0 of 2)')\n"),
		0);
	close_engine(lua);
}
END_TEST

/* Under a leak checker this shows that each string has one owner at all times. */
START_TEST(what_is_not_received_is_dropped)
{
	struct rtlua *lua = open_engine(0);
	lua_State *L = rtlua_state(lua);

	ck_assert_int_eq(run(lua, "assert(select(3, strings:send('timed out', 0.001)) == 'ETIMEDOUT')\n"
				  "assert(select(3, strings:try_send('refused')) == 'EAGAIN')\n"
				  "assert(select(3, rt.select{{strings, 'a'}, {strings, 'b'}, timeout = 0}) "
				  "== 'ETIMEDOUT')\n"
				  "local task = rt.spawn(function() strings:send('cancelled') end)\n"
				  "rt.yield()\n"
				  "task:cancel()\n"
				  "assert(select(2, task:join()) == rt.cancelled)\n"),
			 0);
	ck_assert_int_eq(luaL_dostring(L,
				       "rt.spawn(function() pcall(strings.send, strings, 'left over')\n"
				       "while true do pcall(rt.select, {{strings, 'never ends'}}) end end)"),
			 0);
	ck_assert_int_eq(run(lua, "rt.yield()"), 0);
	close_engine(lua);
}
END_TEST

START_TEST(a_string_without_data_is_empty)
{
	struct rtlua *lua = open_engine(1);
	struct rtlua_bytes nothing = {NULL, 0};

	ck_assert_int_eq(rt_chan_try_send(strings, &nothing), 0);
	ck_assert_int_eq(run(lua, "assert(strings:recv() == '')"), 0);
	close_engine(lua);
}
END_TEST

START_TEST(the_size_of_the_elements_must_match)
{
	struct rtlua *lua = open_engine(0);
	lua_State *L = rtlua_state(lua);
	int top = lua_gettop(L);

	ck_assert_int_eq(rtlua_push_chan(L, numbers, &rtlua_codec_string), -EINVAL);
	ck_assert_int_eq(rtlua_push_chan(L, NULL, &rtlua_codec_number), -EINVAL);
	ck_assert_int_eq(rtlua_push_chan(L, numbers, NULL), -EINVAL);
	ck_assert_int_eq(lua_gettop(L), top);
	close_engine(lua);
}
END_TEST

/* A codec of the host's, with elements larger than those of the ready-made ones. */
struct point {
	double at[9];
};

static void push_point(lua_State *L, void *element)
{
	lua_pushnumber(L, ((struct point *)element)->at[8]);
}

static int pull_point(lua_State *L, int index, void *element)
{
	((struct point *)element)->at[8] = lua_tonumber(L, index);
	return 0;
}

static const struct rtlua_codec codec_point = {
	.size = sizeof(struct point),
	.expects = "number",
	.push = push_point,
	.pull = pull_point,
};

START_TEST(a_host_has_its_own_codec)
{
	struct rtlua *lua = open_engine(0);
	struct rt_chan *points;

	ck_assert_int_eq(rt_chan_create(&points, sizeof(struct point), 0), 0);
	set_global(lua, "points", points, &codec_point);
	ck_assert_int_eq(
		run(lua,
		    "local task = rt.spawn(function() return points:send(7) end)\n"
		    "assert(points:recv() == 7 and task:await())\n"
		    "task = rt.spawn(function() return rt.select{{points, 8}, numbers, {points, 8}} end)\n"
		    "local index, value = rt.select{strings, points}\n"
		    "assert(index == 2 and value == 8 and task:await() % 2 == 1)\n"
		    "points = nil collectgarbage() collectgarbage()\n"),
		0);
	rtlua_close(lua);
	ck_assert_int_eq(rt_chan_close(points), 0);
	rt_chan_destroy(points);
	rt_chan_destroy(numbers);
	rt_chan_destroy(strings);
}
END_TEST

/* ---- Ten thousand tasks of both kinds ---- */

enum { TASKS = 10000 };

static double sent[TASKS];
static int sent_count, at_work; /* those that have got as far as to wait */

/* app.at_work(): the two kinds take turns of many tasks at a time, so one yield is not enough. */
static int count_at_work(lua_State *L)
{
	lua_pushinteger(L, at_work);
	return 1;
}

static int send_one(void *arg)
{
	at_work++;
	return rt_chan_send(numbers, arg, RT_FOREVER);
}

/* app.send(number): in a C task of its own. */
static int spawn_sender(lua_State *L)
{
	sent[sent_count] = lua_tonumber(L, 1);
	rt_detach(rt_spawn(send_one, &sent[sent_count++]));
	return 0;
}

static int next_number = 1;

static int receive_next(void *arg)
{
	double value;

	(void)arg;
	at_work++;
	ck_assert_int_eq(rt_chan_recv(numbers, &value, RT_FOREVER), 0);
	/* The even ones are the Lua tasks'. */
	ck_assert_int_eq((int)value, next_number);
	next_number += 2;
	return 0;
}

static int spawn_receiver(lua_State *L)
{
	(void)L;
	rt_detach(rt_spawn(receive_next, NULL));
	return 0;
}

/* Each task waits before the next one is spawned, so that their order is known. */
START_TEST(many_senders_of_both_kinds_are_served_in_order)
{
	struct rtlua *lua = open_engine(0);

	ck_assert_int_eq(rtlua_register(lua, "app.send", spawn_sender), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.at_work", count_at_work), 0);
	ck_assert_int_eq(run(lua, "local app = require('app')\n"
				  "for i = 1, 10000, 2 do\n"
				  "  app.send(i)\n"
				  "  while app.at_work() <= i / 2 do rt.yield() end\n"
				  "  rt.spawn(numbers.send, numbers, i + 1) rt.yield()\n"
				  "end\n"
				  "for i = 1, 10000 do assert(numbers:recv() == i, i) end\n"
				  "assert(select(3, numbers:try_recv()) == 'EAGAIN')\n"),
			 0);
	ck_assert_int_eq(sent_count, TASKS / 2);
	close_engine(lua);
}
END_TEST

START_TEST(many_receivers_of_both_kinds_are_served_in_order)
{
	struct rtlua *lua = open_engine(0);

	ck_assert_int_eq(rtlua_register(lua, "app.receive", spawn_receiver), 0);
	ck_assert_int_eq(rtlua_register(lua, "app.at_work", count_at_work), 0);
	ck_assert_int_eq(run(lua, "local app, last, tasks = require('app'), 0, {}\n"
				  "local function take(i) assert(numbers:recv() == i) last = i end\n"
				  "for i = 1, 10000, 2 do\n"
				  "  app.receive()\n"
				  "  while app.at_work() <= i / 2 do rt.yield() end\n"
				  "  tasks[#tasks + 1] = rt.spawn(take, i + 1) rt.yield()\n"
				  "end\n"
				  "for i = 1, 10000 do numbers:send(i) end\n"
				  "for _, task in ipairs(tasks) do task:await() end\n"
				  "assert(last == 10000)\n"
				  "assert(select(3, numbers:try_send(1)) == 'EAGAIN')\n"),
			 0);
	ck_assert_int_eq(next_number, TASKS + 1);
	close_engine(lua);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chan");
	TCase *tcase = tcase_create("chan");
	const int count = sizeof capacities / sizeof *capacities;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, lua_receives_from_c, 0, count);
	tcase_add_loop_test(tcase, c_receives_from_lua, 0, count);
	tcase_add_test(tcase, many_senders_of_both_kinds_are_served_in_order);
	tcase_add_test(tcase, many_receivers_of_both_kinds_are_served_in_order);
	tcase_add_test(tcase, codecs_refuse_other_values);
	tcase_add_test(tcase, what_is_not_received_is_dropped);
	tcase_add_test(tcase, a_string_without_data_is_empty);
	tcase_add_test(tcase, the_size_of_the_elements_must_match);
	tcase_add_test(tcase, a_host_has_its_own_codec);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
