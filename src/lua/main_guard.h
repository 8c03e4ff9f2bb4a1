/* SPDX-License-Identifier: MIT */
/*
 * The guard of an async main: where several threads run the program, the one that has called rtlua_run() may
 * be kept by somebody else's task when main ends. If that task does not give way, the guard ends the process.
 */
#ifndef RT_LUA_MAIN_GUARD_H
#define RT_LUA_MAIN_GUARD_H

#include "lua/vm.h"

struct main_guard;

/* NULL without memory. */
struct main_guard *main_guard_create(void);

/* Ends its thread. NULL is fine. */
void main_guard_destroy(struct main_guard *guard);

/*
 * main has ended: from now on the thread that runs the runtime has limit nanoseconds to come back, or the
 * process ends with an exit code as rtlua_run() would give. On the VM's strand, locked. Where no thread can
 * be started, nobody guards.
 */
void main_guard_start(struct main_guard *guard, const struct lua_task *main, rt_time limit);

/* It is back, and has so much time again for the rest; RT_FOREVER: it is done. Harmless if it has not
 * started. */
void main_guard_extend(struct main_guard *guard, rt_time limit);

#endif
