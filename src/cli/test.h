/* SPDX-License-Identifier: MIT */
/* rtlua test: the test runner, which is written in Lua. */
#ifndef RT_CLI_TEST_H
#define RT_CLI_TEST_H

/* Runs the command, or one of its worker processes, with the arguments behind "test". Returns the exit code.
 */
int test_command(int argc, char **argv);

#endif
