# SPDX-License-Identifier: MIT
# make check: the unit tests named here, every *_test.lua of tests/lua and tests/conformance, stress_tests
# and tests/examples/*.sh, tests/lint.

# A program each, from the .c file of its name; against the archive, which shows hidden names too.
unit_tests = \
	tests/unit/addr_test \
	tests/unit/bench_stats_test \
	tests/unit/bench_test \
	tests/unit/blocking_test \
	tests/unit/cancel_test \
	tests/unit/chan_test \
	tests/unit/clock_test \
	tests/unit/crew_test \
	tests/unit/deadlock_test \
	tests/unit/dump_stack_test \
	tests/unit/dump_test \
	tests/unit/event_test \
	tests/unit/fault_test \
	tests/unit/fiber_test \
	tests/unit/frame_test \
	tests/unit/heap_test \
	tests/unit/idle_test \
	tests/unit/inject_explore_test \
	tests/unit/listener_test \
	tests/unit/local_test \
	tests/unit/mutex_test \
	tests/unit/overflow_test \
	tests/unit/parker_explore_test \
	tests/unit/parker_test \
	tests/unit/pool_test \
	tests/unit/reactor_test \
	tests/unit/refused_thread_test \
	tests/unit/resolve_test \
	tests/unit/rt_test_test \
	tests/unit/runtime_test \
	tests/unit/scheduler_explore_test \
	tests/unit/scope_child_test \
	tests/unit/scope_deadline_test \
	tests/unit/scope_test \
	tests/unit/seed_test \
	tests/unit/select_test \
	tests/unit/semaphore_test \
	tests/unit/shield_test \
	tests/unit/signals_test \
	tests/unit/stack_test \
	tests/unit/steal_queue_explore_test \
	tests/unit/steal_queue_test \
	tests/unit/stealer_explore_test \
	tests/unit/strand_test \
	tests/unit/sync_wait_test \
	tests/unit/task_test \
	tests/unit/tcp_end_test \
	tests/unit/tcp_test \
	tests/unit/time_test \
	tests/unit/timeout_test \
	tests/unit/udp_option_test \
	tests/unit/udp_test \
	tests/unit/virtual_clock_test \
	tests/unit/wait_fd_test \
	tests/unit/wait_group_test \
	tests/unit/watchdog_test \
	tests/unit/wheel_test \
	tests/unit/workers_test \
	tests/conformance/conformance_test \
	tests/stress/cancel_sweep_test \
	tests/stress/connections_test \
	tests/stress/park_test \
	tests/stress/sockets_stress_test \
	tests/stress/steal_stress_test \
	tests/stress/workers_stress_test

# Tests that explore include the sources themselves, with the faults that they list planted into them.
explored_sources = src/sched/lifo_slot.h src/sched/inject.c src/sched/steal_queue.c src/sched/idle.c src/sched/parker.c
explore_tests = $(filter %_explore_test,$(unit_tests))
planted_sources = $(explore_tests:=.inc)
explore_objects = $(explore_tests:=.$(OBJEXT))
$(explore_objects): %.$(OBJEXT): %.inc
stealer_sources = src/runtime/stealer.c src/runtime/stealer_sleep.c
tests/unit/stealer_explore_test.inc: more_sources = $(stealer_sources)
tests/unit/%_explore_test.inc: tests/unit/%_explore_test.c tests/support/plant.awk $(explored_sources) $(stealer_sources)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(AWK) -f $(srcdir)/tests/support/plant.awk $< $(explored_sources:%=$(srcdir)/%) $(more_sources:%=$(srcdir)/%) >$@.tmp && mv $@.tmp $@
CLEANFILES += $(planted_sources)

LDADD = librtcore.la $(CHECK_LIBS)
# The library with the faults of base/fault.h in it.
check_LTLIBRARIES = tests/libfaults.la
tests_libfaults_la_SOURCES = $(librtcore_la_SOURCES)
tests_libfaults_la_CPPFLAGS = $(AM_CPPFLAGS) -DRT_FAULTS
tests_libfaults_la_LIBADD = $(librtcore_la_LIBADD)
tests_unit_fault_test_SOURCES = tests/unit/fault_test.c tests/unit/fault_programs.c
tests_unit_fault_test_CPPFLAGS = $(AM_CPPFLAGS) -DRT_FAULTS
tests_unit_fault_test_LDADD = tests/libfaults.la $(CHECK_LIBS)
# For the names of functions in backtraces.
tests_unit_deadlock_test_LDFLAGS = $(AM_LDFLAGS) -Wl,-E
tests_unit_dump_stack_test_LDFLAGS = $(AM_LDFLAGS) -Wl,-E
tests_unit_watchdog_test_LDFLAGS = $(AM_LDFLAGS) -Wl,-E

# On every runtime. CONFORMANCE_RUNTIME: an object file with one more, which registers itself.
CONFORMANCE_RUNTIME =
conformance_ldadd = $(CONFORMANCE_RUNTIME) examples/libpoll_runtime.la
tests_conformance_conformance_test_SOURCES = \
	tests/conformance/conformance.h \
	tests/conformance/conformance_test.c \
	tests/conformance/net.c \
	tests/conformance/offload.c \
	tests/conformance/register_poll.c \
	tests/conformance/run.c \
	tests/conformance/schedule.c \
	tests/conformance/sync.c \
	tests/conformance/task.c \
	tests/conformance/timer.c \
	tests/conformance/watch.c
