/* SPDX-License-Identifier: MIT */
/* What a C task holds of its local values: a set of bindings, which it shares with its kin. */
#ifndef RT_LOCAL_H
#define RT_LOCAL_H

#include <rt/task.h>

struct locals;

/* Another holder of the set, for a new task. NULL is the empty set. */
struct locals *locals_share(struct locals *locals);

/* Lets go of the set; values that nobody else holds are destroyed. */
void locals_clear(struct locals **locals);

#endif
