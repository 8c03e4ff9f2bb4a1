/* SPDX-License-Identifier: MIT */
/* Scopes of Lua tasks: what the VM knows of them. */
#ifndef RT_LUA_SCOPE_H
#define RT_LUA_SCOPE_H

#include "lua/lua_task.h"

/* Frees the records by which tasks belong to scopes. Part of stopping the VM: no task is left. */
void lua_scope_free_children(struct vm *vm);

/*
 * A task has failed, or not: if it belongs to a scope, that has its failure from now on, before anybody
 * hears of the end. On its strand, not locked.
 */
void lua_scope_note_end(struct lua_task *task);

#endif
