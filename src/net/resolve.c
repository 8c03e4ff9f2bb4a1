/* SPDX-License-Identifier: MIT */
/* Name resolution; see resolve.h and rt/net.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "net/resolve.h"

#include "base/error.h"
#include "net/addr.h"

#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_MAX = 256 };

/* At the end of a runtime its lock is gone, but not yet the job, nor a VM's garbage. */
enum { PENDING, DONE, ABANDONED };

/* Belongs to the pool until done(), then to the task; whoever comes last frees it. */
struct resolution {
	struct rt_job job;
	struct addrinfo *list;
	int err;
	uint16_t port;
	atomic_int state;
	struct rt_waiter *waiter; /* under the runtime's lock */
	char host[HOST_MAX];
};

static int error_of(int code)
{
	switch (code) {
	case 0:
		return 0;
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return -error_last();
	case EAI_FAIL:
		return -EIO;
	default:
		return -ENOENT;
	}
}

/* On a pool thread. */
static void work(struct rt_job *job)
{
	struct resolution *resolution = container_of(job, struct resolution, job);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};

	resolution->err = error_of(getaddrinfo(resolution->host, NULL, &hints, &resolution->list));
}

static void destroy(struct resolution *resolution)
{
	if (resolution->list)
		freeaddrinfo(resolution->list);
	free(resolution);
}

static bool is_done(struct resolution *resolution)
{
	return atomic_load(&resolution->state) == DONE;
}

static void done(struct rt_job *job)
{
	struct resolution *resolution = container_of(job, struct resolution, job);
	struct rt_runtime *runtime = self_lock();
	struct rt_waiter *waiter = resolution->waiter;

	if (atomic_exchange(&resolution->state, DONE) == ABANDONED)
		destroy(resolution);
	else if (waiter)
		waiter->wake(waiter, 0);
	self_unlock(runtime);
}

static int offload(const char *host, uint16_t port, struct resolution **resolution)
{
	struct rt_runtime *runtime = self_get()->runtime;
	struct resolution *created;

	if (!runtime)
		return -EPERM;
	if (!(created = calloc(1, sizeof *created)))
		return -ENOMEM;
	strcpy(created->host, host);
	created->port = port;
	created->job.work = work;
	created->job.done = done;
	int err = runtime->ops->offload(runtime, &created->job);

	if (err < 0)
		free(created);
	else
		*resolution = created;
	return err;
}

int resolve_begin(const char *text, struct rt_addr *addrs, size_t max, struct resolution **resolution)
{
	char host[HOST_MAX];
	uint16_t port;
	int err = text && max > 0 ? addr_split(text, host, sizeof host, &port) : -EINVAL;

	if (err < 0)
		return err;
	if (addr_from_host(&addrs[0], host, port) == 0)
		return 1;
	return offload(host, port, resolution);
}

static void await(struct resolution *resolution, struct rt_task *task, const struct wait_kind *kind)
{
	struct rt_runtime *runtime = self_lock();

	wait_prepare(task, kind, resolution);
	resolution->waiter = &task->wait.waiter;
	if (is_done(resolution))
		task->wait.result = 0;
	self_unlock(runtime);
}

static void detach(struct task_wait *wait)
{
	struct resolution *resolution = wait->source;

	resolution->waiter = NULL;
}

void resolve_await(struct resolution *resolution, struct rt_task *task)
{
	static const struct wait_kind resolving = {.what = "resolve", .detach = detach};

	await(resolution, task, &resolving);
}

static int copy_addrs(struct resolution *resolution, struct rt_addr *addrs, size_t max)
{
	int count = 0;

	for (struct addrinfo *info = resolution->list; info && (size_t)count < max; info = info->ai_next) {
		struct rt_addr *addr = &addrs[count];

		if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
			continue;
		memset(addr, 0, sizeof *addr);
		memcpy(addr, info->ai_addr, info->ai_addrlen);
		if (info->ai_family == AF_INET)
			addr->u.v4.sin_port = htons(resolution->port);
		else
			addr->u.v6.sin6_port = htons(resolution->port);
		count++;
	}
	return count > 0 ? count : -ENOENT;
}

/* Nobody wants to know any more. Locked. */
static void abandon(struct rt_runtime *runtime, struct resolution *resolution)
{
	bool recalled = !is_done(resolution) && runtime && runtime_recall(runtime, &resolution->job);

	if (recalled || atomic_exchange(&resolution->state, ABANDONED) == DONE)
		destroy(resolution);
}

int resolve_end(struct resolution *resolution, int waited, struct rt_addr *addrs, size_t max)
{
	if (waited == 0) {
		waited = resolution->err < 0 ? resolution->err : copy_addrs(resolution, addrs, max);
		destroy(resolution);
		return waited;
	}
	struct rt_runtime *runtime = self_lock();

	abandon(runtime, resolution);
	self_unlock(runtime);
	return waited;
}

static void detach_for_good(struct task_wait *wait)
{
	struct rt_task *task = container_of(wait, struct rt_task, wait);

	detach(wait);
	abandon(task->home->runtime, wait->source);
}

/* A task that is abandoned itself, at the end of the runtime, does not come back from the wait. */
static const struct wait_kind resolving_on_stack = {.what = "resolve", .detach = detach_for_good};

int rt_resolve(const char *text, struct rt_addr *addrs, size_t max, rt_time deadline)
{
	struct rt_task *task = self_get()->task;
	struct resolution *resolution;
	int result = resolve_begin(text, addrs, max, &resolution);

	if (result != 0)
		return result;
	if (!task)
		return resolve_end(resolution, -EPERM, addrs, max);
	await(resolution, task, &resolving_on_stack);
	result = task_suspend(task, deadline);
	/* What gave no addresses has been detached. */
	return result < 0 ? result : resolve_end(resolution, 0, addrs, max);
}
