/* SPDX-License-Identifier: MIT */
/* Tests of the timer wheel, most of them against a model that looks at every timer. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "reactor/wheel.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

enum { TIMERS = 300, ROUNDS = 40, OPERATIONS = 10000 };

static const rt_time tick = RT_NS(1) << WHEEL_TICK_SHIFT;

/* A timer and what the model knows of it. */
struct probe {
	struct rt_timer timer;
	bool armed;
	uint64_t order; /* of arming */
	int fired;
};

static struct wheel wheel;
static struct probe probes[TIMERS];
static uint64_t arm_count;
static uint64_t seed;

static struct probe *probe_of(struct rt_waiter *waiter)
{
	return container_of(waiter, struct probe, timer.waiter);
}

/* xorshift64 */
static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* For the inner loops: each of Check's assertions writes a message, which takes longer than the rest. */
static void expect(bool holds, const char *what)
{
	if (!holds)
		ck_abort_msg("does not hold: %s", what);
}

static void arm(struct probe *probe, rt_time deadline)
{
	probe->timer.deadline = deadline;
	probe->armed = true;
	probe->order = ++arm_count;
	wheel_arm(&wheel, &probe->timer);
	expect(probe->timer.slot != 0, "an armed timer has a slot");
}

static void disarm(struct probe *probe)
{
	probe->armed = false;
	wheel_disarm(&wheel, &probe->timer);
	expect(probe->timer.slot == 0, "a disarmed timer has no slot");
}

static void note(struct rt_waiter *waiter, int result)
{
	struct probe *probe = probe_of(waiter);

	expect(result == -ETIMEDOUT, "a timer fires with -ETIMEDOUT");
	expect(probe->timer.slot == 0, "a fired timer has no slot");
	expect(probe->armed, "only what is armed fires");
	probe->armed = false;
	probe->fired++;
}

static void start(rt_time now, void (*wake)(struct rt_waiter *, int))
{
	memset(probes, 0, sizeof probes);
	for (int i = 0; i < TIMERS; i++)
		probes[i].timer.waiter.wake = wake;
	arm_count = 0;
	seed = UINT64_C(88172645463325252);
	wheel_init(&wheel, now);
}

static rt_time end_of_tick(rt_time time)
{
	rt_time begin = time > 0 ? time & ~(tick - 1) : 0;

	return begin > RT_FOREVER - tick ? RT_FOREVER : begin + tick;
}

/* ---- One property at a time ---- */

START_TEST(an_empty_wheel_needs_no_turn)
{
	start(RT_S(5), note);
	ck_assert_int_eq(wheel_next(&wheel), RT_FOREVER);
	ck_assert_int_eq(wheel_earliest(&wheel), RT_FOREVER);
	ck_assert_uint_eq(wheel_turn(&wheel, RT_S(10)), 0);
	ck_assert_uint_eq(wheel.count, 0);
}
END_TEST

/* Fires at its deadline to the nanosecond, however the wheel gets there. */
static void expect_exact(rt_time now, rt_time deadline, bool in_steps)
{
	start(now, note);
	arm(&probes[0], deadline);
	ck_assert_int_eq(wheel_earliest(&wheel), deadline);
	ck_assert_int_le(wheel_next(&wheel), end_of_tick(deadline));
	if (deadline > now) {
		for (rt_time next; in_steps && (next = wheel_next(&wheel)) < deadline;)
			ck_assert_uint_eq(wheel_turn(&wheel, next), 0);
		ck_assert_uint_eq(wheel_turn(&wheel, deadline - 1), 0);
		ck_assert_int_eq(wheel_earliest(&wheel), deadline);
		ck_assert_uint_eq(wheel_turn(&wheel, deadline), 1);
	} else {
		ck_assert_int_le(wheel_next(&wheel), end_of_tick(now));
		ck_assert_uint_eq(wheel_turn(&wheel, now), 1);
	}
	ck_assert_int_eq(probes[0].fired, 1);
	ck_assert_uint_eq(wheel.count, 0);
	ck_assert_int_eq(wheel_next(&wheel), RT_FOREVER);
}

