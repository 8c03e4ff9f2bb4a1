/* SPDX-License-Identifier: MIT */
/*
 * The network: addresses, name resolution, TCP, UDP, and any other descriptor.
 *
 * An address text is "127.0.0.1:80", "[::1]:80" or "name:80"; in a bind or
 * listen an empty host (":80") means every local IPv4 address, "[::]:80" every
 * address. Where a name has several addresses they are tried in order and the last
 * error is returned.
 *
 * Every socket may have one task reading and one task writing at the same time; a
 * second one in the same direction gets -EBUSY. Destroying a socket wakes those
 * that wait on it with -EBADF.
 *
 * Cancel safety: what a function has done by the time it gives -ECANCELED or
 * -ETIMEDOUT.
 *
 *	resolve, listen, bind, wait_fd      nothing
 *	connect                             nothing: the descriptor is closed
 *	accept                              nothing: the connection stays in the queue
 *	read, recv, recv_from               nothing: the data stays in the socket
 *	send, send_to                       nothing: a datagram is sent whole or not
 *	read_exactly, write                 a part, as *done tells
 */
#ifndef RT_NET_H
#define RT_NET_H

#include <rt/time.h>
#include <netinet/in.h>

RT_BEGIN_DECLS

/* ---- Addresses ---- */

struct rt_addr {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} u;
};

/* Enough for any address with scope, port, brackets and NUL. */
#define RT_ADDR_TEXT_MAX 72

/* Parses a numeric address with a port. Returns 0 or -EINVAL. Any thread. */
RT_API int rt_addr_parse(struct rt_addr *addr, const char *text);

/* Writes "127.0.0.1:80" or "[::1]:80" to text, which it returns. Any thread. */
RT_API const char *rt_addr_text(const struct rt_addr *addr, char text[RT_ADDR_TEXT_MAX]);

/* The port in host byte order. Any thread. */
RT_API uint16_t rt_addr_port(const struct rt_addr *addr);

/* Same family, address, port and scope. Any thread. */
RT_API bool rt_addr_equal(const struct rt_addr *a, const struct rt_addr *b);

/*
 * Resolves "host:port" without blocking the other tasks. Stores up to max
 * addresses in the order to try them and returns their number (at least 1).
 * Errors: -EINVAL the text is no address, -ENOENT the name does not exist,
 * -EAGAIN the name service failed for now, -ETIMEDOUT, -ECANCELED. Suspends,
 * unless the host is numeric or empty.
 */
RT_API int rt_resolve(const char *text, struct rt_addr *addrs, size_t max, rt_time deadline);

/* ---- TCP ---- */

struct rt_tcp;
struct rt_tcp_listener;

struct rt_tcp_listen_options {
	int backlog; /* 0: 1024 */
	bool reuseport;
};

/* Connects. addr as for rt_resolve(). Suspends. */
RT_API int rt_tcp_connect(struct rt_tcp **tcp, const char *addr, rt_time deadline);
RT_API int rt_tcp_connect_addr(struct rt_tcp **tcp, const struct rt_addr *addr, rt_time deadline);

/*
 * Reads up to size bytes. Returns their number, 0 at the end of the stream,
 * -ECONNRESET, -EBUSY, ... On -ETIMEDOUT and -ECANCELED nothing was read. Suspends.
 */
RT_API ssize_t rt_tcp_read(struct rt_tcp *tcp, void *buf, size_t size, rt_time deadline);

/*
 * Reads exactly size bytes; fewer only at the end of the stream. Returns their
 * number. After -ETIMEDOUT or -ECANCELED, *done (may be NULL) tells how many
 * bytes are in buf already. Suspends.
 */
RT_API ssize_t rt_tcp_read_exactly(struct rt_tcp *tcp, void *buf, size_t size, size_t *done,
				   rt_time deadline);

/*
 * Writes all of buf. Returns size or -errno (-EPIPE, -ECONNRESET, ...); *done
 * (may be NULL) tells how many bytes went out in either case. Suspends.
 */
RT_API ssize_t rt_tcp_write(struct rt_tcp *tcp, const void *buf, size_t size, size_t *done, rt_time deadline);

/* how is SHUT_RD, SHUT_WR or SHUT_RDWR. Does not suspend. */
RT_API int rt_tcp_shutdown(struct rt_tcp *tcp, int how);

/* Closes and frees. NULL is fine. Does not suspend. */
RT_API void rt_tcp_destroy(struct rt_tcp *tcp);

