/* SPDX-License-Identifier: MIT */
/* Spawn sites: "file.lua:12", one number and one string for each place in the program. */
#ifndef RT_LUA_SITE_H
#define RT_LUA_SITE_H

#include <lua.h>
#include <stdint.h>

struct site_table;

/* May raise for lack of memory. NULL as well. */
struct site_table *site_table_create(lua_State *L);
void site_table_destroy(struct site_table *table);

/*
 * The place at that level of L's stack, or the first one above that is not in the library; 0 if there
 * is none, or one too many to be told apart.
 */
uint16_t site_at(struct site_table *table, lua_State *L, int level);

/* A place that is only known by its text, one in another VM. May raise for lack of memory. */
uint16_t site_named(struct site_table *table, lua_State *L, const char *text);

/* Its text, "?" for 0. Valid as long as the table. Async-signal-safe. */
const char *site_text(const struct site_table *table, uint16_t site);

#endif
