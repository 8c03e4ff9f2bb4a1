/* SPDX-License-Identifier: MIT */
/* The ready-made codecs; see rtlua.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <rtlua.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void push_number(lua_State *L, void *element)
{
	lua_pushnumber(L, *(double *)element);
}

static int pull_number(lua_State *L, int index, void *element)
{
	if (!lua_isnumber(L, index))
		return -EINVAL;
	*(double *)element = lua_tonumber(L, index);
	return 0;
}

const struct rtlua_codec rtlua_codec_number = {
	.size = sizeof(double),
	.expects = "number",
	.push = push_number,
	.pull = pull_number,
};

static void drop_string(void *element, void *arg)
{
	struct rtlua_bytes *bytes = element;

	(void)arg;
	free(bytes->data);
}

static void push_string(lua_State *L, void *element)
{
	struct rtlua_bytes *bytes = element;

	lua_pushlstring(L, bytes->data ? bytes->data : "", bytes->size);
	drop_string(element, NULL);
}

static int pull_string(lua_State *L, int index, void *element)
{
	struct rtlua_bytes *bytes = element;
	const char *data = lua_tolstring(L, index, &bytes->size);

	if (!data)
		return -EINVAL;
	/* With the zero that ends it, so that C may take it for a string. */
	bytes->data = malloc(bytes->size + 1);
	if (!bytes->data)
		return -ENOMEM;
	memcpy(bytes->data, data, bytes->size + 1);
	return 0;
}

const struct rtlua_codec rtlua_codec_string = {
	.size = sizeof(struct rtlua_bytes),
	.expects = "string",
	.push = push_string,
	.pull = pull_string,
	.drop = drop_string,
};
