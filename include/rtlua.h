/* SPDX-License-Identifier: MIT */
/*
 * librtlua: the engine, to be embedded in C programs. Link with
 * pkg-config --cflags --libs rtlua.
 *
 * An engine is a lua_State with the modules rt, rt.task, rt.time, rt.sync and rt.net, and a
 * runtime that runs its tasks. It belongs to the thread that opens it, or to the C task that does, wherever
 * that runs; every function here that takes a struct rtlua is called there, and not from the engine's own
 * tasks.
 *
 * Where the runtime has several threads, the tasks of one engine run on any of them, but never on two at
 * once, and so do the C functions that they call: after a function that waits, a C function may be on another
 * thread, so it must not keep pointers to thread-locals, errno's included, across that, nor hold a mutex. In
 * the other VMs of the engine, those of rt.parallel(), it may be running at the same time. Between two runs
 * nothing of the engine runs, and its lua_State is the host's; during rtlua_run(), or while the host's loop
 * runs, or inside of a runtime that other tasks use, it is not: there, rtlua_register(),
 * rtlua_spawn_string(), rtlua_spawn_file() and rtlua_close() have the engine's tasks rest meanwhile, on
 * whichever thread they are. If one of them is running, these calls wait, with their thread, until it gives
 * way.
 */
#ifndef RTLUA_H
#define RTLUA_H

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <rt.h>

RT_BEGIN_DECLS

struct rtlua;

struct rtlua_options {
	/* The host's libevent loop: tasks run from it. NULL: rtlua_run() runs a loop of its own. */
	struct event_base *event_base;
	/* NULL: rt_native; ignored where a runtime is running on this thread already. */
	const struct rt_runtime_ops *runtime;
	unsigned workers; /* 0: what suits the runtime */
	const char *name; /* in front of messages on stderr; kept as a pointer; NULL: "rtlua" */
	/* Nanoseconds after which a task that has not given way is reported; 0: never. Takes SIGURG. */
	rt_time watchdog;
	/* During rtlua_run(), SIGQUIT prints all tasks, and the first SIGINT cancels the main task. */
	bool signals;
	/* rtlua_run() names the tasks that main has left behind, and is then not successful. */
	bool strict;
	/* Bytes that each VM of rt.parallel() may use; 0: what RT_JOB_MEMORY in the environment says, or any.
	 */
	size_t job_memory;
	/*
	 * The process is the program's, and ends with it: if main has ended in rtlua_run() and 2 seconds
	 * later the calling thread is still kept by a task that does not give way, one of rt.parallel() for
	 * example, exit() is called with what rtlua_run() would have returned. Otherwise it returns when that
	 * task gives way.
	 */
	bool exits;
};

#define RTLUA_OPTIONS_INIT                                                                                   \
	{                                                                                                    \
		NULL, NULL, 0, NULL, 0, false, false, 0, false                                               \
	}

/*
 * Makes an engine with the standard Lua libraries; options may be NULL. If a
 * runtime is running on this thread, which is so inside of a C task, the engine
 * joins it. Returns 0, -ENOMEM, or what starting the runtime gave.
 */
RT_API int rtlua_open(struct rtlua **lua, const struct rtlua_options *options);

/*
 * Cancels the tasks that are left, gives them 2 seconds to clean up, reports failures nobody
 * has taken notice of, and frees everything. Inside of a task, cancelled tasks do not run any more; in a
 * callback of the host's loop, which cannot go on meanwhile, they hear nothing of descriptors. Of several
 * engines on a thread each may be closed first, and the tasks of the others go on. While a task of its own
 * keeps a thread it waits for that to give way; job VMs whose tasks do not are named and left to themselves,
 * with their threads and the runtime, which this thread is then rid of. NULL is fine.
 */
RT_API void rtlua_close(struct rtlua *lua);

/* The lua_State, for loading, globals, arguments. Do not run Lua code that waits on it: that takes a task. */
RT_API lua_State *rtlua_state(struct rtlua *lua);

/*
 * Makes fn known as a function of a module: "app.fetch" is require("app").fetch.
 * fn runs in the task that calls it and may call any rt_* function that waits. Functions that rt.parallel()
 * runs elsewhere have it too, if it was registered before: fn may then be called by several threads at once.
 * Any C function may, as long as it is called as a lua_CFunction and not through the
 * FFI: compiled code cannot be suspended. A call through the FFI that would have to
 * wait gives -ENOTSUP, compiled or not, and the first one is reported on stderr; one
 * that need not wait succeeds. Returns 0, -EINVAL for a name without a module,
 * -EEXIST, -ENOMEM.
 */
