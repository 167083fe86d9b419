// SPDX-License-Identifier: GPL-2.0-only
/*
 * main - module init and exit
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "file.h"

static int __init zpipe_init(void)
{
	return zpipe_file_init();
}

static void __exit zpipe_exit(void)
{
	zpipe_file_exit();
	/* Files and dentries are freed by RCU callbacks. */
	rcu_barrier();
}

module_init(zpipe_init);
module_exit(zpipe_exit);

MODULE_DESCRIPTION("Pipes between processes whose memory is mapped into both");
MODULE_AUTHOR("zpipe maintainers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
