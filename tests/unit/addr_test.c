/* SPDX-License-Identifier: MIT */
/* Tests of addresses and their texts. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "net/addr.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk" /* 63 */
#define NAME_253 LABEL "." LABEL "." LABEL "." LABEL_61
#define LABEL_61 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"
#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

enum { GUARD = 0x5a, RANDOM_TEXTS = 300000, RANDOM_ADDRS = 20000 };

static uint64_t seed;

/* xorshift64 */
static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* ---- Instead of the C library's: interfaces that are the same on every machine ---- */

static const char *const interfaces[] = {NULL, "lo", "eth0", "2", "a]b", "fifteen-letters"};

unsigned int if_nametoindex(const char *name)
{
	for (int i = 0; i < COUNT(interfaces); i++)
		if (interfaces[i] && !strcmp(interfaces[i], name))
			return (unsigned)i;
	return 0;
}

char *if_indextoname(unsigned int index, char name[IF_NAMESIZE])
{
	if (index >= (unsigned)COUNT(interfaces) || !interfaces[index])
		return NULL;
	return strcpy(name, interfaces[index]);
}

/* ---- Splitting ---- */

static const struct {
	const char *text;
	const char *host;
	uint16_t port;
} splits[] = {
	{"127.0.0.1:80", "127.0.0.1", 80},
	{"[::1]:80", "::1", 80},
	{"[::]:0", "::", 0},
	{":80", "", 80},
	{":0", "", 0},
	{"localhost:65535", "localhost", 65535},
	{"a:00080", "a", 80},
	{"a.b-c_d.e.:1", "a.b-c_d.e.", 1},
	{"[fe80::1%lo]:80", "fe80::1%lo", 80},
	{"[fe80::1%a]b]:80", "fe80::1%a]b", 80},
	{"[::ffff:1.2.3.4]:8080", "::ffff:1.2.3.4", 8080},
	{"b\xc3\xbc\x63her.example:443", "b\xc3\xbc\x63her.example", 443},
	{NAME_253 ":443", NAME_253, 443},
};

START_TEST(splits_host_and_port)
{
	char host[ADDR_HOST_MAX];
	uint16_t port = 1;

	ck_assert_int_eq(addr_split(splits[_i].text, host, sizeof host, &port), 0);
	ck_assert_str_eq(host, splits[_i].host);
	ck_assert_uint_eq(port, splits[_i].port);
}
END_TEST

static const char *const malformed[] = {
	"",
	":",
	"::",
	"a",
	"80",
	"a:",
	"a:b",
	"a:80b",
	"a:b80",
	"a:-1",
	"a:+1",
	"a:0x50",
	"a:80:80",
	"a:65536",
	"a:99999",
	"a:4294967376", /* 80 modulo 2^32 */
	"a:18446744073709551696", /* 80 modulo 2^64 */
	"a:99999999999999999999999999999999999999999",
	"::1",
	"::1:80",
	"fe80::1%lo:80",
	"1:2:3:4:5:6:7:8:80",
	"[",
	"]",
	"[]",
	"[]:80",
	"[::1",
	"[::1]",
	"[::1]:",
	"[::1]80",
	"[::1]:80]",
	"[::1]::80",
	"[::1]]:80",
	"[[::1]]:80",
	"[::1:80",
	"::1]:80",
	"a[::1]:80",
	"[::1]a:80",
	"[localhost]:80",
	"[127.0.0.1]:80",
	"[a:z]:80",
	"[%lo]:80",
	"a]:80",
	"a[:80",
	" a:80",
	"a:80 ",
	"a :80",
	"a: 80",
	"a b:80",
	"[::1] :80",
	"\ta:80",
	"a:80\n",
	"a\r\nb:80",
	"a\x01:80",
	"a\x7f:80",
	NAME_253 "x:80",
	"[::1%" NAME_253 "]:80",
};

START_TEST(rejects_malformed_text)
{
	char host[ADDR_HOST_MAX + 100];
	struct rt_addr addr, before;
	uint16_t port;

	memset(&addr, GUARD, sizeof addr);
	before = addr;
	ck_assert_int_eq(addr_split(malformed[_i], host, sizeof host, &port), -EINVAL);
	ck_assert_int_eq(rt_addr_parse(&addr, malformed[_i]), -EINVAL);
	ck_assert_mem_eq(&addr, &before, sizeof addr);
}
END_TEST

