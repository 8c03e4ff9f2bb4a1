/* SPDX-License-Identifier: MIT */
/* Reads and writes for the FFI; see conn_quick.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/conn_quick.h"

#include <errno.h>

int conn_quick_read(struct lua_conn *conn, char *buf, int size)
{
	struct conn_extra *extra = conn_extra(conn);

	if (watch_has_reader(&conn->tcp.watch) || (extra && input_size(&extra->input) > 0))
		return CONN_SLOW;
	int got = (int)tcp_try_read(&conn->tcp, buf, (size_t)size);

	if (extra && got != -EAGAIN)
		extra->read_deadline = RT_NOW;
	return got == -EBADF ? CONN_SLOW : got;
}

int conn_quick_write(struct lua_conn *conn, const char *data, int size)
{
	if (conn->tcp.watch.fd < 0 || size <= 0 || (conn_extra(conn) && conn_extra(conn)->writing))
		return CONN_SLOW;
	return (int)tcp_try_write(&conn->tcp, data, (size_t)size);
}
