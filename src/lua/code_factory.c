/* SPDX-License-Identifier: MIT */
/*
 * Factories from dumped bytecode; see code.h. The format is LuaJIT's, version 2, in lj_bcdump.h:
 *
 *	dump  = ESC 'L' 'J' version flags [length name] function* 0
 *	function = length flags params slots upvalues #gc #numbers #instructions
 *	           [debug size [first line, lines]] instructions upvalue* ...
 *
 * Inner functions come before the one that has them. An upvalue is 16 bits: a slot of the enclosing
 * function and LOCAL, or one of its upvalues. So the function is given to the template's chunk in the place
 * of the template's own, its upvalues described as there.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lua/code.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 2, STRIPPED = 2, FFI = 4, UPVALUE = 2, INSTRUCTION = 4 };

/* Of an upvalue: never assigned to. That is the function's own. */
enum { IMMUTABLE = 0x4000 };

struct span {
	const unsigned char *data, *end;
};

struct parsed {
	uint64_t flags;
	struct span head; /* up to the flags */
	struct span rest; /* from after the flags to the first function */
	struct span inner; /* all functions but the last two */
	struct span before, last; /* the last two, each with its length */
	struct span upvalues; /* of the last one */
	struct span inner_upvalues; /* of the one before */
};

static bool read_count(struct span *from, uint64_t *count)
{
	int shift = 0;

	for (*count = 0; from->data < from->end && shift < 64; shift += 7) {
		unsigned char byte = *from->data++;

		*count |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct span *from, uint64_t size)
{
	if ((uint64_t)(from->end - from->data) < size)
		return false;
	from->data += size;
	return true;
}

/* The upvalues of a function whose length has been read. */
static bool find_upvalues(struct span function, bool stripped, struct span *upvalues)
{
	enum { FLAGS_PARAMS_SLOTS = 3 };
	uint64_t gc, numbers, instructions, debug = 0, line;

	if (!skip(&function, FLAGS_PARAMS_SLOTS) || function.data == function.end)
		return false;
	unsigned count = *function.data++;

	if (!read_count(&function, &gc) || !read_count(&function, &numbers) ||
	    !read_count(&function, &instructions))
		return false;
	if (!stripped && !read_count(&function, &debug))
		return false;
	if (debug && (!read_count(&function, &line) || !read_count(&function, &line)))
		return false;
	if (!skip(&function, instructions * INSTRUCTION))
		return false;
	upvalues->data = function.data;
	upvalues->end = function.data + (size_t)count * UPVALUE;
	return upvalues->end <= function.end;
}

static bool parse_head(struct span *from, struct parsed *parsed)
{
	static const unsigned char magic[] = {0x1b, 'L', 'J', VERSION};
	uint64_t name;

	parsed->head.data = from->data;
	if (!skip(from, sizeof magic) || memcmp(parsed->head.data, magic, sizeof magic) != 0)
		return false;
	parsed->head.end = from->data;
	if (!read_count(from, &parsed->flags))
		return false;
	parsed->rest.data = from->data;
	if (!(parsed->flags & STRIPPED) && !(read_count(from, &name) && skip(from, name)))
		return false;
	parsed->rest.end = from->data;
	return true;
}

static bool parse(const char *dump, size_t size, struct parsed *parsed)
{
	struct span from = {(const unsigned char *)dump, (const unsigned char *)dump + size};
	uint64_t length;

	*parsed = (struct parsed){0};
	if (!parse_head(&from, parsed))
		return false;
	parsed->inner.data = parsed->before.data = parsed->last.data = from.data;
	for (;;) {
		const unsigned char *start = from.data;

		if (!read_count(&from, &length))
			return false;
		if (length == 0)
			break;
		struct span function = {from.data, from.data + length};

		parsed->before = parsed->last;
		parsed->inner_upvalues = parsed->upvalues;
		parsed->last.data = start;
		if (!skip(&from, length))
			return false;
		parsed->before.end = start;
		parsed->last.end = from.data;
		if (!find_upvalues(function, parsed->flags & STRIPPED, &parsed->upvalues))
			return false;
	}
	parsed->inner.end = parsed->before.data;
	return parsed->last.end && from.data == from.end;
}

static char *append(char *to, struct span span)
{
	size_t size = (size_t)(span.end - span.data);

	memcpy(to, span.data, size);
	return to + size;
}

static uint16_t load(const unsigned char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

/* The function's upvalues where the template's are, but whether they are assigned to is its own. */
static void adopt(char *upvalues, const struct parsed *function, const struct parsed *template)
{
	size_t count = (size_t)(function->upvalues.end - function->upvalues.data) / UPVALUE;

	for (size_t i = 0; i < count; i++) {
		uint16_t own = load(function->upvalues.data + i * UPVALUE);
		uint16_t place = load(template->inner_upvalues.data + i * UPVALUE);

		place = (uint16_t)((place & ~IMMUTABLE) | (own & IMMUTABLE));
		memcpy(upvalues + i * UPVALUE, &place, sizeof place);
	}
}

static bool fits(const struct parsed *function, const struct parsed *template)
{
	ptrdiff_t upvalues = function->upvalues.end - function->upvalues.data;

	return (function->flags | FFI) == (template->flags | FFI) && (function->flags | FFI) < 0x80 &&
	       template->inner_upvalues.data &&
	       template->inner_upvalues.end - template->inner_upvalues.data == upvalues;
}

struct code *code_factory(const char *dump, size_t size, const char *template_dump, size_t template_size)
{
	struct parsed function, template;

	if (!parse(dump, size, &function) || !parse(template_dump, template_size, &template) ||
	    !fits(&function, &template))
		return NULL;
	struct code *code = malloc(sizeof *code + size + template_size);

	if (!code)
		return NULL;
	char *to = append(code->bytes, function.head);

	*to++ = (char)function.flags;
	to = append(to, function.rest);
	to = append(to, (struct span){function.inner.data, function.last.data});
	char *upvalues = to + (function.upvalues.data - function.last.data);

	to = append(to, function.last);
	adopt(upvalues, &function, &template);
	to = append(to, template.last);
	*to++ = 0;
	*code = (struct code){.factory = true, .size = (size_t)(to - code->bytes)};
	return code;
}
