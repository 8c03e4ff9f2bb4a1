/* SPDX-License-Identifier: MIT */
/* The network: many connections at once, full buffers, datagrams, names, and waits that are cut short. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "conformance.h"

#include "support/suite.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct rt_tcp_listener *listener;
static struct rt_addr address;
static atomic_int count;

static void listen_here(void)
{
	ck_assert_int_eq(rt_tcp_listen(&listener, "127.0.0.1:0", NULL), 0);
	ck_assert_int_eq(rt_tcp_listener_local_addr(listener, &address), 0);
}

static int echo(void *arg)
{
	struct rt_tcp *conn = arg;
	char buf[4096];
	ssize_t got;

	while ((got = rt_tcp_read(conn, buf, sizeof buf, rt_in(PATIENCE))) > 0)
		ck_assert_int_eq(rt_tcp_write(conn, buf, (size_t)got, NULL, rt_in(PATIENCE)), got);
	rt_tcp_destroy(conn);
	return (int)got;
}

static int serve(void *arg)
{
	struct rt_tcp *conn;
	int err;

	(void)arg;
	while ((err = rt_tcp_accept(listener, &conn, NULL, RT_FOREVER)) == 0)
		rt_detach(start(echo, conn));
	return err;
}

/* ---- Many connections ---- */

enum { CLIENTS = 100, MESSAGES = 20, SIZE = 64 };

static int talk(void *arg)
{
	char sent[SIZE], got[SIZE];
	struct rt_tcp *conn;

	ck_assert_int_eq(rt_tcp_connect_addr(&conn, &address, rt_in(PATIENCE)), 0);
	for (int i = 0; i < MESSAGES; i++) {
		memset(sent, (int)(intptr_t)arg + i, SIZE);
		ck_assert_int_eq(rt_tcp_write(conn, sent, SIZE, NULL, rt_in(PATIENCE)), SIZE);
		ck_assert_int_eq(rt_tcp_read_exactly(conn, got, SIZE, NULL, rt_in(PATIENCE)), SIZE);
		ck_assert_mem_eq(got, sent, SIZE);
	}
	rt_tcp_destroy(conn);
	atomic_fetch_add(&count, 1);
	return 0;
}

ON_EVERY(many_connections_echo)
{
	struct rt_task *clients[CLIENTS], *server;

	listen_here();
	server = start(serve, NULL);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = start(talk, (void *)(intptr_t)i);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(finish(clients[i]), 0);
	ck_assert_int_eq(atomic_load(&count), CLIENTS);
	rt_cancel(server);
	ck_assert_int_eq(finish(server), -ECANCELED);
	rt_tcp_listener_destroy(listener);
}

/* ---- More than the buffers hold, in both directions at once ---- */

enum { BIG = 8 << 20 };
static char block[1 << 16];

static int write_big(void *arg)
{
	for (int i = 0; i < BIG / (int)sizeof block; i++)
		ck_assert_int_eq(rt_tcp_write(arg, block, sizeof block, NULL, rt_in(PATIENCE)), sizeof block);
	return rt_tcp_shutdown(arg, SHUT_WR);
}

static int read_big(void *arg)
{
	static const size_t sizes[] = {1, 100, 4096, 30000};
	char buf[30000];
	ssize_t got;
	int total = 0;

	for (int i = 0; (got = rt_tcp_read(arg, buf, sizes[i % 4], rt_in(PATIENCE))) > 0; i++)
		total += (int)got;
	ck_assert_int_eq(got, 0);
	return total;
}

ON_EVERY(full_buffers_both_ways)
{
	struct rt_tcp *ends[2];
	struct rt_task *writers[2], *readers[2];

	listen_here();
	ck_assert_int_eq(rt_tcp_connect_addr(&ends[0], &address, rt_in(PATIENCE)), 0);
	ck_assert_int_eq(rt_tcp_accept(listener, &ends[1], NULL, rt_in(PATIENCE)), 0);
	for (int i = 0; i < 2; i++) {
		writers[i] = start(write_big, ends[i]);
		readers[i] = start(read_big, ends[i]);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(finish(writers[i]), 0);
		ck_assert_int_eq(finish(readers[i]), BIG);
	}
	rt_tcp_destroy(ends[0]);
	rt_tcp_destroy(ends[1]);
	rt_tcp_listener_destroy(listener);
}

/* ---- Waits that end otherwise ---- */

static int read_for_ever(void *arg)
{
	char byte;

	return (int)rt_tcp_read(arg, &byte, 1, RT_FOREVER);
}

