/* SPDX-License-Identifier: MIT */
/* The life of an async main: runs a task to its end, then ends what it left behind. */
#ifndef RT_LUA_MAIN_TASK_H
#define RT_LUA_MAIN_TASK_H

#include "lua/vm.h"

/*
 * Runs the function and nargs arguments on top of L as the main task of a started
 * VM. Pops them and pushes the results; returns their number. A failure of
 * main leaves its error and traceback on the stack: -1. A deadlock is reported
 * and gives -EDEADLK. Unless interrupted is NULL, SIGQUIT and SIGINT are answered meanwhile, and
 * it tells whether SIGINT has cancelled main.
 */
int main_task_run(lua_State *L, struct vm *vm, int nargs, bool *interrupted);

/* Names the tasks that are left on stderr. Returns how many. */
size_t main_task_report_left(const struct vm *vm);

/* Cancels what is left, and runs until it has ended or grace has passed, which is reported. */
void main_task_end(struct vm *vm);

#endif
