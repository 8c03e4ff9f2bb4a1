/* SPDX-License-Identifier: MIT */
/* The storage of waits; see lua_wait.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/lua_wait.h"

#include "lua/cancelled.h"
#include "lua/libs.h"

#include <errno.h>
#include <stdlib.h>

/* Room for one element of a channel of Lua values, and for those of the ready-made codecs. */
enum { SMALL_STRIDE = sizeof(max_align_t) };

static size_t round_up(size_t size)
{
	size_t align = _Alignof(max_align_t);

	return (size + align - 1) / align * align;
}

static struct lua_wait *allocate(unsigned capacity, size_t stride)
{
	size_t each = sizeof(struct sync_case) + sizeof(struct lua_payload), size;
	struct lua_wait *wait;

	if (__builtin_add_overflow(each, stride, &size) || __builtin_mul_overflow(size, capacity, &size) ||
	    __builtin_add_overflow(size, sizeof *wait, &size))
		return NULL;
	wait = malloc(size);
	if (!wait)
		return NULL;
	wait->capacity = capacity;
	wait->stride = stride;
	wait->cases = (struct sync_case *)(wait->elements + capacity * stride);
	wait->payloads = (struct lua_payload *)(wait->cases + capacity);
	return wait;
}

/* These are kept for reuse: what all waits but a few take. */
static bool is_small(unsigned capacity, size_t stride)
{
	return capacity == 1 && stride == SMALL_STRIDE;
}

static struct lua_wait *take_idle(struct vm *vm)
{
	struct lua_wait *wait = vm->idle_waits;

	if (wait)
		vm->idle_waits = wait->next;
	return wait;
}

static void link_in(struct vm *vm, struct lua_wait *wait)
{
	wait->next = vm->waits;
	wait->link = &vm->waits;
	if (wait->next)
		wait->next->link = &wait->next;
	vm->waits = wait;
}

static void link_out(struct lua_wait *wait)
{
	*wait->link = wait->next;
	if (wait->next)
		wait->next->link = wait->link;
}

rt_time lua_wait_check(lua_State *L, struct vm *vm, const char *function, int timeout)
{
	rt_time duration = lua_isnoneornil(L, timeout) ? RT_FOREVER : vm_check_duration(L, timeout);

	lua_task_running(L, vm, function);
	return duration;
}

struct lua_wait *lua_wait_acquire(lua_State *L, struct vm *vm, unsigned capacity, size_t element_size)
{
	size_t stride = element_size <= SMALL_STRIDE ? SMALL_STRIDE : round_up(element_size);
	struct lua_wait *wait = is_small(capacity, stride) ? take_idle(vm) : NULL;

	if (!wait)
		wait = allocate(capacity, stride);
	if (!wait)
		vm_error(L, "not enough memory");
	wait->count = 0;
	wait->deadline = RT_FOREVER;
	wait->wait.result = WAIT_PENDING;
	wait->wait.chosen = 0;
	link_in(vm, wait);
	return wait;
}

/* What was sent is the receiver's; what was received is ours. */
static void drop_elements(struct lua_wait *wait)
{
	for (unsigned i = 0; i < wait->count; i++) {
		const struct lua_payload *payload = &wait->payloads[i];
		bool happened = wait->wait.result == 0 && wait->wait.chosen == i;

		if (payload->codec && payload->codec->drop && payload->sends != happened)
			payload->codec->drop(lua_wait_element(wait, i), NULL);
	}
}

void lua_wait_release(struct vm *vm, struct lua_wait *wait)
{
	drop_elements(wait);
	link_out(wait);
	if (!is_small(wait->capacity, wait->stride)) {
		free(wait);
		return;
	}
	wait->next = vm->idle_waits;
	vm->idle_waits = wait;
}

void lua_wait_free_all(struct vm *vm)
{
	struct lua_wait *wait;

	while (vm->waits)
		lua_wait_release(vm, vm->waits);
	while ((wait = take_idle(vm)))
		free(wait);
}

/* With the last of the budget sync_await() is the one to try: it can let others run after a success. */
static bool try_now(struct lua_wait *wait)
{
	struct self *self = self_get();

	if (self->budget <= 1)
		return false;
	struct rt_runtime *runtime = self_lock();
	int result = wait->cases->kind->try(wait->cases);

	self_unlock(runtime);
	if (result == -EAGAIN)
		return false;
	self->budget--;
	wait->wait.chosen = 0;
	wait->wait.result = result;
	return true;
}

bool lua_wait_try(lua_State *L, struct lua_wait *wait, rt_time timeout, int *result)
{
	if (try_now(wait)) {
		*result = wait->wait.result;
		return true;
	}
	if (timeout != RT_FOREVER)
		wait->deadline = vm_in(timeout);
	lua_pushlightuserdata(L, wait);
	return false;
}

struct lua_wait *lua_wait_ended(lua_State *L, int *result)
{
	struct lua_wait *wait = lua_touserdata(L, 2);

	*result = sync_result(&wait->wait, (int)lua_tointeger(L, 4));
	return wait;
}

int lua_wait_push_failure(lua_State *L, const char *what, int err)
{
	if (err == -ECANCELED) {
		cancelled_push(L);
		return lua_error(L);
	}
	if (err == -EAGAIN) {
		lua_pushnil(L);
		lua_pushliteral(L, "would block");
		lua_pushliteral(L, "EAGAIN");
		return 3;
	}
	return vm_push_failure(L, err == -ETIMEDOUT ? NULL : what, NULL, err);
}

/* sync_wait(handle) -> nothing, or nil and the reason */
static int sync_wait(lua_State *L)
{
	struct lua_wait *wait = lua_touserdata(L, 1);
	struct lua_task *task = lua_task_current();

	if (!sync_await(&wait->wait, &task->task, wait->cases, wait->count))
		return 0;
	return lua_task_suspend(L, task, wait->deadline);
}

static const luaL_Reg functions[] = {
	{"sync_wait", sync_wait},
	{NULL, NULL},
};

void lib_wait_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
