# SPDX-License-Identifier: MIT
# The command. Both archives go in whole and export their names: C modules find all of rt_* in it.

if WITH_LUA

bin_PROGRAMS += rtlua
rtlua_SOURCES = \
	src/cli/main.c \
	src/cli/options.c \
	src/cli/test.c
# The archives in one argument: libtool must not part them from the options around.
rtlua_LDFLAGS = -Wl,-E \
	-Wl,--whole-archive,./.libs/librtlua.a,./.libs/librtcore.a,--no-whole-archive
rtlua_LDADD = $(LUAJIT_INSIDE) $(LIBEVENT_LIBS) -lm
rtlua_DEPENDENCIES = librtlua.la librtcore.la

endif
