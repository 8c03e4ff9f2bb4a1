# SPDX-License-Identifier: MIT
include_HEADERS = include/rt.h
rtincludedir = $(includedir)/rt
rtinclude_HEADERS = include/rt/base.h include/rt/bench.h include/rt/blocking.h include/rt/net.h include/rt/runtime.h \
	include/rt/scope.h include/rt/sync.h include/rt/task.h include/rt/test.h include/rt/test_run.h include/rt/time.h \
	include/rt/version.h

if WITH_LUA
include_HEADERS += include/rtlua.h
endif
