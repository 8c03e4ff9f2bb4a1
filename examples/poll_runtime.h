/* SPDX-License-Identifier: MIT */
/* A runtime of one's own: rt_main(argc, argv, fn, name, &poll_runtime), or rt_runtime_register() it. */
#ifndef POLL_RUNTIME_H
#define POLL_RUNTIME_H

#include <rt.h>

/* One thread, poll(2), real time only; not in a host's event_base (-ENOTSUP). */
extern const struct rt_runtime_ops poll_runtime;

#endif
