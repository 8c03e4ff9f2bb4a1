/* SPDX-License-Identifier: MIT */
/* The reactor on libevent; see reactor.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "reactor/reactor.h"

#include "base/error.h"
#include "platform/clock.h"
#include "reactor/wheel.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* At most, of a base of libevent: its poll, a timer, and two pairs for signals and wake-ups. */
enum { BASE_DESCRIPTORS = 6 };

struct reactor {
	struct rt_runtime *runtime; /* whose lock to take; or NULL */
	struct event_base *base;
	bool guest; /* base is a host's */
	bool shared;
	bool sleeping; /* of a shared one: who polls has set the alarm; locked, as are alarm and wheel */
	bool held;
	bool kicked;
	int wake_fd, alarm_fd;
	rt_time alarm; /* what alarm_fd is set to, or RT_FOREVER */
	rt_time *clock; /* not the real time, or NULL */
	struct event wake_event, alarm_event, kick_event;
	struct wheel wheel;
	void (*turn)(void *arg);
	void *arg;
};

static void set_alarm_at(struct reactor *reactor, rt_time next)
{
	if (next >= reactor->alarm)
		return;
	/* Zero would disarm: the past is one nanosecond. */
	rt_time when = next > 0 ? next : 1;
	struct itimerspec spec = {
		.it_value.tv_sec = (time_t)(when / RT_S(1)),
		.it_value.tv_nsec = (long)(when % RT_S(1)),
	};

	timerfd_settime(reactor->alarm_fd, TFD_TIMER_ABSTIME, &spec, NULL);
	reactor->alarm = next;
}

static void lock(struct reactor *reactor)
{
	if (reactor->shared)
		rt_runtime_lock(reactor->runtime);
}

static void unlock(struct reactor *reactor)
{
	if (reactor->shared)
		rt_runtime_unlock(reactor->runtime);
}

/* Wakes whose time has come, for which the runtime is locked even where the wheel is this thread's alone. */
static void fire(struct reactor *reactor)
{
	if (reactor->runtime)
		rt_runtime_lock(reactor->runtime);
	reactor->sleeping = false;
	if (reactor->wheel.count > 0)
		wheel_turn(&reactor->wheel, rt_now());
	if (reactor->runtime)
		rt_runtime_unlock(reactor->runtime);
}

/* Timers that are due at the end of time are never waited for. */
static void set_alarm(struct reactor *reactor)
{
	if (reactor->clock)
		return;
	lock(reactor);
	set_alarm_at(reactor, wheel_next(&reactor->wheel));
	reactor->sleeping = reactor->shared;
	unlock(reactor);
}

static void turn_wheel(struct reactor *reactor)
{
	if (reactor->shared || reactor->wheel.count > 0)
		fire(reactor);
}

/* Edge-triggered: the expiry needs no read(). */
static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct reactor *reactor = arg;

	(void)fd, (void)what;
	lock(reactor);
	reactor->alarm = RT_FOREVER;
	unlock(reactor);
	turn_wheel(reactor);
	if (reactor->guest) {
		set_alarm(reactor);
		reactor->turn(reactor->arg);
	}
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct reactor *reactor = arg;

	(void)fd, (void)what;
	reactor->turn(reactor->arg);
	if (reactor->held)
		set_alarm(reactor);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct reactor *reactor = arg;

	(void)fd, (void)what;
	reactor->kicked = false;
	turn_wheel(reactor);
	reactor->turn(reactor->arg);
	if (reactor->held)
		set_alarm(reactor);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	unsigned events = 0;

	(void)fd;
	if (what & EV_CLOSED)
		events |= RT_CLOSED | RT_READ;
	if (what & EV_READ)
		events |= RT_READ;
	if (what & EV_WRITE)
		events |= RT_WRITE;
	rt_watch_ready(arg, events);
}

_Static_assert(sizeof(struct event) <= sizeof(((struct rt_watch *)0)->registration),
	       "a registration has room for libevent's");

static struct event *registration(struct rt_watch *watch)
{
	return (struct event *)watch->registration;
}

int reactor_watch(struct reactor *reactor, struct rt_watch *watch)
{
	struct event *event = registration(watch);

	event_assign(event, reactor->base, watch->fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
		     on_ready, watch);
	if (event_add(event, NULL) == 0)
		return 0;
	int err = error_last();

	return err > 0 ? -err : -ENOMEM;
}

