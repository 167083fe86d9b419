// SPDX-License-Identifier: MIT
/*
 * conf - see conf.h
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "port.h"

struct conf conf = { .cwd = "/", .params = "", .rows = 24, .cols = 80 };

void load_conf(void)
{
	static char buf[1 << 20];
	int fd = open("/conf", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	char *p = buf;

	if (n < 0)
		fail("conf");
	close(fd);
	while (p < buf + n) {
		char *key = p, *value = strchr(p, '=');
		struct list *list = NULL;

		p += strlen(p) + 1;
		if (!value)
			continue;
		*value++ = 0;
		if (!strcmp(key, "arg"))
			list = &conf.args;
		else if (!strcmp(key, "env"))
			list = &conf.envs;
		else if (!strcmp(key, "keep"))
			list = &conf.keeps;
		else if (!strcmp(key, "share"))
			list = &conf.shares;
		else if (!strcmp(key, "cwd"))
			conf.cwd = value;
		else if (!strcmp(key, "params"))
			conf.params = value;
		else if (!strcmp(key, "kmods"))
			conf.kmods = value;
		else if (!strcmp(key, "merge"))
			conf.merge = true;
		else if (!strcmp(key, "tty"))
			conf.use_tty = true;
		else if (!strcmp(key, "stdin"))
			conf.use_stdin = true;
		else if (!strcmp(key, "icount"))
			conf.icount = true;
		else if (!strcmp(key, "rows"))
			conf.rows = atoi(value);
		else if (!strcmp(key, "cols"))
			conf.cols = atoi(value);
		if (list && list->n < LIST_MAX)
			list->at[list->n++] = value;
	}
}
