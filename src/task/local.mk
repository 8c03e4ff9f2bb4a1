# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/task/cancel.c \
	src/task/dump.c \
	src/task/fiber_task.c \
	src/task/frame.c \
	src/task/local.c \
	src/task/scope.c \
	src/task/self.c \
	src/task/shield.c \
	src/task/task.c \
	src/task/timeout.c \
	src/task/wait.c