START_TEST(no_text_is_malformed)
{
	struct rt_addr addr;

	ck_assert_int_eq(rt_addr_parse(&addr, NULL), -EINVAL);
}
END_TEST

START_TEST(a_host_must_fit)
{
	char host[8];
	uint16_t port;

	memset(host, GUARD, sizeof host);
	ck_assert_int_eq(addr_split("abcd:80", host, 4, &port), -EINVAL);
	ck_assert_int_eq(addr_split(":80", host, 0, &port), -EINVAL);
	ck_assert_int_eq(host[0], GUARD);
	ck_assert_int_eq(addr_split("abcd:80", host, 5, &port), 0);
	ck_assert_str_eq(host, "abcd");
	ck_assert_int_eq(host[5], GUARD);
}
END_TEST

/* ---- Parsing ---- */

static const struct {
	const char *text;
	const char *canonical;
	int family;
	uint16_t port;
} numeric[] = {
	{"127.0.0.1:80", "127.0.0.1:80", AF_INET, 80},
	{":8080", "0.0.0.0:8080", AF_INET, 8080},
	{"0.0.0.0:0", "0.0.0.0:0", AF_INET, 0},
	{"255.255.255.255:65535", "255.255.255.255:65535", AF_INET, 65535},
	{"[::]:0", "[::]:0", AF_INET6, 0},
	{"[::1]:80", "[::1]:80", AF_INET6, 80},
	{"[0:0::0:1]:080", "[::1]:80", AF_INET6, 80},
	{"[FE80::ABCD]:1", "[fe80::abcd]:1", AF_INET6, 1},
	{"[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", AF_INET6, 80},
	{"[1:2:3:4:5:6:7:8]:9", "[1:2:3:4:5:6:7:8]:9", AF_INET6, 9},
	{"[fe80::1%0]:80", "[fe80::1]:80", AF_INET6, 80},
	{"[fe80::1%4294967295]:80", "[fe80::1%4294967295]:80", AF_INET6, 80},
	{"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%4294967295]:65535",
	 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535", AF_INET6, 65535},
};

START_TEST(parses_numeric_addresses)
{
	struct rt_addr addr, again;
	char text[RT_ADDR_TEXT_MAX];

	ck_assert_int_eq(rt_addr_parse(&addr, numeric[_i].text), 0);
	ck_assert_int_eq(addr.u.any.sa_family, numeric[_i].family);
	ck_assert_uint_eq(rt_addr_port(&addr), numeric[_i].port);
	ck_assert_ptr_eq(rt_addr_text(&addr, text), text);
	ck_assert_str_eq(text, numeric[_i].canonical);
	ck_assert_int_eq(rt_addr_parse(&again, text), 0);
	ck_assert(rt_addr_equal(&addr, &again));
}
END_TEST

static const char *const not_numeric[] = {
	"localhost:80",
	"127.1:80",
	"127.0.0.1.:80",
	"127.0.0.256:80",
	"127.0.0.01:80",
	"0x7f000001:80",
	"2130706433:80",
	"127.0.0.1%lo:80",
	"%lo:80",
	"[:::]:80",
	"[1:2:3:4:5:6:7]:80",
	"[1:2:3:4:5:6:7:8:9]:80",
	"[::12345]:80",
	"[fe80::1%]:80",
	"[fe80::1%no-such-if]:80",
	"[fe80::1%-1]:80",
	"[fe80::1%4294967296]:80",
	"[fe80::1%lo%lo]:80",
	"[fe80::1%aninterfacewhosenameistoolong]:80",
	"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80",
};

START_TEST(rejects_what_is_not_numeric)
{
	struct rt_addr addr, before;

	memset(&addr, GUARD, sizeof addr);
	before = addr;
	ck_assert_int_eq(rt_addr_parse(&addr, not_numeric[_i]), -EINVAL);
	ck_assert_mem_eq(&addr, &before, sizeof addr);
}
END_TEST

static const struct {
	const char *text;
	const char *canonical;
	unsigned scope;
} scoped[] = {
	{"[fe80::1%lo]:80", "[fe80::1%lo]:80", 1},
	{"[fe80::1%1]:80", "[fe80::1%lo]:80", 1},
	{"[fe80::1%2]:80", "[fe80::1%2]:80", 3}, /* the name, which comes before the number */
	{"[fe80::1%a]b]:80", "[fe80::1%a]b]:80", 4},
	{"[::1%lo]:80", "[::1%lo]:80", 1},
	{"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%fifteen-letters]:65535",
	 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%fifteen-letters]:65535", 5},
};

START_TEST(a_scope_is_an_interface)
{
	struct rt_addr addr;
	char text[RT_ADDR_TEXT_MAX];

	ck_assert_int_eq(rt_addr_parse(&addr, scoped[_i].text), 0);
	ck_assert_uint_eq(addr.u.v6.sin6_scope_id, scoped[_i].scope);
	ck_assert_str_eq(rt_addr_text(&addr, text), scoped[_i].canonical);
}
END_TEST

START_TEST(a_host_alone_has_no_brackets)
{
	struct rt_addr addr;
	char text[RT_ADDR_TEXT_MAX];

	ck_assert_int_eq(addr_from_host(&addr, "", 80), 0);
	ck_assert_str_eq(rt_addr_text(&addr, text), "0.0.0.0:80");
	ck_assert_int_eq(addr_from_host(&addr, "::1", 80), 0);
	ck_assert_str_eq(rt_addr_text(&addr, text), "[::1]:80");
	ck_assert_int_eq(addr_from_host(&addr, "[::1]", 80), -EINVAL);
	ck_assert_int_eq(addr_from_host(&addr, "example.com", 80), -EINVAL);
	ck_assert_int_eq(addr_from_host(&addr, " 127.0.0.1", 80), -EINVAL);
}
END_TEST

/* ---- Comparing ---- */

/* Each differs from all others in one respect. */
static const char *const different[] = {
	"1.2.3.4:80",      "1.2.3.5:80",      "1.2.3.4:81",          "[::1]:80", "[::2]:80", "[::1]:81",
	"[::1%123456]:80", "[::1%123457]:80", "[::ffff:1.2.3.4]:80",
};

START_TEST(equal_compares_every_part)
{
	for (int i = 0; i < COUNT(different); i++)
		for (int j = 0; j < COUNT(different); j++) {
			struct rt_addr a, b;

			ck_assert_int_eq(rt_addr_parse(&a, different[i]), 0);
			ck_assert_int_eq(rt_addr_parse(&b, different[j]), 0);
			ck_assert_int_eq(rt_addr_equal(&a, &b), i == j);
		}
}
END_TEST

/* The kernel fills in only what the family has. */
START_TEST(equal_ignores_what_is_no_part)
{
	struct rt_addr a, b;

	memset(&a, 0x00, sizeof a);
	memset(&b, 0xff, sizeof b);
	a.u.v4.sin_family = b.u.v4.sin_family = AF_INET;
	a.u.v4.sin_port = b.u.v4.sin_port = htons(80);
	a.u.v4.sin_addr.s_addr = b.u.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert(rt_addr_equal(&a, &b));
	ck_assert_int_eq(rt_addr_parse(&a, "[::1]:80"), 0);
	b = a;
	b.u.v6.sin6_flowinfo = 1;
	ck_assert(rt_addr_equal(&a, &b));
}
END_TEST

START_TEST(length_follows_the_family)
{
	struct rt_addr addr;

	ck_assert_int_eq(rt_addr_parse(&addr, "1.2.3.4:80"), 0);
	ck_assert_uint_eq(addr_len(&addr), sizeof(struct sockaddr_in));
	ck_assert_int_eq(rt_addr_parse(&addr, "[::1]:80"), 0);
	ck_assert_uint_eq(addr_len(&addr), sizeof(struct sockaddr_in6));
}
END_TEST

START_TEST(no_address_has_no_parts)
{
	struct rt_addr none;
	char text[RT_ADDR_TEXT_MAX];

	memset(&none, 0, sizeof none);
	ck_assert_uint_eq(addr_len(&none), 0);
	ck_assert_uint_eq(rt_addr_port(&none), 0);
	ck_assert_str_eq(rt_addr_text(&none, text), "?");
	ck_assert(rt_addr_equal(&none, &none));
}
END_TEST

/* ---- Random input: mostly for the sanitizers; every byte lives on the heap ---- */

static char *draw_text(void)
{
	static const char likely[] = "[]:%.0123456789abcdef::::lo";
	size_t size = draw() % (draw() % 16 ? 40 : 400);
	bool any = draw() % 4 == 0;
	char *text = malloc(size + 1);

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < size; i++)
		text[i] = any ? (char)draw() : likely[draw() % (sizeof likely - 1)];
	text[size] = '\0';
	return text;
}

