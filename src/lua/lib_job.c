/* SPDX-License-Identifier: MIT */
/* rt.core: jobs, from both sides. lua/rt/parallel.lua starts them, lua/rt/job.lua runs them. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/cancelled.h"
#include "lua/job_pool.h"
#include "lua/libs.h"
#include "lua/lua_task.h"
#include "lua/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char job_metatable[] = "rt.job";

/* ---- In the VM that starts it: a userdata with a reference, until the results are taken ---- */

static struct job **box(lua_State *L)
{
	return luaL_checkudata(L, 1, job_metatable);
}

static int job_collect(lua_State *L)
{
	struct job **job = box(L);

	if (!*job)
		return 0;
	job_cancel(*job);
	job_unref(*job);
	*job = NULL;
	return 0;
}

/* job_begin(fn, ...) -> job: fn is on its way to another VM. */
static int job_begin(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	int count = lua_gettop(L);

	if (!lua_isfunction(L, 1))
		return vm_type_error(L, 1, "function");
	struct job_pool *pool = job_pool_of(L, vm);
	const char *site = site_text(vm->sites, site_at(vm->sites, L, 1));
	struct job **box = lua_newuserdata(L, sizeof *box);

	*box = NULL;
	luaL_getmetatable(L, job_metatable);
	lua_setmetatable(L, -2);
	struct message *call = transfer_encode(L, vm, 1, count, "argument #%d", false);

	if (!call)
		return vm_raise(L, "parallel");
	*box = job_create(call, site);
	if (!*box)
		return vm_error(L, "not enough memory");
	(*box)->parent = task_current_id();
	if (job_pool_submit(pool, *box) < 0)
		return vm_error(L, "not enough memory");
	return 1;
}

/* job_check(fn): raises what keeps it from being sent. */
static int job_check(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);

	if (!lua_isfunction(L, 1))
		return vm_type_error(L, 1, "function");
	job_pool_of(L, vm);
	lua_settop(L, 1);
	transfer_encode(L, vm, 1, 1, "argument #%d", true);
	return lua_isstring(L, -1) ? vm_raise(L, "parallel") : 0;
}

/* job_wait(job) -> nothing, or nil and the reason */
static int job_wait(lua_State *L)
{
	struct job *job = *box(L);
	struct lua_task *task = lua_task_running(L, vm_upvalue(L), "parallel");

	job_await(job, &task->task);
	return lua_task_suspend(L, task, RT_FOREVER);
}

/* job_cancel(job) */
static int cancel(lua_State *L)
{
	job_cancel(*box(L));
	return 0;
}

/* The values or the error of a message, on top of the stack. */
static int take_result(lua_State *L, struct vm *vm, struct job *job)
{
	int count = transfer_decode(L, vm, job->result);

	if (count < 0 || job->outcome == JOB_VALUES)
		return count;
	vm->job_traceback = job->traceback;
	job->traceback = NULL;
	return -1;
}

static int push_outcome(lua_State *L, struct vm *vm, struct job *job)
{
	switch (job->outcome) {
	case JOB_VALUES:
	case JOB_ERROR:
		return take_result(L, vm, job);
	case JOB_CANCELLED:
		cancelled_push(L);
		return -1;
	default:
		lua_pushstring(L, job->failure);
		return -1;
	}
}

/* job_results(job) -> its values; raises its error. Once, after its end. */
static int job_results(lua_State *L)
{
	struct job **held = box(L);
	int count = push_outcome(L, vm_upvalue(L), *held);

	job_unref(*held);
	*held = NULL;
	return count < 0 ? lua_error(L) : count;
}

/* ---- In the job VM ---- */

/* job_take(job) -> fn, ...: once. Suspends if a module that they need does. */
static int job_take(lua_State *L)
{
	struct job *job = lua_touserdata(L, 1);
	int count = transfer_decode(L, vm_upvalue(L), job->call);

	if (count < 0)
		return lua_error(L);
	message_destroy(job->call);
	job->call = NULL;
	return count;
}

/* The error at index cannot go: its text does. */
static struct message *encode_text(lua_State *L, struct vm *vm, int index)
{
	if (luaL_callmeta(L, index, "__tostring") && lua_isstring(L, -1))
		return transfer_encode(L, vm, lua_gettop(L), 1, "error", false);
	lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, index));
	return transfer_encode(L, vm, lua_gettop(L), 1, "error", false);
}

static void starve(struct job_vm *vm)
{
	rt_runtime_lock(vm->pool->runtime);
	vm->starved = true;
	rt_runtime_unlock(vm->pool->runtime);
}

/* (job, error, traceback or nil) */
static void note_error(lua_State *L, struct vm *vm, struct job *job)
{
	static const char no_memory[] = "not enough memory";

	if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), no_memory) == 0) {
		starve(vm->job_vm);
		/* For the other jobs: what this one has used is garbage now. */
		lua_gc(L, LUA_GCCOLLECT, 0);
	}
	if (cancelled_is(L, 2)) {
		job->outcome = JOB_CANCELLED;
		return;
	}
	struct message *error = transfer_encode(L, vm, 2, 1, "error", false);

	job->result = error ? error : encode_text(L, vm, 2);
	job->outcome = job->result ? JOB_ERROR : JOB_FAILED;
	job->failure = no_memory;
	if (lua_isstring(L, 3))
		job->traceback = strdup(lua_tostring(L, 3));
}

/* job_failed(job, error, traceback or nil) */
static int job_failed(lua_State *L)
{
	note_error(L, vm_upvalue(L), lua_touserdata(L, 1));
	return 0;
}

/* job_done(job, ...): its results. */
static int job_done(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	struct job *job = lua_touserdata(L, 1);
	int count = lua_gettop(L) - 1;

	job->result = transfer_encode(L, vm, 2, count, "result #%d", false);
	job->outcome = JOB_VALUES;
	if (job->result)
		return 0;
	lua_pushliteral(L, "parallel: ");
	lua_insert(L, -2);
	lua_concat(L, 2);
	lua_replace(L, 2);
	lua_settop(L, 2);
	note_error(L, vm, job);
	return 0;
}

static const luaL_Reg functions[] = {
	{"job_begin", job_begin},   {"job_check", job_check}, {"job_wait", job_wait},
	{"job_cancel", cancel},     {"job_take", job_take},   {"job_results", job_results},
	{"job_failed", job_failed}, {"job_done", job_done},   {NULL, NULL},
};

void lib_job_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
	luaL_newmetatable(L, job_metatable);
	lua_pushcfunction(L, job_collect);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
}
