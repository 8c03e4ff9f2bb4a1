/* SPDX-License-Identifier: MIT */
/* Job VMs; see job_pool.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/job_pool.h"

#include "lua/failure.h"
#include "lua/lua_task_report.h"
#include "lua/registered.h"
#include "lua/transfer.h"

#include <errno.h>
#include <luajit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The pool ---- */

static size_t memory_limit(const struct vm *owner)
{
	const char *text = getenv("RT_JOB_MEMORY");

	if (owner->job_memory > 0 || !text)
		return owner->job_memory;
	return (size_t)strtoull(text, NULL, 10);
}

static bool jit_is_off(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
	lua_getfield(L, -1, "jit");
	bool off = false;

	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, "status");
		lua_call(L, 0, 1);
		off = !lua_toboolean(L, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 2);
	return off;
}

static struct job_pool *create(lua_State *L, struct vm *owner)
{
	bool jit_off = jit_is_off(L);
	struct job_pool *pool = calloc(1, sizeof *pool);

	if (pool)
		pool->chans = chan_list_create();
	if (!pool || !pool->chans) {
		free(pool);
		vm_error(L, "not enough memory");
	}
	pool->owner = owner;
	pool->runtime = owner->runtime;
	pool->family = owner->family;
	pool->memory = memory_limit(owner);
	pool->jit_off = jit_off;
	return pool;
}

static bool differs(char *const *path, const char *value)
{
	return value && (!*path || strcmp(*path, value) != 0);
}

/* Takes them over where package.path and the like are no strings, or there is no memory: not at all. */
static void set_paths(struct job_pool *pool, const char *path, const char *cpath)
{
	if (!differs(&pool->path, path) && !differs(&pool->cpath, cpath))
		return;
	char *new_path = path ? strdup(path) : NULL, *new_cpath = cpath ? strdup(cpath) : NULL;

	free(pool->path);
	free(pool->cpath);
	pool->path = new_path;
	pool->cpath = new_cpath;
	pool->paths++;
}

static void note_paths(lua_State *L, struct job_pool *pool)
{
	int top = lua_gettop(L);

	lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
	lua_getfield(L, -1, "package");
	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, "path");
		lua_getfield(L, -2, "cpath");
		rt_runtime_lock(pool->runtime);
		set_paths(pool, lua_tostring(L, -2), lua_tostring(L, -1));
		rt_runtime_unlock(pool->runtime);
	}
	lua_settop(L, top);
}

struct job_pool *job_pool_of(lua_State *L, struct vm *vm)
{
	if (!vm->runtime)
		vm_error(L, "no runtime is running on this thread");
	transfer_open(L, vm);
	if (!vm->pool)
		vm->pool = create(L, vm);
	note_paths(L, vm->pool);
	return vm->pool;
}

/* ---- Choosing a VM ---- */

/* On its strand. */
static void cancel_tasks(struct rt_runnable *runnable)
{
	struct job_vm *vm = container_of(runnable, struct job_vm, cancel);
	struct rt_runtime *runtime = vm->pool->runtime;

	rt_runtime_lock(runtime);
	vm->cancelling = false;
	rt_runtime_unlock(runtime);
	if (vm->state.vm && vm->state.vm->runtime)
		vm_cancel(vm->state.vm);
}

static struct job_vm *allocate(struct job_pool *pool)
{
	struct job_vm *vm = calloc(1, sizeof *vm);
	struct strand *strand = malloc(sizeof *strand);

	if (!vm || !strand) {
		free(vm);
		free(strand);
		return NULL;
	}
	strand_init(strand, runtime_place(pool->runtime, true));
	vm->pool = pool;
	vm->strand = strand;
	vm->cancel.run = cancel_tasks;
	return vm;
}

/* The one with the least to do; NULL: a new one is to be made. Locked. */
static struct job_vm *choose(const struct job_pool *pool)
{
	struct job_vm *best = NULL;
	unsigned usable = 0;

	for (struct job_vm *vm = pool->vms; vm; vm = vm->next) {
		if (vm->starved)
			continue;
		usable++;
		if (!best || vm->load < best->load)
			best = vm;
	}
	return best && best->load > 0 && usable < pool->runtime->workers ? NULL : best;
}

static void add(struct job_pool *pool, struct job_vm *vm)
{
	vm->number = ++pool->count;
	vm->next = pool->vms;
	pool->vms = vm;
}

static void destroy(struct job_vm *vm)
{
	strand_retire(vm->strand, &vm->pool->runtime->strands);
	free(vm);
}

