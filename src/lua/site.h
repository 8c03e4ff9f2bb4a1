/* SPDX-License-Identifier: MIT */
/* Spawn sites: "file.lua:12", one string for each place in the program. */
#ifndef RT_LUA_SITE_H
#define RT_LUA_SITE_H

#include <lua.h>

struct site_table;

/* May raise for lack of memory. NULL as well. */
struct site_table *site_table_create(lua_State *L);
void site_table_destroy(struct site_table *table);

/* The place at that level of L's stack; "?" if there is none. Valid as long as the table. */
const char *site_at(struct site_table *table, lua_State *L, int level);

#endif
