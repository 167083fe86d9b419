/* SPDX-License-Identifier: MIT */
/*
 * zpsnoop-events - every event of system zpipe, in the order of module/zpipe_trace.h
 *
 * Included several times, with what EVENT() makes of a name; a new event is added at the end.
 */
EVENT(create)
EVENT(destroy)
EVENT(alloc)
EVENT(flush)
EVENT(read)
EVENT(advance)
EVENT(segment_open)
EVENT(segment_free)
EVENT(pause)
EVENT(resume)
EVENT(wait_begin)
EVENT(wait_end)
EVENT(wake)
EVENT(seal)
EVENT(copy)
EVENT(complete)
EVENT(cancel)
EVENT(set)
EVENT(reset)
EVENT(reject)
EVENT(tee)
EVENT(forward)
EVENT(preserve)
EVENT(release)
EVENT(export)
EVENT(post)
EVENT(unpost)
EVENT(splice)