/* The loop's index: a level, and whether to go there in steps. */
START_TEST(boundaries_of_a_level_are_exact)
{
	static const rt_time starts[] = {
		0, 1, RT_S(1), RT_S(1000000) + 12345, INT64_C(1) << 58, INT64_C(0xffffffffffff)};
	int shift = WHEEL_TICK_SHIFT + _i / 2 * WHEEL_SLOT_BITS;
	rt_time span = INT64_C(1) << shift;

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		for (rt_time off = -2 * tick; off <= 2 * tick; off += tick)
			for (rt_time ns = -1; ns <= 1; ns++) {
				rt_time aligned = (starts[i] & ~(span - 1)) + span;

				expect_exact(starts[i], starts[i] + span + off + ns, _i % 2);
				expect_exact(starts[i], aligned + off + ns, _i % 2);
			}
}
END_TEST

START_TEST(the_ends_of_time_are_deadlines)
{
	static const rt_time deadlines[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, RT_FOREVER - 1, RT_FOREVER};
	static const rt_time starts[] = {0, 1, RT_S(1), RT_FOREVER - 2};

	for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++)
		for (size_t j = 0; j < sizeof starts / sizeof *starts; j++) {
			expect_exact(starts[j], deadlines[i], false);
			expect_exact(starts[j], deadlines[i], true);
		}
}
END_TEST

START_TEST(a_passed_deadline_fires_at_once)
{
	start(RT_S(1), note);
	arm(&probes[0], RT_NOW);
	ck_assert_int_le(wheel_next(&wheel), RT_S(1));
	arm(&probes[1], RT_MS(1));
	arm(&probes[2], -1);
	ck_assert_int_le(wheel_next(&wheel), RT_S(1));
	ck_assert_int_eq(wheel_earliest(&wheel), -1);
	ck_assert_uint_eq(wheel_turn(&wheel, RT_S(1)), 3);
}
END_TEST

START_TEST(time_never_goes_back)
{
	start(RT_S(2), note);
	arm(&probes[0], RT_S(2) + 1);
	arm(&probes[1], RT_S(2) + 3 * tick);
	ck_assert_uint_eq(wheel_turn(&wheel, RT_S(1)), 0);
	ck_assert_uint_eq(wheel_turn(&wheel, RT_S(2)), 0);
	ck_assert_uint_eq(wheel_turn(&wheel, RT_S(2) + 1), 1);
	ck_assert_uint_eq(wheel_turn(&wheel, RT_S(1)), 0);
	ck_assert_int_gt(wheel_next(&wheel), RT_S(2));
	ck_assert_uint_eq(wheel_turn(&wheel, RT_S(1)), 0);
	ck_assert_uint_eq(wheel_turn(&wheel, RT_S(3)), 1);
}
END_TEST

START_TEST(disarming_is_idempotent_and_empties_the_slot)
{
	start(0, note);
	disarm(&probes[0]);
	for (rt_time deadline = 0; deadline < INT64_C(1) << 62; deadline = deadline * 3 + 1) {
		arm(&probes[0], deadline);
		arm(&probes[1], deadline);
		disarm(&probes[0]);
		ck_assert_int_eq(wheel_earliest(&wheel), deadline);
		disarm(&probes[0]);
		disarm(&probes[1]);
		ck_assert_int_eq(wheel_next(&wheel), RT_FOREVER);
		ck_assert_uint_eq(wheel.count, 0);
	}
}
END_TEST

/* Turned whenever wheel_next() says so, for a day: a timer each second, and 200 on and on. */
static uint64_t fired_in_day;
static rt_time day_now;

