# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/sync/chan.c \
	src/sync/event.c \
	src/sync/mutex.c \
	src/sync/select.c \
	src/sync/semaphore.c \
	src/sync/sync_wait.c \
	src/sync/wait_group.c
