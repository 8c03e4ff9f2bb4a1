/* SPDX-License-Identifier: MIT */
/* The load of run-echo.sh: connections that ping-pong with an echo server. echo_load PORT [options] */
/*
 * One thread, epoll. Every connection has one message under way: it checks every
 * byte of the answer and sends the next one, until the time or the number of
 * requests is used up. With --idle it opens the connections, echoes once on each
 * and measures what the server's memory grew by. Prints key=value lines. CPU
 * time and memory are those of the process given with --pid; CPU time is taken
 * over the load alone, not over opening and closing.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	SIZE_MAX_BYTES = 4096,
	EVENTS = 512,
	OPEN_AT_ONCE = 64, /* far below any backlog, so that no SYN is dropped */
	PATIENCE_MS = 10000, /* without an answer */
	SETTLE_US = 300000,
	LIFE_S = 120, /* over the time asked for */
	SUB_BITS = 6,
	BUCKETS = (64 - SUB_BITS) << SUB_BITS,
};

struct options {
	uint16_t port;
	pid_t pid;
	unsigned connections;
	unsigned size;
	double seconds;
	uint64_t requests;
	bool idle;
	bool same;
};

struct client {
	int fd;
	uint32_t got; /* bytes of the answer so far */
	uint64_t number; /* of the message under way */
	uint64_t sent_at;
};

struct load {
	struct options options;
	struct client *clients;
	int epoll;
	unsigned active; /* clients with a message under way */
	uint64_t sent;
	uint64_t answered;
	uint64_t limit; /* of sent */
	uint64_t deadline;
	uint64_t last_answer;
	uint64_t latency[BUCKETS];
};

