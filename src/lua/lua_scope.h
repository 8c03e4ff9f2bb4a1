/* SPDX-License-Identifier: MIT */
/* Scopes of Lua tasks: what the VM knows of them. */
#ifndef RT_LUA_SCOPE_H
#define RT_LUA_SCOPE_H

#include "lua/vm.h"

/* Frees the records by which tasks belong to scopes. Part of stopping the VM: no task is left. */
void lua_scope_free_children(struct vm *vm);

#endif
