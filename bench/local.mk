# SPDX-License-Identifier: MIT
# Benchmarks, in build/bench; ./dev bench builds and runs them.

bench_programs = \
	bench/agree \
	bench/compute \
	bench/cores \
	bench/delay \
	bench/echo_epoll \
	bench/echo_libevent \
	bench/echo_load \
	bench/echo_tcp \
	bench/park \
	bench/runtime_bench \
	bench/switch \
	bench/sync

EXTRA_PROGRAMS += $(bench_programs)
CLEANFILES += $(bench_programs)

bench_agree_LDADD = librtcore.la
bench_compute_LDADD = librtcore.la
bench_cores_LDADD = librtcore.la
bench_delay_LDADD = librtcore.la
bench_echo_epoll_SOURCES = bench/peers/echo_epoll.c
bench_echo_epoll_LDADD =
bench_echo_libevent_SOURCES = bench/peers/echo_libevent.c
bench_echo_libevent_LDADD = $(LIBEVENT_LIBS)
bench_echo_load_LDADD =
bench_echo_tcp_LDADD = librtcore.la
bench_park_LDADD = librtcore.la
bench_runtime_bench_LDADD = librtcore.la
bench_switch_LDADD = librtcore.la
bench_sync_LDADD = librtcore.la

.PHONY: bench-programs
bench-programs: $(bench_programs)

EXTRA_DIST += bench/tokio_cores/Cargo.toml bench/tokio_cores/src/main.rs \
	$(wildcard $(srcdir)/bench/*.sh $(srcdir)/bench/*.lua $(srcdir)/bench/peers/*.lua)