static void arm_again(struct rt_waiter *waiter, int result)
{
	struct probe *probe = probe_of(waiter);

	note(waiter, result);
	expect(probe->timer.deadline <= day_now, "not before the deadline");
	expect(day_now <= probe->timer.deadline + tick, "at most a tick after it");
	fired_in_day++;
	if (probe == &probes[0])
		arm(probe, probe->timer.deadline + RT_S(1));
	else
		arm(probe, day_now + (rt_time)(draw() % (uint64_t)RT_S(3600)));
}

START_TEST(a_day_passes)
{
	start(0, arm_again);
	fired_in_day = 0;
	arm(&probes[0], RT_S(1));
	for (int i = 1; i < 200; i++)
		arm(&probes[i], (rt_time)(draw() % (uint64_t)RT_S(86400)));
	for (day_now = 0; day_now <= RT_S(86400); day_now = wheel_next(&wheel))
		wheel_turn(&wheel, day_now);
	ck_assert_int_ge(probes[0].fired, 86399);
	ck_assert_uint_eq(wheel.count, 200);
	ck_assert_uint_gt(fired_in_day, 86400 + 200 * 12);
}
END_TEST

/* ---- Order ---- */

static struct probe *latest;

static void note_order(struct rt_waiter *waiter, int result)
{
	struct probe *probe = probe_of(waiter);

	note(waiter, result);
	if (latest) {
		expect(latest->timer.deadline <= probe->timer.deadline, "in the order of deadlines");
		expect(latest->timer.deadline < probe->timer.deadline || latest->order < probe->order,
		       "equal ones in the order of arming");
	}
	latest = probe;
}

/* The loop's index: whether the tick is ahead, the current one, or one that has passed. */
START_TEST(within_a_tick_deadlines_count)
{
	static const rt_time starts[] = {0, RT_S(1) & ~((INT64_C(1) << WHEEL_TICK_SHIFT) - 1), RT_S(100)};
	rt_time begin = starts[1];

	for (uint64_t distinct = 1; distinct < 70000; distinct *= 7) {
		start(starts[_i], note_order);
		latest = NULL;
		for (int i = 0; i < TIMERS; i++)
			arm(&probes[i], begin + (rt_time)(draw() % distinct % (uint64_t)tick));
		ck_assert_uint_eq(wheel_turn(&wheel, RT_S(200)), TIMERS);
	}
}
END_TEST

START_TEST(a_tick_fires_in_parts)
{
	start(0, note_order);
	latest = NULL;
	for (int i = 0; i < TIMERS; i++)
		arm(&probes[i], RT_S(1) + i * 7 % TIMERS);
	for (int i = 0; i < TIMERS; i++) {
		ck_assert_int_eq(wheel_earliest(&wheel), RT_S(1) + i);
		ck_assert_uint_eq(wheel_turn(&wheel, RT_S(1) + i), 1);
		ck_assert_int_gt(wheel_next(&wheel), RT_S(1) + i);
	}
}
END_TEST

START_TEST(one_wake_up_fires_a_tick)
{
	rt_time begin = 5 * tick;

	start(0, note_order);
	latest = NULL;
	for (int i = 0; i < TIMERS; i++)
		arm(&probes[i], begin + i);
	ck_assert_int_eq(wheel_next(&wheel), begin + tick);
	ck_assert_uint_eq(wheel_turn(&wheel, begin), 1);
	ck_assert_int_eq(wheel_next(&wheel), begin + tick);
	ck_assert_uint_eq(wheel_turn(&wheel, begin + tick), TIMERS - 1);
}
END_TEST

START_TEST(arming_order_survives_the_cascade)
{
	rt_time deadline = RT_S(86400);
	int armed = 0;

	start(0, note_order);
	latest = NULL;
	while (armed < TIMERS) {
		arm(&probes[armed++], deadline);
		wheel_turn(&wheel, deadline - 1 - (deadline >> armed / 6));
	}
	ck_assert_uint_eq(wheel_turn(&wheel, deadline), TIMERS);
}
END_TEST

/* ---- Wake functions that arm and disarm ---- */

