/* SPDX-License-Identifier: MIT */
/*
 * Faults that are planted to see whether the tests find them: FAULT(name) is false, except in a
 * build with RT_FAULTS, where it tells whether fault_planted, which the test defines, is that one.
 */
#ifndef RT_FAULT_H
#define RT_FAULT_H

#define FAULTS(X)                                                                                            \
	X(wake_forgotten, "a wake that meets its task still running is forgotten")                           \
	X(wake_repeated, "a wake that meets its task scheduled schedules it again")                          \
	X(wake_hasty, "a wake that meets its task still running schedules it at once")                       \
	X(queue_tail, "the run queue's tail stays when it is drawn")                                         \
	X(queue_skip, "what is before the drawn one in the run queue is lost")                               \
	X(ring_cut, "who leaves a wait queue takes all others along")                                        \
	X(wait_stays, "who gives up waiting stays in the wait queue")                                        \
	X(select_stays, "the cases of a select that have lost stay in their queues")                         \
	X(timer_stays, "a wait that is over leaves its timer armed")                                         \
	X(timer_early, "a timer fires with its tick, before its deadline")                                   \
	X(timer_order, "the timers of a tick are not sorted")                                                \
	X(room_kept, "the room that a receiver leaves in a channel is no waiting sender's")                  \
	X(value_lost, "who is cancelled loses what has been handed over already")                            \
	X(permit_lost, "a permit that is released while tasks wait is nobody's")                             \
	X(permit_doubled, "a permit that is handed over is free as well")                                    \
	X(event_one, "an event wakes one waiter of many")                                                    \
	X(join_one, "a task's end wakes one joiner of many")                                                 \
	X(join_stays, "who gives up joining stays among the joiners")                                        \
	X(cancel_unheard, "a cancellation does not wake who waits")                                          \
	X(cancel_one, "a scope's cancellation reaches one task of many")

enum fault {
	FAULT_none,
#define FAULT_NAME(name, what) FAULT_##name,
	FAULTS(FAULT_NAME)
#undef FAULT_NAME
		FAULT_COUNT
};

#ifdef RT_FAULTS
extern enum fault fault_planted;
#define FAULT(name) __builtin_expect(fault_planted == FAULT_##name, 0)
#else
#define FAULT(name) (FAULT_##name == FAULT_none)
#endif

#endif