ON_EVERY(reads_are_cut_short)
{
	struct rt_tcp *conn, *peer;
	char byte;

	listen_here();
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(rt_tcp_connect_addr(&conn, &address, rt_in(PATIENCE)), 0);
		ck_assert_int_eq(rt_tcp_accept(listener, &peer, NULL, rt_in(PATIENCE)), 0);
		ck_assert_int_eq(rt_tcp_read(conn, &byte, 1, rt_in(RT_US(300))), -ETIMEDOUT);
		struct rt_task *reader = start(read_for_ever, conn);

		for (int turn = 0; turn < i % 5; turn++)
			ck_assert_int_eq(rt_yield(), 0);
		rt_cancel(reader);
		ck_assert_int_eq(finish(reader), -ECANCELED);
		reader = start(read_for_ever, conn);
		for (int turn = 0; turn < i % 5; turn++)
			ck_assert_int_eq(rt_yield(), 0);
		rt_tcp_destroy(peer);
		ck_assert_int_eq(finish(reader), 0);
		rt_tcp_destroy(conn);
	}
	rt_tcp_listener_destroy(listener);
}

ON_EVERY(nobody_listens)
{
	struct rt_tcp *conn;

	listen_here();
	rt_tcp_listener_destroy(listener);
	ck_assert_int_eq(rt_tcp_connect_addr(&conn, &address, rt_in(PATIENCE)), -ECONNREFUSED);
}

/* ---- Datagrams, names ---- */

static struct rt_udp *server_socket;

static int answer_datagrams(void *arg)
{
	struct rt_addr peer;
	char buf[100];
	ssize_t got;

	(void)arg;
	while ((got = rt_udp_recv_from(server_socket, buf, sizeof buf, &peer, RT_FOREVER)) >= 0)
		ck_assert_int_eq(rt_udp_send_to(server_socket, buf, (size_t)got, &peer, rt_in(PATIENCE)),
				 got);
	return (int)got;
}

ON_EVERY(datagrams_come_back)
{
	struct rt_udp *client;
	struct rt_addr peer;
	char buf[100];

	ck_assert_int_eq(rt_udp_bind(&server_socket, "127.0.0.1:0"), 0);
	ck_assert_int_eq(rt_udp_bind(&client, "127.0.0.1:0"), 0);
	ck_assert_int_eq(rt_udp_local_addr(server_socket, &address), 0);
	struct rt_task *server = start(answer_datagrams, NULL);

	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(rt_udp_send_to(client, &i, sizeof i, &address, rt_in(PATIENCE)), sizeof i);
		ck_assert_int_eq(rt_udp_recv_from(client, buf, sizeof buf, &peer, rt_in(PATIENCE)), sizeof i);
		ck_assert_mem_eq(buf, &i, sizeof i);
	}
	rt_cancel(server);
	ck_assert_int_eq(finish(server), -ECANCELED);
	rt_udp_destroy(client);
	rt_udp_destroy(server_socket);
}

ON_EVERY(names_are_resolved_elsewhere)
{
	struct rt_addr found;

	for (int i = 0; i < 10; i++)
		ck_assert_int_ge(rt_resolve("localhost:80", &found, 1, rt_in(PATIENCE)), 1);
}

/* ---- Descriptors of somebody else: registered anew for each wait ---- */

enum { ERRANDS = 100, ROUNDS = 200 };

static int errands[ERRANDS];

static void send_all_on_an_errand(void)
{
	atomic_store(&count, ERRANDS);
	for (int i = 0; i < ERRANDS; i++)
		ck_assert_int_eq(eventfd_write(errands[i], 1), 0);
}

/* The last one of a round begins the next, while others are already waiting for it. */
static int run_errands(void *arg)
{
	int fd = errands[(intptr_t)arg];
	eventfd_t value;

	for (int i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(rt_wait_fd(fd, RT_READ, rt_in(PATIENCE)), 0);
		ck_assert_int_eq(eventfd_read(fd, &value), 0);
		if (atomic_fetch_sub(&count, 1) == 1 && i + 1 < ROUNDS)
			send_all_on_an_errand();
	}
	return 0;
}

ON_EVERY(what_has_been_waited_for_is_ready)
{
	struct rt_task *tasks[ERRANDS];

	for (int i = 0; i < ERRANDS; i++)
		ck_assert_int_ge(errands[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), 0);
	for (intptr_t i = 0; i < ERRANDS; i++)
		tasks[i] = start(run_errands, (void *)i);
	send_all_on_an_errand();
	for (int i = 0; i < ERRANDS; i++)
		ck_assert_int_eq(finish(tasks[i]), 0);
	for (int i = 0; i < ERRANDS; i++)
		close(errands[i]);
}

void add_net(Suite *suite)
{
	TCase *tcase = new_case(suite, "net");

	ADD(tcase, many_connections_echo);
	ADD(tcase, full_buffers_both_ways);
	ADD(tcase, reads_are_cut_short);
	ADD(tcase, nobody_listens);
	ADD(tcase, datagrams_come_back);
	ADD(tcase, names_are_resolved_elsewhere);
	ADD(tcase, what_has_been_waited_for_is_ready);
}
