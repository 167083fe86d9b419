// SPDX-License-Identifier: GPL-2.0-only
/*
 * main - module init and exit
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "file.h"
#include "idle.h"
#include "pipe.h"
#include "pool.h"

static int __init zpipe_init(void)
{
	int ret;

	ret = zpipe_pool_init();
	if (ret)
		return ret;
	ret = zpipe_pipe_init();
	if (ret)
		goto err_pool_exit;
	ret = zpipe_idle_init();
	if (ret)
		goto err_pipe_exit;
	ret = zpipe_file_init();
	if (ret)
		goto err_idle_exit;
	return 0;

err_idle_exit:
	zpipe_idle_exit();
err_pipe_exit:
	zpipe_pipe_exit();
err_pool_exit:
	zpipe_pool_exit();
	return ret;
}

static void __exit zpipe_exit(void)
{
	zpipe_file_exit();
	zpipe_idle_exit();
	zpipe_pipe_exit();
	zpipe_pool_exit();
	/* Files and dentries are freed by RCU callbacks. */
	rcu_barrier();
}

module_init(zpipe_init);
module_exit(zpipe_exit);

MODULE_DESCRIPTION("Pipes between processes whose memory is mapped into both");
MODULE_AUTHOR("zpipe maintainers");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
