// SPDX-License-Identifier: GPL-2.0-only
// What shared-once.cocci must report, and what not.
static void reads(struct pipe *pipe)
{
	u64 once = READ_ONCE(pipe->writer_page->published);
	u64 plain = pipe->reader_page->consumed; /* caught */

	plain = smp_load_acquire(&pipe->reader_page->examined);
	if (pipe->writer_page->published > once) /* caught */
		pipe->guilty = plain;
	free_page((unsigned long)pipe->writer_page);
}
