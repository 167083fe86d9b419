// SPDX-License-Identifier: GPL-2.0-only
///
/// What userspace writes is read once, through an accessor, into a local. A plain access may be read
/// twice by the compiler, with different results.
///
virtual report

@once@
expression pipe;
identifier word;
position p;
identifier access = {READ_ONCE, WRITE_ONCE, smp_load_acquire, smp_store_release};
@@
(
access(<+... pipe->reader_page@p->word ...+>, ...)
|
access(<+... pipe->writer_page@p->word ...+>, ...)
)

@plain@
expression pipe;
identifier word;
position p != once.p;
@@
(
pipe->reader_page@p->word
|
pipe->writer_page@p->word
)

@script:python depends on report@
p << plain.p;
word << plain.word;
@@
coccilib.report.print_report(p[0], "plain access to the shared word %s" % word)
