/* SPDX-License-Identifier: MIT */
/* Looking for the running lua_State; see probe.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/probe.h"

#include <stdint.h>
#include <string.h>

/*
 * With 64-bit references a lua_State starts with an object header of ten bytes, two
 * bytes of state and, aligned, the reference to the global state. That one holds
 * the running lua_State in an aligned word; it is far larger than what is scanned.
 */
enum { GLOBAL_AT = 16, SCAN_WORDS = 128, ROUNDS = 4 };

struct search {
	void **global;
	uint8_t seen[SCAN_WORDS]; /* rounds in which the word was the running state */
};

static int look(lua_State *L)
{
	struct search *search = lua_touserdata(L, 1);

	for (int i = 0; i < SCAN_WORDS - 1; i++)
		search->seen[i] += search->global[i] == (void *)L;
	return 0;
}

static void **global_of(lua_State *L)
{
	void **global;

	memcpy(&global, (char *)L + GLOBAL_AT, sizeof global);
	return global;
}

static bool look_from_new_thread(lua_State *L, struct search *search)
{
	lua_State *thread = lua_newthread(L);

	if (global_of(thread) != search->global) {
		lua_pop(L, 1);
		return false;
	}
	lua_pushcfunction(thread, look);
	lua_pushlightuserdata(thread, search);
	lua_resume(thread, 1);
	lua_pop(L, 1);
	return true;
}

void **probe_running(lua_State *L)
{
	struct search search = {.global = global_of(L)};
	void **found = NULL;

	if (sizeof(void *) != 8)
		return NULL;
	for (int round = 0; round < ROUNDS; round++) {
		if (!look_from_new_thread(L, &search))
			return NULL;
	}
	for (int i = 0; i < SCAN_WORDS - 1; i++) {
		if (search.seen[i] < ROUNDS)
			continue;
		if (found)
			return NULL;
		found = &search.global[i];
	}
	return found && !found[1] ? found : NULL;
}

static void no_hook(lua_State *L, lua_Debug *ar)
{
	(void)L, (void)ar;
}

/* Keeps only those of the bytes that have the value now. */
static void sieve(const uint8_t *bytes, bool *candidates, uint8_t value)
{
	for (size_t i = 0; i < SCAN_WORDS * sizeof(void *); i++)
		candidates[i] &= bytes[i] == value;
}

uint8_t *probe_hook_mask(lua_State *L)
{
	static const uint8_t masks[] = {LUA_MASKCOUNT, LUA_MASKCOUNT | LUA_MASKLINE, LUA_MASKRET, 0};
	uint8_t *bytes = (uint8_t *)global_of(L), *found = NULL;
	bool candidates[SCAN_WORDS * sizeof(void *)];

	if (lua_gethook(L) || sizeof(void *) != 8)
		return NULL;
	memset(candidates, true, sizeof candidates);
	for (size_t i = 0; i < sizeof masks; i++) {
		lua_sethook(L, no_hook, masks[i], INT32_MAX);
		sieve(bytes, candidates, masks[i]);
	}
	for (size_t i = 0; i < sizeof candidates; i++) {
		if (candidates[i] && found)
			return NULL;
		if (candidates[i])
			found = &bytes[i];
	}
	return found;
}

lua_State *probe_state(void **running)
{
	lua_State *L = running ? *running : NULL;
	lua_Debug ar;

	return L && lua_status(L) == 0 && lua_getstack(L, 0, &ar) ? L : NULL;
}

bool probe_in_ffi_call(void **running, lua_State *names, int index)
{
	enum { TYPE_CDATA = LUA_TTHREAD + 2 };
	lua_State *L;
	lua_Debug ar;

	if (probe_in_trace(running))
		return true;
	L = probe_state(running);
	if (!L || lua_type(L, 1) != TYPE_CDATA || !lua_getmetatable(L, 1))
		return false;
	lua_pushvalue(names, index);
	lua_xmove(names, L, 1);
	lua_rawget(L, -2);
	lua_getstack(L, 0, &ar);
	lua_getinfo(L, "f", &ar);
	bool same = lua_rawequal(L, -1, -2);

	lua_pop(L, 3);
	return same;
}
