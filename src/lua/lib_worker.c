/* SPDX-License-Identifier: MIT */
/* rt.core: the worker processes of the test runner. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where a worker finds the pipe for its events. */
enum { EVENTS_FD = 3 };

extern char **environ;

/* Its own process group: an interrupt from the terminal is the parent's, and what the tests started dies with
 * it. */
static int spawn_process(pid_t *pid, char **argv, int output, int events)
{
	static const int defaults[] = {SIGINT, SIGQUIT, SIGPIPE, SIGTERM};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t set;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	posix_spawn_file_actions_adddup2(&actions, events, EVENTS_FD);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes,
				 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attributes, &set);
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		sigaddset(&set, defaults[i]);
	posix_spawnattr_setsigdefault(&attributes, &set);
	int err = posix_spawn(pid, argv[0], &actions, &attributes, argv, environ);

	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static int spawn_with_pipe(pid_t *pid, char **argv, int output)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	int err = spawn_process(pid, argv, output, ends[1]);

	close(ends[1]);
	if (err == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
		return ends[0];
	close(ends[0]);
	return err < 0 ? err : -EIO;
}

/*
 * worker_spawn({argument, ...}, output) -> its process id, the descriptor from which to read its events
 * | nil, message, code. It runs this program with the arguments; output is the descriptor that takes
 * its stdout and stderr.
 */
static int worker_spawn(lua_State *L)
{
	enum { MAX_ARGUMENTS = 8 };
	char program[4096], *argv[MAX_ARGUMENTS + 2] = {program};
	ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
	pid_t pid;

	if (length < 0)
		return vm_push_failure(L, "start", "/proc/self/exe", -errno);
	program[length] = '\0';
	for (int i = 1; i <= MAX_ARGUMENTS; i++) {
		lua_rawgeti(L, 1, i);
		argv[i] = (char *)lua_tostring(L, -1);
	}
	int events = spawn_with_pipe(&pid, argv, (int)luaL_checkinteger(L, 2));

	if (events < 0)
		return vm_push_failure(L, "start", program, events);
	lua_pushinteger(L, pid);
	lua_pushinteger(L, events);
	return 2;
}

/* worker_wait(pid) -> nothing while it runs; then, once, "exit", its code | "signal", its number */
static int worker_wait(lua_State *L)
{
	int status;
	pid_t pid = waitpid((pid_t)luaL_checkinteger(L, 1), &status, WNOHANG);

	if (pid == 0)
		return 0;
	bool killed = pid > 0 && WIFSIGNALED(status);

	lua_pushstring(L, killed ? "signal" : "exit");
	lua_pushinteger(L, killed ? WTERMSIG(status) : pid > 0 ? WEXITSTATUS(status) : -1);
	return 2;
}

/* worker_kill(pid): the worker, and the processes of its group, whether or not it is still there */
static int worker_kill(lua_State *L)
{
	kill(-(pid_t)luaL_checkinteger(L, 1), SIGKILL);
	return 0;
}

/* worker_begin() -> the descriptor to write events to: makes this process a worker, which dies with its
 * parent */
static int worker_begin(lua_State *L)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(EVENTS_FD, F_SETFD, FD_CLOEXEC);
	lua_pushinteger(L, EVENTS_FD);
	return 1;
}

static const luaL_Reg functions[] = {
	{"worker_spawn", worker_spawn},
	{"worker_wait", worker_wait},
	{"worker_kill", worker_kill},
	{"worker_begin", worker_begin},
	{NULL, NULL},
};

void lib_worker_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
