/* SPDX-License-Identifier: MIT */
/* Errors as text: what users read, and the name that programs compare. */
#ifndef RT_ERROR_H
#define RT_ERROR_H

RT_PRIVATE_BEGIN

/* "connection refused" for ECONNREFUSED; err may have either sign. Valid for ever. Any thread. */
const char *error_text(int err);

/* "ECONNREFUSED"; "EUNKNOWN" for what has no name. Any thread. */
const char *error_name(int err);

/* The calling thread's errno, read anew: a switch may have changed the thread. */
int error_last(void);

RT_PRIVATE_END

#endif