static void arm_passed(struct rt_waiter *waiter, int result)
{
	note(waiter, result);
	arm(probe_of(waiter), RT_NOW);
}

START_TEST(what_a_wake_arms_waits_for_the_next_turn)
{
	start(0, arm_passed);
	arm(&probes[0], RT_S(1));
	arm(&probes[1], RT_S(1));
	for (int turn = 1; turn < 10; turn++) {
		ck_assert_uint_eq(wheel_turn(&wheel, RT_S(1) + turn), 2);
		ck_assert_int_eq(probes[0].fired, turn);
		ck_assert_int_eq(probes[1].fired, turn);
		ck_assert_int_le(wheel_next(&wheel), RT_S(1));
	}
}
END_TEST

static void disarm_all(struct rt_waiter *waiter, int result)
{
	note(waiter, result);
	for (int i = 0; i < TIMERS; i++)
		disarm(&probes[i]);
}

START_TEST(a_wake_prevents_the_others)
{
	start(0, disarm_all);
	for (int i = 0; i < TIMERS; i++)
		arm(&probes[i], RT_MS(1) + RT_US(i));
	ck_assert_uint_eq(wheel_turn(&wheel, RT_S(1)), 1);
	ck_assert_int_eq(probes[0].fired, 1);
	ck_assert_uint_eq(wheel.count, 0);
	ck_assert_int_eq(wheel_next(&wheel), RT_FOREVER);
}
END_TEST

/* ---- Against the model ---- */

static struct probe *expected[TIMERS];
static uint64_t expected_order[TIMERS];
static size_t expected_count, expected_next;
static rt_time model_now;

