/* SPDX-License-Identifier: MIT */
/* What is known while values become a message, between encode.c and its neighbours. */
#ifndef RT_LUA_ENCODER_H
#define RT_LUA_ENCODER_H

#include "lua/lua_chan.h"
#include "lua/transfer.h"

/* A socket that is to be handed over, into a part of a message. */
struct socket_move {
	void *object;
	enum object_kind kind;
	struct message *message;
	unsigned part;
};

/* A channel that becomes a shared one, and its elements as messages: first those in it, then the senders'. */
struct chan_move {
	struct lua_chan *object;
	struct shared_chan *shared; /* the object's reference */
	struct message **messages;
	size_t count;
};

/* All that one transfer changes, once it is certain that everything can go. */
struct moves {
	struct socket_move *sockets;
	size_t socket_count, socket_capacity;
	struct chan_move *chans;
	size_t chan_count, chan_capacity;
};

struct encoder {
	struct vm *vm;
	struct moves moves;
	struct message *first;
	const char *root;
	bool check;
	bool loan;
	int origins; /* of a loan */
	int count; /* of values */
	int values; /* index of the first one */
	/* Of the message being written: */
	struct message *message;
	int seen; /* index of a table: numbers by object, objects by number; or of nil */
	int chan; /* which moving channel it is an element of, plus one; 0: none */
	int value; /* which of the values */
	uint32_t object; /* whose contents; 0: the values themselves */
	uint32_t object_count;
	uint32_t *parents; /* by object: in whose contents it was found */
	uint32_t parent_capacity;
	int upvalue; /* of the function whose contents are being written */
};

/* Raises what cannot be sent, which is the value at index, and where it was found. */
int encoder_refuse(lua_State *L, struct encoder *encoder, int index, const char *what);

/* Adds a socket, or a channel, whose part in the message it gives. Raises if it cannot go. */
unsigned moves_add_socket(lua_State *L, struct encoder *encoder, int index, enum object_kind kind);
unsigned moves_add_chan(lua_State *L, struct encoder *encoder, int index);

/* Does it: nothing can fail. The objects are in a table at index 2: channels from 1 on, sockets from -1 on.
 * Frees the list. Not locked. */
void moves_commit(lua_State *L, struct moves *moves);

/* Does not, and frees the list. The first message has been destroyed. */
void moves_abandon(lua_State *L, struct vm *vm, struct moves *moves);

#endif
