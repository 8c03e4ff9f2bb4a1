# SPDX-License-Identifier: MIT
# The Lua half of the library, compiled to bytecode in src/lua/bytecode.c.

rt_lua_files = \
	lua/rt.lua \
	lua/rt/addr.lua \
	lua/rt/bench.lua \
	lua/rt/failure.lua \
	lua/rt/job.lua \
	lua/rt/net.lua \
	lua/rt/parallel.lua \
	lua/rt/quick.lua \
	lua/rt/require.lua \
	lua/rt/scope.lua \
	lua/rt/select.lua \
	lua/rt/serve.lua \
	lua/rt/sync.lua \
	lua/rt/task.lua \
	lua/rt/tcp.lua \
	lua/rt/test/collect.lua \
	lua/rt/test/command.lua \
	lua/rt/test/context.lua \
	lua/rt/test/diff.lua \
	lua/rt/test/engine.lua \
	lua/rt/test/file.lua \
	lua/rt/test/find.lua \
	lua/rt/test/handles.lua \
	lua/rt/test/junit.lua \
	lua/rt/test/leaks.lua \
	lua/rt/test/options.lua \
	lua/rt/test/place.lua \
	lua/rt/test/pretty.lua \
	lua/rt/test/run.lua \
	lua/rt/test/tap.lua \
	lua/rt/test/text.lua \
	lua/rt/test/wire.lua \
	lua/rt/test/worker.lua \
	lua/rt/time.lua \
	lua/rt/traceback.lua \
	lua/rt/udp.lua \
	lua/rt/variable.lua

EXTRA_DIST += build-aux/embed.lua $(rt_lua_files)
CLEANFILES += src/lua/bytecode.c

src/lua/bytecode.c: build-aux/embed.lua $(rt_lua_files)
	$(AM_V_GEN)$(MKDIR_P) src/lua && \
	$(LUAJIT) $(srcdir)/build-aux/embed.lua $@ $(srcdir) $(rt_lua_files)