static void die(const char *what)
{
	fprintf(stderr, "echo_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void fail(const char *what)
{
	fprintf(stderr, "echo_load: %s\n", what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- Latencies: buckets within 1/64 of their value ---- */

static unsigned bucket_of(uint64_t ns)
{
	if (ns < 1u << SUB_BITS)
		return (unsigned)ns;
	unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - SUB_BITS;

	return (shift << SUB_BITS) + (unsigned)(ns >> shift);
}

static double bucket_ns(unsigned bucket)
{
	if (bucket < 1u << SUB_BITS)
		return bucket;
	unsigned shift = (bucket >> SUB_BITS) - 1;

	return (double)((uint64_t)(bucket - (shift << SUB_BITS)) << shift);
}

static double percentile_us(const struct load *load, double share)
{
	uint64_t seen = 0, wanted = (uint64_t)(share * (double)load->answered);

	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += load->latency[i];
		if (seen > wanted)
			return bucket_ns(i) / 1e3;
	}
	return 0;
}

/* ---- The server, from outside ---- */

/* The CPU time of all its threads in nanoseconds. */
static uint64_t server_cpu(const struct load *load)
{
	clockid_t clock;
	struct timespec ts;

	if (!load->options.pid)
		return 0;
	errno = clock_getcpuclockid(load->options.pid, &clock);
	if (errno || clock_gettime(clock, &ts) < 0)
		die("the server's CPU clock");
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * Resident memory, without the pages of files: which code and tables of the libraries it has
 * come by has nothing to do with how many connections there are. smaps_rollup is exact; the counters in
 * status lag behind by some pages per thread.
 */
static long server_memory_kb(const struct load *load)
{
	char path[64], line[256];
	long kb = -1;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)load->options.pid);
	file = fopen(path, "r");
	if (!file)
		die(path);
	while (kb < 0 && fgets(line, sizeof line, file))
		sscanf(line, "Anonymous: %ld", &kb);
	fclose(file);
	if (kb < 0)
		fail("no Anonymous in smaps_rollup");
	return kb;
}

/* ---- Messages ---- */

/* Different for every message, so that an answer to another one is noticed; or always the same. */
static void compose(const struct load *load, const struct client *client, char *message)
{
	uint64_t word = load->options.same ? 1 : (uint64_t)(client - load->clients) << 40 ^ client->number;

	for (unsigned i = 0; i < load->options.size; i += sizeof word) {
		word = word * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		memcpy(message + i, &word, sizeof word);
	}
}

static void send_next(struct load *load, struct client *client, uint64_t time)
{
	char message[SIZE_MAX_BYTES];

	client->number++;
	client->got = 0;
	client->sent_at = time;
	compose(load, client, message);
	load->sent++;
	if (send(client->fd, message, load->options.size, MSG_NOSIGNAL) != (ssize_t)load->options.size)
		die("send");
}

static void answered(struct load *load, struct client *client)
{
	uint64_t time = now();

	load->answered++;
	load->latency[bucket_of(time - client->sent_at)]++;
	load->last_answer = time;
	if (load->sent < load->limit && time < load->deadline)
		send_next(load, client, time);
	else
		load->active--;
}

static void receive(struct load *load, struct client *client)
{
	char buf[SIZE_MAX_BYTES + 1], expected[SIZE_MAX_BYTES];
	ssize_t got = recv(client->fd, buf, sizeof buf, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0)
		die("recv");
	if (got == 0)
		fail("the server closed a connection");
	if (client->got + (size_t)got > load->options.size)
		fail("the server sent more than it got");
	compose(load, client, expected);
	if (memcmp(buf, expected + client->got, (size_t)got) != 0)
		fail("the answer differs from the message");
	client->got += (uint32_t)got;
	if (client->got == load->options.size)
		answered(load, client);
}

/* Starts a message on count clients and serves them until all have stopped. */
static void run(struct load *load, struct client *clients, unsigned count, uint64_t limit, uint64_t deadline)
{
	struct epoll_event events[EVENTS];

	load->limit = limit;
	load->deadline = deadline;
	load->sent = load->answered = 0;
	load->active = count;
	memset(load->latency, 0, sizeof load->latency);
	for (unsigned i = 0; i < count; i++)
		send_next(load, &clients[i], now());
	while (load->active) {
		int ready = epoll_wait(load->epoll, events, EVENTS, PATIENCE_MS);

		if (ready == 0)
			fail("no answer within 10 s");
		if (ready < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < ready; i++)
			receive(load, events[i].data.ptr);
	}
}

/* ---- Connections ---- */

static void open_one(struct load *load, struct client *client)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(load->options.port)};
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = client};
	int on = 1;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		die("socket");
	if (connect(client->fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		die("connect");
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (fcntl(client->fd, F_SETFL, O_NONBLOCK) < 0 ||
	    epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &event) < 0)
		die("epoll_ctl");
}

/* Opens the clients from..to-1, each proven by one echo. */
static void open_clients(struct load *load, unsigned from, unsigned to)
{
	while (from < to) {
		unsigned count = to - from < OPEN_AT_ONCE ? to - from : OPEN_AT_ONCE;

		for (unsigned i = 0; i < count; i++)
			open_one(load, &load->clients[from + i]);
		run(load, &load->clients[from], count, count, UINT64_MAX);
		from += count;
	}
}

static ssize_t receive_within_patience(int fd, char *buf, size_t size)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	if (poll(&ready, 1, PATIENCE_MS) <= 0)
		fail("no answer within 10 s");
	return recv(fd, buf, size, 0);
}

/* Waits for the server's end of each, so that the next run finds it with nothing left to do. */
static void close_clients(struct load *load)
{
	char byte;

	for (unsigned i = 0; i < load->options.connections; i++)
		shutdown(load->clients[i].fd, SHUT_WR);
	for (unsigned i = 0; i < load->options.connections; i++) {
		if (receive_within_patience(load->clients[i].fd, &byte, 1) != 0)
			fail("the server did not close its side");
		close(load->clients[i].fd);
	}
}

/* ---- The two measurements ---- */

