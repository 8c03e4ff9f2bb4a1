/* SPDX-License-Identifier: MIT */
/* The files that rtlua bench runs. */
#ifndef RT_LUA_BENCH_FILES_H
#define RT_LUA_BENCH_FILES_H

/*
 * Calls visit for each file among paths, which ends with NULL, and for every *_bench.lua in the
 * folders among them, in the order of their names; hidden folders are left out. Returns
 * 0, or -errno after a message on stderr. Does not suspend.
 */
int bench_files_visit(char *const *paths, void (*visit)(const char *path, void *arg), void *arg);

#endif
