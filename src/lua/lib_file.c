/* SPDX-License-Identifier: MIT */
/* rt.core: descriptors and folders, as far as the test runner needs them. Nothing here waits for events. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/libs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_fd(lua_State *L)
{
	return (int)luaL_checkinteger(L, 1);
}

/* fd_read(fd) -> what there is, "" at the end, nil when there is nothing yet */
static int fd_read(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	ssize_t got;

	do
		got = read(check_fd(L), vm->buffer, VM_BUFFER);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return 0;
	lua_pushlstring(L, vm->buffer, got < 0 ? 0 : (size_t)got);
	return 1;
}

/* fd_write(fd, data) -> whether all of it could be written; blocks */
static int fd_write(lua_State *L)
{
	size_t size;
	const char *data = luaL_checklstring(L, 2, &size);

	while (size > 0) {
		ssize_t done = write(check_fd(L), data, size);

		if (done < 0 && errno != EINTR)
			break;
		data += done > 0 ? done : 0;
		size -= done > 0 ? (size_t)done : 0;
	}
	lua_pushboolean(L, size == 0);
	return 1;
}

static int fd_close(lua_State *L)
{
	close(check_fd(L));
	return 0;
}

/* fd_size(fd) -> the size of its file in bytes */
static int fd_size(lua_State *L)
{
	struct stat status;

	lua_pushnumber(L, fstat(check_fd(L), &status) == 0 ? (double)status.st_size : 0);
	return 1;
}

/* fd_part(fd, offset, size) -> that part of its file, at most VM_BUFFER bytes */
static int fd_part(lua_State *L)
{
	struct vm *vm = vm_upvalue(L);
	off_t offset = (off_t)luaL_checknumber(L, 2);
	double size = luaL_checknumber(L, 3);
	ssize_t got = pread(check_fd(L), vm->buffer, size < VM_BUFFER ? (size_t)size : VM_BUFFER, offset);

	lua_pushlstring(L, vm->buffer, got < 0 ? 0 : (size_t)got);
	return 1;
}

/* fd_memory() -> a new file in memory, to which every writer appends | nil, message, code */
static int fd_memory(lua_State *L)
{
	int fd = memfd_create("output", MFD_CLOEXEC);

	if (fd < 0)
		return vm_push_failure(L, "memfd_create", NULL, -errno);
	fcntl(fd, F_SETFL, O_APPEND);
	lua_pushinteger(L, fd);
	return 1;
}

/* fd_of(file) -> the descriptor of a file of Lua's io, or nothing if it is closed */
static int fd_of(lua_State *L)
{
	FILE *file = *(FILE **)luaL_checkudata(L, 1, LUA_FILEHANDLE);

	if (!file)
		return 0;
	lua_pushinteger(L, fileno(file));
	return 1;
}

static int fd_is_terminal(lua_State *L)
{
	lua_pushboolean(L, isatty(check_fd(L)));
	return 1;
}

/* fd_list() -> {[descriptor] = what it is, as /proc tells: "socket:[123]", "/etc/hosts", ...}; without /proc,
 * {} */
static int fd_list(lua_State *L)
{
	static const char folder[] = "/proc/self/fd";
	char path[64], target[4096];
	DIR *dir = opendir(folder);

	lua_newtable(L);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		int fd = atoi(entry->d_name);

		snprintf(path, sizeof path, "%s/%d", folder, fd);
		ssize_t length = readlink(path, target, sizeof target);

		if (length < 0 || fd == dirfd(dir) || entry->d_name[0] == '.')
			continue;
		lua_pushlstring(L, target, (size_t)length);
		lua_rawseti(L, -2, fd);
	}
	if (dir)
		closedir(dir);
	return 1;
}

/* path_kind(path) -> "folder", "file" | nil, message, code */
static int path_kind(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct stat status;

	if (stat(path, &status) < 0)
		return vm_push_failure(L, "open", path, -errno);
	lua_pushstring(L, S_ISDIR(status.st_mode) ? "folder" : "file");
	return 1;
}

/* path_list(folder) -> {name, ...} without "." and ".." | nil, message, code */
static int path_list(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	DIR *dir = opendir(path);
	int count = 0;

	if (!dir)
		return vm_push_failure(L, "open", path, -errno);
	lua_newtable(L);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		lua_pushstring(L, entry->d_name);
		lua_rawseti(L, -2, ++count);
	}
	closedir(dir);
	return 1;
}

static const luaL_Reg functions[] = {
	{"fd_read", fd_read},     {"fd_write", fd_write},
	{"fd_close", fd_close},   {"fd_size", fd_size},
	{"fd_part", fd_part},     {"fd_memory", fd_memory},
	{"fd_of", fd_of},         {"fd_is_terminal", fd_is_terminal},
	{"fd_list", fd_list},     {"path_kind", path_kind},
	{"path_list", path_list}, {NULL, NULL},
};

void lib_file_open(lua_State *L, struct vm *vm)
{
	vm_register(L, vm, functions);
}
