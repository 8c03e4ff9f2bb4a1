/* SPDX-License-Identifier: MIT */
/* UDP: options and multicast groups, on loopback. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "support/in_task.h"
#include "support/pair.h"
#include "support/suite.h"

#include <stdlib.h>
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>

static struct rt_udp *bind_to(const char *addr)
{
	struct rt_udp *udp;

	ck_assert_int_eq(rt_udp_bind(&udp, addr), 0);
	return udp;
}

static void expect_option(struct rt_udp *udp, enum rt_udp_option option, int first, int second)
{
	ck_assert_int_eq(rt_udp_set(udp, option, first), 0);
	ck_assert_int_eq(rt_udp_get(udp, option), first);
	ck_assert_int_eq(rt_udp_set(udp, option, second), 0);
	ck_assert_int_eq(rt_udp_get(udp, option), second);
}

IN_TASK(options_of_v4)
{
	struct rt_udp *udp = bind_to("127.0.0.1:0");

	ck_assert_int_eq(rt_udp_get(udp, RT_UDP_BROADCAST), 0);
	expect_option(udp, RT_UDP_BROADCAST, 1, 0);
	expect_option(udp, RT_UDP_TTL, 3, 255);
	expect_option(udp, RT_UDP_MULTICAST_LOOP_V4, 0, 1);
	expect_option(udp, RT_UDP_MULTICAST_TTL_V4, 7, 1);
	ck_assert_int_eq(rt_udp_set(udp, RT_UDP_TTL, 256), -EINVAL);
	ck_assert_int_eq(rt_udp_set(udp, RT_UDP_TTL, 0), -EINVAL);
	ck_assert_int_eq(rt_udp_get(udp, (enum rt_udp_option)99), -EINVAL);
	ck_assert_int_eq(rt_udp_set(udp, (enum rt_udp_option)99, 1), -EINVAL);
	ck_assert_int_lt(rt_udp_get(udp, RT_UDP_MULTICAST_LOOP_V6), 0);
	ck_assert_int_lt(rt_udp_set(udp, RT_UDP_MULTICAST_LOOP_V6, 1), 0);
	ck_assert_int_ge(rt_udp_fd(udp), 0);
	rt_udp_destroy(udp);
}

IN_TASK(options_of_v6)
{
	if (!has_v6())
		return;
	struct rt_udp *udp = bind_to("[::1]:0");
	int value = 0;
	socklen_t size = sizeof value;

	expect_option(udp, RT_UDP_TTL, 3, 255);
	ck_assert_int_eq(getsockopt(rt_udp_fd(udp), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &value, &size), 0);
	ck_assert_int_eq(value, 255);
	expect_option(udp, RT_UDP_MULTICAST_LOOP_V6, 0, 1);
	expect_option(udp, RT_UDP_BROADCAST, 1, 0);
	rt_udp_destroy(udp);
}

/* Whether what one sends to addr reaches the other. */
static bool reaches(struct rt_udp *from, struct rt_udp *to, const struct rt_addr *addr)
{
	char buf[8];

	ck_assert_int_eq(rt_udp_send_to(from, "group", 5, addr, RT_FOREVER), 5);
	return rt_udp_recv(to, buf, sizeof buf, rt_in(RT_MS(100))) == 5;
}

IN_TASK(multicast_v4)
{
	struct rt_udp *member = bind_to(":0"), *sender = bind_to("127.0.0.1:0");
	struct in_addr group, loopback = {htonl(INADDR_LOOPBACK)};
	struct rt_addr local, addr = {.u.v4.sin_family = AF_INET};

	ck_assert_int_eq(inet_pton(AF_INET, "239.255.77.77", &group), 1);
	ck_assert_int_eq(rt_udp_local_addr(member, &local), 0);
	addr.u.v4.sin_port = local.u.v4.sin_port;
	addr.u.v4.sin_addr = group;
	ck_assert_int_eq(
		setsockopt(rt_udp_fd(sender), IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback), 0);
	ck_assert(!reaches(sender, member, &addr));
	ck_assert_int_eq(rt_udp_join_multicast_v4(member, group, loopback), 0);
	ck_assert(reaches(sender, member, &addr));
	ck_assert_int_eq(rt_udp_join_multicast_v4(member, group, loopback), -EADDRINUSE);
	ck_assert_int_eq(rt_udp_leave_multicast_v4(member, group, loopback), 0);
	ck_assert(!reaches(sender, member, &addr));
	ck_assert_int_eq(rt_udp_leave_multicast_v4(member, group, loopback), -EADDRNOTAVAIL);
	ck_assert_int_eq(rt_udp_join_multicast_v4(member, loopback, loopback), -EINVAL);
	rt_udp_destroy(member);
	rt_udp_destroy(sender);
}

IN_TASK(multicast_v6)
{
	if (!has_v6())
		return;
	struct rt_udp *member = bind_to("[::]:0"), *sender = bind_to("[::]:0");
	unsigned loopback = if_nametoindex("lo");
	struct in6_addr group;
	struct rt_addr local, addr = {.u.v6.sin6_family = AF_INET6};

	ck_assert_int_eq(inet_pton(AF_INET6, "ff01::7777", &group), 1);
	ck_assert_int_eq(rt_udp_local_addr(member, &local), 0);
	addr.u.v6.sin6_port = local.u.v6.sin6_port;
	addr.u.v6.sin6_addr = group;
	addr.u.v6.sin6_scope_id = loopback;
	/* Few systems have a route for groups on their loopback interface. */
	bool routed = rt_udp_send_to(sender, "", 0, &addr, RT_FOREVER) == 0;

	ck_assert(!routed || !reaches(sender, member, &addr));
	ck_assert_int_eq(rt_udp_join_multicast_v6(member, &group, loopback), 0);
	ck_assert_int_eq(rt_udp_join_multicast_v6(member, &group, loopback), -EADDRINUSE);
	ck_assert(!routed || reaches(sender, member, &addr));
	ck_assert_int_eq(rt_udp_leave_multicast_v6(member, &group, loopback), 0);
	ck_assert(!routed || !reaches(sender, member, &addr));
	ck_assert_int_eq(rt_udp_leave_multicast_v6(member, &group, loopback), -EADDRNOTAVAIL);
	ck_assert_int_lt(rt_udp_join_multicast_v6(member, &group, 999999), 0);
	rt_udp_destroy(member);
	rt_udp_destroy(sender);
}

int main(void)
{
	Suite *suite = suite_create("udp_option");
	TCase *tcase = tcase_create("udp_option");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, options_of_v4);
	tcase_add_test(tcase, options_of_v6);
	/* qemu knows IP_MULTICAST_IF with another size only. */
	if (!getenv("RT_EMULATOR"))
		tcase_add_test(tcase, multicast_v4);
	tcase_add_test(tcase, multicast_v6);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