RT_API int rt_tcp_local_addr(const struct rt_tcp *tcp, struct rt_addr *addr);
RT_API int rt_tcp_peer_addr(const struct rt_tcp *tcp, struct rt_addr *addr);
RT_API int rt_tcp_set_nodelay(struct rt_tcp *tcp, bool on);
/* idle: seconds before the first probe; 0 switches keepalive off. */
RT_API int rt_tcp_set_keepalive(struct rt_tcp *tcp, unsigned idle);
RT_API int rt_tcp_fd(const struct rt_tcp *tcp);

/*
 * Binds and listens; options may be NULL. SO_REUSEADDR is set. Suspends only
 * when addr holds a name.
 */
RT_API int rt_tcp_listen(struct rt_tcp_listener **listener, const char *addr,
			 const struct rt_tcp_listen_options *options);

/*
 * Takes the next connection; peer may be NULL. While the process has no
 * descriptor left it waits and tries again, so that accept() loops need no
 * error handling for that. Connections that died in the queue are skipped.
 * Suspends.
 */
RT_API int rt_tcp_accept(struct rt_tcp_listener *listener, struct rt_tcp **tcp, struct rt_addr *peer,
			 rt_time deadline);
RT_API int rt_tcp_listener_local_addr(const struct rt_tcp_listener *listener, struct rt_addr *addr);
RT_API int rt_tcp_listener_fd(const struct rt_tcp_listener *listener);
RT_API void rt_tcp_listener_destroy(struct rt_tcp_listener *listener);

/* ---- UDP ---- */

struct rt_udp;

/* Suspends only when addr holds a name. */
RT_API int rt_udp_bind(struct rt_udp **udp, const char *addr);

/*
 * Receives one datagram; peer may be NULL. Returns its size, which may be 0; what
 * does not fit into buf is cut off, and the return value is then larger than
 * size. Suspends.
 */
RT_API ssize_t rt_udp_recv_from(struct rt_udp *udp, void *buf, size_t size, struct rt_addr *peer,
				rt_time deadline);

/* Sends one datagram, whole or not at all (-EMSGSIZE). Returns size. Suspends. */
RT_API ssize_t rt_udp_send_to(struct rt_udp *udp, const void *buf, size_t size, const struct rt_addr *addr,
			      rt_time deadline);

/* Sets the peer of send and recv; datagrams of others are dropped by the kernel. Suspends for names. */
RT_API int rt_udp_connect(struct rt_udp *udp, const char *addr, rt_time deadline);
RT_API ssize_t rt_udp_recv(struct rt_udp *udp, void *buf, size_t size, rt_time deadline);
RT_API ssize_t rt_udp_send(struct rt_udp *udp, const void *buf, size_t size, rt_time deadline);

RT_API int rt_udp_local_addr(const struct rt_udp *udp, struct rt_addr *addr);
RT_API int rt_udp_peer_addr(const struct rt_udp *udp, struct rt_addr *addr);
RT_API int rt_udp_fd(const struct rt_udp *udp);
RT_API void rt_udp_destroy(struct rt_udp *udp);

/* Socket options. Getters return the value (>= 0) or -errno, setters 0 or -errno. */
enum rt_udp_option {
	RT_UDP_BROADCAST,
	RT_UDP_TTL, /* unicast TTL or hop limit */
	RT_UDP_MULTICAST_LOOP_V4,
	RT_UDP_MULTICAST_TTL_V4,
	RT_UDP_MULTICAST_LOOP_V6,
};
RT_API int rt_udp_get(const struct rt_udp *udp, enum rt_udp_option option);
RT_API int rt_udp_set(struct rt_udp *udp, enum rt_udp_option option, int value);

/* interface: the local address of an interface (INADDR_ANY: the system chooses), for v6 its index (0). */
RT_API int rt_udp_join_multicast_v4(struct rt_udp *udp, struct in_addr group, struct in_addr interface);
RT_API int rt_udp_leave_multicast_v4(struct rt_udp *udp, struct in_addr group, struct in_addr interface);
RT_API int rt_udp_join_multicast_v6(struct rt_udp *udp, const struct in6_addr *group, unsigned interface);
RT_API int rt_udp_leave_multicast_v6(struct rt_udp *udp, const struct in6_addr *group, unsigned interface);

/* ---- Any descriptor ---- */

/*
 * Waits until fd, which must be non-blocking, is readable or writable (RT_READ or
 * RT_WRITE; not both). The descriptor stays the caller's. Returns 0, -EBADF, -EINVAL,
 * -EPERM when it cannot be polled, as files and folders.
 * Suspends.
 */
RT_API int rt_wait_fd(int fd, int events, rt_time deadline);

RT_END_DECLS
#endif
