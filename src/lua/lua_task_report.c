/* SPDX-License-Identifier: MIT */
/* What Lua tasks tell of themselves; see lua_task_report.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/lua_task_report.h"

#include "lua/carrier.h"
#include "lua/probe.h"
#include "platform/overflow.h"

#include <stdio.h>
#include <string.h>

static lua_State *coroutine(const struct lua_task *task)
{
	return lua_task_vm(task)->slots[task->slot].L;
}

const char *lua_task_name(const struct rt_task *task)
{
	(void)task;
	return "Lua task";
}

const char *lua_task_site_of(const struct rt_task *task)
{
	return lua_task_site(lua_task_of(task));
}

void lua_task_ids(const struct rt_task *task, uint32_t *id, uint32_t *parent)
{
	*id = lua_task_of(task)->id;
	*parent = lua_task_of(task)->parent;
}

/* The string is kept by the table that it comes from. */
const char *lua_task_title(const struct rt_task *task)
{
	const struct lua_task *self = lua_task_of(task);
	lua_State *anchors = lua_task_vm(self)->anchors;

	if (self->slot < 0)
		return NULL;
	lua_rawgeti(anchors, VM_TASKS, self->slot + 1);
	lua_rawget(anchors, VM_NAMES);
	const char *title = lua_tostring(anchors, -1);

	lua_pop(anchors, 1);
	return title;
}

void lua_task_set_title(lua_State *L, const struct lua_task *task, const char *title)
{
	lua_State *anchors = lua_task_vm(task)->anchors;

	lua_task_push(L, task);
	lua_pushstring(L, title);
	lua_xmove(L, anchors, 2);
	lua_rawset(anchors, VM_NAMES);
}

struct printing {
	struct lua_task *task;
	FILE *file;
	int indent;
};

static void print_lines(FILE *file, const char *text, int indent)
{
	while (*text) {
		int length = (int)strcspn(text, "\n");

		fprintf(file, "%*s%.*s\n", indent, "", length, text);
		text += length + (text[length] == '\n');
	}
}

static int print_traceback(lua_State *L)
{
	const struct printing *printing = lua_touserdata(L, 1);

	lua_task_traceback(L, printing->task);
	print_lines(printing->file, lua_tostring(L, -1), printing->indent);
	return 0;
}

/* Asked for by a task of the VM itself, on the stack of that one. */
void lua_task_print_stack(struct rt_task *task, FILE *file, int indent)
{
	struct vm *vm = lua_task_vm(lua_task_of(task));
	struct lua_task *current = lua_task_current();
	struct printing printing = {lua_task_of(task), file, indent};
	bool own = current && lua_task_vm(current) == vm;
	lua_State *running = own ? probe_state(vm->running) : NULL;

	if (!lua_task_of(task)->started)
		return;
	/* Of a VM that rests in the middle of a C function of its own, which has its turn after this. */
	void *interrupted = vm->running ? *vm->running : NULL;

	if (lua_cpcall(running ? running : vm->L, print_traceback, &printing) != 0)
		lua_pop(running ? running : vm->L, 1);
	if (vm->running)
		*vm->running = interrupted;
}

/* Hooks are not called in compiled code: a task that never leaves it is only named. */
static void print_overtime(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	lua_sethook(L, NULL, 0, 0);
	luaL_traceback(L, L, NULL, 0);
	fprintf(stderr, "%s\n", lua_tostring(L, -1));
	lua_pop(L, 1);
}

void lua_task_overtime(const struct rt_task *task)
{
	/* Any state of the VM will do; a hook is for all of them. */
	lua_State *L = lua_task_vm(lua_task_of(task))->L;

	if (!lua_gethook(L))
		lua_sethook(L, print_overtime, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

/* Async-signal-unsafe in theory, but the process is about to die anyway, and this allocates nothing. */
void lua_task_report(const struct rt_task *task)
{
	enum { LEVELS = 20 };
	const struct lua_task *self = lua_task_of(task);
	void **running = lua_task_vm(self)->running;
	lua_State *L = running && *running ? *running : coroutine(self);
	lua_Debug ar;

	for (int level = 0; level < LEVELS && lua_getstack(L, level, &ar); level++) {
		char line[16];

		lua_getinfo(L, "Sl", &ar);
		overflow_print("\t");
		overflow_print(ar.short_src);
		if (ar.currentline > 0) {
			snprintf(line, sizeof line, ":%d", ar.currentline);
			overflow_print(line);
		}
		overflow_print("\n");
	}
}

void lua_task_report_abandoned(const struct lua_task *task)
{
	fprintf(stderr, "%s: the task spawned at %s ignores its cancellation and is abandoned\n",
		lua_task_vm(task)->name, lua_task_site(task));
}

void lua_task_traceback(lua_State *L, struct lua_task *task)
{
	lua_State *waiting = carrier_state(task);

	if (!waiting || waiting == coroutine(task)) {
		luaL_traceback(L, coroutine(task), NULL, 0);
		return;
	}
	luaL_traceback(L, waiting, NULL, 0);
	luaL_traceback(L, coroutine(task), "\nin a coroutine of", 0);
	lua_concat(L, 2);
}
