/* SPDX-License-Identifier: MIT */
/* What every public header needs: export marks and C++ linkage. */
#ifndef RT_BASE_H
#define RT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RT_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define RT_BEGIN_DECLS extern "C" {
#define RT_END_DECLS }
#else
#define RT_BEGIN_DECLS
#define RT_END_DECLS
#endif

#define RT_STRING_(x) #x
#define RT_STRING(x) RT_STRING_(x)
/* "file.c:12", where the macro stands. */
#define RT_SITE __FILE__ ":" RT_STRING(__LINE__)

#endif
