/* SPDX-License-Identifier: MIT */
/* rt.core: what the tasks are called and what they are doing. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"
#include "lua/lua_task.h"

#include <errno.h>
#include <lualib.h>
#include <stdlib.h>

/* title(task) -> its name, or nil */
static int title(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);

	vm_check(L, vm, 1, OBJECT_TASK);
	lua_pushvalue(L, 1);
	lua_xmove(L, vm->anchors, 1);
	lua_rawget(vm->anchors, VM_NAMES);
	lua_xmove(vm->anchors, L, 1);
	return 1;
}

/* set_title(task, name or nil) */
static int set_title(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);

	vm_check(L, vm, 1, OBJECT_TASK);
	lua_settop(L, 2);
	lua_xmove(L, vm->anchors, 2);
	lua_rawset(vm->anchors, VM_NAMES);
	return 0;
}

struct listing {
	lua_State *L;
	bool tracebacks;
	int count;
};

static void set_string(lua_State *L, const char *key, const char *value)
{
	if (!value || !value[0])
		return;
	lua_pushstring(L, value);
	lua_setfield(L, -2, key);
}

static void set_traceback(lua_State *L, struct rt_task *task)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return;
	task->home->ops->print_stack(task, file, 0);
	fclose(file);
	set_string(L, "traceback", text);
	free(text);
}

static void add_record(struct rt_task *task, const struct rt_task_info *info, void *arg)
{
	struct listing *listing = arg;
	lua_State *L = listing->L;

	lua_createtable(L, 0, 8);
	lua_pushinteger(L, (lua_Integer)info->id);
	lua_setfield(L, -2, "id");
	if (info->parent) {
		lua_pushinteger(L, (lua_Integer)info->parent);
		lua_setfield(L, -2, "parent");
	}
	set_string(L, "name", info->name);
	set_string(L, "site", info->site);
	set_string(L, "status", info->status);
	set_string(L, "waits_for", info->waits_for);
	set_string(L, "detail", info->detail);
	if (listing->tracebacks)
		set_traceback(L, task);
	lua_rawseti(L, -2, ++listing->count);
}

/* list(tracebacks) -> {{id=, parent=, name=, site=, status=, waits_for=, detail=, traceback=}, ...} */
static int list(lua_State *L)
{
	struct listing listing = {L, lua_toboolean(L, 1), 0};

	lua_settop(L, 0);
	lua_newtable(L);
	int err = task_list(add_record, &listing);

	/* Without a runtime there are none. */
	return err == -ENOMEM ? vm_error(L, "not enough memory") : 1;
}

/* dump([file]) */
static int dump(lua_State *L)
{
	FILE *file = lua_isnoneornil(L, 1) ? stderr : *(FILE **)luaL_checkudata(L, 1, LUA_FILEHANDLE);

	if (!file)
		return luaL_argerror(L, 1, "the file is closed");
	rt_task_dump(file);
	return 0;
}

/* report(message): of a failure that nobody will take notice of in another way */
static int report(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);

	vm->failed++;
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", vm->name, luaL_checkstring(L, 1));
	return 0;
}

static const luaL_Reg functions[] = {
	{"title", title}, {"set_title", set_title}, {"list", list},
	{"dump", dump},   {"report", report},       {NULL, NULL},
};

void lib_report_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
