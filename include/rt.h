/* SPDX-License-Identifier: MIT */
/*
 * rtcore: an async runtime for C. Link with pkg-config --cflags --libs rtcore.
 *
 * Conventions of all its functions: times are absolute monotonic nanoseconds;
 * results are 0 or a count, failures -errno; a function that waits says
 * "Suspends", takes its deadline last, gives -ETIMEDOUT when that passes and
 * -ECANCELED when its task was cancelled. Unless marked "Any thread" a function
 * is called from a task, on the thread that runs it. Structs are opaque; what a
 * create, open, connect or listen function stores belongs to the caller.
 */
#ifndef RT_H
#define RT_H

#include <rt/base.h>
#include <rt/blocking.h>
#include <rt/net.h>
#include <rt/runtime.h>
#include <rt/scope.h>
#include <rt/sync.h>
#include <rt/task.h>
#include <rt/time.h>
#include <rt/version.h>

#endif
