/* SPDX-License-Identifier: MIT */
/* What the tasks of a runtime are doing: lists and prints them; see rt/task.h and task.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "task/fiber_task.h"
#include "task/task.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A task in the tree of who has spawned whom. */
struct node {
	struct rt_task *task;
	uint32_t id, parent_id;
	struct node *parent, *child, *sibling;
};

struct tree {
	struct node *nodes; /* by id */
	size_t count, capacity;
};

void task_groups_add(struct rt_runtime *runtime, struct task_group *group)
{
	rt_runtime_lock(runtime);
	group->next = runtime->task_groups;
	runtime->task_groups = group;
	rt_runtime_unlock(runtime);
}

void task_groups_remove(struct rt_runtime *runtime, struct task_group *group)
{
	rt_runtime_lock(runtime);
	struct task_group *at = runtime->task_groups;

	if (at == group)
		runtime->task_groups = group->next;
	while (at && at->next != group)
		at = at->next;
	if (at)
		at->next = group->next;
	rt_runtime_unlock(runtime);
}

/* ---- The tree ---- */

static void add(struct tree *tree, struct rt_task *task)
{
	if (tree->count == tree->capacity)
		return;
	struct node *node = &tree->nodes[tree->count++];

	*node = (struct node){.task = task};
	task->home->ops->ids(task, &node->id, &node->parent_id);
}

static void add_all(struct tree *tree, struct rt_runtime *runtime)
{
	for (struct rt_task *task = runtime->tasks; task; task = fiber_task_next(task))
		add(tree, task);
	for (struct task_group *group = runtime->task_groups; group; group = group->next) {
		for (struct rt_task *task = group->next_task(group, NULL); task;
		     task = group->next_task(group, task))
			add(tree, task);
	}
}

static int compare(const void *left, const void *right)
{
	uint32_t a = ((const struct node *)left)->id, b = ((const struct node *)right)->id;

	return a < b ? -1 : a > b;
}

static struct node *find(const struct tree *tree, uint32_t id)
{
	struct node key = {.id = id};

	return bsearch(&key, tree->nodes, tree->count, sizeof key, compare);
}

/* From the last to the first, so that siblings stand in the order of their ids. */
static void link_nodes(struct tree *tree, struct node *root)
{
	for (size_t i = tree->count; i-- > 0;) {
		struct node *node = &tree->nodes[i], *parent = find(tree, node->parent_id);

		/* Who has ended is not listed; a younger one has got its id, after 2^32 tasks: no circles. */
		node->parent = parent && parent->id < node->id ? parent : root;
		node->sibling = node->parent->child;
		node->parent->child = node;
	}
}

static int grow_tree(struct tree *tree, struct rt_runtime *runtime, struct node *root)
{
	tree->capacity = runtime->task_count;
	tree->nodes = calloc(tree->capacity + 1, sizeof *tree->nodes);
	if (!tree->nodes)
		return -ENOMEM;
	add_all(tree, runtime);
	qsort(tree->nodes, tree->count, sizeof *tree->nodes, compare);
	link_nodes(tree, root);
	return 0;
}

/* In preorder, without recursion: chains of tasks may be long and this stack small. */
static struct node *next_node(const struct node *node, unsigned *depth)
{
	if (node->child) {
		++*depth;
		return node->child;
	}
	while (node && !node->sibling) {
		node = node->parent;
		--*depth;
	}
	return node ? node->sibling : NULL;
}

/* ---- What one task is doing ---- */

static const char *status_of(const struct rt_task *task)
{
	static const char *const names[] = {
		[TASK_SCHEDULED] = "runnable", [TASK_RUNNING] = "running", [TASK_NOTIFIED] = "running",
		[TASK_PARKED] = "waiting",     [TASK_DONE] = "done",
	};

	return names[task_state(task)];
}

static void describe_deadline(rt_time deadline, struct rt_task_info *info)
{
	size_t used = strlen(info->detail);
	rt_time now = rt_now(), left = deadline > now ? deadline - now : 0;

	snprintf(info->detail + used, sizeof info->detail - used, "%s%.3f s left", used ? ", " : "",
		 (double)left / 1e9);
}

static void describe_wait(const struct rt_task *task, struct rt_task_info *info)
{
	const struct task_wait *wait = &task->wait;

	info->waits_for = task_state(task) == TASK_PARKED && wait->kind ? wait->kind->what : NULL;
	if (!info->waits_for)
		return;
	if (wait->kind->describe)
		wait->kind->describe(wait, info->detail, sizeof info->detail);
	if (wait->timer)
		describe_deadline(wait->timer->timer.deadline, info);
}