static struct job_vm *take(struct job_pool *pool, struct job *job, struct job_vm *made)
{
	rt_runtime_lock(pool->runtime);
	struct job_vm *vm = choose(pool);

	if (!vm && made) {
		add(pool, made);
		vm = made;
	}
	if (vm)
		job_link(job, vm);
	rt_runtime_unlock(pool->runtime);
	return vm;
}

int job_pool_submit(struct job_pool *pool, struct job *job)
{
	struct job_vm *made = NULL, *vm = take(pool, job, NULL);

	if (!vm) {
		made = allocate(pool);
		vm = take(pool, job, made);
	}
	if (made && vm != made)
		destroy(made);
	if (!vm)
		return -ENOMEM;
	job->runnable.run = job_run;
	vm->strand->executor.schedule(&vm->strand->executor, &job->runnable);
	return 0;
}

/* ---- A VM ---- */

static void set_path(lua_State *L, const char *name, const char *value)
{
	if (!value)
		return;
	lua_pushstring(L, value);
	lua_setfield(L, -2, name);
}

struct paths {
	char *path, *cpath;
};

/* (paths), protected */
static int take_paths(lua_State *L)
{
	const struct paths *paths = lua_touserdata(L, 1);

	lua_getglobal(L, "package");
	set_path(L, "path", paths->path);
	set_path(L, "cpath", paths->cpath);
	return 0;
}

static int update_paths(struct job_vm *vm)
{
	struct job_pool *pool = vm->pool;

	rt_runtime_lock(pool->runtime);
	unsigned paths = pool->paths;
	struct paths copies = {
		.path = paths != vm->paths && pool->path ? strdup(pool->path) : NULL,
		.cpath = paths != vm->paths && pool->cpath ? strdup(pool->cpath) : NULL,
	};

	rt_runtime_unlock(pool->runtime);
	if (paths == vm->paths)
		return 0;
	lua_State *L = vm->state.vm->L;
	int status = lua_cpcall(L, take_paths, &copies);

	if (status != 0)
		lua_pop(L, 1);
	else
		vm->paths = paths;
	free(copies.path);
	free(copies.cpath);
	return status == 0 ? 0 : -ENOMEM;
}

/* (job_vm), protected */
static int set_up(lua_State *L)
{
	struct job_vm *vm = lua_touserdata(L, 1);

	transfer_open(L, vm->state.vm);
	registered_copy(L, vm->pool->owner);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "rt.job");
	lua_call(L, 1, 1);
	vm->body = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

static int open_state(struct job_vm *vm)
{
	const struct vm *owner = __atomic_load_n(&vm->pool->owner, __ATOMIC_ACQUIRE);

	if (!owner || state_open(&vm->state, owner->name, vm->pool->memory) < 0)
		return -ENOMEM;
	lua_State *L = vm->state.L;

	if (vm->pool->jit_off)
		luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	if (lua_cpcall(L, set_up, vm) != 0)
		return -ENOMEM;
	vm->state.vm->pool = vm->pool;
	vm->state.vm->job_vm = vm;
	vm->state.vm->family = vm->pool->family;
	vm_start_on(vm->state.vm, vm->pool->runtime, vm->strand);
	vm->paths = 0;
	return 0;
}

int job_vm_open(struct job_vm *vm)
{
	if (!vm->state.L && open_state(vm) < 0) {
		state_close(&vm->state);
		return -ENOMEM;
	}
	return update_paths(vm);
}

static void close_vm(struct job_vm *vm)
{
	struct vm *closed = vm->state.vm;

	if (closed) {
		vm_stop(closed);
		struct vm *owner = __atomic_load_n(&vm->pool->owner, __ATOMIC_ACQUIRE);

		if (owner)
			__atomic_fetch_add(&owner->failed, closed->failed, __ATOMIC_RELAXED);
	}
	state_close(&vm->state);
}

/* ---- After a lack of memory ---- */

static int collect_garbage(lua_State *L)
{
	lua_gc(L, LUA_GCCOLLECT, 0);
	lua_gc(L, LUA_GCCOLLECT, 0);
	return 0;
}

static bool has_tasks(const struct vm *vm)
{
	for (int i = 0; i < vm->slot_count; i++) {
		if (slot_task(&vm->slots[i]))
			return true;
	}
	return false;
}

