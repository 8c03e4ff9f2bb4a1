/* SPDX-License-Identifier: MIT */
/* What was read and not asked for yet: a buffer that grows and shifts. */
#ifndef RT_LUA_INPUT_H
#define RT_LUA_INPUT_H

#include <stddef.h>

struct input {
	char *data; /* NULL: nothing allocated */
	size_t start, end, capacity;
	size_t searched; /* from start: the last delimiter does not begin before it */
	unsigned char last_length;
	char last[15]; /* the last delimiter, if it is short enough */
};

static inline size_t input_size(const struct input *input)
{
	return input->end - input->start;
}

static inline const char *input_data(const struct input *input)
{
	return input->data ? input->data + input->start : "";
}

/* Room for at least want (> 0) more bytes, or NULL without memory. *room: how many fit. */
char *input_reserve(struct input *input, size_t want, size_t *room);

/* size bytes were put there. */
void input_commit(struct input *input, size_t size);

/* Drops the first size bytes. */
void input_consume(struct input *input, size_t size);

/* How many bytes up to and with the delimiter; 0: it is not there. */
size_t input_find(struct input *input, const char *delimiter, size_t length);

void input_finish(struct input *input);

#endif
