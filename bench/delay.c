/* SPDX-License-Identifier: MIT */
/*
 * What a task that computes does to others: delay RUNTIME WORKERS [same] prints the latency of an echo over
 * loopback, in microseconds, without and with a task that computes for a second. The client is a thread of
 * its own. With "same", a runtime that places tasks has both on one worker. See run-cores.sh.
 */
#include <rt.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLES_MAX = 1 << 20, SIZE = 64 };

enum phase { WARM_UP, QUIET, BUSY, OVER };

struct samples {
	size_t count;
	double us[SAMPLES_MAX];
};

static atomic_int phase;
static struct samples samples[OVER];
static bool same;

/* ---- The client ---- */

static int exchange(int fd)
{
	char buf[SIZE] = {0};

	if (write(fd, buf, SIZE) != SIZE)
		return -1;
	for (ssize_t got = 0, more; got < SIZE; got += more) {
		more = read(fd, buf, (size_t)(SIZE - got));
		if (more <= 0)
			return -1;
	}
	return 0;
}

/* A round trip belongs to the phase in which it began. */
static void *client(void *arg)
{
	int fd = *(int *)arg, now;

	while ((now = atomic_load(&phase)) != OVER) {
		struct samples *mine = &samples[now];
		rt_time began = rt_now();

		if (exchange(fd) < 0)
			break;
		if (mine->count < SAMPLES_MAX)
			mine->us[mine->count++] = (double)(rt_now() - began) / 1e3;
	}
	close(fd); /* ends the server's task */
	return NULL;
}

static int connect_to(const struct rt_addr *addr)
{
	char text[RT_ADDR_TEXT_MAX];
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_port = htons((uint16_t)atoi(strrchr(rt_addr_text(addr, text), ':') + 1));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof in) == 0)
		return fd;
	perror("delay: connect");
	exit(1);
}

/* ---- The server ---- */

static int serve(void *arg)
{
	struct rt_tcp *tcp = arg;
	char buf[SIZE];
	ssize_t got;

	while ((got = rt_tcp_read(tcp, buf, sizeof buf, RT_FOREVER)) > 0) {
		if (rt_tcp_write(tcp, buf, (size_t)got, NULL, RT_FOREVER) < 0)
			break;
	}
	rt_tcp_destroy(tcp);
	return 0;
}

static int compute(void *arg)
{
	rt_time until = rt_in(RT_S(1));

	(void)arg;
	while (rt_now() < until)
		;
	return 0;
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int measure(struct rt_tcp *tcp)
{
	struct rt_task *server = rt_spawn(serve, tcp);

	rt_sleep(RT_MS(200));
	atomic_store(&phase, QUIET);
	rt_sleep(RT_S(1));
	/* The next one is placed one further. */
	if (same)
		rt_join(rt_spawn(nothing, NULL), NULL, RT_FOREVER);
	atomic_store(&phase, BUSY);
	rt_join(rt_spawn(compute, NULL), NULL, RT_FOREVER);
	atomic_store(&phase, OVER);
	return rt_join(server, NULL, RT_FOREVER);
}

static int run(void *arg)
{
	struct rt_tcp_listener *listener;
	struct rt_tcp *tcp;
	struct rt_addr addr;
	pthread_t thread;
	int fd, err = rt_tcp_listen(&listener, "127.0.0.1:0", NULL);

	(void)arg;
	if (err < 0)
		return err;
	rt_tcp_listener_local_addr(listener, &addr);
	fd = connect_to(&addr);
	err = rt_tcp_accept(listener, &tcp, NULL, RT_FOREVER);
	rt_tcp_listener_destroy(listener);
	if (err < 0)
		return err;
	if (pthread_create(&thread, NULL, client, &fd) != 0)
		return -EAGAIN;
	err = measure(tcp);
	pthread_join(thread, NULL); /* it has closed its end already */
	return err;
}

/* ---- The result ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *name, struct samples *of)
{
	if (of->count == 0)
		return;
	qsort(of->us, of->count, sizeof *of->us, compare);
	printf("%s_p50_us=%.1f\n%s_p99_us=%.1f\n%s_max_us=%.1f\n", name, of->us[of->count / 2], name,
	       of->us[of->count * 99 / 100], name, of->us[of->count - 1]);
}

int main(int argc, char **argv)
{
	const struct rt_runtime_ops *ops = argc > 2 ? rt_runtime_find(argv[1]) : NULL;

	if (!ops) {
		fprintf(stderr, "usage: delay RUNTIME WORKERS [same]\n");
		return 2;
	}
	same = argc > 3 && strcmp(argv[3], "same") == 0;
	struct rt_runtime_options options = {.workers = (unsigned)atoi(argv[2])};
	int err = rt_run(ops, &options, run, NULL, "delay");

	if (err < 0) {
		fprintf(stderr, "delay: %s\n", strerror(-err));
		return 1;
	}
	print("quiet", &samples[QUIET]);
	print("busy", &samples[BUSY]);
	return 0;
}
