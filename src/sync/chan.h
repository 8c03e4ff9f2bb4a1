/* SPDX-License-Identifier: MIT */
/* Channels inside, and their cases for those who wait in another way. */
#ifndef RT_SYNC_CHAN_H
#define RT_SYNC_CHAN_H

#include "sync/sync_wait.h"

#include <rt/sync.h>

RT_PRIVATE_BEGIN

/* Senders wait only while it is full, receivers only while it is empty. */
struct rt_chan {
	size_t element_size;
	size_t capacity;
	size_t count;
	size_t head; /* the index of the oldest element */
	bool closed;
	rt_chan_drop_fn *drop;
	void *drop_arg;
	struct rt_waiter *senders;
	struct rt_waiter *receivers;
	_Alignas(max_align_t) unsigned char elements[]; /* a circle */
};

/* The element at offset from the oldest one; offset: at most the capacity. Locked. */
static inline void *chan_element(struct rt_chan *chan, size_t offset)
{
	size_t until_wrap = chan->capacity - chan->head;
	size_t index = offset < until_wrap ? chan->head + offset : offset - until_wrap;

	return chan->elements + index * chan->element_size;
}

/* To send *element, which stays the caller's, or to receive into it. 0, or -EINVAL. */
int chan_send_case(struct sync_case *sync_case, struct rt_chan *chan, const void *element);
int chan_recv_case(struct sync_case *sync_case, struct rt_chan *chan, void *element);

RT_PRIVATE_END

#endif