/* Damages a good text in one place, which gets further than noise. */
static char *draw_damaged(void)
{
	char *text = strdup(numeric[draw() % (uint64_t)COUNT(numeric)].text);

	if (!text)
		ck_abort_msg("out of memory");
	text[draw() % strlen(text)] = "[]:%.0f \x80"[draw() % 9];
	return text;
}

static bool survives(const struct rt_addr *addr)
{
	char *text = malloc(RT_ADDR_TEXT_MAX);
	struct rt_addr again;
	bool same = text && !rt_addr_parse(&again, rt_addr_text(addr, text)) && rt_addr_equal(addr, &again);

	free(text);
	return same;
}

START_TEST(random_texts_do_no_harm)
{
	int parsed = 0;

	seed = UINT64_C(0x2545f4914f6cdd1d);
	for (int i = 0; i < RANDOM_TEXTS; i++) {
		char *text = draw() % 2 ? draw_text() : draw_damaged();
		size_t host_size = 1 + draw() % ADDR_HOST_MAX;
		char *host = malloc(host_size);
		struct rt_addr addr;
		uint16_t port;

		if (host && !addr_split(text, host, host_size, &port) && strlen(host) >= host_size)
			ck_abort_msg("host is too long: %s", text);
		if (!rt_addr_parse(&addr, text) && ++parsed && !survives(&addr))
			ck_abort_msg("no round trip: %s", text);
		free(host);
		free(text);
	}
	ck_assert_int_gt(parsed, RANDOM_TEXTS / 100);
}
END_TEST

