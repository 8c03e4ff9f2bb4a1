/* SPDX-License-Identifier: MIT */
/*
 * Values from one VM to another: encoding them into a message, and decoding it.
 *
 * What goes: nil, booleans, numbers, strings, light userdata, 64-bit integers of the FFI; tables without a
 * metatable, each once, whoever refers to it; Lua functions with their upvalues, which functions that are
 * sent together go on sharing; channels, which both VMs have from then on; connections, listeners and UDP
 * sockets, which are handed over; addresses. A module, and a function or userdata that is a field
 * of one, goes by its name: the other VM requires the module. The globals of a function are those of the
 * VM that it is in.
 */
#ifndef RT_LUA_TRANSFER_H
#define RT_LUA_TRANSFER_H

#include "lua/message.h"
#include "lua/vm.h"

/*
 * Makes a message of the count values from index first on. What it hands over is closed here from then on.
 * root names the values in errors, with their number for a %d: "argument #%d". A value that cannot
 * go is named: returns NULL with the text on top of the stack, and nothing has changed. check: only
 * whether they can go; gives NULL, and pushes false if they can. Does not suspend.
 */
struct message *transfer_encode(lua_State *L, struct vm *vm, int first, int count, const char *root,
				bool check);

/*
 * The same for a message of one value that may come back. *origins becomes a reference in the registry to
 * the objects of its sockets, LUA_NOREF if it has none. The caller releases it with transfer_settle().
 */
struct message *transfer_encode_loan(lua_State *L, struct vm *vm, int index, const char *root, int *origins);

/* The message has not gone: its sockets are those of the objects again. */
void transfer_take_back(lua_State *L, struct message *message, int origins);
void transfer_settle(lua_State *L, int *origins);

/*
 * Pushes the values of a message, which stays the caller's, to be destroyed: their number, or -1 with the
 * error on top of the stack. Requires the modules that they refer to. Suspends if a module's top level does.
 */
int transfer_decode(lua_State *L, struct vm *vm, struct message *message);

/* Part of making a VM. May raise. */
void transfer_open(lua_State *L, struct vm *vm);

/* ---- For encode.c and decode.c ---- */

/* Part of transfer_open(). */
void decode_open(lua_State *L, struct vm *vm);

enum transfer_tag {
	TAG_NIL,
	TAG_FALSE,
	TAG_TRUE,
	TAG_NUMBER, /* 8 bytes */
	TAG_STRING, /* length, bytes */
	TAG_POINTER, /* light userdata */
	TAG_INT64, /* 8 bytes */
	TAG_UINT64,
	TAG_CANCELLED, /* rt.cancelled */
	TAG_ADDR, /* struct rt_addr */
	TAG_NAME, /* module, or module and field, as a string; see names.h */
	TAG_CFUNCTION, /* without upvalues */
	TAG_OBJECT, /* the number of one that has occurred already */
	/* New objects, in the order of their numbers, from 1 on. Their contents follow the values. */
	TAG_TABLE, /* size of the array */
	TAG_FUNCTION, /* part, number of upvalues */
	TAG_CHAN, /* part */
	TAG_SOCKET, /* part */
	/* In contents: */
	TAG_END, /* of a table's pairs */
	TAG_UPVALUE, /* the number of a function and of an upvalue that this one is */
};

#endif
