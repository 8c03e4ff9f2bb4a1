/* SPDX-License-Identifier: MIT */
/* What synchronisation between C tasks costs. sync [SCALE]; see run-sync.sh. */
#include <rt.h>

#include <stdio.h>
#include <stdlib.h>

enum { OPERATIONS = 2000000, CONTENDERS = 10, CAPACITY = 64 };

static size_t rounds; /* of each task */

static void print(const char *key, rt_time time, size_t times)
{
	printf("%s=%.2f\n", key, (double)time / (double)times);
}

/* ---- Mutex and semaphore ---- */

static int lock_often(void *mutex)
{
	int err = 0;

	for (size_t i = 0; i < rounds && err == 0; i++) {
		err = rt_mutex_lock(mutex, RT_FOREVER);
		if (err == 0)
			err = rt_mutex_unlock(mutex);
	}
	return err;
}

/* Gives way inside, so that all the others queue up. */
static int lock_and_yield(void *mutex)
{
	int err = 0;

	for (size_t i = 0; i < rounds && err == 0; i++) {
		err = rt_mutex_lock(mutex, RT_FOREVER);
		if (err < 0)
			return err;
		rt_yield();
		err = rt_mutex_unlock(mutex);
	}
	return err;
}

static int acquire_often(void *semaphore)
{
	int err = 0;

	for (size_t i = 0; i < rounds && err == 0; i++) {
		err = rt_semaphore_acquire(semaphore, RT_FOREVER);
		if (err == 0)
			err = rt_semaphore_release(semaphore);
	}
	return err;
}

/* ---- Channels ---- */

static int send_often(void *chan)
{
	int err = 0;

	for (size_t i = 0; i < rounds && err == 0; i++)
		err = rt_chan_send(chan, &i, RT_FOREVER);
	return err;
}

static int recv_often(void *chan)
{
	size_t value;
	int err = 0;

	for (size_t i = 0; i < rounds && err == 0; i++)
		err = rt_chan_recv(chan, &value, RT_FOREVER);
	return err;
}

static int echo(void *chans)
{
	struct rt_chan **pair = chans;
	size_t value;
	int err = 0;

	for (size_t i = 0; i < rounds && err == 0; i++) {
		err = rt_chan_recv(pair[0], &value, RT_FOREVER);
		if (err == 0)
			err = rt_chan_send(pair[1], &value, RT_FOREVER);
	}
	return err;
}

static int ping(void *chans)
{
	struct rt_chan **pair = chans;
	size_t value = 1;
	int err = 0;

	for (size_t i = 0; i < rounds && err == 0; i++) {
		err = rt_chan_send(pair[0], &value, RT_FOREVER);
		if (err == 0)
			err = rt_chan_recv(pair[1], &value, RT_FOREVER);
	}
	return err;
}

static int select_often(void *chans)
{
	struct rt_chan **pair = chans;
	size_t value;
	int index = 0;

	for (size_t i = 0; i < rounds && index >= 0; i++) {
		struct rt_select_case cases[] = {RT_CASE_RECV(pair[0], &value),
						 RT_CASE_RECV(pair[1], &value)};

		index = rt_select(cases, 2, RT_FOREVER);
	}
	return index < 0 ? index : 0;
}

/* ---- Measuring ---- */

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int join(struct rt_task *task)
{
	int result, err = rt_join(task, &result, RT_FOREVER);

	return err < 0 ? err : result;
}

/* Runs fns[i] as a task each, `rounds` times. */
static int measure(const char *key, rt_task_fn *const *fns, size_t count, void *arg, size_t times)
{
	struct rt_task *tasks[CONTENDERS];
	rt_time began = rt_now();
	int err = 0;

	for (size_t i = 0; i < count; i++)
		tasks[i] = rt_spawn(fns[i], arg);
	for (size_t i = 0; i < count; i++) {
		int result = join(tasks[i]);

		err = err < 0 ? err : result;
	}
	print(key, rt_now() - began, times);
	return err;
}

static int measure_locks(size_t operations)
{
	rt_task_fn *fns[CONTENDERS];
	struct rt_mutex *mutex;
	struct rt_semaphore *semaphore;
	int err = rt_mutex_create(&mutex);

	if (err < 0 || (err = rt_semaphore_create(&semaphore, 1)) < 0)
		return err;
	for (int i = 0; i < CONTENDERS; i++)
		fns[i] = lock_and_yield;
	rounds = operations;
	err = measure("mutex_ns", (rt_task_fn *[]){lock_often}, 1, mutex, operations);
	if (err == 0)
		err = measure("semaphore_ns", (rt_task_fn *[]){acquire_often}, 1, semaphore, operations);
	rounds = operations / CONTENDERS + 1;
	if (err == 0)
		err = measure("mutex_contended_ns", fns, CONTENDERS, mutex, rounds * CONTENDERS);
	rt_mutex_destroy(mutex);
	rt_semaphore_destroy(semaphore);
	return err;
}

static int open_pair(struct rt_chan *pair[2], size_t capacity)
{
	int err = rt_chan_create(&pair[0], sizeof(size_t), capacity);

	return err < 0 ? err : rt_chan_create(&pair[1], sizeof(size_t), capacity);
}

static void close_pair(struct rt_chan *pair[2])
{
	rt_chan_destroy(pair[0]);
	rt_chan_destroy(pair[1]);
}

static int measure_chans(size_t operations)
{
	struct rt_chan *pair[2], *buffers[2];
	int err = open_pair(pair, 0);

	if (err < 0 || (err = open_pair(buffers, CAPACITY)) < 0)
		return err;
	rounds = operations;
	err = measure("chan_buffered_ns", (rt_task_fn *[]){send_often, recv_often}, 2, buffers[0], rounds);
	if (err == 0)
		err = measure("chan_rendezvous_ns", (rt_task_fn *[]){send_often, recv_often}, 2, pair[0],
			      rounds);
	if (err == 0)
		err = measure("chan_ping_pong_ns", (rt_task_fn *[]){echo, ping}, 2, pair, rounds);
	close_pair(pair);
	close_pair(buffers);
	return err;
}

/* The sender's channel is the first; on the second nothing comes. */
static int send_to_first(void *chans)
{
	return send_often(((struct rt_chan **)chans)[0]);
}

static int measure_select(size_t operations)
{
	struct rt_chan *pair[2];
	int err = open_pair(pair, 0);

	if (err < 0)
		return err;
	rounds = operations;
	err = measure("select_2_ns", (rt_task_fn *[]){select_often, send_to_first}, 2, pair, rounds);
	close_pair(pair);
	return err;
}

static int measure_spawns(size_t operations)
{
	rt_time began = rt_now();
	int err = 0;

	for (size_t i = 0; i < operations && err == 0; i++)
		err = join(rt_spawn(nothing, NULL));
	print("spawn_join_ns", rt_now() - began, operations);
	return err;
}

static int async_main(int argc, char **argv)
{
	double scale = argc > 1 ? strtod(argv[1], NULL) : 1;
	size_t operations = (size_t)(scale * OPERATIONS) + 1;
	int err = measure_locks(operations);

	if (err == 0)
		err = measure_chans(operations);
	if (err == 0)
		err = measure_select(operations);
	return err == 0 ? measure_spawns(operations) : err;
}

RT_MAIN(async_main)
