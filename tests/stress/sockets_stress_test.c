/* SPDX-License-Identifier: MIT */
/* Sockets and descriptors that several workers have to do with: STRESS=N as for workers_stress_test. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/suite.h"
#include "support/workers.h"

#include "task/task.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS = 8 };

static struct rt_tcp_listener *listener;
static char address[RT_ADDR_TEXT_MAX];

static void listen_here(void)
{
	struct rt_addr addr;

	ck_assert_int_eq(rt_tcp_listen(&listener, "127.0.0.1:0", NULL), 0);
	ck_assert_int_eq(rt_tcp_listener_local_addr(listener, &addr), 0);
	rt_addr_text(&addr, address);
}

/* Joins; whatever its result. */
static void await(struct rt_task *task)
{
	ck_assert_ptr_nonnull(task);
	ck_assert_int_eq(rt_join(task, NULL, rt_in(PATIENCE)), 0);
}

static void connect_pair(struct rt_tcp **here, struct rt_tcp **there)
{
	ck_assert_int_eq(rt_tcp_connect(here, address, rt_in(PATIENCE)), 0);
	ck_assert_int_eq(rt_tcp_accept(listener, there, NULL, rt_in(PATIENCE)), 0);
}

/* ---- Echo ---- */

static int echo(void *arg)
{
	struct rt_tcp *tcp = arg;
	char buf[256];
	ssize_t got;

	while ((got = rt_tcp_read(tcp, buf, sizeof buf, rt_in(PATIENCE))) > 0)
		ck_assert_int_eq(rt_tcp_write(tcp, buf, (size_t)got, NULL, rt_in(PATIENCE)), got);
	ck_assert_int_eq(got, 0);
	rt_tcp_destroy(tcp);
	return 0;
}

static int ask(void *arg)
{
	struct rt_tcp *tcp = arg;
	char said[200], heard[sizeof said];

	for (long i = count_of(100); i > 0; i--) {
		size_t size = 1 + (size_t)i % sizeof said;

		memset(said, (int)i, size);
		ck_assert_int_eq(rt_tcp_write(tcp, said, size, NULL, rt_in(PATIENCE)), (int)size);
		ck_assert_int_eq(rt_tcp_read_exactly(tcp, heard, size, NULL, rt_in(PATIENCE)), (int)size);
		ck_assert_mem_eq(said, heard, size);
	}
	rt_tcp_destroy(tcp);
	return 0;
}

ON_WORKERS(all_echoes_come_back)
{
	struct rt_task *tasks[2 * PAIRS];

	listen_here();
	for (int i = 0; i < PAIRS; i++) {
		struct rt_tcp *here, *there;

		connect_pair(&here, &there);
		tasks[2 * i] = rt_spawn(echo, there);
		tasks[2 * i + 1] = rt_spawn(ask, here);
	}
	for (int i = 0; i < 2 * PAIRS; i++)
		await(tasks[i]);
	rt_tcp_listener_destroy(listener);
}

/* ---- Destroyed in the middle of an operation ---- */

struct busy {
	struct rt_tcp *tcp;
	struct rt_udp *udp;
	atomic_bool begun;
};

static int read_on(void *arg)
{
	struct busy *busy = arg;
	char buf[16];
	struct rt_tcp *tcp = busy->tcp;

	/* It is in the middle of it when it is destroyed, or has just come back. */
	atomic_store(&busy->begun, true);
	return (int)rt_tcp_read_exactly(tcp, buf, sizeof buf, NULL, rt_in(PATIENCE));
}

static int feed(void *arg)
{
	struct rt_tcp *tcp = arg;

	/* The rest of what read_on() waits for comes as it is destroyed. */
	rt_tcp_write(tcp, "0123456789abcdef", 16, NULL, rt_in(PATIENCE));
	return 0;
}

static int receive_on(void *arg)
{
	struct busy *busy = arg;
	struct rt_udp *udp = busy->udp;
	char buf[16];

	atomic_store(&busy->begun, true);
	return (int)rt_udp_recv(udp, buf, sizeof buf, rt_in(PATIENCE));
}

/* It has told so just before it begins: only when it waits, the socket is held. */
static void await_begin(struct busy *busy, struct rt_task *task)
{
	while (!atomic_load(&busy->begun) || task_state(task) != TASK_PARKED)
		rt_yield();
}

