/* SPDX-License-Identifier: MIT */
/* Benchmarks in C: how n is found and samples are taken, the timer, the command line, saved results. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "bench/baseline.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "bench/settings.h"
#include "support/child.h"
#include "support/suite.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

/* ---- Measuring, by a clock of our own: an operation takes cost nanoseconds ---- */

static void measure_with(struct measure *measure, double cost, double seconds, unsigned samples)
{
	struct rt_bench bench;
	int runs = 0;

	ck_assert_int_eq(measure_init(measure, seconds, samples), 0);
	while (measure_next(measure, &bench)) {
		ck_assert_int_lt(runs++, 100000);
		bench.elapsed = (rt_time)((double)bench.n * cost);
		bench.calls = 2 * bench.n;
		bench.allocated = 48 * bench.n;
		measure_add(measure, &bench, true);
	}
}

static const double costs[] = {0.25, 1, 100, 12345, 5e6, 20e6, 3e9};

START_TEST(n_fills_the_time_of_a_sample)
{
	double cost = costs[_i];
	struct measure measure;

	measure_with(&measure, cost, 1, 50);
	double sample_time = (double)measure.n * cost;

	/* 20 ms; where an operation takes longer, one operation. */
	ck_assert_double_ge(sample_time, 20e6 * 0.95);
	ck_assert_double_le(sample_time, cost > 20e6 ? cost : 20e6 * 1.3);
	ck_assert_double_eq(measure.calls, 2);
	ck_assert_double_eq(measure.allocated, 48);
	for (size_t i = 0; i < measure.count; i++)
		ck_assert_double_eq_tol(measure.samples[i], cost, cost / 100);
	measure_finish(&measure);
}
END_TEST

START_TEST(slow_operations_get_fewer_samples)
{
	struct measure measure;

	measure_with(&measure, 5e6, 1, 50);
	ck_assert_uint_eq(measure.count, 50);
	measure_finish(&measure);
	measure_with(&measure, 3e9, 1, 50);
	ck_assert_uint_eq(measure.count, 5);
	measure_finish(&measure);
	measure_with(&measure, 3e9, 1, 3);
	ck_assert_uint_eq(measure.count, 3);
	measure_finish(&measure);
}
END_TEST

START_TEST(a_body_that_takes_no_time_ends_too)
{
	struct measure measure;

	/* It warms up for a tenth of this, really; on a machine that stalls, fewer samples have to do. */
	measure_with(&measure, 0, 0.01, 10);
	ck_assert_uint_ge(measure.count, 5);
	ck_assert_double_eq(measure.samples[0], 0);
	measure_finish(&measure);
}
END_TEST

/* Growing n until the timer shows something would take for ever, and all memory. */
START_TEST(what_is_not_measured_bounds_n)
{
	struct measure measure;
	struct rt_bench bench;

	ck_assert_int_eq(measure_init(&measure, 0.01, 10), 0);
	while (measure_next(&measure, &bench)) {
		ck_assert_uint_le(bench.n, 10000000 / 1000);
		/* A microsecond each. */
		for (rt_time until = rt_in((rt_time)bench.n * 1000); rt_now() < until;)
			;
		measure_add(&measure, &bench, false);
	}
	ck_assert_uint_ge(measure.count, 5);
	ck_assert_double_lt(measure.calls, 0);
	measure_finish(&measure);
}
END_TEST

START_TEST(the_timer_stands_still_between_stop_and_start)
{
	struct rt_bench bench = {0};

	rt_bench_memory = (struct rt_bench_memory){0};
	rt_bench_start(&bench);
	rt_bench_memory.calls += 3;
	rt_bench_memory.bytes += 30;
	rt_bench_stop(&bench);
	rt_time elapsed = bench.elapsed;

	ck_assert_int_ge(elapsed, 0);
	for (rt_time until = rt_in(RT_US(200)); rt_now() < until;)
		rt_bench_memory.calls++;
	rt_bench_stop(&bench);
	ck_assert_int_eq(bench.elapsed, elapsed);
	rt_bench_start(&bench);
	rt_bench_start(&bench);
	for (rt_time until = rt_in(RT_US(200)); rt_now() < until;)
		;
	rt_bench_memory.calls += 1;
	rt_bench_memory.bytes += 5;
	rt_bench_stop(&bench);
	ck_assert_int_ge(bench.elapsed, elapsed + RT_US(200));
	ck_assert_uint_eq(bench.calls, 4);
	ck_assert_uint_eq(bench.allocated, 35);
}
END_TEST

