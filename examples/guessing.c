/* SPDX-License-Identifier: MIT */
/*
 * A TCP number-guessing game: each player is a task, with a number of their own.
 * The server says whether the number is less or greater than the guess.
 *
 * Try it:  ./dev build
 *          build/examples/guessing [ADDRESS [NUMBER]]      (127.0.0.1:8080, random)
 *          nc 127.0.0.1 8080                               (in other terminals)
 */
#include <rt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A connection, and what was read from it beyond the last line. */
struct lines {
	struct rt_tcp *conn;
	size_t start, end;
	char buf[128];
};

static int chosen = -1; /* the number of every game; -1: random */
static const char won[] = "you win\n";

/* Gives the next line without its end, or NULL when the player has left. */
static const char *next_line(struct lines *in)
{
	for (;;) {
		char *line = in->buf + in->start;
		char *newline = memchr(line, '\n', in->end - in->start);

		if (newline) {
			*newline = '\0';
			in->start = (size_t)(newline + 1 - in->buf);
			return line;
		}
		in->end -= in->start;
		in->start = 0;
		memmove(in->buf, line, in->end);
		if (in->end == sizeof in->buf) { /* no number is that long: keep a wrong one for it */
			in->buf[0] = '?';
			in->end = 1;
		}

		ssize_t got = rt_tcp_read(in->conn, in->buf + in->end, sizeof in->buf - in->end, RT_FOREVER);
		if (got <= 0)
			return NULL;
		in->end += (size_t)got;
	}
}

static const char *judge(const char *line, int number)
{
	char *end;
	long guess = strtol(line, &end, 10);

	if (end == line || end[strspn(end, " \t\r")] != '\0' || guess < 0 || guess > 100)
		return "please type a number from 0 to 100\n";
	if (number < guess)
		return "less\n";
	if (number > guess)
		return "greater\n";
	return won;
}

static bool say(struct rt_tcp *conn, const char *text)
{
	return rt_tcp_write(conn, text, strlen(text), NULL, RT_FOREVER) >= 0;
}

static int play(void *arg)
{
	struct lines in = {.conn = arg};
	int number = chosen >= 0 ? chosen : rand() % 101;
	const char *line, *verdict = "guess a number from 0 to 100\n";

	while (say(in.conn, verdict) && verdict != won && (line = next_line(&in)) != NULL)
		verdict = judge(line, number);
	rt_tcp_destroy(in.conn);
	return 0; /* a player who leaves is no error */
}

static int async_main(int argc, char **argv)
{
	struct rt_tcp_listener *listener;
	struct rt_tcp *conn;
	struct rt_addr addr;
	char text[RT_ADDR_TEXT_MAX];
	int err = rt_tcp_listen(&listener, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL);

	if (err < 0)
		return err;
	if (argc > 2)
		chosen = atoi(argv[2]);
	srand((unsigned)time(NULL));
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	rt_tcp_listener_local_addr(listener, &addr);
	printf("Listening on %s\n", rt_addr_text(&addr, text));
	while ((err = rt_tcp_accept(listener, &conn, &addr, RT_FOREVER)) == 0) {
		printf("Accepting from %s\n", rt_addr_text(&addr, text));
		struct rt_task *task = rt_spawn(play, conn);
		if (!task)
			rt_tcp_destroy(conn);
		rt_detach(task);
	}
	rt_tcp_listener_destroy(listener);
	return err;
}

RT_MAIN(async_main)
