// SPDX-License-Identifier: GPL-2.0-only
///
/// fd_install() comes last: after it the process owns the fd, and nothing may fail any more.
///
virtual report

@bad exists@
position p;
identifier after = {copy_to_user, put_user, put_unused_fd, fput, get_unused_fd_flags};
@@
fd_install(...)
...
after@p(...)

@script:python depends on report@
p << bad.p;
after << bad.after;
@@
coccilib.report.print_report(p[0], "%s after fd_install" % after)