#if defined(__GLIBC__) && !defined(RT_BENCH_NO_MALLOC)
/* The functions of RT_BENCH_MALLOC under other names: this program keeps its own. */
#define malloc counting_malloc
#define calloc counting_calloc
#define realloc counting_realloc
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *memory, size_t size);
RT_BENCH_MALLOC
#undef malloc
#undef calloc
#undef realloc
extern void __libc_free(void *memory);

START_TEST(memory_is_counted)
{
	rt_bench_memory = (struct rt_bench_memory){0};
	void *memory = counting_malloc(48);

	ck_assert_uint_eq(rt_bench_memory.calls, 1);
	ck_assert_uint_eq(rt_bench_memory.bytes, 48);
	memory = counting_realloc(memory, 100);
	__libc_free(memory);
	memory = counting_calloc(3, 5);
	__libc_free(memory);
	ck_assert_uint_eq(rt_bench_memory.calls, 3);
	ck_assert_uint_eq(rt_bench_memory.bytes, 48 + 100 + 15);
}
END_TEST
#else
START_TEST(memory_is_counted)
{
	ck_assert_uint_eq(rt_bench_memory.calls, 0);
}
END_TEST
#endif

/* ---- Figures ---- */

static const struct {
	double ns;
	const char *text;
} shown[] = {{0, "0.000 ns"},     {0.25, "0.250 ns"}, {9.9994, "9.999 ns"}, {99.996, "100.0 ns"},
	     {999.4, "999.4 ns"}, {1234, "1.234 us"}, {45678, "45.68 us"},  {1.5e6, "1.500 ms"},
	     {2e9, "2.000 s"},    {3600e9, "3600 s"}};

START_TEST(times_have_four_digits_and_a_unit)
{
	char text[REPORT_TIME_MAX];

	ck_assert_str_eq(report_time(shown[_i].ns, text), shown[_i].text);
}
END_TEST

static const char *verdict(const double *samples, double factor)
{
	double now[10], before[10], change, p;
	struct measure measure = {.samples = now, .count = 10};
	struct baseline_entry entry = {.samples = before, .count = 10};

	for (int i = 0; i < 10; i++) {
		before[i] = samples[i];
		now[i] = samples[i] * factor;
	}
	struct result result = {.measure = &measure, .stats = stats_of(now, 10), .before = &entry};

	return report_verdict(&result, &change, &p);
}

START_TEST(verdicts)
{
	const double narrow[] = {100, 100.1, 100.2, 100.3, 100.4, 100.5, 100.6, 100.7, 100.8, 100.9};
	const double wide[] = {50, 60, 70, 80, 90, 100, 110, 120, 130, 140};

	ck_assert_str_eq(verdict(narrow, 1.05), "slower");
	ck_assert_str_eq(verdict(narrow, 0.95), "faster");
	ck_assert_str_eq(verdict(narrow, 1), "no change");
	ck_assert_str_eq(verdict(wide, 1.05), "no change"); /* chance */
	ck_assert_str_eq(verdict(wide, 3), "slower");
	ck_assert_str_eq(verdict(narrow, 1.0095), "no change"); /* certain, but small */
}
END_TEST

/* ---- Saved results ---- */

static char folder[] = "bench_test_XXXXXX";

static void make_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
	DIR *dir = opendir(folder);
	char path[PATH_MAX];

	for (struct dirent *entry; (entry = readdir(dir));) {
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		unlink(path);
	}
	closedir(dir);
	rmdir(folder);
}

START_TEST(what_is_stored_is_loaded)
{
	struct baseline stored = {0}, loaded = {0};
	const double samples[] = {0, 1.0 / 3, 1e9}, other[] = {5};

	ck_assert_int_eq(baseline_add(&stored, "spawn and join", "native", samples, 3), 0);
	ck_assert_int_eq(baseline_add(&stored, "spawn and join", "other", other, 1), 0);
	ck_assert_int_eq(baseline_store(&stored, folder, "one"), 0);
	ck_assert_int_eq(baseline_load(&loaded, folder, "one"), 0);
	ck_assert_uint_eq(loaded.count, 2);
	const struct baseline_entry *entry = baseline_find(&loaded, "spawn and join", "native");

	ck_assert_ptr_nonnull(entry);
	ck_assert_uint_eq(entry->count, 3);
	for (int i = 0; i < 3; i++)
		ck_assert(entry->samples[i] == samples[i]);
	ck_assert_uint_eq(baseline_find(&loaded, "spawn and join", "other")->count, 1);
	ck_assert_ptr_null(baseline_find(&loaded, "spawn and join", "third"));
	ck_assert_ptr_null(baseline_find(&loaded, "spawn", "native"));
	baseline_finish(&stored);
	baseline_finish(&loaded);
}
END_TEST

