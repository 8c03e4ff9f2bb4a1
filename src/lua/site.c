/* SPDX-License-Identifier: MIT */
/* Spawn sites; see site.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/site.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Open addressing; a power of two. Places are few, so it only grows. */
struct site {
	const char *source; /* LuaJIT's own string: equal sources have the same address */
	int line;
	uint16_t number; /* 0: free */
};

struct site_table {
	struct site *sites;
	char **texts; /* by number, less one; half as many as there are sites */
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
	for (size_t i = 0; i < table->count; i++)
		free(table->texts[i]);
	free(table->texts);
	free(table->sites);
	free(table);
}

static struct site *find(struct site_table *table, const char *source, int line)
{
	size_t mask = table->capacity - 1;
	size_t i = ((uintptr_t)source >> 4) * 31 + (size_t)line * 0x9e3779b1u;

	for (;; i++) {
		struct site *site = &table->sites[i & mask];

		if (!site->number || (site->source == source && site->line == line))
			return site;
	}
}

/* Not by realloc(): the watchdog's signal, which may come in the middle of it, reads the texts. */
static int grow_texts(struct site_table *table, size_t capacity)
{
	char **previous = table->texts, **texts = calloc(capacity, sizeof *texts);

	if (!texts)
		return -1;
	if (previous)
		memcpy(texts, previous, table->count * sizeof *texts);
	table->texts = texts;
	free(previous);
	return 0;
}

static int grow(struct site_table *table)
{
	struct site_table larger = {.capacity = table->capacity ? table->capacity * 2 : 64};

	if (grow_texts(table, larger.capacity / 2) < 0)
		return -1;
	larger.sites = calloc(larger.capacity, sizeof *larger.sites);
	if (!larger.sites)
		return -1;
	for (size_t i = 0; i < table->capacity; i++) {
		struct site *site = &table->sites[i];

		if (site->number)
			*find(&larger, site->source, site->line) = *site;
	}
	free(table->sites);
	table->sites = larger.sites;
	table->capacity = larger.capacity;
	return 0;
}

/* A line that no function has: the source is the text itself. */
enum { NAMED = -2 };

static char *describe(const lua_Debug *ar)
{
	char text[LUA_IDSIZE + 16];

	if (ar->currentline == NAMED)
		return strdup(ar->source);

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

/* 0 without memory, or after 65,535 of them. */
static uint16_t add(struct site_table *table, struct site *site, const lua_Debug *ar)
{
	char *text = table->count < UINT16_MAX ? describe(ar) : NULL;

	if (!text)
		return 0;
	table->texts[table->count++] = text;
	site->source = ar->source;
	site->line = ar->currentline;
	return site->number = (uint16_t)table->count;
}

/* Chunks of the library are named "=rt/tcp.lua". */
static bool is_ours(const lua_Debug *ar)
{
	return strncmp(ar->source, "=rt", 3) == 0;
}

static uint16_t number_of(struct site_table *table, lua_State *L, const lua_Debug *ar)
{
	if (table->count * 2 >= table->capacity && grow(table) < 0)
		return 0;
	struct site *site = find(table, ar->source, ar->currentline);

	if (site->number)
		return site->number;
	anchor(table, L, ar->source);
	return add(table, site, ar);
}

uint16_t site_named(struct site_table *table, lua_State *L, const char *text)
{
	lua_Debug ar = {.currentline = NAMED};

	lua_pushstring(L, text);
	ar.source = lua_tostring(L, -1);
	uint16_t number = number_of(table, L, &ar);

	lua_pop(L, 1);
	return number;
}

uint16_t site_at(struct site_table *table, lua_State *L, int level)
{
	lua_Debug ar;

	do {
		if (!lua_getstack(L, level++, &ar) || !lua_getinfo(L, "Sl", &ar))
			return 0;
	} while (is_ours(&ar));
	if (ar.currentline < 0)
		return 0;
	return number_of(table, L, &ar);
}

const char *site_text(const struct site_table *table, uint16_t site)
{
	return site > 0 ? table->texts[site - 1] : "?";
}