void reactor_unwatch(struct reactor *reactor, struct rt_watch *watch)
{
	(void)reactor;
	event_del(registration(watch));
}

bool reactor_has(const struct reactor *reactor, const struct rt_watch *watch)
{
	return event_get_base((const struct event *)watch->registration) == reactor->base;
}

void reactor_arm(struct reactor *reactor, struct rt_timer *timer)
{
	wheel_arm(&reactor->wheel, timer);
	/* Somebody else sleeps, until the alarm at the latest. */
	if (reactor->sleeping)
		set_alarm_at(reactor, wheel_next(&reactor->wheel));
}

void reactor_disarm(struct reactor *reactor, struct rt_timer *timer)
{
	wheel_disarm(&reactor->wheel, timer);
}

bool reactor_has_timers(const struct reactor *reactor)
{
	return reactor->wheel.count > 0;
}

/*
 * Whether this is called in a callback of a host's loop, which cannot be turned then. What libevent shows of
 * that is the time: while callbacks run it stands still. (event_base_get_running_event() of libevent 2.1
 * crashes outside of callbacks.)
 */
static bool in_callback(const struct reactor *reactor)
{
	const rt_time moment = RT_US(5); /* more than once its resolution */
	struct timeval before, after;

	if (!reactor->guest)
		return false;
	event_base_gettimeofday_cached(reactor->base, &before);
	for (rt_time end = clock_real() + moment; clock_real() < end;)
		;
	event_base_gettimeofday_cached(reactor->base, &after);
	return evutil_timercmp(&before, &after, ==);
}

/* There, wake-ups and the alarm are heard of all the same, but no other descriptors. */
static int turn_in_callback(struct reactor *reactor, bool wait)
{
	struct pollfd fds[] = {
		{.fd = reactor->wake_fd, .events = POLLIN},
		{.fd = reactor->alarm_fd, .events = POLLIN},
	};
	uint64_t count;

	if (wait && poll(fds, 2, -1) < 0 && error_last() != EINTR)
		return -error_last();
	/* libevent waits for their edges; here they have to be read. */
	(void)!read(reactor->wake_fd, &count, sizeof count);
	if (read(reactor->alarm_fd, &count, sizeof count) == sizeof count) {
		lock(reactor);
		reactor->alarm = RT_FOREVER;
		unlock(reactor);
	}
	reactor->turn(reactor->arg);
	return 0;
}

/* Where a host has its loop ask for the time each time, libevent warns of the callback. */
static int turn_base(struct reactor *reactor, bool wait)
{
	if (in_callback(reactor))
		return turn_in_callback(reactor, wait);
	if (event_base_loop(reactor->base, wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK) >= 0)
		return 0;
	return reactor->guest ? turn_in_callback(reactor, wait) : -EIO;
}

static int turn_loop(struct reactor *reactor, bool wait)
{
	int err = turn_base(reactor, wait);

	turn_wheel(reactor);
	return err;
}

int reactor_poll(struct reactor *reactor, bool wait)
{
	if (wait)
		set_alarm(reactor);
	return turn_loop(reactor, wait);
}

int reactor_poll_until(struct reactor *reactor, rt_time until)
{
	lock(reactor);
	rt_time next = reactor->clock ? RT_FOREVER : wheel_next(&reactor->wheel);

	set_alarm_at(reactor, next < until ? next : until);
	reactor->sleeping = reactor->shared;
	unlock(reactor);
	return turn_loop(reactor, true);
}

bool reactor_advance(struct reactor *reactor, rt_time until)
{
	rt_time earliest = wheel_earliest(&reactor->wheel);
	rt_time next = earliest < until ? earliest : until;

	if (next > *reactor->clock && next < RT_FOREVER)
		*reactor->clock = next;
	turn_wheel(reactor);
	return earliest <= until && earliest < RT_FOREVER;
}

void reactor_wake(struct reactor *reactor)
{
	uint64_t one = 1;

	/* A full counter already says what this would say. */
	(void)!write(reactor->wake_fd, &one, sizeof one);
}

void reactor_kick(struct reactor *reactor, bool again)
{
	if (!reactor->guest || reactor->kicked)
		return;
	reactor->kicked = true;
	if (again)
		event_add(&reactor->kick_event, &(struct timeval){0, 0});
	else
		event_active(&reactor->kick_event, EV_TIMEOUT, 1);
}

