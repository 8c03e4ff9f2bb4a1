/* SPDX-License-Identifier: MIT */
/*
 * A VM: a lua_State on a strand, its tasks and the carriers that run them.
 *
 * A Lua task is a Lua coroutine. To run, it borrows a carrier: a fiber with a
 * large stack, which calls lua_resume(). When the task must wait and its
 * coroutine can yield, it yields and the carrier is free for the next task.
 * Otherwise (inside a sort comparator, a coroutine of the user's, a C function)
 * the carrier is suspended with everything that is on it.
 */
#ifndef RT_LUA_VM_H
#define RT_LUA_VM_H

#include "sched/strand.h"
#include "task/task.h"

#include <lauxlib.h>
#include <lua.h>

enum object_kind {
	OBJECT_TASK,
	OBJECT_CONN,
	OBJECT_LISTENER,
	OBJECT_UDP,
	OBJECT_ADDR,
	OBJECT_CHANNEL,
	OBJECT_MUTEX,
	OBJECT_SEMAPHORE,
	OBJECT_EVENT,
	OBJECT_WAIT_GROUP,
	OBJECT_KINDS
};

/* A coroutine and the task that it is lent to. Coroutines are reused. */
struct slot {
	lua_State *L; /* NULL: none made yet */
	union {
		struct lua_task *task;
		intptr_t next_idle; /* while idle: twice the next one's index, plus one; negative: none */
	} u;
};

/* The task in a slot; NULL: it is idle. */
static inline struct lua_task *slot_task(const struct slot *slot)
{
	return slot->u.next_idle & 1 ? NULL : slot->u.task;
}

/* What transfer.h keeps in the registry: references. */
struct transfer_refs {
	bool open;
	int encode, decode; /* functions */
	int codes, factories, funcinfo; /* see code.c */
	int names, integers;
	int chans; /* this VM's objects by shared channel */
	int factory_count;
	uintptr_t modules; /* which there are: see names.c */
};

struct vm {
	struct strand *strand;
	struct task_home home; /* of its tasks */
	struct task_family *family; /* of the tasks of the program's own VM and its job VMs */
	struct task_group group;
	struct rt_runtime *runtime; /* NULL: not started */
	struct rt_runtime_options opened_with; /* that runtime, if it was opened for this VM */
	const struct rt_runtime_ops *next_runtime; /* see runtime_switch.h; or NULL */
	struct lua_task *main; /* or NULL */
	bool *main_done; /* ends run() */
	lua_State *L; /* a coroutine of our own for protected calls outside of tasks */
	/*
	 * Another, whose stack holds the tables that keep tasks, coroutines and local values alive,
	 * by slot + 1; "__call"; and the names that tasks have been given, by task.
	 */
	lua_State *anchors;
	struct slot *slots;
	int slot_count, slot_capacity, idle_slot;
	struct carrier *idle_carriers;
	size_t idle_carrier_count, carrier_count;
	struct stack_pool *stacks;
	const void *metatables[OBJECT_KINDS];
	int metatable_refs[OBJECT_KINDS];
	const void *tested_conn; /* the last that vm_test() has found to be one */
	struct site_table *sites;
	struct failure *failures; /* of tasks that nobody has joined yet */
	struct rt_timer failure_timer;
	struct rt_runnable look; /* for failures whose handles have been dropped, on the strand */
	bool looking; /* it is scheduled; locked */
	struct wait_timer
		*idle_timers; /* for tasks that wait with their carrier given back; linked by task */
	struct lua_wait *waits, *idle_waits; /* of src/sync: in use, and for reuse */
	struct main_guard *guard; /* or NULL */
	unsigned failed; /* how many of them have been reported */
	uint8_t *hook_mask; /* of LuaJIT, or NULL: see probe.h */
	void **running; /* where LuaJIT keeps the running lua_State, or NULL: see probe.h */
	struct rt_scope_child *idle_children; /* records of tasks in scopes, linked by next */
	struct child_chunk *child_chunks; /* where they are; see lib_scope.c */
	bool has_locals; /* local values of tasks are in use */
	size_t given_up; /* as many tasks as have ignored their cancellation at an end */
	bool refused; /* a wait where none is possible has been reported */
	struct transfer_refs transfer;
	struct registered *registered; /* by the host */
	struct job_pool *pool; /* of its family, or NULL: none has been needed yet */
	struct job_vm *job_vm; /* NULL: it is the program's own */
	size_t job_memory; /* bytes that each of its job VMs may use; 0: see job_pool.h */
	char *job_traceback; /* of a job, whose error its task is just raising; or NULL */
	const char *name; /* before messages: "rtlua" */
	char *buffer; /* VM_BUFFER bytes that a try reads into */
};

