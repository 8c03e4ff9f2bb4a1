# SPDX-License-Identifier: MIT
librtcore_la_SOURCES += \
	src/net/addr.c \
	src/net/listener.c \
	src/net/resolve.c \
	src/net/socket.c \
	src/net/tcp.c \
	src/net/udp.c \
	src/net/wait_fd.c \
	src/net/watch.c