static const char *const broken[] = {
	"",
	"rtbench 2\n",
	"something else\n",
	"rtbench 1\nnative\n",
	"rtbench 1\nnative\t1 2\n",
	"rtbench 1\nnative\t\tname\n",
	"rtbench 1\nnative\t1 x\tname\n",
	"rtbench 1\nnative\t1 -2\tname\n",
	"rtbench 1\nnative\t2 1\tname\n",
	"rtbench 1\nnative\tnan\tname\n",
};

START_TEST(a_file_of_another_kind_is_refused)
{
	struct baseline baseline = {0};
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/broken", folder);
	FILE *file = fopen(path, "w");

	fputs(broken[_i], file);
	fclose(file);
	ck_assert_int_eq(baseline_load(&baseline, folder, "broken"), -EBADMSG);
	baseline_finish(&baseline);
	ck_assert_int_eq(baseline_load(&baseline, folder, "none"), -ENOENT);
}
END_TEST

/* ---- The whole, in a child: on fd 2 what it prints ---- */

static uint64_t last_n;

RT_BENCH(counted, bench)
{
	rt_bench_bytes(bench, 100);
	last_n = bench->n;
	for (uint64_t i = 0; i < bench->n; i++)
		rt_yield();
}

RT_BENCH(second, bench)
{
	ck_assert_ptr_nonnull(rt_task_current());
	for (volatile uint64_t i = 0; i < bench->n; i++)
		;
}

static int sleep_for_ever(void *arg)
{
	(void)arg;
	return rt_sleep_until(RT_FOREVER);
}

RT_BENCH(stuck, bench)
{
	(void)bench;
	rt_join(rt_spawn(sleep_for_ever, NULL), NULL, RT_FOREVER);
}

enum { ARGUMENTS = 10 };
static const char *arguments[ARGUMENTS];

static int run_child(void)
{
	int argc = 0;

	while (argc < ARGUMENTS && arguments[argc])
		argc++;
	dup2(STDERR_FILENO, STDOUT_FILENO);
	int code = rt_bench_main(argc, (char **)arguments);

	fflush(stdout);
	return code;
}

