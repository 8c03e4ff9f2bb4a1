/* SPDX-License-Identifier: MIT */
/*
 * Chance that can be repeated: SplitMix64, after G. Steele, D. Lea and C. Flood, "Fast splittable
 * pseudorandom number generators" (2014). Seeds that are close to each other do as well as any.
 */
#ifndef RT_RANDOM_H
#define RT_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

/* A number below count. */
static inline unsigned random_below(uint64_t *state, unsigned count)
{
	return (unsigned)((random_next(state) >> 32) * count >> 32);
}

#endif
