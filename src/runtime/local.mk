# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/runtime/cpus.c \
	src/runtime/main.c \
	src/runtime/native.c \
	src/runtime/runtime.c \
	src/runtime/signals.c \
	src/runtime/stealer.c \
	src/runtime/stealer_sleep.c \
	src/runtime/stealing.c \
	src/runtime/virtual_clock.c \
	src/runtime/worker.c