static void expect(const char *const *argv, int code, const char *const *texts)
{
	char said[8192];

	for (int i = 0; i < ARGUMENTS; i++) {
		arguments[i] = argv[i];
		if (!argv[i])
			break;
	}
	int status = observe(run_child, said, sizeof said);

	ck_assert_msg(WIFEXITED(status), "died of signal %d: %s", WTERMSIG(status), said);
	ck_assert_msg(WEXITSTATUS(status) == code, "exit code %d: %s", WEXITSTATUS(status), said);
	for (; *texts; texts++) {
		if ((*texts)[0] == '!')
			ck_assert_msg(!strstr(said, *texts + 1), "'%s' in: %s", *texts + 1, said);
		else
			ck_assert_msg(strstr(said, *texts), "no '%s' in: %s", *texts, said);
	}
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SHORT "bench", "--time=0.001", "--samples", "7"

START_TEST(the_report_has_a_row_for_each)
{
	expect(LIST(SHORT, "--filter=co"), 0,
	       LIST("benchmark ", "median", "95 % interval", "p99", "throughput", "\ncounted ", "\nsecond ",
		    "B/s", "!stuck", "!FAILED", "!side by side"));
}
END_TEST

START_TEST(json_has_the_samples)
{
	expect(LIST(SHORT, "--json", "--filter", "counted"), 0,
	       LIST("[\n{\"name\":\"counted\",\"runtime\":\"native\",\"unit\":\"ns\",\"n\":", "\"p50\":",
		    "\"p50_low\":", "\"p99\":", "\"bytes_per_second\":", "\"samples\":[", "]}\n]\n",
		    "!\"second\"", "!allocs/op"));
}
END_TEST

START_TEST(a_deadlock_fails_and_the_others_go_on)
{
	expect(LIST(SHORT), 1, LIST("stuck ", "FAILED", "stuck: deadlock", "\nsecond "));
	expect(LIST(SHORT, "--json"), 1,
	       LIST("{\"name\":\"stuck\",\"runtime\":\"native\",\"error\":\"deadlock"));
}
END_TEST

START_TEST(runtimes_stand_side_by_side)
{
	static struct rt_runtime_ops other;

	other = rt_native;
	other.name = "other";
	ck_assert_int_eq(rt_runtime_register(&other), 0);
	expect(LIST(SHORT, "--filter=co", "--runtime=native,other"), 0,
	       LIST("counted               native", "counted               other", "side by side",
		    "\ncounted               native ", "(1.00)  other "));
	expect(LIST(SHORT, "--filter=co", "--runtime=other"), 0, LIST("!side by side", "\ncounted "));
}
END_TEST

START_TEST(results_are_saved_and_compared_with)
{
	expect(LIST(SHORT, "--filter=co", "--folder", folder, "--save=one"), 0, LIST("!Mann-Whitney"));
	expect(LIST(SHORT, "--filter=co", "--folder", folder, "--compare=one"), 0,
	       LIST("Mann-Whitney U)\nsecond ", " % from "));
	expect(LIST(SHORT, "--json", "--folder", folder, "--compare=one"), 1,
	       LIST("\"comparison\":{\"verdict\":\"", "\"test\":\"Mann-Whitney U\",\"p\":"));
	expect(LIST("bench", "--folder", folder, "--compare=two"), 2,
	       LIST("bench: cannot read ", "/two: no such file or directory"));
}
END_TEST

static const struct {
	const char *option, *message;
} misuse[] = {
	{"--runtime=nonsense", "unknown runtime 'nonsense'"},
	{"--runtime=native,", "unknown runtime ''"},
	{"--time=0", "--time takes"},
	{"--time=-1", "--time takes"},
	{"--time=nan", "--time takes"},
	{"--time=1x", "--time takes"},
	{"--samples=0", "--samples takes"},
	{"--samples=x", "--samples takes"},
	{"--samples=1000000", "--samples takes"},
	{"--samples=99999999999999999999", "--samples takes"},
	{"--samples", "value missing for '--samples'"},
	{"--save=a/b", "without a slash"},
	{"--save=", "without a slash"},
	{"--compare=.x", "without a slash"},
	{"--folder=", "--folder takes"},
	{"--nonsense", "unknown option '--nonsense'"},
	{"--jsonx", "unknown option '--jsonx'"},
	{"-x", "unknown option '-x'"},
	{"operand", "unexpected argument 'operand'"},
};

START_TEST(wrong_arguments_give_2)
{
	expect(LIST("bench", misuse[_i].option), 2, LIST(misuse[_i].message, "--help", "!allocs/op"));
}
END_TEST

START_TEST(help_and_nothing_to_run)
{
	expect(LIST("bench", "--help"), 0,
	       LIST("usage: bench [options]", "--runtime=", "native", "!allocs/op"));
	expect(LIST("bench", "--filter=nothing is called so"), 1, LIST("there is no benchmark to run"));
}
END_TEST

int main(void)
{
	TCase *measuring = tcase_create("measuring"), *figures = tcase_create("figures"),
	      *saved = tcase_create("saved"), *command = tcase_create("command");
	Suite *suite = suite_create("bench");

	tcase_add_loop_test(measuring, n_fills_the_time_of_a_sample, 0, sizeof costs / sizeof *costs);
	tcase_add_test(measuring, slow_operations_get_fewer_samples);
	tcase_add_test(measuring, a_body_that_takes_no_time_ends_too);
	tcase_add_test(measuring, what_is_not_measured_bounds_n);
	tcase_add_test(measuring, memory_is_counted);
	tcase_add_test(measuring, the_timer_stands_still_between_stop_and_start);
	suite_add_tcase(suite, measuring);
	tcase_add_loop_test(figures, times_have_four_digits_and_a_unit, 0, sizeof shown / sizeof *shown);
	tcase_add_test(figures, verdicts);
	suite_add_tcase(suite, figures);
	tcase_add_checked_fixture(saved, make_folder, remove_folder);
	tcase_add_test(saved, what_is_stored_is_loaded);
	tcase_add_loop_test(saved, a_file_of_another_kind_is_refused, 0, sizeof broken / sizeof *broken);
	tcase_add_test(saved, results_are_saved_and_compared_with);
	suite_add_tcase(suite, saved);
	tcase_add_test(command, the_report_has_a_row_for_each);
	tcase_add_test(command, json_has_the_samples);
	tcase_add_test(command, a_deadlock_fails_and_the_others_go_on);
	tcase_add_test(command, runtimes_stand_side_by_side);
	tcase_add_loop_test(command, wrong_arguments_give_2, 0, sizeof misuse / sizeof *misuse);
	tcase_add_test(command, help_and_nothing_to_run);
	suite_add_tcase(suite, command);
	return run_suite(suite);
}
