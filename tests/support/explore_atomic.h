/* SPDX-License-Identifier: MIT */
/*
 * Puts the steps of explore.h into code that is included after this: before and after every atomic operation
 * and every operation of a mutex or a condition variable. The operations themselves are plain: there is one
 * thread. A weak exchange fails now and then without a reason.
 */
#ifndef RT_TESTS_EXPLORE_ATOMIC_H
#define RT_TESTS_EXPLORE_ATOMIC_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/explore.h"

#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#undef atomic_fetch_add
#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit

/* The type of a value, without the _Atomic of an object that it is read from. */
#define EXPLORE_TYPE(expression) __typeof__(((void)0, (expression)))

/* Evaluates expression, which reads or writes an object, between two steps. */
#define EXPLORE_STEPS(expression)                                                                            \
	__extension__({                                                                                      \
		explore_step();                                                                              \
		EXPLORE_TYPE(expression) explore_value = (expression);                                       \
		explore_step();                                                                              \
		explore_value;                                                                               \
	})

#define EXPLORE_EXCHANGE(object, value)                                                                      \
	__extension__({                                                                                      \
		EXPLORE_TYPE(*(object)) explore_before = *(object);                                          \
		*(object) = (value);                                                                         \
		explore_before;                                                                              \
	})

#define EXPLORE_COMPARE_EXCHANGE(object, expected, desired, fails)                                           \
	__extension__({                                                                                      \
		EXPLORE_TYPE(*(object)) explore_before = *(object);                                          \
		bool explore_same = explore_before == *(expected) && !(fails);                               \
		if (explore_same)                                                                            \
			*(object) = (desired);                                                               \
		else                                                                                         \
			*(expected) = explore_before;                                                        \
		explore_same;                                                                                \
	})

#define atomic_load_explicit(object, order) EXPLORE_STEPS(*(object))
#define atomic_store_explicit(object, value, order) ((void)EXPLORE_STEPS(*(object) = (value)))
#define atomic_exchange_explicit(object, value, order) EXPLORE_STEPS(EXPLORE_EXCHANGE(object, value))
#define atomic_fetch_add_explicit(object, value, order)                                                      \
	EXPLORE_STEPS(EXPLORE_EXCHANGE(object, explore_before + (value)))
#define atomic_fetch_sub_explicit(object, value, order)                                                      \
	EXPLORE_STEPS(EXPLORE_EXCHANGE(object, explore_before - (value)))
#define atomic_compare_exchange_strong_explicit(object, expected, desired, success, failure)                 \
	EXPLORE_STEPS(EXPLORE_COMPARE_EXCHANGE(object, expected, desired, false))
#define atomic_compare_exchange_weak_explicit(object, expected, desired, success, failure)                   \
	EXPLORE_STEPS(EXPLORE_COMPARE_EXCHANGE(object, expected, desired, explore_random(8) == 0))

#define atomic_load(object) atomic_load_explicit(object, memory_order_seq_cst)
#define atomic_store(object, value) atomic_store_explicit(object, value, memory_order_seq_cst)
#define atomic_exchange(object, value) atomic_exchange_explicit(object, value, memory_order_seq_cst)
#define atomic_fetch_add(object, value) atomic_fetch_add_explicit(object, value, memory_order_seq_cst)

/* plant.awk leaves out <assert.h>. */
#define assert(condition) explore_check(condition)

#define pthread_mutex_lock explore_mutex_lock
#define pthread_mutex_trylock explore_mutex_trylock
#define pthread_mutex_unlock explore_mutex_unlock
#define pthread_cond_wait(cond, mutex) explore_cond_wait(cond, mutex, false)
#define pthread_cond_timedwait(cond, mutex, until) ((void)(until), explore_cond_wait(cond, mutex, true))
#define pthread_cond_signal explore_cond_signal

#endif
