/* SPDX-License-Identifier: MIT */
/*
 * A host program with an event loop of its own, a script in it, and a C function
 * the script awaits. While the script waits, the host's timer goes on ticking. The
 * program ends when its loop has nothing left to do.
 *
 * Try it:  ./dev build
 *          build/examples/host
 *
 * Elsewhere: cc host.c $(pkg-config --cflags --libs rtlua libevent_core)
 */
#include <rtlua.h>
#include <event2/event.h>
#include <stdio.h>

static struct event_base *host_base;
static struct event *host_timer;

static void tick(evutil_socket_t fd, short events, void *arg)
{
	static int ticks;

	(void)fd, (void)events, (void)arg;
	printf("tick %d\n", ++ticks);
	if (ticks == 10)
		event_del(host_timer);
}

/* Makes the loop, with a tick every 5 ms. */
static int open_host(void)
{
	const struct timeval period = {.tv_usec = 5000};

	host_base = event_base_new();
	if (!host_base)
		return -1;
	host_timer = event_new(host_base, -1, EV_PERSIST, tick, NULL);
	return host_timer ? event_add(host_timer, &period) : -1;
}

static void close_host(void)
{
	event_free(host_timer);
	event_base_free(host_base);
}

static int app_fetch(lua_State *L) /* may call any rt_* function that waits */
{
	rt_sleep(RT_MS(10));
	lua_pushliteral(L, "fetched");
	return 1;
}

int main(void)
{
	struct rtlua *lua;
	struct rtlua_options options = RTLUA_OPTIONS_INIT;

	if (open_host() < 0)
		return 1;
	options.event_base = host_base; /* optional: the host keeps its loop */
	if (rtlua_open(&lua, &options) < 0)
		return 1;
	rtlua_register(lua, "app.fetch", app_fetch);
	rtlua_spawn_string(lua, "for _ = 1, 3 do print(require('app').fetch()) end", "=host");
	event_base_dispatch(host_base);
	rtlua_close(lua);
	close_host();
}
