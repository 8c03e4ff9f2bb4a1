# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/bench/baseline.c \
	src/bench/bench.c \
	src/bench/measure.c \
	src/bench/report.c \
	src/bench/session.c \
	src/bench/settings.c \
	src/bench/stats.c
