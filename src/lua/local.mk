# SPDX-License-Identifier: MIT
# librtlua, and rt.so, by which a stock luajit can require "rt".

if WITH_LUA

lib_LTLIBRARIES += librtlua.la
librtlua_la_SOURCES = \
	src/lua/bench_files.c \
	src/lua/cancelled.c \
	src/lua/carrier.c \
	src/lua/check.c \
	src/lua/code.c \
	src/lua/code_factory.c \
	src/lua/codec.c \
	src/lua/conn_quick.c \
	src/lua/decode.c \
	src/lua/embed.c \
	src/lua/encode.c \
	src/lua/failure.c \
	src/lua/input.c \
	src/lua/job.c \
	src/lua/job_pool.c \
	src/lua/lib_addr.c \
	src/lua/lib_chan.c \
	src/lua/lib_conn.c \
	src/lua/lib_conn_read.c \
	src/lua/lib_conn_write.c \
	src/lua/lib_fd.c \
	src/lua/lib_file.c \
	src/lua/lib_gate.c \
	src/lua/lib_job.c \
	src/lua/lib_listener.c \
	src/lua/lib_local.c \
	src/lua/lib_report.c \
	src/lua/lib_runtime.c \
	src/lua/lib_scope.c \
	src/lua/lib_select.c \
	src/lua/lib_sync.c \
	src/lua/lib_task.c \
	src/lua/lib_time.c \
	src/lua/lib_udp.c \
	src/lua/lua_bench.c \
	src/lua/lua_chan.c \
	src/lua/lib_worker.c \
	src/lua/lua_conn.c \
	src/lua/lua_socket.c \
	src/lua/lua_task.c \
	src/lua/lua_task_report.c \
	src/lua/lua_wait.c \
	src/lua/luaopen.c \
	src/lua/main_guard.c \
	src/lua/main_options.c \
	src/lua/main_task.c \
	src/lua/message.c \
	src/lua/moves.c \
	src/lua/names.c \
	src/lua/probe.c \
	src/lua/refuse.c \
	src/lua/registered.c \
	src/lua/rtlua.c \
	src/lua/runtime_switch.c \
	src/lua/shared_chan.c \
	src/lua/site.c \
	src/lua/state.c \
	src/lua/vm.c
# Made from lua/ by the rule in lua/local.mk.
nodist_librtlua_la_SOURCES = src/lua/bytecode.c
librtlua_la_LDFLAGS = -version-info 0:0:0 $(NO_UNDEFINED)
librtlua_la_LIBADD = librtcore.la $(LUAJIT_LIBS)

pkgconfig_DATA += src/rtlua.pc

# nodelete: lua_close() unloads C modules, and threads and handlers of the runtime outlive that.
luamoddir = $(libdir)/lua/5.1
luamod_LTLIBRARIES = rt.la
rt_la_SOURCES = src/lua/module.c
rt_la_LDFLAGS = -module -avoid-version -shared $(NO_UNDEFINED) -Wl,-z,nodelete
rt_la_LIBADD = librtlua.la librtcore.la $(LUAJIT_LIBS)

endif
