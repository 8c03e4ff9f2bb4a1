/* SPDX-License-Identifier: MIT */
/* How many processors this process may use. */
#ifndef RT_CPUS_H
#define RT_CPUS_H

RT_PRIVATE_BEGIN

/* At least 1, at most RT_WORKERS_MAX. Any thread. */
unsigned cpus_available(void);

RT_PRIVATE_END

#endif