RT_API int rtlua_register(struct rtlua *lua, const char *name, lua_CFunction fn);

/*
 * Starts a task: the function on the stack of rtlua_state() below nargs arguments,
 * all of which are popped; or code, or a file. The name is a chunk name such as
 * "=host" or "@file.lua". The task runs once the loop does. Failures that
 * nobody joins are reported on stderr. Returns 0, -EINVAL for code that does
 * not compile, -ENOENT and the like for files; rtlua_error() has the message.
 */
RT_API int rtlua_spawn(struct rtlua *lua, int nargs);
RT_API int rtlua_spawn_string(struct rtlua *lua, const char *code, const char *name);
RT_API int rtlua_spawn_file(struct rtlua *lua, const char *path);

/*
 * Runs the function below nargs arguments on the stack of rtlua_state() as the main
 * task, until it has ended; then cancels the tasks that are left and waits for
 * their end. Its error is reported on stderr. Returns the exit code: 0, or 1 if
 * main or a task that nobody joined has failed, or when nothing was left that
 * could wake any task ("deadlock"); 130 when SIGINT has cancelled main and it has ended by that. Not with a
 * host's event_base or inside of a task: -EBUSY.
 */
RT_API int rtlua_run(struct rtlua *lua, int nargs);

/* The message of the last function that failed. Valid until the next one. */
RT_API const char *rtlua_error(struct rtlua *lua);

/*
 * For C functions that wait: raises what err means in Lua: rt.cancelled for
 * -ECANCELED, which a cancelled task should end with, otherwise the error's text.
 */
RT_API int rtlua_raise(lua_State *L, int err);

/* ---- Channels between C and Lua ---- */

/*
 * How the elements of a channel become Lua values and back. Its functions must not wait and must not
 * raise; memory that Lua lacks is the exception.
 */
struct rtlua_codec {
	size_t size; /* of an element */
	const char *expects; /* the values it takes: "number", for errors */
	/* Pushes the value of an element that Lua has received, and drops the element. */
	void (*push)(lua_State *L, void *element);
	/* Makes an element of the value at index. Returns 0, -EINVAL for one it does not take, -ENOMEM. */
	int (*pull)(lua_State *L, int index, void *element);
	/* For an element that has not been sent, or not been pushed. arg is NULL. NULL: it owns nothing. */
	rt_chan_drop_fn *drop;
};

/* Elements are double. */
RT_API extern const struct rtlua_codec rtlua_codec_number;

/*
 * Elements are struct rtlua_bytes: malloc'ed, to be freed by whoever receives one; data may be
 * NULL if size is 0. For what is left in a channel: rt_chan_set_drop(chan, rtlua_codec_string.drop, NULL).
 */
struct rtlua_bytes {
	char *data;
	size_t size;
};
RT_API extern const struct rtlua_codec rtlua_codec_string;

/*
 * Pushes a channel object over a channel of the host's, on any lua_State of an engine: as
 * rt.sync.channel() gives, with all its methods and for rt.select(). chan stays the host's and must live
 * until Lua does not use the object any more, at the latest until rtlua_close() has returned;
 * to close it does no harm. The codec is kept as a pointer. Returns 0, or -EINVAL, pushing nothing,
 * when the sizes of the elements differ. May raise a lack of memory. Does not suspend.
 */
RT_API int rtlua_push_chan(lua_State *L, struct rt_chan *chan, const struct rtlua_codec *codec);

/*
 * The command rtlua bench: runs the benchmarks of Lua files (lua/rt/bench.lua), as the
 * arguments from argv[1] on say, and prints a report. Not where a runtime is
 * running on this thread. Returns the exit code: 0, 1 if a benchmark failed, 2 for wrong arguments.
 */
RT_API int rtlua_bench(int argc, char **argv);

/* How many tasks have failed without anybody taking notice. */
RT_API unsigned rtlua_failures(struct rtlua *lua);

/*
 * The modules for a lua_State that is not ours: package.preload gets rt, rt.task,
 * ...; rt.main() starts a runtime. name as in struct rtlua_options. Does nothing the
 * second time. May raise.
 */
RT_API void rtlua_preload(lua_State *L, const char *name);

/* The same and then the module: what require "rt" runs under a stock luajit. */
RT_API int luaopen_rt(lua_State *L);
RT_API int luaopen_rt_task(lua_State *L);
RT_API int luaopen_rt_time(lua_State *L);
RT_API int luaopen_rt_sync(lua_State *L);
RT_API int luaopen_rt_net(lua_State *L);

RT_END_DECLS
#endif
