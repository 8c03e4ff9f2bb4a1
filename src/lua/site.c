/* SPDX-License-Identifier: MIT */
/* Spawn sites; see site.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/site.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Open addressing; a power of two. Places are few, so it only grows. */
struct site {
	const char *source; /* LuaJIT's own string: equal sources have the same address */
	int line;
	char *text; /* NULL: free */
};

struct site_table {
	struct site *sites;
	size_t count, capacity;
	int anchors; /* in the registry: sources as keys */
};

struct site_table *site_table_create(lua_State *L)
{
	struct site_table *table = calloc(1, sizeof *table);

	if (table) {
		lua_newtable(L);
		table->anchors = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	return table;
}

void site_table_destroy(struct site_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->capacity; i++)
		free(table->sites[i].text);
	free(table->sites);
	free(table);
}

static struct site *find(struct site_table *table, const char *source, int line)
{
	size_t mask = table->capacity - 1;
	size_t i = ((uintptr_t)source >> 4) * 31 + (size_t)line * 0x9e3779b1u;

	for (;; i++) {
		struct site *site = &table->sites[i & mask];

		if (!site->text || (site->source == source && site->line == line))
			return site;
	}
}

static int grow(struct site_table *table)
{
	struct site_table larger = {.capacity = table->capacity ? table->capacity * 2 : 64};

	larger.sites = calloc(larger.capacity, sizeof *larger.sites);
	if (!larger.sites)
		return -1;
	for (size_t i = 0; i < table->capacity; i++) {
		struct site *site = &table->sites[i];

		if (site->text)
			*find(&larger, site->source, site->line) = *site;
	}
	free(table->sites);
	table->sites = larger.sites;
	table->capacity = larger.capacity;
	return 0;
}

static char *describe(const lua_Debug *ar)
{
	char text[LUA_IDSIZE + 16];

	snprintf(text, sizeof text, "%s:%d", ar->short_src, ar->currentline);
	return strdup(text);
}

/* A source that went away would leave its address to another: it is kept alive. */
static void anchor(struct site_table *table, lua_State *L, const char *source)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, table->anchors);
	lua_pushstring(L, source);
	lua_pushboolean(L, 1);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

const char *site_at(struct site_table *table, lua_State *L, int level)
{
	lua_Debug ar;

	if (!lua_getstack(L, level, &ar) || !lua_getinfo(L, "Sl", &ar) || ar.currentline < 0)
		return "?";
	if (table->count * 2 >= table->capacity && grow(table) < 0)
		return "?";
	struct site *site = find(table, ar.source, ar.currentline);

	if (!site->text) {
		anchor(table, L, ar.source);
		site->source = ar.source;
		site->line = ar.currentline;
		site->text = describe(&ar);
		table->count += site->text != NULL;
	}
	return site->text ? site->text : "?";
}
