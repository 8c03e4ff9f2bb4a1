/* SPDX-License-Identifier: MIT */
/* Lua tasks: coroutines as tasks of a VM's strand. */
#ifndef RT_LUA_TASK_H
#define RT_LUA_TASK_H

#include "lua/site.h"
#include "lua/vm.h"

enum lua_task_outcome { OUTCOME_NONE, OUTCOME_VALUES, OUTCOME_ERROR, OUTCOME_CANCELLED };

/* The userdata behind a task handle. Its environment is the table of results once it has ended with some. */
struct lua_task {
	struct rt_task task;
	struct carrier *carrier; /* that runs it, or is kept by it */
	uint32_t id, parent; /* the parent's id, or 0 */
	uint16_t site; /* in the VM's table */
	uint16_t
		values; /* arguments at the start, results at the end; a Lua stack has less than 2^16 slots */
	int slot : 24; /* -1 after its end */
	bool started : 1;
	bool yielded : 1; /* waits with its carrier given back */
	uint8_t outcome : 2;
};

extern const struct task_ops lua_task_ops;

static inline struct lua_task *lua_task_of(const struct rt_task *task)
{
	return container_of(task, struct lua_task, task);
}

static inline struct vm *lua_task_vm(const struct lua_task *task)
{
	return container_of(task->task.home, struct vm, home);
}

static inline const char *lua_task_site(const struct lua_task *task)
{
	return site_text(lua_task_vm(task)->sites, task->site);
}

/*
 * Makes a task of the function and the nargs arguments on top of L, which it pops,
 * and pushes its handle. The site is level's line. Raises without a runtime or memory.
 * It is to be started with task_start().
 */
struct lua_task *lua_task_create(lua_State *L, struct vm *vm, int nargs, int level);

/* The same, and starts it. */
struct lua_task *lua_task_spawn(lua_State *L, struct vm *vm, int nargs, int level);

/* The running task, if it is one of this VM; raises otherwise, naming function. */
struct lua_task *lua_task_running(lua_State *L, struct vm *vm, const char *function);

/* The running task of any VM, or NULL. */
struct lua_task *lua_task_current(void);

/*
 * Waits, its waiter having been published: to be returned by a lua_CFunction.
 * The function gives nothing in Lua when the event has happened, or else nil and
 * the reason, as a number: -errno.
 */
int lua_task_suspend(lua_State *L, struct lua_task *task, rt_time deadline);

/* Pushes the handle. */
void lua_task_push(lua_State *L, const struct lua_task *task);

/* Gives it a name. May raise. */
void lua_task_set_title(lua_State *L, const struct lua_task *task, const char *title);

/*
 * Pushes the traceback of a task, running or not; of one that has kept its carrier it begins with
 * the coroutine that waits.
 */
void lua_task_traceback(lua_State *L, struct lua_task *task);

/* The one after task of the VM, which is the group. */
struct rt_task *lua_task_next(struct task_group *group, struct rt_task *task);

/* Frees what tasks leave behind for reuse. */
void lua_task_free_timers(struct vm *vm);

/* Forgets a task that will not be resumed any more. */
void lua_task_abandon(struct lua_task *task);

#endif
