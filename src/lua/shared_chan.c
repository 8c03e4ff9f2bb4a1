/* SPDX-License-Identifier: MIT */
/* Shared channels; see shared_chan.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/shared_chan.h"

#include "lua/message.h"

#include <pthread.h>
#include <stdlib.h>

struct chan_list {
	pthread_mutex_t lock;
	struct shared_chan *first;
	unsigned refs; /* of its channels and its owner; atomic */
	unsigned handles; /* objects in VMs; atomic */
	bool ended; /* what no object refers to is garbage */
};

static unsigned add(unsigned *count, int change)
{
	return __atomic_add_fetch(count, (unsigned)change, __ATOMIC_ACQ_REL);
}

static void unref_list(struct chan_list *list)
{
	if (add(&list->refs, -1) > 0)
		return;
	pthread_mutex_destroy(&list->lock);
	free(list);
}

struct chan_list *chan_list_create(void)
{
	struct chan_list *list = malloc(sizeof *list);

	if (!list)
		return NULL;
	*list = (struct chan_list){.refs = 1};
	pthread_mutex_init(&list->lock, NULL);
	return list;
}

static void link_in(struct shared_chan *shared)
{
	struct chan_list *list = shared->list;

	pthread_mutex_lock(&list->lock);
	shared->next = list->first;
	if (shared->next)
		shared->next->prev = shared;
	list->first = shared;
	pthread_mutex_unlock(&list->lock);
}

static void link_out(struct shared_chan *shared)
{
	struct chan_list *list = shared->list;

	pthread_mutex_lock(&list->lock);
	if (shared->prev)
		shared->prev->next = shared->next;
	else
		list->first = shared->next;
	if (shared->next)
		shared->next->prev = shared->prev;
	pthread_mutex_unlock(&list->lock);
}

struct shared_chan *shared_chan_create(struct chan_list *list, struct rt_chan *chan)
{
	struct shared_chan *shared = malloc(sizeof *shared);

	if (!shared)
		return NULL;
	*shared = (struct shared_chan){.chan = chan, .refs = 1, .list = list};
	add(&list->refs, 1);
	link_in(shared);
	return shared;
}

struct shared_chan *shared_chan_ref(struct shared_chan *shared)
{
	add(&shared->refs, 1);
	return shared;
}

void shared_chan_unref(struct shared_chan *shared)
{
	if (add(&shared->refs, -1) > 0)
		return;
	struct chan_list *list = shared->list;

	link_out(shared);
	rt_chan_destroy(shared->chan);
	free(shared);
	unref_list(list);
}

void lua_element_drop(void *element, void *arg)
{
	(void)arg;
	message_destroy(element_message(*(lua_element *)element));
}

/* A reference to one that is not empty, or NULL. */
static struct shared_chan *find_filled(struct chan_list *list)
{
	struct shared_chan *shared;

	pthread_mutex_lock(&list->lock);
	for (shared = list->first; shared && shared->chan->count == 0; shared = shared->next)
		;
	if (shared)
		shared_chan_ref(shared);
	pthread_mutex_unlock(&list->lock);
	return shared;
}

static void empty_all(struct chan_list *list)
{
	struct shared_chan *shared;
	lua_element element;

	while ((shared = find_filled(list))) {
		while (rt_chan_try_recv(shared->chan, &element) == 0)
			lua_element_drop(&element, NULL);
		shared_chan_unref(shared);
	}
}

void shared_chan_hold(struct shared_chan *shared)
{
	add(&shared->list->handles, 1);
}

void shared_chan_release(struct shared_chan *shared)
{
	struct chan_list *list = shared->list;

	add(&list->refs, 1);
	shared_chan_unref(shared);
	if (add(&list->handles, -1) == 0 && list->ended)
		empty_all(list);
	unref_list(list);
}

void chan_list_destroy(struct chan_list *list)
{
	if (!list)
		return;
	list->ended = true;
	if (add(&list->handles, 0) == 0)
		empty_all(list);
	unref_list(list);
}
