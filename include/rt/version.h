/* SPDX-License-Identifier: MIT */
/* The version, at compile time and at run time. configure.ac reads it from here. */
#ifndef RT_VERSION_H
#define RT_VERSION_H

#include <rt/base.h>

#define RT_VERSION "0.1.0"

RT_BEGIN_DECLS

/* RT_VERSION of the library that is linked. Any thread. */
RT_API const char *rt_version(void);

RT_END_DECLS
#endif