enum { VM_TASKS = 1, VM_THREADS = 2, VM_CALL = 3, VM_NAMES = 4, VM_LOCALS = 5, VM_BUFFER = 65536 };

/* Sets up L for tasks; embed_open() makes the modules known. Raises on lack of memory. */
struct vm *vm_create(lua_State *L, const char *name);

/* The VM of L, or NULL. */
struct vm *vm_of(lua_State *L);

/* Binds the VM to a runtime of this thread, and ends that: tasks that are left are abandoned. 0 or -ENOMEM.
 */
int vm_start(struct vm *vm, struct rt_runtime *runtime);
void vm_stop(struct vm *vm);

/* As vm_start(), on a strand and with a family that are the caller's and outlast it. */
void vm_start_on(struct vm *vm, struct rt_runtime *runtime, struct strand *strand);

/*
 * Has all other threads rest, as far as their tasks give way, and waits, for ever if need be, until nothing
 * of this VM runs any more: then it is the caller's until vm_release(), or the next run. Outside of its
 * tasks.
 */
void vm_claim(struct vm *vm);
void vm_release(struct vm *vm);

/* Cancels every task of the VM. */
void vm_cancel(struct vm *vm);

/* Frees the VM, which must be stopped; part of closing the lua_State. */
void vm_destroy(struct vm *vm);

/* The VM of a C function of this library: its first upvalue. */
static inline struct vm *vm_upvalue(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* Registers functions in the table on top, each with the VM as its first upvalue. */
void vm_register(lua_State *L, struct vm *vm, const luaL_Reg *functions);

/* Runs fn(M, arg) protected on the VM's own coroutine. Returns 0 or a LUA_ERR status, the error printed. */
int vm_protect(struct vm *vm, lua_CFunction fn, void *arg);

/* ---- Objects: userdata whose metatable is known by its address ---- */

/* The userdata at index if it is of that kind, or NULL. */
void *vm_test(lua_State *L, struct vm *vm, int index, enum object_kind kind);

/* The same, raising "bad argument #index". */
void *vm_check(lua_State *L, struct vm *vm, int index, enum object_kind kind);

/* "channel", for messages. */
const char *vm_kind_name(enum object_kind kind);

/* Pushes a new userdata of that kind. */
void *vm_new(lua_State *L, struct vm *vm, enum object_kind kind, size_t size);

/*
 * Fills in the metatable of that kind, hidden as its name, and puts a table with the methods,
 * which Lua may add to, into the table on top as title.
 */
void vm_set_class(lua_State *L, struct vm *vm, enum object_kind kind, const char *title,
		  const luaL_Reg *metamethods, const luaL_Reg *methods);

/* For a finalizer: the object at index 1 is none from here on, in other finalizers that still reach it. */
void vm_forget(lua_State *L);

/* ---- Arguments and results ---- */

/*
 * As luaL_argerror() and its relatives, but blaming the line that called into
 * the library and naming the function and the argument as that line sees them.
 */
int vm_arg_error(lua_State *L, int index, const char *message);
int vm_type_error(lua_State *L, int index, const char *expected);
const char *vm_check_string(lua_State *L, int index, size_t *size);
double vm_check_number(lua_State *L, int index);

/* luaL_error() with the position of the line that called into the library. */
int vm_error(lua_State *L, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with the message on top of the stack: "what: message". */
int vm_raise(lua_State *L, const char *what);

/* Seconds to nanoseconds: enormous is RT_FOREVER; raises for what is no number, NaN included. */
rt_time vm_check_duration(lua_State *L, int index);
rt_time vm_check_deadline(lua_State *L, int index); /* absolute seconds */

/* The deadline that is so far away; over at once, it still lets the reactor have its turn. */
rt_time vm_in(rt_time duration);

/* Pushes nil, "what subject: text", "ECODE"; returns 3. subject may be NULL. err as -errno. */
int vm_push_failure(lua_State *L, const char *what, const char *subject, int err);

#endif
