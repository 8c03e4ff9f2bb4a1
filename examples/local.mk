# SPDX-License-Identifier: MIT
# The C examples, in build/examples. They see the public headers alone.

example_cppflags = -I$(top_srcdir)/include

# A runtime that is no part of the library; tests/conformance is linked with it as well.
noinst_LTLIBRARIES = examples/libpoll_runtime.la
examples_libpoll_runtime_la_SOURCES = examples/poll_runtime.c examples/poll_runtime.h
examples_libpoll_runtime_la_CPPFLAGS = $(example_cppflags)

noinst_PROGRAMS += \
	examples/guessing \
	examples/hello \
	examples/poll_echo \
	examples/ports \
	examples/tcp_client \
	examples/tcp_echo \
	examples/tcp_proxy \
	examples/udp_client \
	examples/udp_echo

examples_guessing_CPPFLAGS = $(example_cppflags)
examples_guessing_LDADD = librtcore.la
examples_hello_CPPFLAGS = $(example_cppflags)
examples_hello_LDADD = librtcore.la
examples_poll_echo_CPPFLAGS = $(example_cppflags)
examples_poll_echo_LDADD = examples/libpoll_runtime.la librtcore.la
examples_ports_CPPFLAGS = $(example_cppflags)
examples_ports_LDADD = librtcore.la
examples_tcp_client_CPPFLAGS = $(example_cppflags)
examples_tcp_client_LDADD = librtcore.la
examples_tcp_echo_CPPFLAGS = $(example_cppflags)
examples_tcp_echo_LDADD = librtcore.la
examples_tcp_proxy_CPPFLAGS = $(example_cppflags)
examples_tcp_proxy_LDADD = librtcore.la
examples_udp_client_CPPFLAGS = $(example_cppflags)
examples_udp_client_LDADD = librtcore.la
examples_udp_echo_CPPFLAGS = $(example_cppflags)
# It is kept as short as a first program should be: argc and argv stand unused.
examples_udp_echo_CFLAGS = $(AM_CFLAGS) -Wno-unused-parameter
examples_udp_echo_LDADD = librtcore.la

if WITH_LUA
noinst_PROGRAMS += examples/host
examples_host_CPPFLAGS = $(example_cppflags) $(LUAJIT_CFLAGS) $(LIBEVENT_CFLAGS)
examples_host_LDADD = librtlua.la librtcore.la $(LUAJIT_LIBS) $(LIBEVENT_LIBS)
endif

EXTRA_DIST += examples/README.md $(wildcard $(srcdir)/examples/*.lua)