void reactor_hold(struct reactor *reactor, bool hold)
{
	if (!reactor->guest || reactor->held == hold)
		return;
	reactor->held = hold;
	if (hold) {
		event_add(&reactor->wake_event, NULL);
		event_add(&reactor->alarm_event, NULL);
	} else {
		event_del(&reactor->wake_event);
		event_del(&reactor->alarm_event);
		reactor->alarm = RT_FOREVER;
	}
}

/* libevent ends the process when it finds no descriptors for itself. Returns 0 or -errno. */
static int check_descriptors(void)
{
	int fds[BASE_DESCRIPTORS], count = 0, err = 0;

	while (count < BASE_DESCRIPTORS && err == 0) {
		fds[count] = eventfd(0, EFD_CLOEXEC);
		err = fds[count] < 0 ? -error_last() : 0;
		count += err == 0;
	}
	while (count > 0)
		close(fds[--count]);
	return err;
}

/* libevent's locks are the process's; bases that were made without them have none. */
static pthread_once_t locks = PTHREAD_ONCE_INIT;

static void use_locks(void)
{
	evthread_use_pthreads();
}

/*
 * Confined to this thread, so that libevent takes no lock, or shared, with locks; woken through
 * wake_fd only. It need not know the time: the timers are ours.
 */
static struct event_base *new_base(bool shared)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	if (shared)
		pthread_once(&locks, use_locks);
	event_config_require_features(config, EV_FEATURE_ET);
	event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME | (shared ? 0 : EVENT_BASE_FLAG_NOLOCK));
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static int open_descriptors(struct reactor *reactor)
{
	reactor->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (reactor->wake_fd < 0)
		return -error_last();
	reactor->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (reactor->alarm_fd < 0)
		return -error_last();
	short flags = EV_READ | EV_ET | EV_PERSIST;

	event_assign(&reactor->wake_event, reactor->base, reactor->wake_fd, flags, on_wake, reactor);
	event_assign(&reactor->alarm_event, reactor->base, reactor->alarm_fd, flags, on_alarm, reactor);
	event_assign(&reactor->kick_event, reactor->base, -1, 0, on_kick, reactor);
	if (reactor->guest)
		return 0;
	if (event_add(&reactor->wake_event, NULL) < 0 || event_add(&reactor->alarm_event, NULL) < 0)
		return -ENOMEM;
	return 0;
}

int reactor_create(struct reactor **reactor, const struct reactor_options *options)
{
	struct reactor *created = calloc(1, sizeof *created);

	if (!created)
		return -ENOMEM;
	created->turn = options->turn;
	created->arg = options->arg;
	created->guest = options->event_base;
	created->shared = options->shared;
	created->runtime = options->runtime;
	created->clock = options->clock;
	created->wake_fd = created->alarm_fd = -1;
	created->alarm = RT_FOREVER;
	wheel_init(&created->wheel, rt_now());
	int err = created->guest ? 0 : check_descriptors();

	if (err == 0)
		created->base = created->guest ? options->event_base : new_base(options->shared);
	if (err == 0)
		err = created->base ? open_descriptors(created) : -ENOMEM;
	if (err < 0) {
		reactor_destroy(created);
		return err;
	}
	*reactor = created;
	return 0;
}

static int find_watch(const struct event_base *base, const struct event *event, void *arg)
{
	(void)base;
	if (event_get_callback(event) != on_ready)
		return 0;
	*(struct rt_watch **)arg = event_get_callback_arg(event);
	return 1;
}

/* Descriptors may outlive the reactor, in the hands of a garbage collector. */
static void forget_watches(struct reactor *reactor)
{
	struct rt_watch *watch = NULL;

	while (event_base_foreach_event(reactor->base, find_watch, &watch)) {
		reactor_unwatch(reactor, watch);
		watch->ready &= ~(uint32_t)RT_REGISTERED;
	}
}

void reactor_destroy(struct reactor *reactor)
{
	if (!reactor)
		return;
	if (reactor->base)
		forget_watches(reactor);
	if (event_initialized(&reactor->kick_event)) {
		event_del(&reactor->wake_event);
		event_del(&reactor->alarm_event);
		event_del(&reactor->kick_event);
	}
	if (reactor->wake_fd >= 0)
		close(reactor->wake_fd);
	if (reactor->alarm_fd >= 0)
		close(reactor->alarm_fd);
	if (reactor->base && !reactor->guest)
		event_base_free(reactor->base);
	free(reactor);
}