static void measure_load(struct load *load)
{
	uint64_t began, cpu, limit = load->options.requests ? load->options.requests : UINT64_MAX;
	double seconds, count;

	open_clients(load, 0, load->options.connections);
	cpu = server_cpu(load);
	began = now();
	run(load, load->clients, load->options.connections, limit,
	    began + (uint64_t)(load->options.seconds * 1e9));
	cpu = server_cpu(load) - cpu;
	seconds = (double)(load->last_answer - began) / 1e9;
	count = (double)load->answered;
	printf("requests=%llu\nseconds=%.3f\nrate=%.0f\n", (unsigned long long)load->answered, seconds,
	       count / seconds);
	printf("p50_us=%.1f\np99_us=%.1f\n", percentile_us(load, 0.50), percentile_us(load, 0.99));
	if (load->options.pid)
		printf("cpu_us=%.4f\nbusy=%.3f\n", (double)cpu / 1e3 / count, (double)cpu / 1e9 / seconds);
}

/* Asks the server to collect its garbage, which all but the Lua one only echo. */
static long settled_memory_kb(struct load *load)
{
	int fd = load->clients[0].fd;
	char buf[8];

	if (send(fd, "gc\n", 3, MSG_NOSIGNAL) != 3)
		die("send");
	if (receive_within_patience(fd, buf, sizeof buf) != 3 || memcmp(buf, "gc\n", 3) != 0)
		fail("the answer differs from the message");
	usleep(SETTLE_US);
	return server_memory_kb(load);
}

static void measure_idle(struct load *load)
{
	unsigned count = load->options.connections;
	long before, after;

	open_clients(load, 0, 1);
	before = settled_memory_kb(load);
	open_clients(load, 1, count);
	after = settled_memory_kb(load);
	printf("connections=%u\nmemory_before_kb=%ld\nmemory_after_kb=%ld\n", count, before, after);
	printf("bytes=%.0f\n", (double)(after - before) * 1024 / (count > 1 ? count - 1 : 1));
}

/* ---- The command ---- */

static void usage(FILE *out)
{
	fputs("usage: echo_load PORT [options]\n"
	      "  --connections N  how many at once (64)\n"
	      "  --seconds S      stop after this time (1)\n"
	      "  --requests N     stop after that many requests\n"
	      "  --size B         bytes per message, a multiple of 8 up to 4096 (64)\n"
	      "  --pid PID        the server, whose CPU time and memory are measured\n"
	      "  --same           all messages are the same\n"
	      "  --idle           measure the server's memory per idle connection (needs --pid)\n",
	      out);
}

static struct options parse(int argc, char **argv)
{
	static const struct option table[] = {
		{"connections", required_argument, NULL, 'c'},
		{"seconds", required_argument, NULL, 's'},
		{"requests", required_argument, NULL, 'r'},
		{"size", required_argument, NULL, 'b'},
		{"pid", required_argument, NULL, 'p'},
		{"idle", no_argument, NULL, 'i'},
		{"same", no_argument, NULL, 'S'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {.connections = 64, .size = 64, .seconds = 1};
	int c;

	while ((c = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			options.connections = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			options.seconds = strtod(optarg, NULL);
			break;
		case 'r':
			options.requests = strtoull(optarg, NULL, 10);
			break;
		case 'b':
			options.size = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			options.pid = (pid_t)strtol(optarg, NULL, 10);
			break;
		case 'i':
			options.idle = true;
			break;
		case 'S':
			options.same = true;
			break;
		default:
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (optind + 1 == argc)
		options.port = (uint16_t)strtoul(argv[optind], NULL, 10);
	return options;
}

static bool valid(const struct options *options)
{
	return options->port && options->connections && options->connections <= 1000000 && options->size &&
	       options->size <= SIZE_MAX_BYTES && options->size % 8 == 0 && options->seconds > 0 &&
	       options->seconds <= 3600 && (!options->idle || options->pid);
}

int main(int argc, char **argv)
{
	static struct load load;

	load.options = parse(argc, argv);
	if (!valid(&load.options)) {
		usage(stderr);
		return 2;
	}
	alarm((unsigned)load.options.seconds + LIFE_S);
	load.clients = calloc(load.options.connections, sizeof *load.clients);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!load.clients || load.epoll < 0)
		die("setup");
	if (load.options.idle)
		measure_idle(&load);
	else
		measure_load(&load);
	close_clients(&load);
	free(load.clients);
	return 0;
}
