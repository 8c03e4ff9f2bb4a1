/* SPDX-License-Identifier: MIT */
/* Socket addresses and their texts. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

_Static_assert(INET6_ADDRSTRLEN + IF_NAMESIZE + sizeof "[%]:65535" <= RT_ADDR_TEXT_MAX, "any text fits");

/* Only digits: strtoul would take blanks and signs. 0 or -EINVAL. */
static int parse_number(const char *text, uint32_t max, uint32_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > max)
			return -EINVAL;
	}
	*number = (uint32_t)value;
	return 0;
}

static bool has_blank_or_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return true;
	return false;
}

/* Whether text, up to end, looks like an IPv6 address, with or without a scope. */
static bool is_v6(const char *text, const char *end)
{
	const char *digits_end = text + strspn(text, "0123456789abcdefABCDEF:.");

	return (digits_end == end || *digits_end == '%') && memchr(text, ':', (size_t)(digits_end - text));
}

/* Finds the host in text; returns what follows it, or NULL if the brackets are wrong. */
static const char *find_host(const char *text, const char **host, size_t *size)
{
	const char *end;

	*host = text;
	if (*text != '[') {
		*size = strcspn(text, ":[]");
		return text + *size;
	}
	/* The last one: the name of an interface may hold a bracket. */
	end = strrchr(text, ']');
	if (!end || !is_v6(text + 1, end))
		return NULL;
	*host = text + 1;
	*size = (size_t)(end - *host);
	return end + 1;
}

int addr_split(const char *text, char *host, size_t host_size, uint16_t *port)
{
	const char *found, *rest;
	size_t size;
	uint32_t number;

	if (!text || has_blank_or_control(text))
		return -EINVAL;
	rest = find_host(text, &found, &size);
	if (!rest || *rest != ':' || parse_number(rest + 1, UINT16_MAX, &number) < 0)
		return -EINVAL;
	if (size >= ADDR_HOST_MAX || size >= host_size)
		return -EINVAL;
	memcpy(host, found, size);
	host[size] = '\0';
	*port = (uint16_t)number;
	return 0;
}

/* A name comes first, as in the C library: an interface may be called "1". */
static int parse_scope(const char *text, uint32_t *scope)
{
	*scope = if_nametoindex(text);
	return *scope ? 0 : parse_number(text, UINT32_MAX, scope);
}

static int parse_v4(struct rt_addr *addr, const char *host, uint16_t port)
{
	struct rt_addr parsed = {.u.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};

	if (*host && inet_pton(AF_INET, host, &parsed.u.v4.sin_addr) != 1)
		return -EINVAL;
	*addr = parsed;
	return 0;
}

static int parse_v6(struct rt_addr *addr, const char *host, uint16_t port)
{
	struct rt_addr parsed = {.u.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
	char digits[INET6_ADDRSTRLEN];
	size_t size = strcspn(host, "%");

	if (size >= sizeof digits)
		return -EINVAL;
	memcpy(digits, host, size);
	digits[size] = '\0';
	if (inet_pton(AF_INET6, digits, &parsed.u.v6.sin6_addr) != 1)
		return -EINVAL;
	if (host[size] && parse_scope(host + size + 1, &parsed.u.v6.sin6_scope_id) < 0)
		return -EINVAL;
	*addr = parsed;
	return 0;
}

int addr_from_host(struct rt_addr *addr, const char *host, uint16_t port)
{
	return strchr(host, ':') ? parse_v6(addr, host, port) : parse_v4(addr, host, port);
}

socklen_t addr_len(const struct rt_addr *addr)
{
	switch (addr->u.any.sa_family) {
	case AF_INET:
		return sizeof addr->u.v4;
	case AF_INET6:
		return sizeof addr->u.v6;
	default:
		return 0;
	}
}

int rt_addr_parse(struct rt_addr *addr, const char *text)
{
	char host[ADDR_HOST_MAX];
	uint16_t port;
	int err = addr_split(text, host, sizeof host, &port);

	return err < 0 ? err : addr_from_host(addr, host, port);
}

/* "%lo", or the number when the interface is gone; nothing for no scope. */
static void format_scope(uint32_t scope, char text[1 + IF_NAMESIZE])
{
	text[0] = '\0';
	if (!scope)
		return;
	text[0] = '%';
	if (!if_indextoname(scope, text + 1))
		snprintf(text + 1, IF_NAMESIZE, "%u", (unsigned)scope);
}

const char *rt_addr_text(const struct rt_addr *addr, char text[RT_ADDR_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "", scope[1 + IF_NAMESIZE];
	unsigned port = rt_addr_port(addr);

	switch (addr->u.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &addr->u.v4.sin_addr, host, sizeof host);
		snprintf(text, RT_ADDR_TEXT_MAX, "%s:%u", host, port);
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &addr->u.v6.sin6_addr, host, sizeof host);
		format_scope(addr->u.v6.sin6_scope_id, scope);
		snprintf(text, RT_ADDR_TEXT_MAX, "[%s%s]:%u", host, scope, port);
		break;
	default:
		snprintf(text, RT_ADDR_TEXT_MAX, "?");
	}
	return text;
}

uint16_t rt_addr_port(const struct rt_addr *addr)
{
	switch (addr->u.any.sa_family) {
	case AF_INET:
		return ntohs(addr->u.v4.sin_port);
	case AF_INET6:
		return ntohs(addr->u.v6.sin6_port);
	default:
		return 0;
	}
}

bool rt_addr_equal(const struct rt_addr *a, const struct rt_addr *b)
{
	if (a->u.any.sa_family != b->u.any.sa_family || rt_addr_port(a) != rt_addr_port(b))
		return false;
	switch (a->u.any.sa_family) {
	case AF_INET:
		return a->u.v4.sin_addr.s_addr == b->u.v4.sin_addr.s_addr;
	case AF_INET6:
		return !memcmp(&a->u.v6.sin6_addr, &b->u.v6.sin6_addr, sizeof a->u.v6.sin6_addr) &&
		       a->u.v6.sin6_scope_id == b->u.v6.sin6_scope_id;
	default:
		return true;
	}
}
