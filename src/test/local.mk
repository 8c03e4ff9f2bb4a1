# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/test/test.c
