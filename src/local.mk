# SPDX-License-Identifier: MIT
# librtcore, and what the folders above it make of it. The folders are the layers of ARCHITECTURE.md.

lib_LTLIBRARIES += librtcore.la
librtcore_la_SOURCES =
librtcore_la_LDFLAGS = -version-info 0:0:0 $(NO_UNDEFINED)
librtcore_la_LIBADD = $(LIBEVENT_LIBS) -lm

pkgconfig_DATA += src/rtcore.pc

# Private headers need no list; the wildcard only serves make dist.
EXTRA_DIST += $(wildcard $(srcdir)/src/*/*.h)

include $(srcdir)/src/base/local.mk
include $(srcdir)/src/platform/local.mk
include $(srcdir)/src/task/local.mk
include $(srcdir)/src/reactor/local.mk
include $(srcdir)/src/sched/local.mk
include $(srcdir)/src/runtime/local.mk
include $(srcdir)/src/sync/local.mk
include $(srcdir)/src/time/local.mk
include $(srcdir)/src/net/local.mk
include $(srcdir)/src/test/local.mk
include $(srcdir)/src/bench/local.mk
include $(srcdir)/src/lua/local.mk
include $(srcdir)/src/cli/local.mk
