/* SPDX-License-Identifier: MIT */
/* Connected pairs on loopback, and tasks that must not fail. */
#ifndef RT_TESTS_PAIR_H
#define RT_TESTS_PAIR_H

#include <check.h>
#include <rt.h>
#include <sys/socket.h>

static inline struct rt_task *spawn_task(rt_task_fn *fn, void *arg)
{
	struct rt_task *task = rt_spawn(fn, arg);

	ck_assert_ptr_nonnull(task);
	return task;
}

static inline int join_task(struct rt_task *task)
{
	int result = 12345;

	ck_assert_int_eq(rt_join(task, &result, RT_FOREVER), 0);
	return result;
}

static inline struct rt_tcp_listener *listen_on(const char *addr)
{
	struct rt_tcp_listener *listener;

	ck_assert_int_eq(rt_tcp_listen(&listener, addr, NULL), 0);
	return listener;
}

static inline struct rt_addr addr_of(const struct rt_tcp_listener *listener)
{
	struct rt_addr addr;

	ck_assert_int_eq(rt_tcp_listener_local_addr(listener, &addr), 0);
	return addr;
}

/* Connects and accepts. */
static inline void join_ends(struct rt_tcp_listener *listener, struct rt_tcp *ends[2])
{
	struct rt_addr addr = addr_of(listener);

	ck_assert_int_eq(rt_tcp_connect_addr(&ends[0], &addr, RT_FOREVER), 0);
	ck_assert_int_eq(rt_tcp_accept(listener, &ends[1], NULL, RT_FOREVER), 0);
}

static inline void open_pair(struct rt_tcp *ends[2])
{
	struct rt_tcp_listener *listener = listen_on("127.0.0.1:0");

	join_ends(listener, ends);
	rt_tcp_listener_destroy(listener);
}

static inline void close_pair(struct rt_tcp *ends[2])
{
	rt_tcp_destroy(ends[0]);
	rt_tcp_destroy(ends[1]);
}

static inline void send_text(struct rt_tcp *tcp, const char *text, size_t size)
{
	ck_assert_int_eq(rt_tcp_write(tcp, text, size, NULL, RT_FOREVER), (ssize_t)size);
}

/* Not every container has an address ::1. */
static inline bool has_v6(void)
{
	struct rt_udp *udp;
	int err = rt_udp_bind(&udp, "[::1]:0");

	rt_udp_destroy(udp);
	return err == 0;
}

/* Small buffers, so that little fills them. */
static inline void shrink_buffers(struct rt_tcp *ends[2])
{
	for (int i = 0; i < 2; i++) {
		int size = 4096;

		setsockopt(rt_tcp_fd(ends[i]), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
		setsockopt(rt_tcp_fd(ends[i]), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	}
}

/* Closes so that the peer gets a reset. */
static inline void reset_end(struct rt_tcp *tcp)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(rt_tcp_fd(tcp), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	rt_tcp_destroy(tcp);
}

#endif
