/* SPDX-License-Identifier: MIT */
/*
 * What tasks cost on a runtime with so many workers: cores RUNTIME WORKERS [MS [ONLY [COUNT]]]
 * prints "key=nanoseconds" for each operation, each measured for MS milliseconds. With COUNT that many
 * operations are done and nothing is measured: for tools that count instructions. See run-cores.sh.
 */
#include <rt.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFERED = 64, DEFAULT_MS = 300 };

struct setting {
	rt_time limit;
	const char *only; /* NULL: all */
	size_t count; /* 0: as many as it takes */
};

static int join(struct rt_task *task)
{
	int result, err = task ? rt_join(task, &result, RT_FOREVER) : -errno;

	return err < 0 ? err : result;
}

/* ---- The operations: n of each ---- */

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int spawn_join(size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = join(rt_spawn(nothing, NULL));
	return err;
}

/* All are there before the first is waited for. */
static int spawn_many(size_t n)
{
	enum { BURST = 100 };
	struct rt_task *tasks[BURST];
	int err = 0;

	for (size_t done = 0; done < n && err == 0; done += BURST) {
		for (int i = 0; i < BURST; i++)
			tasks[i] = rt_spawn(nothing, NULL);
		for (int i = 0; i < BURST; i++) {
			int result = join(tasks[i]);

			err = err < 0 ? err : result;
		}
	}
	return err;
}

static int yield_often(void *n)
{
	int err = 0;

	for (size_t i = 0; i < *(size_t *)n && err == 0; i++)
		err = rt_yield();
	return err;
}

/* Two tasks, wherever the runtime has them. */
static int yield(size_t n)
{
	size_t half = n / 2 + 1;
	struct rt_task *one = rt_spawn(yield_often, &half), *other = rt_spawn(yield_often, &half);
	int err = join(one), other_err = join(other);

	return err < 0 ? err : other_err;
}

struct pair {
	struct rt_chan *to, *from;
	size_t n;
};

static int echo(void *arg)
{
	struct pair *pair = arg;
	size_t value;
	int err = 0;

	for (size_t i = 0; i < pair->n && err == 0; i++) {
		err = rt_chan_recv(pair->to, &value, RT_FOREVER);
		if (err == 0)
			err = rt_chan_send(pair->from, &value, RT_FOREVER);
	}
	return err;
}

static int ping(void *arg)
{
	struct pair *pair = arg;
	size_t value = 1;
	int err = 0;

	for (size_t i = 0; i < pair->n && err == 0; i++) {
		err = rt_chan_send(pair->to, &value, RT_FOREVER);
		if (err == 0)
			err = rt_chan_recv(pair->from, &value, RT_FOREVER);
	}
	return err;
}

static int ping_pong(size_t n, size_t capacity)
{
	struct pair pair = {.n = n};
	int err = rt_chan_create(&pair.to, sizeof(size_t), capacity);

	if (err == 0)
		err = rt_chan_create(&pair.from, sizeof(size_t), capacity);
	if (err == 0) {
		struct rt_task *one = rt_spawn(echo, &pair), *other = rt_spawn(ping, &pair);
		int other_err = join(one);

		err = join(other);
		err = err < 0 ? err : other_err;
	}
	rt_chan_destroy(pair.to);
	rt_chan_destroy(pair.from);
	return err;
}

static int ping_pong_rendezvous(size_t n)
{
	return ping_pong(n, 0);
}

static int ping_pong_buffered(size_t n)
{
	return ping_pong(n, 1);
}

static int send_often(void *arg)
{
	struct pair *pair = arg;
	int err = 0;

	for (size_t i = 0; i < pair->n && err == 0; i++)
		err = rt_chan_send(pair->to, &i, RT_FOREVER);
	return err;
}

static int recv_often(void *arg)
{
	struct pair *pair = arg;
	size_t value;
	int err = 0;

	for (size_t i = 0; i < pair->n && err == 0; i++)
		err = rt_chan_recv(pair->to, &value, RT_FOREVER);
	return err;
}

/* From one task to another. */
static int stream(size_t n)
{
	struct pair pair = {.n = n};
	int err = rt_chan_create(&pair.to, sizeof(size_t), BUFFERED);

	if (err == 0) {
		struct rt_task *one = rt_spawn(send_often, &pair), *other = rt_spawn(recv_often, &pair);
		int other_err = join(one);

		err = join(other);
		err = err < 0 ? err : other_err;
	}
	rt_chan_destroy(pair.to);
	return err;
}

static const struct operation {
	const char *key;
	int (*run)(size_t n);
} operations[] = {
	{"spawn_join_ns", spawn_join},           {"spawn_many_ns", spawn_many},       {"yield_ns", yield},
	{"rendezvous_ns", ping_pong_rendezvous}, {"buffered_ns", ping_pong_buffered}, {"stream_ns", stream},
};

/* ---- Measuring ---- */

/* As many as take the time; the last attempt counts. */
static int measure(const struct operation *operation, rt_time limit)
{
	size_t n = 100;

	for (;;) {
		rt_time began = rt_now();
		int err = operation->run(n);
		rt_time took = rt_now() - began;

		if (err < 0)
			return err;
		if (took >= limit / 2) {
			printf("%s=%.1f\n", operation->key, (double)took / (double)n);
			return 0;
		}
		/* Slowly: the first ones may have been unusually fast. */
		double factor = (double)limit / (double)(took + 1);

		n = (size_t)((double)n * (factor < 10 ? factor : 10)) + 1;
	}
}

static int run_all(void *arg)
{
	const struct setting *setting = arg;
	int err = 0;

	for (size_t i = 0; i < sizeof operations / sizeof *operations && err == 0; i++) {
		const struct operation *operation = &operations[i];

		if (setting->only && strcmp(setting->only, operation->key) != 0)
			continue;
		err = setting->count ? operation->run(setting->count) : measure(operation, setting->limit);
	}
	return err;
}

int main(int argc, char **argv)
{
	const struct rt_runtime_ops *ops = argc > 2 ? rt_runtime_find(argv[1]) : NULL;
	struct setting setting = {.limit = RT_MS(argc > 3 ? atoi(argv[3]) : DEFAULT_MS)};

	if (!ops) {
		fprintf(stderr, "usage: cores RUNTIME WORKERS [MS [ONLY [COUNT]]]\n");
		return 2;
	}
	if (argc > 4)
		setting.only = argv[4];
	if (argc > 5)
		setting.count = strtoul(argv[5], NULL, 10);
	struct rt_runtime_options options = {.workers = (unsigned)atoi(argv[2])};
	int err = rt_run(ops, &options, run_all, &setting, "cores");

	if (err < 0)
		fprintf(stderr, "cores: %s\n", strerror(-err));
	return err < 0;
}
