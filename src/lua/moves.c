/* SPDX-License-Identifier: MIT */
/* What a transfer changes: sockets that are handed over, channels that become shared; see encoder.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/encoder.h"

#include "lua/job_pool.h"

#include <stdlib.h>

static void *grow(lua_State *L, void *items, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return items;
	size_t larger = *capacity * 2 + 2;
	void *moved = realloc(items, larger * size);

	if (!moved)
		luaL_error(L, "not enough memory");
	*capacity = larger;
	return moved;
}

static unsigned add_part(lua_State *L, struct encoder *e)
{
	int part = message_add_part(e->message);

	if (part < 0)
		luaL_error(L, "not enough memory");
	return (unsigned)part;
}

/* In a table, as values are written later that only a channel refers to, and sockets may come back. */
static void keep_object(lua_State *L, int index, int number)
{
	if (lua_isnil(L, 2)) {
		lua_newtable(L);
		lua_replace(L, 2);
	}
	lua_pushvalue(L, index);
	lua_rawseti(L, 2, number);
}

/* ---- Sockets ---- */

static bool is_moving(const struct moves *moves, const void *object)
{
	for (size_t i = 0; i < moves->socket_count; i++) {
		if (moves->sockets[i].object == object)
			return true;
	}
	return false;
}

unsigned moves_add_socket(lua_State *L, struct encoder *e, int index, enum object_kind kind)
{
	void *object = lua_touserdata(L, index);
	struct moves *moves = &e->moves;
	const char *obstacle = lua_socket_obstacle(object, kind);

	if (!obstacle && is_moving(moves, object))
		obstacle = "a %s that is also in a channel on its way";
	if (obstacle)
		encoder_refuse(L, e, index, lua_pushfstring(L, obstacle, vm_kind_name(kind)));
	moves->sockets =
		grow(L, moves->sockets, moves->socket_count, &moves->socket_capacity, sizeof *moves->sockets);
	unsigned part = add_part(L, e);

	moves->sockets[moves->socket_count++] = (struct socket_move){object, kind, e->message, part};
	keep_object(L, index, -(int)moves->socket_count);
	return part;
}

/* ---- Channels ---- */

static struct chan_move *find_chan(struct moves *moves, const struct lua_chan *object)
{
	for (size_t i = 0; i < moves->chan_count; i++) {
		if (moves->chans[i].object == object)
			return &moves->chans[i];
	}
	return NULL;
}

static struct shared_chan *begin_chan(lua_State *L, struct encoder *e, int index, struct lua_chan *object)
{
	struct moves *moves = &e->moves;

	moves->chans = grow(L, moves->chans, moves->chan_count, &moves->chan_capacity, sizeof *moves->chans);
	struct shared_chan *shared = shared_chan_create(e->vm->pool->chans, object->chan);

	if (!shared)
		luaL_error(L, "not enough memory");
	moves->chans[moves->chan_count++] = (struct chan_move){.object = object, .shared = shared};
	keep_object(L, index, (int)moves->chan_count);
	lua_chan_register(L, e->vm, index, shared);
	return shared;
}

unsigned moves_add_chan(lua_State *L, struct encoder *e, int index)
{
	struct lua_chan *object = lua_touserdata(L, index);
	struct shared_chan *shared = object->shared;

	if (object->codec)
		encoder_refuse(L, e, index, "a channel of the host's");
	if (!shared) {
		struct chan_move *move = find_chan(&e->moves, object);

		shared = move ? move->shared : begin_chan(L, e, index, object);
	}
	unsigned part = add_part(L, e);

	e->message->parts[part] = (struct message_part){.kind = PART_CHAN, .u.chan = shared_chan_ref(shared)};
	return part;
}

/* ---- The end ---- */

/*
 * The elements, in the channel and of those who wait to send, become messages. Their values' places in
 * the object's table stay free: no others come.
 */
static void replace(lua_State *L, int table, lua_element *element, struct message *message)
{
	lua_pushnil(L);
	lua_rawseti(L, table, element_index(*element));
	*element = (lua_element)message;
}

static void share(lua_State *L, struct chan_move *move)
{
	struct rt_chan *chan = move->object->chan;
	struct rt_waiter *sender = chan->senders;
	int table = lua_gettop(L);
	size_t i = 0;

	for (; i < chan->count; i++)
		replace(L, table, chan_element(chan, i), move->messages[i]);
	for (; i < move->count; i++, sender = sender->next)
		replace(L, table, sync_first(sender)->element, move->messages[i]);
	move->object->shared = move->shared;
	shared_chan_hold(move->shared);
	free(move->messages);
}

static void finish(struct moves *moves)
{
	free(moves->sockets);
	free(moves->chans);
	*moves = (struct moves){0};
}

void moves_commit(lua_State *L, struct moves *moves)
{
	for (size_t i = 0; i < moves->chan_count; i++) {
		lua_rawgeti(L, 2, (int)i + 1);
		lua_getfenv(L, -1);
		share(L, &moves->chans[i]);
		lua_pop(L, 2);
	}
	for (size_t i = 0; i < moves->socket_count; i++) {
		struct socket_move *move = &moves->sockets[i];
		struct message_part *part = &move->message->parts[move->part];

		lua_socket_take(move->object, move->kind, &part->u.socket);
		part->kind = PART_SOCKET;
	}
	finish(moves);
}

void moves_abandon(lua_State *L, struct vm *vm, struct moves *moves)
{
	for (size_t i = 0; i < moves->chan_count; i++) {
		struct chan_move *move = &moves->chans[i];

		for (size_t k = 0; k < move->count; k++)
			message_destroy(move->messages[k]);
		free(move->messages);
	}
	for (size_t i = 0; i < moves->chan_count; i++) {
		struct shared_chan *shared = moves->chans[i].shared;

		lua_chan_unregister(L, vm, shared);
		shared->chan = NULL; /* it stays the object's */
		shared_chan_unref(shared);
	}
	finish(moves);
}
