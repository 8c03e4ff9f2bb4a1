/* SPDX-License-Identifier: MIT */
/*
 * Channels that several VMs have: counted references to a struct rt_chan whose elements are messages.
 *
 * A channel may be in a message that is in a channel, in a circle. Counting never frees those, so a
 * family of VMs, those of a program and its job VMs, has a list of all. When no VM has any of them any
 * more, at the end, they are emptied.
 */
#ifndef RT_LUA_SHARED_CHAN_H
#define RT_LUA_SHARED_CHAN_H

#include "sync/chan.h"

struct message;

/* An element of a channel of Lua values: an index in the channel's own table, odd, or a message. */
typedef uintptr_t lua_element;

/* NULL: it is an index. */
static inline struct message *element_message(lua_element element)
{
	return element & 1 ? NULL : (struct message *)element;
}

static inline int element_index(lua_element element)
{
	return (int)(element >> 1);
}

static inline lua_element element_of_index(int index)
{
	return (lua_element)(unsigned)index << 1 | 1;
}

struct chan_list;

struct shared_chan {
	struct rt_chan *chan;
	unsigned refs; /* by handles and by messages; atomic */
	struct chan_list *list;
	struct shared_chan *next, *prev; /* in the list, under its lock */
};

/* NULL without memory. */
struct chan_list *chan_list_create(void);

/* All VMs but the first are gone, and no message is on its way. The list goes with its last channel. */
void chan_list_destroy(struct chan_list *list);

/* Takes the channel over, with one reference. NULL without memory. */
struct shared_chan *shared_chan_create(struct chan_list *list, struct rt_chan *chan);

/* Any thread. unref: not locked. */
struct shared_chan *shared_chan_ref(struct shared_chan *shared);
void shared_chan_unref(struct shared_chan *shared);

/* An object in a VM takes over a reference, and gives it back. */
void shared_chan_hold(struct shared_chan *shared);
void shared_chan_release(struct shared_chan *shared);

/* As rt_chan_drop_fn: for channels of Lua values, shared or not. */
void lua_element_drop(void *element, void *arg);

#endif
