/* SPDX-License-Identifier: MIT */
/* Name resolution: getaddrinfo() on the runtime's thread pool. */
#ifndef RT_NET_RESOLVE_H
#define RT_NET_RESOLVE_H

#include "task/task.h"

#include <rt/net.h>

RT_PRIVATE_BEGIN

struct resolution;

/*
 * Numeric and empty hosts: stores one address and returns 1. A name: returns 0 with
 * a resolution that resolve_await() publishes a task on and resolve_end() ends.
 * Or -EINVAL, -ENOMEM, what offloading gives.
 */
int resolve_begin(const char *text, struct rt_addr *addrs, size_t max, struct resolution **resolution);
void resolve_await(struct resolution *resolution, struct rt_task *task);

/* waited: what wait_end() gave. Returns how many addresses were stored, or -errno. Frees. */
int resolve_end(struct resolution *resolution, int waited, struct rt_addr *addrs, size_t max);

RT_PRIVATE_END

#endif
