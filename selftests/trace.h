/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace - counting events of the module in a trace instance of our own
 *
 * Fields are checked by the kernel itself: the event's filter names the values wanted, and only
 * matching events are counted.
 */
#ifndef TRACE_H
#define TRACE_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

FIXTURE(trace)
{
	struct zt_pipe p;
	struct zt_view view;
	struct zpipe_alloc_args grant;
	char root[64];
	char instance[128];
};

static inline bool find_tracefs(char *root, size_t size)
{
	static const char * const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[128];
	size_t k;

	for (k = 0; k < 2; k++) {
		snprintf(path, sizeof(path), "%s/instances", places[k]);
		snprintf(root, size, "%s", places[k]);
		if (!access(path, W_OK))
			return true;
		if (!mount("tracefs", places[k], "tracefs", 0, NULL) && !access(path, W_OK))
			return true;
	}
	return false;
}

FIXTURE_SETUP(trace)
{
	if (!find_tracefs(self->root, sizeof(self->root)))
		SKIP(return, "no tracefs");
	snprintf(self->instance, sizeof(self->instance), "%s/instances/zpipe-%d", self->root,
		 getpid());
	ASSERT_EQ(0, mkdir(self->instance, 0700));
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
}

FIXTURE_TEARDOWN(trace)
{
	char path[192];

	zt_pipe_close(&self->p);
	snprintf(path, sizeof(path), "%s/events/enable", self->instance);
	zt_write_text(path, "0");
	rmdir(self->instance);
}

/* Counts from now on the events @name for which the formatted filter holds; 0 or -errno. */
__attribute__((format(printf, 3, 4)))
static inline int watch(FIXTURE_DATA(trace) *self, const char *name, const char *filter, ...)
{
	char path[256], text[256];
	va_list ap;
	int fd, ret;

	snprintf(path, sizeof(path), "%s/trace", self->instance);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	va_start(ap, filter);
	vsnprintf(text, sizeof(text), filter, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/events/zpipe/%s/filter", self->instance, name);
	ret = zt_write_text(path, text);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/events/zpipe/%s/enable", self->instance, name);
	return zt_write_text(path, "1");
}

static inline int counted(FIXTURE_DATA(trace) *self, const char *name)
{
	char path[192], word[64], line[1024];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", self->instance);
	snprintf(word, sizeof(word), " %s: ", name);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (line[0] != '#' && strstr(line, word))
			n++;
	fclose(f);
	return n;
}

/* The sum of the field @key= of those that were counted. */
static inline unsigned long long summed(FIXTURE_DATA(trace) *self, const char *name,
					const char *key)
{
	char path[192], word[64], line[1024];
	unsigned long long sum = 0;
	const char *at;
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", self->instance);
	snprintf(word, sizeof(word), " %s: ", name);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		at = line[0] != '#' && strstr(line, word) ? strstr(line, key) : NULL;
		if (at)
			sum += strtoull(at + strlen(key), NULL, 0);
	}
	fclose(f);
	return sum;
}

#endif
