/* SPDX-License-Identifier: MIT */
/* Small programs over each part of the scheduler, which hold under every schedule. */
#ifndef RT_TESTS_FAULT_PROGRAMS_H
#define RT_TESTS_FAULT_PROGRAMS_H

#include "base/fault.h"

#include <rt.h>
#include <stdint.h>

enum { PROGRAM_COUNT = 12 };

/* How a process ends in which something was not as expected; stderr says what. */
enum { PROGRAM_FAILED = 3 };

/* Runs a program in a runtime with a virtual clock and that seed. If it fails, the process ends. */
void program_run(unsigned index, uint64_t seed);

const char *program_name(unsigned index);

/* The index of the program that must find a fault; PROGRAM_COUNT if there is none. */
unsigned program_for(enum fault fault);

#endif