ON_WORKERS(connections_are_destroyed_while_they_are_read)
{
	listen_here();
	for (long i = count_of(100); i > 0; i--) {
		struct busy busy = {0};
		struct rt_tcp *there;

		connect_pair(&busy.tcp, &there);
		struct rt_task *reader = rt_spawn(read_on, &busy);

		await_begin(&busy, reader);
		struct rt_task *feeder = rt_spawn(feed, there);

		if (i % 2)
			rt_yield();
		rt_tcp_destroy(busy.tcp);
		await(reader);
		await(feeder);
		rt_tcp_destroy(there);
	}
	rt_tcp_listener_destroy(listener);
}

static int send_to_it(void *arg)
{
	struct rt_udp *udp;

	ck_assert_int_eq(rt_udp_bind(&udp, "127.0.0.1:0"), 0);
	rt_udp_send_to(udp, "x", 1, arg, rt_in(PATIENCE));
	rt_udp_destroy(udp);
	return 0;
}

ON_WORKERS(datagrams_come_while_their_socket_is_destroyed)
{
	for (long i = count_of(100); i > 0; i--) {
		struct busy busy = {0};
		struct rt_addr addr;

		ck_assert_int_eq(rt_udp_bind(&busy.udp, "127.0.0.1:0"), 0);
		ck_assert_int_eq(rt_udp_local_addr(busy.udp, &addr), 0);
		struct rt_task *receiver = rt_spawn(receive_on, &busy);

		await_begin(&busy, receiver);
		struct rt_task *sender = rt_spawn(send_to_it, &addr);

		rt_yield();
		rt_udp_destroy(busy.udp);
		await(receiver);
		await(sender);
	}
}

static int accept_one(void *arg)
{
	struct rt_tcp *tcp = NULL;
	int err;

	atomic_store(&((struct busy *)arg)->begun, true);
	err = rt_tcp_accept(listener, &tcp, NULL, rt_in(PATIENCE));
	rt_tcp_destroy(tcp);
	return err;
}

static int connect_one(void *arg)
{
	struct rt_tcp *tcp;

	(void)arg;
	if (rt_tcp_connect(&tcp, address, rt_in(PATIENCE)) == 0)
		rt_tcp_destroy(tcp);
	return 0;
}

ON_WORKERS(listeners_are_destroyed_while_they_accept)
{
	for (long i = count_of(100); i > 0; i--) {
		struct busy busy = {0};

		listen_here();
		struct rt_task *acceptor = rt_spawn(accept_one, &busy);

		await_begin(&busy, acceptor);
		struct rt_task *client = rt_spawn(connect_one, NULL);

		rt_yield();
		rt_tcp_listener_destroy(listener);
		await(acceptor);
		await(client);
	}
}

/* ---- Descriptors of somebody else, whose watches lie on the stacks of those who wait ---- */

static int wait_and_read(void *arg)
{
	int fd = *(int *)arg;
	char byte;

	for (long i = count_of(100); i > 0;) {
		int err = rt_wait_fd(fd, RT_READ, i % 3 ? rt_in(PATIENCE) : rt_in(RT_US(10)));

		ck_assert(err == 0 || err == -ETIMEDOUT);
		if (err == 0 && read(fd, &byte, 1) == 1)
			i--;
	}
	return 0;
}

static int write_bytes(void *arg)
{
	for (long i = count_of(100); i > 0; i--) {
		ck_assert_int_eq(write(*(int *)arg, "x", 1), 1);
		if (i % 4 == 0)
			rt_yield();
	}
	return 0;
}

ON_WORKERS(no_news_of_a_descriptor_is_missed)
{
	int fds[PAIRS][2];
	struct rt_task *tasks[2 * PAIRS];

	for (int i = 0; i < PAIRS; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds[i]), 0);
		tasks[2 * i] = rt_spawn(wait_and_read, &fds[i][0]);
		tasks[2 * i + 1] = rt_spawn(write_bytes, &fds[i][1]);
	}
	for (int i = 0; i < 2 * PAIRS; i++)
		await(tasks[i]);
	for (int i = 0; i < PAIRS; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
}

int main(void)
{
	Suite *suite = suite_create("sockets_stress");
	TCase *tcase = tcase_create("sockets");

	tcase_set_timeout(tcase, 300);
	ADD(tcase, all_echoes_come_back);
	ADD(tcase, connections_are_destroyed_while_they_are_read);
	ADD(tcase, datagrams_come_while_their_socket_is_destroyed);
	ADD(tcase, listeners_are_destroyed_while_they_accept);
	ADD(tcase, no_news_of_a_descriptor_is_missed);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
