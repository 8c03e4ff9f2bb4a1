# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/platform/backtrace.c \
	src/platform/clock.c \
	src/platform/context_aarch64.S \
	src/platform/context_ucontext.c \
	src/platform/context_x86_64.S \
	src/platform/fiber.c \
	src/platform/heap.c \
	src/platform/overflow.c \
	src/platform/stack.c
