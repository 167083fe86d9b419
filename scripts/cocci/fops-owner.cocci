// SPDX-License-Identifier: GPL-2.0-only
///
/// A file_operations without .owner lets the module be unloaded under an open file.
///
virtual report

@good@
identifier ops;
position p;
@@
struct file_operations ops@p = { ..., .owner = THIS_MODULE, ... };

@bad@
identifier ops;
position p != good.p;
@@
struct file_operations ops@p = { ... };

@script:python depends on report@
p << bad.p;
ops << bad.ops;
@@
coccilib.report.print_report(p[0], "%s has no .owner" % ops)
