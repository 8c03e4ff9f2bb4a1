/* SPDX-License-Identifier: MIT */
/* The members of struct task_ops that tell what a Lua task is called and what it does; see task.h. */
#ifndef RT_LUA_TASK_REPORT_H
#define RT_LUA_TASK_REPORT_H

#include "lua/lua_task.h"

const char *lua_task_name(const struct rt_task *task);
const char *lua_task_site_of(const struct rt_task *task);
void lua_task_ids(const struct rt_task *task, uint32_t *id, uint32_t *parent);
const char *lua_task_title(const struct rt_task *task);
void lua_task_print_stack(struct rt_task *task, FILE *file, int indent);
void lua_task_report(const struct rt_task *task);
void lua_task_overtime(const struct rt_task *task);

/* Says on stderr that the task has not ended although it was cancelled. */
void lua_task_report_abandoned(const struct lua_task *task);

#endif