START_TEST(random_addresses_make_the_round_trip)
{
	seed = UINT64_C(0x9e3779b97f4a7c15);
	for (int i = 0; i < RANDOM_ADDRS; i++) {
		struct rt_addr addr;

		for (size_t j = 0; j < sizeof addr; j++)
			((unsigned char *)&addr)[j] = draw() % 4 ? (unsigned char)draw() : 0;
		addr.u.any.sa_family = draw() % 2 ? AF_INET : AF_INET6;
		if (!survives(&addr))
			ck_abort_msg("no round trip, address %d", i);
	}
}
END_TEST

/* ---- */

static Suite *addr_suite(void)
{
	Suite *suite = suite_create("addr");
	TCase *tcase = tcase_create("addr");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, splits_host_and_port, 0, COUNT(splits));
	tcase_add_loop_test(tcase, rejects_malformed_text, 0, COUNT(malformed));
	tcase_add_test(tcase, no_text_is_malformed);
	tcase_add_test(tcase, a_host_must_fit);
	tcase_add_loop_test(tcase, parses_numeric_addresses, 0, COUNT(numeric));
	tcase_add_loop_test(tcase, rejects_what_is_not_numeric, 0, COUNT(not_numeric));
	tcase_add_loop_test(tcase, a_scope_is_an_interface, 0, COUNT(scoped));
	tcase_add_test(tcase, a_host_alone_has_no_brackets);
	tcase_add_test(tcase, equal_compares_every_part);
	tcase_add_test(tcase, equal_ignores_what_is_no_part);
	tcase_add_test(tcase, length_follows_the_family);
	tcase_add_test(tcase, no_address_has_no_parts);
	tcase_add_test(tcase, random_texts_do_no_harm);
	tcase_add_test(tcase, random_addresses_make_the_round_trip);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(addr_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
