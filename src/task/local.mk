# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/task/fiber_task.c \
	src/task/self.c \
	src/task/task.c \
	src/task/timeout.c \
	src/task/wait.c
