/* SPDX-License-Identifier: MIT */
/*
 * Messages: values on their way from one VM to another, in memory that belongs to neither.
 *
 * The bytes are written by encode.c and read by decode.c. What bytes cannot be, such as channels and
 * sockets, lies next to them in parts, each of which is taken by the receiver; dropping a message closes
 * and releases those that were not. A message belongs to one thread at a time.
 */
#ifndef RT_LUA_MESSAGE_H
#define RT_LUA_MESSAGE_H

#include "lua/code.h"
#include "lua/lua_socket.h"
#include "lua/shared_chan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum part_kind { PART_NONE, PART_CODE, PART_CHAN, PART_SOCKET };

struct message_part {
	enum part_kind kind; /* PART_NONE: taken, or not filled in yet */
	union {
		struct code *code; /* a reference */
		struct shared_chan *chan; /* a reference */
		struct lua_socket socket;
	} u;
};

struct message {
	unsigned char *data;
	size_t size, capacity;
	struct message_part *parts;
	unsigned part_count, part_capacity;
};

/* NULL without memory. */
struct message *message_create(void);

/* Drops it with the parts that nobody has taken. NULL is fine. Not locked. */
void message_destroy(struct message *message);

/* Adds bytes at the end. False without memory. */
bool message_put(struct message *message, const void *data, size_t size);
bool message_put_byte(struct message *message, unsigned char byte);
bool message_put_count(struct message *message, uint64_t count);

/* The number of a new part, or -ENOMEM. */
int message_add_part(struct message *message);

#endif
