/* SPDX-License-Identifier: MIT */
/*
 * The crew: the threads that run a runtime, and how all of them come to rest.
 *
 * Worker 0 is the thread that has started the runtime; the others are started here, when there is
 * something for them. All of them rest whenever nobody is in the runtime's run(), so that whatever
 * happens outside of it, like the end of everything, has the runtime for itself; and while one of
 * them looks at all tasks.
 */
#ifndef RT_CREW_H
#define RT_CREW_H

#include <rt/runtime.h>

RT_PRIVATE_BEGIN

struct crew;

struct crew_options {
	struct rt_runtime *runtime;
	unsigned workers; /* at most, worker 0 included */
	/* The loop of a started worker: returns when crew_rest() says so. */
	void (*work)(void *arg, unsigned worker);
	/* Makes a worker that sleeps look whether it must rest. Any thread. */
	void (*alert)(void *arg, unsigned worker);
	void *arg;
};

/* At rest, until crew_open(). */
int crew_create(struct crew **crew, const struct crew_options *options);

/* Starts a worker's thread if that has not been done. 0, or -EAGAIN. Any thread. */
int crew_start(struct crew *crew, unsigned worker);

/*
 * The beginning and the end of run(): from here on all may work, and worker 0 does; it ends and all
 * have to rest, for which it waits up to limit nanoseconds.
 */
void crew_open(struct crew *crew);
void crew_close(struct crew *crew, rt_time limit);

/* In between, worker 0 ends to work and begins again. The others do so by themselves. */
void crew_leave(struct crew *crew);
void crew_enter(struct crew *crew);

/* Whether a worker must call crew_rest() before it runs anything more. Any thread. */
bool crew_must_rest(const struct crew *crew);

/* Rests until crew_resume(). False: for good, leave the loop. */
bool crew_rest(struct crew *crew);

/*
 * Has all rest, but for the caller, who says whether it is one that is at work: waits for it, for
 * limit nanoseconds. 0, or -EBUSY: some are still at work; they rest as soon as they can. In
 * both cases crew_resume() is due. Both are allowed when it is closed, and in pairs inside of one another.
 * Who is at work may rest here itself, in the middle of a task, while another has all rest.
 */
int crew_pause(struct crew *crew, bool at_work, rt_time limit);
void crew_resume(struct crew *crew);

/*
 * Between them: whether one of those that rest does so in the middle of a task, which goes on by itself,
 * though nothing that can be seen from outside would bring that about.
 */
bool crew_rests_in_task(struct crew *crew);

/* Ends the threads, which must be at rest. NULL is fine. */
void crew_destroy(struct crew *crew);

RT_PRIVATE_END

#endif