void job_vm_mend(struct job_vm *vm)
{
	struct rt_runtime *runtime = vm->pool->runtime;
	const struct budget *budget = &vm->state.budget;
	struct vm *lua = vm->state.vm;

	/* If there is no memory even for that: it is closed below. */
	if (lua && lua_cpcall(lua->L, collect_garbage, NULL) != 0)
		lua_pop(lua->L, 1);
	bool usable = !lua || budget->limit == 0 || budget->used < budget->limit / 2;

	/* With tasks that jobs have left behind it has to do as it is. */
	if (!usable && !has_tasks(lua) && !lua->looking)
		close_vm(vm);
	rt_runtime_lock(runtime);
	vm->starved = false;
	rt_runtime_unlock(runtime);
}

/* ---- The end ---- */

void job_pool_cancel(struct job_pool *pool)
{
	if (!pool)
		return;
	rt_runtime_lock(pool->runtime);
	for (struct job_vm *vm = pool->vms; vm; vm = vm->next) {
		if (!vm->cancelling)
			vm->strand->executor.schedule(&vm->strand->executor, &vm->cancel);
		vm->cancelling = true;
	}
	rt_runtime_unlock(pool->runtime);
}

unsigned job_pool_report_failures(struct job_pool *pool)
{
	unsigned count = 0;

	for (struct job_vm *vm = pool ? pool->vms : NULL; vm; vm = vm->next) {
		if (strand_is_running(vm->strand) || !vm->state.vm)
			continue;
		failures_report(vm->state.vm);
		count += vm->state.vm->failed;
	}
	return count;
}

/* Those of jobs are reported by the tasks that wait for them. */
static bool is_job(const struct job_vm *vm, const struct lua_task *task)
{
	for (const struct job *job = vm->jobs; job; job = job->next) {
		if (job->task == &task->task)
			return true;
	}
	return false;
}

void job_pool_report_left(const struct job_pool *pool)
{
	for (struct job_vm *vm = pool ? pool->vms : NULL; vm; vm = vm->next) {
		if (strand_is_running(vm->strand)) {
			fprintf(stderr, "%s: job VM %u does not give way\n", pool->owner->name, vm->number);
			continue;
		}
		const struct vm *lua = vm->state.vm;

		for (int i = 0; lua && i < lua->slot_count; i++) {
			struct lua_task *task = slot_task(&lua->slots[i]);

			if (task && !is_job(vm, task))
				lua_task_report_abandoned(task);
		}
	}
}

void job_pool_report_running(struct job_pool *pool)
{
	if (!pool)
		return;
	rt_runtime_lock(pool->runtime);
	for (const struct job_vm *vm = pool->vms; vm; vm = vm->next) {
		for (const struct job *job = vm->jobs; job; job = job->next) {
			if (job->state == JOB_RUNNING)
				fprintf(stderr,
					"%s: the task spawned at %s ignores its cancellation and is "
					"abandoned\n",
					pool->owner->name, job->site);
		}
	}
	rt_runtime_unlock(pool->runtime);
}

static bool is_busy(const struct job_pool *pool)
{
	for (const struct job_vm *vm = pool->vms; vm; vm = vm->next) {
		if (strand_is_running(vm->strand))
			return true;
	}
	return false;
}

/* What a thread works on cannot be freed, nor what that may refer to: it is kept for the rest of the process.
 */
static void leave_behind(struct job_pool *pool)
{
	static struct job_pool *left;
	struct job_pool *first = __atomic_load_n(&left, __ATOMIC_RELAXED);

	do
		pool->next_left = first;
	while (!__atomic_compare_exchange_n(&left, &first, pool, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* First everything is stopped: what is closed then may still refer to what another one has. */
void job_pool_destroy(struct vm *owner)
{
	struct job_pool *pool = owner->pool;
	struct job_vm *next;

	if (!pool)
		return;
	owner->pool = NULL;
	if (is_busy(pool)) {
		__atomic_store_n(&pool->owner, NULL, __ATOMIC_RELEASE);
		owner->family = NULL;
		leave_behind(pool);
		return;
	}
	for (struct job_vm *vm = pool->vms; vm; vm = vm->next) {
		if (vm->state.vm)
			vm_stop(vm->state.vm);
	}
	for (struct job_vm *vm = pool->vms; vm; vm = vm->next) {
		while (vm->jobs)
			job_abandon(vm->jobs);
	}
	for (struct job_vm *vm = pool->vms; vm; vm = next) {
		next = vm->next;
		close_vm(vm);
		destroy(vm);
	}
	chan_list_destroy(pool->chans);
	free(pool->path);
	free(pool->cpath);
	free(pool);
}
