/* SPDX-License-Identifier: MIT */
/* Input buffers; see input.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/input.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 4096, CAPACITY_KEPT = 65536 };

char *input_reserve(struct input *input, size_t want, size_t *room)
{
	size_t size = input_size(input);

	if (input->start > 0 && input->capacity - input->end < want) {
		memmove(input->data, input->data + input->start, size);
		input->start = 0;
		input->end = size;
	}
	if (input->capacity - input->end < want) {
		size_t capacity = input->capacity ? input->capacity : (size_t)CAPACITY_MIN;

		if (want > SIZE_MAX / 4 - size)
			return NULL;
		while (capacity < size + want)
			capacity *= 2;
		char *data = realloc(input->data, capacity);

		if (!data)
			return NULL;
		input->data = data;
		input->capacity = capacity;
	}
	*room = input->capacity - input->end;
	return input->data + input->end;
}

void input_commit(struct input *input, size_t size)
{
	input->end += size;
}

void input_consume(struct input *input, size_t size)
{
	input->start += size;
	input->searched = 0;
	if (input->start < input->end)
		return;
	input->start = input->end = 0;
	if (input->capacity > CAPACITY_KEPT)
		input_finish(input);
}

/* Whether it is the delimiter that was looked for the last time. */
static bool same_delimiter(struct input *input, const char *delimiter, size_t length)
{
	if (length == input->last_length && memcmp(input->last, delimiter, length) == 0)
		return true;
	input->last_length = length <= sizeof input->last ? (unsigned char)length : 0;
	memcpy(input->last, delimiter, input->last_length);
	return false;
}

/* Remembers how far it has looked: a long line that comes in pieces is not searched over and over. */
size_t input_find(struct input *input, const char *delimiter, size_t length)
{
	size_t size = input_size(input);
	const char *data = input_data(input);

	if (!same_delimiter(input, delimiter, length))
		input->searched = 0;
	const char *found = memmem(data + input->searched, size - input->searched, delimiter, length);

	if (found)
		return (size_t)(found - data) + length;
	input->searched = size >= length ? size - length + 1 : 0;
	return 0;
}

void input_finish(struct input *input)
{
	free(input->data);
	*input = (struct input){0};
}
