/* SPDX-License-Identifier: MIT */
/* Channels; see rt/sync.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "sync/chan.h"

#include "base/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int rt_chan_create(struct rt_chan **chan, size_t element_size, size_t capacity)
{
	size_t size;

	if (!chan)
		return -EINVAL;
	*chan = NULL;
	if (__builtin_mul_overflow(element_size, capacity, &size) ||
	    __builtin_add_overflow(size, sizeof **chan, &size))
		return -ENOMEM;
	*chan = malloc(size);
	if (!*chan)
		return -ENOMEM;
	**chan = (struct rt_chan){.element_size = element_size, .capacity = capacity};
	return 0;
}

/* ---- The elements ---- */

static void copy(const struct rt_chan *chan, void *to, const void *from)
{
	if (chan->element_size > 0)
		memcpy(to, from, chan->element_size);
}

/* offset: from the oldest element, at most the capacity. */
static void *element_at(struct rt_chan *chan, size_t offset)
{
	size_t until_wrap = chan->capacity - chan->head;
	size_t index = offset < until_wrap ? chan->head + offset : offset - until_wrap;

	return chan->elements + index * chan->element_size;
}

static void push(struct rt_chan *chan, const void *element)
{
	copy(chan, element_at(chan, chan->count++), element);
}

static void pop(struct rt_chan *chan, void *element)
{
	copy(chan, element, element_at(chan, 0));
	chan->head = chan->head + 1 < chan->capacity ? chan->head + 1 : 0;
	chan->count--;
}

/* ---- Tries ---- */

static int try_send(struct rt_chan *chan, const void *element)
{
	if (chan->closed)
		return -EPIPE;
	if (chan->receivers) {
		struct sync_case *receiver = sync_first(chan->receivers);

		copy(chan, receiver->element, element);
		sync_complete(receiver, 0);
		return 0;
	}
	if (chan->count == chan->capacity)
		return -EAGAIN;
	push(chan, element);
	return 0;
}

/* The room that a received element has left is the first waiting sender's. */
static void admit_sender(struct rt_chan *chan)
{
	if (!chan->senders || FAULT(room_kept))
		return;
	struct sync_case *sender = sync_first(chan->senders);

	push(chan, sender->element);
	sync_complete(sender, 0);
}

static int try_recv(struct rt_chan *chan, void *element)
{
	if (chan->count > 0) {
		pop(chan, element);
		admit_sender(chan);
		return 0;
	}
	if (chan->senders) {
		struct sync_case *sender = sync_first(chan->senders);

		copy(chan, element, sender->element);
		sync_complete(sender, 0);
		return 0;
	}
	return chan->closed ? -EPIPE : -EAGAIN;
}

static bool valid(const struct rt_chan *chan, const void *element)
{
	return chan && (element || chan->element_size == 0);
}

int rt_chan_try_send(struct rt_chan *chan, const void *element)
{
	if (!valid(chan, element))
		return -EINVAL;
	struct rt_runtime *runtime = self_lock();
	int err = try_send(chan, element);

	self_unlock(runtime);
	return err;
}

int rt_chan_try_recv(struct rt_chan *chan, void *element)
{
	if (!valid(chan, element))
		return -EINVAL;
	struct rt_runtime *runtime = self_lock();
	int err = try_recv(chan, element);

	self_unlock(runtime);
	return err;
}

/* ---- Waiting ---- */

static int try_send_case(struct sync_case *sync_case)
{
	return try_send(sync_case->source, sync_case->element);
}

static int try_recv_case(struct sync_case *sync_case)
{
	return try_recv(sync_case->source, sync_case->element);
}

int chan_send_case(struct sync_case *sync_case, struct rt_chan *chan, const void *element)
{
	static const struct sync_kind sending = {{.what = "send", .detach = sync_detach}, try_send_case};

	if (!valid(chan, element))
		return -EINVAL;
	sync_case->kind = &sending;
	sync_case->source = chan;
	sync_case->element = (void *)element; /* only read */
	sync_case->queue = &chan->senders;
	return 0;
}

int chan_recv_case(struct sync_case *sync_case, struct rt_chan *chan, void *element)
{
	static const struct sync_kind receiving = {{.what = "receive", .detach = sync_detach}, try_recv_case};

	if (!valid(chan, element))
		return -EINVAL;
	sync_case->kind = &receiving;
	sync_case->source = chan;
	sync_case->element = element;
	sync_case->queue = &chan->receivers;
	return 0;
}

int rt_chan_send(struct rt_chan *chan, const void *element, rt_time deadline)
{
	struct sync_case send;
	int err = chan_send_case(&send, chan, element);

	return err < 0 ? err : sync_wait_for(&send, deadline);
}

int rt_chan_recv(struct rt_chan *chan, void *element, rt_time deadline)
{
	struct sync_case recv;
	int err = chan_recv_case(&recv, chan, element);

	return err < 0 ? err : sync_wait_for(&recv, deadline);
}

/* ---- The end ---- */

static int close_chan(struct rt_chan *chan)
{
	if (chan->closed)
		return -EALREADY;
	chan->closed = true;
	sync_complete_all(&chan->senders, -EPIPE);
	sync_complete_all(&chan->receivers, -EPIPE);
	return 0;
}

int rt_chan_close(struct rt_chan *chan)
{
	if (!chan)
		return -EINVAL;
	struct rt_runtime *runtime = self_lock();
	int err = close_chan(chan);

	self_unlock(runtime);
	return err;
}

void rt_chan_set_drop(struct rt_chan *chan, rt_chan_drop_fn *drop, void *arg)
{
	if (!chan)
		return;
	chan->drop = drop;
	chan->drop_arg = arg;
}

void rt_chan_destroy(struct rt_chan *chan)
{
	if (!chan)
		return;
	rt_chan_close(chan);
	for (size_t i = 0; chan->drop && i < chan->count; i++)
		chan->drop(element_at(chan, i), chan->drop_arg);
	free(chan);
}

size_t rt_chan_count(const struct rt_chan *chan)
{
	if (!chan)
		return 0;
	struct rt_runtime *runtime = self_lock();
	size_t count = chan->count;

	self_unlock(runtime);
	return count;
}

size_t rt_chan_capacity(const struct rt_chan *chan)
{
	return chan ? chan->capacity : 0;
}