/* "" for those that the program has not named. */
static const char *name_of(const struct rt_task *task)
{
	if (!task->home->ops->title)
		return rt_task_name(task);
	const char *title = task->home->ops->title(task);

	return title ? title : "";
}

static void describe(const struct node *node, unsigned depth, struct rt_task_info *info)
{
	*info = (struct rt_task_info){
		.id = node->id,
		.parent = node->parent->id,
		.depth = depth,
		.name = name_of(node->task),
		.site = rt_task_site(node->task),
		.status = status_of(node->task),
	};
	describe_wait(node->task, info);
}

/* How long the other threads have to come to rest, so that what they do can be looked at. */
#define PATIENCE RT_MS(100)

static int pause_others(struct rt_runtime *runtime)
{
	return runtime->shared && runtime->ops->pause ? runtime->ops->pause(runtime, PATIENCE) : 0;
}

static void resume_others(struct rt_runtime *runtime)
{
	if (runtime->shared && runtime->ops->resume)
		runtime->ops->resume(runtime);
}

static int list(struct rt_runtime *runtime,
		void (*visit)(struct rt_task *task, const struct rt_task_info *info, void *arg), void *arg)
{
	struct node root = {0};
	struct tree tree = {0};
	unsigned depth = 0;
	int err = grow_tree(&tree, runtime, &root);

	if (err < 0)
		return err;
	for (const struct node *node = root.child; node && node != &root; node = next_node(node, &depth)) {
		struct rt_task_info info;

		describe(node, depth, &info);
		visit(node->task, &info, arg);
	}
	free(tree.nodes);
	return (int)tree.count;
}

int task_list(void (*visit)(struct rt_task *task, const struct rt_task_info *info, void *arg), void *arg)
{
	struct rt_runtime *runtime = self_get()->runtime;

	if (!runtime)
		return -EPERM;
	int count = pause_others(runtime);

	if (count == 0)
		count = list(runtime, visit, arg);
	resume_others(runtime);
	return count;
}

/* ---- For programs ---- */

struct visitor {
	void (*visit)(const struct rt_task_info *info, void *arg);
	void *arg;
};

static void visit_public(struct rt_task *task, const struct rt_task_info *info, void *arg)
{
	struct visitor *visitor = arg;

	(void)task;
	visitor->visit(info, visitor->arg);
}

int rt_task_list(void (*visit)(const struct rt_task_info *info, void *arg), void *arg)
{
	struct visitor visitor = {visit, arg};

	return visit ? task_list(visit_public, &visitor) : -EINVAL;
}

static void print_task(struct rt_task *task, const struct rt_task_info *info, void *arg)
{
	enum { INDENT_MAX = 20 };
	FILE *file = arg;
	int indent = info->depth < INDENT_MAX ? (int)info->depth * 2 : INDENT_MAX * 2;

	fprintf(file, "%*stask %" PRIu32 " ", indent, "", info->id);
	if (info->name[0])
		fprintf(file, "'%s' ", info->name);
	if (strcmp(info->site, "?") != 0)
		fprintf(file, "(spawned at %s) ", info->site);
	if (info->waits_for)
		fprintf(file, "waits for: %s", info->waits_for);
	else
		fprintf(file, "is %s", info->status);
	fprintf(file, "%s%s%s\n", info->detail[0] ? " (" : "", info->detail, info->detail[0] ? ")" : "");
	task->home->ops->print_stack(task, file, indent + 2);
}

/* Some task does not give way: what the others do can be told only as far as nobody changes it. */
static void print_names(FILE *file)
{
	struct rt_runtime *runtime = self_lock();

	fprintf(file, "a task has not given way for %.1f s; the C tasks:\n", (double)PATIENCE / 1e9);
	for (struct rt_task *task = runtime->tasks; task; task = fiber_task_next(task))
		fprintf(file, "task '%s' (spawned at %s) is %s\n", rt_task_name(task), rt_task_site(task),
			status_of(task));
	self_unlock(runtime);
}

void rt_task_dump(FILE *file)
{
	fflush(stdout);
	int count = task_list(print_task, file);

	if (count == -EBUSY)
		print_names(file);
	else if (count < 0)
		fprintf(file,
			"the tasks cannot be listed: no runtime is running on this thread, or no memory\n");
	fflush(file);
}
