/* SPDX-License-Identifier: MIT */
/* Which sanitizer this file is compiled for, whichever way the compiler says it. */
#ifndef RT_SANITIZER_H
#define RT_SANITIZER_H

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZER_ADDRESS 1
#endif
#if __has_feature(thread_sanitizer)
#define SANITIZER_THREAD 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#define SANITIZER_ADDRESS 1
#endif
#ifdef __SANITIZE_THREAD__
#define SANITIZER_THREAD 1
#endif

#ifdef SANITIZER_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SANITIZER_THREAD
#include <sanitizer/tsan_interface.h>
#endif

#endif