static int compare(const void *left, const void *right)
{
	const struct probe *a = *(struct probe *const *)left, *b = *(struct probe *const *)right;

	if (a->timer.deadline != b->timer.deadline)
		return a->timer.deadline < b->timer.deadline ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

static void expect_turn(void)
{
	expected_count = expected_next = 0;
	for (int i = 0; i < TIMERS; i++)
		if (probes[i].armed && probes[i].timer.deadline <= model_now)
			expected[expected_count++] = &probes[i];
	qsort(expected, expected_count, sizeof *expected, compare);
	for (size_t i = 0; i < expected_count; i++)
		expected_order[i] = expected[i]->order;
}

/* What was disarmed during the turn, or even armed again, is not expected any more. */
static void skip_withdrawn(void)
{
	while (expected_next < expected_count &&
	       (!expected[expected_next]->armed ||
		expected[expected_next]->order != expected_order[expected_next]))
		expected_next++;
}

static rt_time draw_deadline(void)
{
	static const rt_time ends[] = {INT64_MIN, -1, 0, 1, RT_FOREVER - 1, RT_FOREVER};
	uint64_t kind = draw() % 16;
	rt_time distance = (rt_time)(draw() >> (1 + draw() % 62));

	if (kind == 0)
		return ends[draw() % 6];
	if (kind < 3)
		return probes[draw() % TIMERS].timer.deadline;
	if (kind < 5)
		return model_now - distance % (4 * tick);
	if (kind < 9)
		distance %= 3 * tick;
	return distance > RT_FOREVER - model_now ? RT_FOREVER : model_now + distance;
}

/* Rarely all: many are often armed, seldom none. */
static void arm_or_disarm(void)
{
	struct probe *probe = &probes[draw() % TIMERS];
	bool was_armed = probe->armed;

	disarm(probe);
	if (!was_armed || draw() % 3)
		arm(probe, draw_deadline());
}

static void check_wake(struct rt_waiter *waiter, int result)
{
	skip_withdrawn();
	expect(expected_next < expected_count, "nothing fires that the model does not expect");
	expect(expected[expected_next++] == probe_of(waiter), "timers fire in the order of the model");
	note(waiter, result);
	for (uint64_t more = draw() % 3; more; more--)
		arm_or_disarm();
}

static void check_state(void)
{
	rt_time earliest = RT_FOREVER, next = wheel_next(&wheel);
	size_t count = 0;

	for (int i = 0; i < TIMERS; i++) {
		if (!probes[i].armed)
			continue;
		count++;
		if (probes[i].timer.deadline < earliest)
			earliest = probes[i].timer.deadline;
	}
	expect(wheel.count == count, "count is that of the model");
	expect(wheel_earliest(&wheel) == earliest, "earliest is that of the model");
	expect(next <= end_of_tick(earliest), "next is not after the earliest tick");
	expect(count || next == RT_FOREVER, "next of nothing is never");
	expect(earliest >= model_now - tick || next <= model_now, "next of what has passed is at once");
}

static rt_time draw_now(void)
{
	rt_time next = wheel_next(&wheel), earliest = wheel_earliest(&wheel);
	rt_time forward = (rt_time)(draw() % (uint64_t)(2 * tick));

	switch (draw() % 8) {
	case 0:
		return model_now;
	case 1:
		return earliest > model_now && earliest < RT_S(100000000) ? earliest : model_now;
	case 2:
	case 3:
		return next > model_now && next < RT_S(100000000) ? next : model_now;
	case 4:
		forward = (rt_time)(draw() >> (20 + draw() % 40));
		/* fallthrough */
	default:
		return forward > RT_FOREVER - model_now ? RT_FOREVER : model_now + forward;
	}
}

static void check_turn(void)
{
	size_t fired;

	model_now = draw_now();
	expect_turn();
	fired = wheel_turn(&wheel, model_now);
	skip_withdrawn();
	expect(expected_next == expected_count, "all fire that the model expects");
	expect(fired <= expected_count, "the number of those fired");
}

/* A loop that sleeps until wheel_next() must not spin. */
static void check_rest(void)
{
	expect_turn();
	for (size_t i = 0; i < expected_count; i++)
		disarm(expected[i]);
	wheel_turn(&wheel, model_now);
	expect(wheel_next(&wheel) > model_now || model_now == RT_FOREVER,
	       "next is ahead when nothing is due");
}

START_TEST(random_operations_agree_with_the_model)
{
	start(0, check_wake);
	seed += (uint64_t)_i * UINT64_C(0x9e3779b97f4a7c15);
	model_now = _i % 4 ? (rt_time)(draw() >> (2 + draw() % 60)) : 0;
	wheel_init(&wheel, model_now);
	for (int i = 0; i < OPERATIONS; i++) {
		if (draw() % 8)
			arm_or_disarm();
		else
			check_turn();
		check_state();
		if (draw() % 256 == 0)
			check_rest();
	}
}
END_TEST

/* ---- */

static Suite *wheel_suite(void)
{
	Suite *suite = suite_create("wheel");
	TCase *tcase = tcase_create("wheel");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, an_empty_wheel_needs_no_turn);
	tcase_add_loop_test(tcase, boundaries_of_a_level_are_exact, 0, 2 * WHEEL_LEVELS);
	tcase_add_test(tcase, the_ends_of_time_are_deadlines);
	tcase_add_test(tcase, a_passed_deadline_fires_at_once);
	tcase_add_test(tcase, time_never_goes_back);
	tcase_add_test(tcase, disarming_is_idempotent_and_empties_the_slot);
	tcase_add_test(tcase, a_day_passes);
	tcase_add_loop_test(tcase, within_a_tick_deadlines_count, 0, 3);
	tcase_add_test(tcase, a_tick_fires_in_parts);
	tcase_add_test(tcase, one_wake_up_fires_a_tick);
	tcase_add_test(tcase, arming_order_survives_the_cascade);
	tcase_add_test(tcase, what_a_wake_arms_waits_for_the_next_turn);
	tcase_add_test(tcase, a_wake_prevents_the_others);
	tcase_add_loop_test(tcase, random_operations_agree_with_the_model, 0, ROUNDS);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(wheel_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
