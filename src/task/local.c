/* SPDX-License-Identifier: MIT */
/* Task-local values; see local.h and rt/task.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/local.h"

#include "task/fiber_task.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Counts go up and down on several threads. */
struct binding {
	const struct rt_local *key;
	void *value;
	_Atomic unsigned references; /* sets that it is in */
};

/* Never changed: a task that sets a value makes itself another one. */
struct locals {
	_Atomic unsigned references; /* tasks */
	unsigned count;
	struct binding *bindings[];
};

static void release(struct binding *binding)
{
	if (--binding->references > 0)
		return;
	if (binding->key->destroy)
		binding->key->destroy(binding->value);
	free(binding);
}

struct locals *locals_share(struct locals *locals)
{
	if (locals)
		locals->references++;
	return locals;
}

void locals_clear(struct locals **holder)
{
	struct locals *locals = *holder;

	*holder = NULL;
	if (!locals || --locals->references > 0)
		return;
	for (unsigned i = 0; i < locals->count; i++)
		release(locals->bindings[i]);
	free(locals);
}

static void add(struct locals *locals, struct binding *binding)
{
	binding->references++;
	locals->bindings[locals->count++] = binding;
}

/* A set like that one but without key, with room for one more binding; NULL: no memory. */
static struct locals *copy_without(const struct locals *locals, const struct rt_local *key)
{
	unsigned count = locals ? locals->count : 0;
	struct locals *copy = malloc(sizeof *copy + (count + 1) * sizeof *copy->bindings);

	if (!copy)
		return NULL;
	copy->references = 1;
	copy->count = 0;
	for (unsigned i = 0; i < count; i++) {
		if (locals->bindings[i]->key != key)
			add(copy, locals->bindings[i]);
	}
	return copy;
}

static int replace(struct locals **holder, const struct rt_local *key, void *value)
{
	struct binding *binding = value ? malloc(sizeof *binding) : NULL;
	struct locals *old = *holder, *copy = copy_without(old, key);

	if (!copy || (value && !binding)) {
		free(binding);
		locals_clear(&copy);
		return -ENOMEM;
	}
	if (binding) {
		*binding = (struct binding){.key = key, .value = value};
		add(copy, binding);
	}
	*holder = copy;
	/* Last: a destructor may look at values, or set some itself. */
	locals_clear(&old);
	return 0;
}

int rt_local_set(const struct rt_local *key, void *value)
{
	struct rt_task *task = self_get()->task;

	if (!key)
		return -EINVAL;
	if (!task)
		return -EPERM;
	struct locals **holder = fiber_task_locals(task);

	if (!holder)
		return -ENOTSUP;
	return rt_local_get(key) == value ? 0 : replace(holder, key, value);
}

void *rt_local_get(const struct rt_local *key)
{
	struct rt_task *task = self_get()->task;
	struct locals **holder = task ? fiber_task_locals(task) : NULL;
	const struct locals *locals = holder ? *holder : NULL;

	for (unsigned i = 0; locals && i < locals->count; i++) {
		if (locals->bindings[i]->key == key)
			return locals->bindings[i]->value;
	}
	return NULL;
}
