/* SPDX-License-Identifier: MIT */
/*
 * Failures of Lua tasks that nobody has taken notice of.
 *
 * They are reported on stderr once nobody can take notice any more: when the
 * handle has been collected, which is looked for soon after a failure, or when
 * the VM stops.
 */
#ifndef RT_LUA_FAILURE_H
#define RT_LUA_FAILURE_H

#include "lua/lua_task.h"

/*
 * An error of the VM itself leaves no line in the traceback for the function in which it happened, as its
 * frame is gone by then; but the message has it. Completes the traceback on top of L, above the error.
 */
void failure_locate(lua_State *L);

/*
 * Notes the failure of task, whose error and traceback (a string) are on top of L:
 * puts both into a new table, which is left on top instead. May raise.
 */
void failure_note(lua_State *L, struct lua_task *task);

/* Somebody has seen the error in the table that failure_note() made, at that index of L. */
void failure_seen(lua_State *L, int outcome);

/* Reports all that are left. Part of stopping the VM. */
void failures_report(struct vm *vm);

/* Prints "NAME: error" and a traceback of L to stderr, as luajit does. For the error on top of L. */
void failure_print(struct vm *vm, lua_State *L, const char *traceback);

/* The metatable of the sentinel in the registry. */
void failure_open(lua_State *L);

/* The text of the latest that nobody has noticed, or NULL. Valid until somebody does. */
const char *failure_latest(const struct vm *vm);

#endif
