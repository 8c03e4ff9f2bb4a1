# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/base/error.c
