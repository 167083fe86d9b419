/* SPDX-License-Identifier: MIT */
/*
 * conf - what scripts/vm wants of the guest
 *
 * /conf in the initial file system holds NUL-terminated "key=value" entries. Read once, before the
 * root is mounted, and not changed after that.
 */
#ifndef ZPIPE_VM_CONF_H
#define ZPIPE_VM_CONF_H

#include <stdbool.h>

#define LIST_MAX 1024

struct list {
	char *at[LIST_MAX + 1];
	int n;
};

extern struct conf {
	struct list args;	/* the command */
	struct list envs;	/* its environment */
	struct list keeps;	/* what stays visible below folders that are empty in the guest */
	struct list shares;	/* folders of the host that can be written */
	const char *cwd;
	const char *params;	/* of the module */
	const char *kmods;	/* a folder of the host, for /lib/modules */
	bool merge;		/* one pipe for both outputs */
	bool use_tty;
	bool use_stdin;
	bool icount;
	unsigned short rows;
	unsigned short cols;
} conf;

void load_conf(void);

#endif
