/* SPDX-License-Identifier: MIT */
/* Running a suite of Check (run_suite.h), and what is smaller under a sanitizer or valgrind. */
#ifndef RT_TESTS_SUITE_H
#define RT_TESTS_SUITE_H

#include "platform/sanitizer.h"
#include "support/run_suite.h"

#if HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#if defined(SANITIZER_ADDRESS) || defined(SANITIZER_THREAD)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* A count for this build: all of it, or a share where everything takes many times as long. */
static inline int scaled(int count, int share)
{
	return SANITIZED || RUNNING_ON_VALGRIND || getenv("RT_EMULATOR") ? count / share : count;
}

#endif
