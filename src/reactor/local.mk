# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/reactor/reactor.c \
	src/reactor/wheel.c
