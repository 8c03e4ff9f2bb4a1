/* SPDX-License-Identifier: MIT */
/*
 * Where LuaJIT keeps its running lua_State, found out at run time.
 *
 * Two things need it that the API of LuaJIT does not offer: to set it right when a
 * suspended C function is resumed, and to notice that a function that waits was
 * called through the FFI. There no switch is possible: not on a trace, whose state
 * is global; and not from the interpreter either, which may be recording this very
 * call, and whose FFI keeps a running lua_State of its own.
 */
#ifndef RT_LUA_PROBE_H
#define RT_LUA_PROBE_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* The address, or NULL if this LuaJIT is laid out in another way. May raise for lack of memory. */
void **probe_running(lua_State *L);

/* Whether the code of a trace is running. */
static inline bool probe_in_trace(void **running)
{
	/* The base of the running trace follows: MRef jit_base, NULL outside of one. */
	return running && running[1];
}

/*
 * Where LuaJIT keeps its hook mask, or NULL. Besides the events that hooks ask for it
 * tells when a finalizer or the handler of a VM event is running: those stop the
 * collector and the compiler until they return, and must not wait.
 */
uint8_t *probe_hook_mask(lua_State *L);

/*
 * It also tells that a hook is running, which LuaJIT takes for a property of all coroutines: no
 * hook is called meanwhile, and a yield is one from a hook. Around a suspension it is only that of the
 * one that is suspended.
 */
static inline uint8_t probe_leave_hook(uint8_t *hook_mask)
{
	enum { ACTIVE = 0x10 };
	uint8_t active = hook_mask ? *hook_mask & ACTIVE : 0;

	if (active)
		*hook_mask &= (uint8_t)~ACTIVE;
	return active;
}

static inline void probe_enter_hook(uint8_t *hook_mask, uint8_t active)
{
	if (active)
		*hook_mask |= active;
}

static inline bool probe_in_finalizer(const uint8_t *hook_mask)
{
	enum { VM_EVENT = 0x20, FINALIZER = 0x40 };

	return hook_mask && *hook_mask & (VM_EVENT | FINALIZER);
}

/* The running lua_State, or NULL where that is not certain: C code may have resumed another and dropped it.
 */
lua_State *probe_state(void **running);

/*
 * Whether the C code that runs was called through the FFI: by a trace, or else by the
 * metamethod of a C function object. "__call" is at index of names, which spares an
 * allocation here. Raises nothing.
 */
bool probe_in_ffi_call(void **running, lua_State *names, int index);

#endif
