/* SPDX-License-Identifier: MIT */
/* What a child process says on fd 2 and how it ends, for tests of messages and of deaths. */
#ifndef RT_TESTS_CHILD_H
#define RT_TESTS_CHILD_H

#include <check.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#if HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#endif

/* Runs body in a child that exits with its result; stores what it wrote to stderr. Returns the wait status.
 */
static inline int observe(int (*body)(void), char *said, size_t size)
{
	ssize_t got, length = 0;
	int ends[2], status;

	ck_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();

	if (child == 0) {
		VALGRIND_DISABLE_ERROR_REPORTING;
		dup2(ends[1], STDERR_FILENO);
		close(ends[1]);
		int result = body();

		fflush(stderr);
		_exit(result);
	}
	close(ends[1]);
	while ((got = read(ends[0], said + length, size - 1 - (size_t)length)) > 0)
		length += got;
	said[length] = '\0';
	close(ends[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

static inline void expect_exit(int (*body)(void), int code, const char *text)
{
	char said[512];
	int status = observe(body, said, sizeof said);

	ck_assert_msg(WIFEXITED(status), "died of signal %d: %s", WTERMSIG(status), said);
	ck_assert_int_eq(WEXITSTATUS(status), code);
	ck_assert_str_eq(said, text);
}

static inline void expect_signal(int (*body)(void), int number, const char *text)
{
	char said[512];
	int status = observe(body, said, sizeof said);

	ck_assert_msg(WIFSIGNALED(status), "exited with %d: %s", WEXITSTATUS(status), said);
	ck_assert_int_eq(WTERMSIG(status), number);
	ck_assert_str_eq(said, text);
}

#endif
