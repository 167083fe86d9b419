/* SPDX-License-Identifier: MIT */
/*
 * tap - the smallest harness that speaks TAP
 *
 * A test is a function and a sentence. EXPECT() records a failure and goes on;
 * ASSERT() leaves the test. The program's exit status is the result.
 */
#ifndef ZPIPE_TESTS_TAP_H
#define ZPIPE_TESTS_TAP_H

#include <stdbool.h>
#include <stdio.h>

struct tap_test {
	const char *name;
	void (*run)(void);
};

static int tap_failed;

static inline bool tap_check(bool good, const char *file, int line, const char *what,
			     long long is, long long wanted)
{
	if (!good) {
		tap_failed++;
		if (tap_failed <= 20)
			printf("# %s:%d: %s: is %lld, wanted %lld\n", file, line, what, is, wanted);
	}
	return good;
}

/* clang-format off */
#define EXPECT(cond) \
	tap_check(!!(cond), __FILE__, __LINE__, #cond, 0, 1)
#define EXPECT_EQ(is, wanted) \
	({ long long is_ = (long long)(is), wanted_ = (long long)(wanted); \
	   tap_check(is_ == wanted_, __FILE__, __LINE__, #is " == " #wanted, is_, wanted_); })
#define ASSERT(cond) \
	do { if (!EXPECT(cond)) return; } while (0)
#define ASSERT_EQ(is, wanted) \
	do { if (!EXPECT_EQ(is, wanted)) return; } while (0)
/* clang-format on */

static inline int tap_run(const struct tap_test *tests, size_t nr)
{
	int bad = 0;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", nr);
	for (i = 0; i < nr; i++) {
		tap_failed = 0;
		tests[i].run();
		printf("%s %zu %s\n", tap_failed ? "not ok" : "ok", i + 1, tests[i].name);
		bad += !!tap_failed;
	}
	return bad ? 1 : 0;
}

#define TAP_MAIN(tests) \
	int main(void) \
	{ \
		return tap_run(tests, sizeof(tests) / sizeof((tests)[0])); \
	}

#endif /* ZPIPE_TESTS_TAP_H */
