// SPDX-License-Identifier: GPL-2.0-only
// What fops-owner.cocci must report, and what not.
static const struct file_operations good_fops = {
	.owner = THIS_MODULE,
	.release = end_release,
};

static const struct file_operations bad_fops = { /* caught */
	.release = end_release,
};

static const struct vm_operations_struct other = {
	.fault = data_fault,
};
