# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/time/advance.c \
	src/time/interval.c \
	src/time/sleep.c
