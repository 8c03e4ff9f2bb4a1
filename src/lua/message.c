/* SPDX-License-Identifier: MIT */
/* Messages; see message.h. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 128 };

struct message *message_create(void)
{
	return calloc(1, sizeof(struct message));
}

static void drop(struct message_part *part)
{
	switch (part->kind) {
	case PART_CODE:
		code_unref(part->u.code);
		break;
	case PART_CHAN:
		shared_chan_unref(part->u.chan);
		break;
	case PART_SOCKET:
		lua_socket_close(&part->u.socket);
		break;
	case PART_NONE:
		break;
	}
}

void message_destroy(struct message *message)
{
	if (!message)
		return;
	for (unsigned i = 0; i < message->part_count; i++)
		drop(&message->parts[i]);
	free(message->parts);
	free(message->data);
	free(message);
}

static bool reserve(struct message *message, size_t size)
{
	size_t capacity = message->capacity ? message->capacity : FIRST_CAPACITY;

	if (message->capacity - message->size >= size)
		return true;
	while (capacity - message->size < size) {
		if (__builtin_mul_overflow(capacity, 2, &capacity))
			return false;
	}
	unsigned char *data = realloc(message->data, capacity);

	if (!data)
		return false;
	message->data = data;
	message->capacity = capacity;
	return true;
}

bool message_put(struct message *message, const void *data, size_t size)
{
	if (!reserve(message, size))
		return false;
	if (size > 0)
		memcpy(message->data + message->size, data, size);
	message->size += size;
	return true;
}

bool message_put_byte(struct message *message, unsigned char byte)
{
	return message_put(message, &byte, 1);
}

/* LEB128: seven bits in each byte, the lowest first. */
bool message_put_count(struct message *message, uint64_t count)
{
	unsigned char bytes[10];
	size_t size = 0;

	do {
		bytes[size] = count & 0x7f;
		count >>= 7;
		bytes[size++] |= count ? 0x80 : 0;
	} while (count);
	return message_put(message, bytes, size);
}

int message_add_part(struct message *message)
{
	if (message->part_count == message->part_capacity) {
		unsigned capacity = message->part_capacity * 2 + 2;
		struct message_part *parts = realloc(message->parts, capacity * sizeof *parts);

		if (!parts)
			return -ENOMEM;
		message->parts = parts;
		message->part_capacity = capacity;
	}
	message->parts[message->part_count] = (struct message_part){0};
	return (int)message->part_count++;
}