tests_conformance_conformance_test_LDADD = $(conformance_ldadd) $(LDADD)

stress_tests = \
	tests/stress/churn_test.lua \
	tests/stress/reconnect_test.lua \
	tests/stress/overflow_test.lua \
	tests/stress/parked_test.lua \
	tests/stress/sync_cancel_test.lua

# Host programs: they see the public headers alone.
embed_tests = tests/embed/chan_test tests/embed/close_test tests/embed/connect_test tests/embed/end_test \
	tests/embed/engine_test tests/embed/job_test tests/embed/report_test tests/embed/shared_test
embed_cppflags = -I$(top_srcdir)/include -I$(top_srcdir)/tests $(LUAJIT_CFLAGS) $(LIBEVENT_CFLAGS) $(CHECK_CFLAGS)
embed_libs = librtlua.la librtcore.la $(LUAJIT_LIBS) $(LIBEVENT_LIBS) $(CHECK_LIBS)
tests_embed_chan_test_CPPFLAGS = $(embed_cppflags)
tests_embed_chan_test_LDADD = $(embed_libs)
tests_embed_close_test_CPPFLAGS = $(embed_cppflags)
tests_embed_close_test_LDADD = $(embed_libs)
tests_embed_connect_test_CPPFLAGS = $(embed_cppflags)
tests_embed_connect_test_LDADD = $(embed_libs)
tests_embed_end_test_CPPFLAGS = $(embed_cppflags)
tests_embed_end_test_LDADD = $(embed_libs)
tests_embed_engine_test_CPPFLAGS = $(embed_cppflags)
tests_embed_engine_test_LDADD = $(embed_libs)
tests_embed_job_test_CPPFLAGS = $(embed_cppflags)
tests_embed_job_test_LDADD = $(embed_libs)
tests_embed_report_test_CPPFLAGS = $(embed_cppflags)
tests_embed_report_test_LDADD = $(embed_libs)
tests_embed_shared_test_CPPFLAGS = $(embed_cppflags)
tests_embed_shared_test_LDADD = $(embed_libs)

# The command with one more runtime, for tests/conformance/*.lua.
tests_conformance_rtlua_SOURCES = $(rtlua_SOURCES) tests/conformance/register_poll.c
tests_conformance_rtlua_LDFLAGS = $(rtlua_LDFLAGS)
tests_conformance_rtlua_LDADD = $(conformance_ldadd) $(rtlua_LDADD)
tests_conformance_rtlua_DEPENDENCIES = $(conformance_ldadd) $(rtlua_DEPENDENCIES)

TESTS = tests/lint
if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
if WITH_LUA
check_PROGRAMS += $(embed_tests)
TESTS += $(embed_tests)
endif
else
check-local:
	@echo 'make check needs Check, a unit test library: install it (Debian: apt-get install check;' >&2
	@echo 'https://libcheck.github.io/check), then run configure again' >&2
	@false
endif
if WITH_LUA
check_PROGRAMS += tests/conformance/rtlua
TESTS += $(SCRIPT_TESTS) $(stress_tests)
endif

# On which the C tests run that are tasks; those in Lua run on all that there are.
runtimes = native stealing

# What tests find in their environment; see HACKING.md.
AM_TESTS_ENVIRONMENT = \
	RTLUA='$(abs_top_builddir)/rtlua'; export RTLUA; \
	RTLUA_CONFORMANCE='$(abs_top_builddir)/tests/conformance/rtlua'; export RTLUA_CONFORMANCE; \
	RT_SOURCE='$(abs_top_srcdir)'; export RT_SOURCE; \
	RT_MODULES='$(abs_top_builddir)/.libs'; export RT_MODULES; \
	RT_SANITIZER='$(sanitizer)'; export RT_SANITIZER; \
	RT_RUNTIMES='$(runtimes)'; export RT_RUNTIMES; \
	EXAMPLES_BUILD='$(abs_top_builddir)/examples'; export EXAMPLES_BUILD; \
	EXAMPLES_SRC='$(abs_top_srcdir)/examples'; export EXAMPLES_SRC; \
	CK_DEFAULT_TIMEOUT=60; export CK_DEFAULT_TIMEOUT; \
	CC='$(CC)'; export CC;

# TEST_TIMEOUT: seconds that a test may take; a whole file, ten times as many. UNIT_WRAPPER and RTLUA_WRAPPER: a command to run them under.
LOG_COMPILER = $(srcdir)/tests/run-unit
TEST_EXTENSIONS = .lua .sh
LUA_LOG_COMPILER = $(srcdir)/tests/run-lua
# One at a time: the examples listen on the ports that their comments name.
SH_LOG_COMPILER = flock
AM_SH_LOG_FLAGS = -o examples.lock timeout -k 5 $${TEST_TIMEOUT:-120} bash
CLEANFILES += examples.lock

EXTRA_DIST += tests/lint tests/run-lua tests/run-unit tests/summary $(unit_tests:=.c) $(embed_tests:=.c) \
	$(wildcard $(srcdir)/tests/*.supp) \
	$(foreach ext,awk bash c h lua sh,$(wildcard $(srcdir)/tests/*/*.$(ext) $(srcdir)/tests/*/*/*.$(ext)))
