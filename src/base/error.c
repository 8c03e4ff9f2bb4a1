/* SPDX-License-Identifier: MIT */
/* Error texts and names; see error.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_MAX = 200, TEXT_MAX = 64 };

static char texts[ERROR_MAX][TEXT_MAX];

/*
 * The C library's text in lower case, so that it can follow a colon: filled in
 * before main() so that any thread may read it.
 */
__attribute__((constructor)) static void fill_texts(void)
{
	for (int err = 1; err < ERROR_MAX; err++) {
		const char *text = strerror(err);

		strncpy(texts[err], text, TEXT_MAX - 1);
		/* Keep what is an acronym: "RPC struct is bad". */
		if (!isupper((unsigned char)text[1]))
			texts[err][0] = (char)tolower((unsigned char)text[0]);
	}
}

const char *error_text(int err)
{
	err = abs(err);
	return err > 0 && err < ERROR_MAX ? texts[err] : "unknown error";
}

const char *error_name(int err)
{
	const char *name = strerrorname_np(abs(err));

	return name ? name : "EUNKNOWN";
}

__attribute__((noinline)) int error_last(void)
{
	__asm__ volatile("");
	return errno;
}
