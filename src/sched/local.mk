# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/sched/crew.c \
	src/sched/idle.c \
	src/sched/inject.c \
	src/sched/parker.c \
	src/sched/pool.c \
	src/sched/queue.c \
	src/sched/steal_queue.c \
	src/sched/strand.c \
	src/sched/watchdog.c
