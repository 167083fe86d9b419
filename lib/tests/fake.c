// SPDX-License-Identifier: MIT
/*
 * fake - a kernel of one pipe, in the place of sys.c
 *
 * See fake.h. Here are the regions and all verbs but ALLOC.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake_state.h"

struct fake fake = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

static uint32_t seed = 1;

void fake_seed(uint32_t s)
{
	seed = s ? s : 1;
}

uint32_t fake_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

uint64_t *fake_published(void)
{
	return (uint64_t *)(void *)(fake.writer + AT_PUBLISHED);
}

uint64_t *fake_examined(void)
{
	return (uint64_t *)(void *)(fake.reader + AT_EXAMINED);
}

uint64_t *fake_consumed(void)
{
	return (uint64_t *)(void *)(fake.reader + AT_CONSUMED);
}

uint64_t *fake_reader_wake_at(void)
{
	return state_word(AT_READER_WAKE);
}

uint64_t *fake_wake_examined(void)
{
	return state_word(AT_WAKE_EXAMINED);
}

uint64_t *fake_wake_consumed(void)
{
	return state_word(AT_WAKE_CONSUMED);
}

uint64_t *fake_opened(void)
{
	return state_word(AT_OPENED);
}

uint32_t *fake_events(void)
{
	return (uint32_t *)(void *)(fake.state + AT_EVENTS);
}

struct zpipe_descriptor *fake_table(void)
{
	return (struct zpipe_descriptor *)(void *)(fake.state + AT_TABLE);
}

struct fake_calls *fake_calls(void)
{
	return &fake.calls;
}

struct zpipe_alloc_args *fake_last_alloc(void)
{
	return &fake.last_alloc;
}

void fake_lie_alloc(uint64_t offset, uint64_t length)
{
	fake.lie = true;
	fake.lie_offset = offset;
	fake.lie_length = length;
}

void fake_fail_next(int error)
{
	fake.fail_next = error;
}

void fake_override_info(const struct zpipe_info_args *info)
{
	fake.overridden = !!info;
	if (info)
		fake.info = *info;
}

/* The reader's word, which never counts backwards. */
static uint64_t examined_now(void)
{
	uint64_t word = get(fake_examined());

	if (word > fake.examined && word <= get(fake_published()))
		fake.examined = word;
	return fake.examined;
}

static void *map_at(int fd, uint64_t offset, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	if (p == MAP_FAILED)
		abort();
	return p;
}

void fake_update_events(void)
{
	bool starving = get(fake_reader_wake_at()) != ZPIPE_UNARMED &&
			get(fake_reader_wake_at()) > get(fake_published());
	uint32_t events = fake.cancel_read || fake.writer_done ||
			  (starving && fake.writer_waits &&
			   get(fake_published()) > get(fake_consumed())) ||
			  fake.pushed > examined_now();

	__atomic_store_n(fake_events(), events, __ATOMIC_SEQ_CST);
	if (fake.cancel_flush || fake.reader_done)
		set(fake_reader_wake_at(), 0);
}

void fake_start(const struct fake_opts *opts, int *writer_fd, int *reader_fd)
{
	uint32_t i;

	fake.opts = *opts;
	fake.window = (uint64_t)opts->segment_size * opts->nr_segments;
	fake.writer_fd = memfd_create("fake", MFD_CLOEXEC);
	if (fake.writer_fd < 0 || ftruncate(fake.writer_fd, (off_t)ZPIPE_OFF_DATA * 2))
		abort();
	fake.reader_fd = dup(fake.writer_fd);
	fake.state = map_at(fake.writer_fd, ZPIPE_OFF_STATE, STATE_SIZE);
	fake.writer = map_at(fake.writer_fd, ZPIPE_OFF_WRITER, PAGE);
	fake.reader = map_at(fake.writer_fd, ZPIPE_OFF_READER, PAGE);
	fake.first = 0;
	fake.opened = 0;
	fake.granted = 0;
	fake.cancel_read = fake.cancel_flush = fake.paused = fake.writer_waits = false;
	fake.writer_done = fake.reader_done = fake.drain = false;
	fake.writer_error = fake.reader_error = 0;
	fake.pushed = 0;
	fake.examined = 0;
	fake.fail_next = 0;
	fake.lie = false;
	fake.overridden = false;
	memset(fake.used, 0, sizeof(fake.used));
	memset(&fake.calls, 0, sizeof(fake.calls));
	fake.nr_free = opts->nr_segments;
	for (i = 0; i < fake.nr_free; i++)
		fake.lifo[i] = fake.nr_free - 1 - i;
	*(uint32_t *)(void *)(fake.state + AT_SOLE_READER) = 1;
	set(fake_reader_wake_at(), ZPIPE_UNARMED);
	set(fake_wake_examined(), ZPIPE_UNARMED);
	set(fake_wake_consumed(), ZPIPE_UNARMED);
	set(state_word(AT_PAUSE), opts->pause);
	*writer_fd = fake.writer_fd;
	*reader_fd = fake.reader_fd;
}

void fake_stop(void)
{
	munmap(fake.state, STATE_SIZE);
	munmap(fake.writer, PAGE);
	munmap(fake.reader, PAGE);
	fake.writer_fd = fake.reader_fd = -1;
}

void fake_info(struct zpipe_info_args *info)
{
	memset(info, 0, sizeof(*info));
	info->out_role = ZPIPE_ROLE_WRITER;
	info->out_magic = ZPIPE_MAGIC;
	info->out_version = ZPIPE_UAPI_VERSION;
	info->out_capacity = fake.window;
	info->out_window = fake.window;
	info->out_segment_size = fake.opts.segment_size;
	info->out_nr_segments = fake.opts.nr_segments;
	info->out_pause = fake.opts.pause;
	info->out_resume = fake.opts.resume;
	info->out_state = (struct zpipe_region){ ZPIPE_OFF_STATE, STATE_SIZE };
	info->out_writer = (struct zpipe_region){ ZPIPE_OFF_WRITER, PAGE };
	info->out_reader = (struct zpipe_region){ ZPIPE_OFF_READER, PAGE };
	info->out_data = (struct zpipe_region){ ZPIPE_OFF_DATA, fake.window };
	info->out_opened_at = AT_OPENED;
	info->out_granted_at = AT_GRANTED;
	info->out_reader_wake_at = AT_READER_WAKE;
	info->out_pause_at = AT_PAUSE;
	info->out_writer_wake_examined_at = AT_WAKE_EXAMINED;
	info->out_writer_wake_consumed_at = AT_WAKE_CONSUMED;
	info->out_reader_events_at = AT_EVENTS;
	info->out_sole_reader_at = AT_SOLE_READER;
	info->out_table_at = AT_TABLE;
	info->out_table_entries = fake.opts.table_entries;
	info->out_published_at = AT_PUBLISHED;
	info->out_examined_at = AT_EXAMINED;
	info->out_consumed_at = AT_CONSUMED;
	info->out_granted = fake.granted;
	info->out_published = get(fake_published());
	info->out_examined = examined_now();
	info->out_consumed = get(fake_consumed());
	info->out_index = fake.first;
}

int fake_take_failure(void)
{
	int error = fake.fail_next;

	fake.fail_next = 0;
	return -error;
}

int zp_sys_create(int fd, struct zpipe_create_args *args)
{
	(void)fd;
	(void)args;
	return -ENODEV;
}

int zp_sys_pool_create(int fd, struct zpipe_pool_create_args *args)
{
	(void)fd;
	(void)args;
	return -ENOTTY;
}

int zp_sys_pool_stat(int fd, struct zpipe_pool_stat_args *args)
{
	(void)fd;
	(void)args;
	return -ENOTTY;
}

int zp_sys_forward(int fd, struct zpipe_forward_args *args)
{
	(void)fd;
	(void)args;
	return -ENOTTY;
}

int zp_sys_post(int fd, struct zpipe_post_args *args)
{
	(void)fd;
	(void)args;
	return -ENODEV;
}

int zp_sys_export(int fd, struct zpipe_export_args *args)
{
	(void)fd;
	(void)args;
	return -ENODEV;
}

int zp_sys_unpost(int fd, struct zpipe_unpost_args *args)
{
	(void)fd;
	(void)args;
	return -ENODEV;
}

int zp_sys_tee(int fd, struct zpipe_tee_args *args)
{
	(void)fd;
	(void)args;
	return -ENODEV;
}

int zp_sys_info(int fd, struct zpipe_info_args *args)
{
	int ret;

	if (fd != fake.writer_fd && fd != fake.reader_fd)
		return -ENOTTY;
	pthread_mutex_lock(&fake.lock);
	ret = fake_take_failure();
	if (!ret && fake.overridden)
		*args = fake.info;
	else if (!ret)
		fake_info(args);
	if (!fake.overridden && fd == fake.reader_fd)
		args->out_role = ZPIPE_ROLE_READER;
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

int zp_sys_stat(int fd, struct zpipe_stat_args *args)
{
	if (fd != fake.writer_fd && fd != fake.reader_fd)
		return -ENOTTY;
	args->out_consumed = get(fake_consumed());
	args->out_allocs = fake.calls.allocs;
	args->out_published = get(fake_published());
	args->out_rejects = 7;
	return 0;
}

static void wake_reader(void)
{
	if (get(fake_published()) >= get(fake_reader_wake_at())) {
		set(fake_reader_wake_at(), ZPIPE_UNARMED);
		fake_update_events();
		pthread_cond_broadcast(&fake.changed);
	}
}

static bool still_paused(void)
{
	uint64_t pause = get(state_word(AT_PAUSE));
	uint64_t unexamined = get(fake_published()) - examined_now();
	uint64_t wake = get(fake_reader_wake_at());

	if (!pause || fake.reader_done || (wake != ZPIPE_UNARMED && wake > get(fake_published())))
		fake.paused = false;
	else if (unexamined >= pause)
		fake.paused = true;
	else if (unexamined < ZP_MAX(fake.opts.resume, 1))
		fake.paused = false;
	return fake.paused;
}

int zp_sys_flush(int fd, struct zpipe_flush_args *args)
{
	int ret;

	if (fd != fake.writer_fd)
		return -EBADF;
	pthread_mutex_lock(&fake.lock);
	fake.calls.flushes++;
	ret = fake_take_failure();
	if (!ret && fake.writer_done)
		ret = -ESHUTDOWN;
	if (!ret && fake.reader_error)
		ret = -fake.reader_error;
	if (!ret && args->position > fake.granted)
		ret = -EINVAL;
	if (!ret) {
		if (args->position > get(fake_published()))
			set(fake_published(), args->position);
		if (args->flags & ZPIPE_FLUSH_F_PUSH) {
			fake.pushed = args->position;
			fake_update_events();
			pthread_cond_broadcast(&fake.changed);
		}
		wake_reader();
	}
	while (!ret && !fake.cancel_flush && still_paused()) {
		set(fake_wake_examined(), args->position - ZP_MAX(fake.opts.resume, 1) + 1);
		if (args->flags & ZPIPE_FLUSH_F_NOWAIT)
			ret = -EAGAIN;
		else if (examined_now() < get(fake_wake_examined()))
			pthread_cond_wait(&fake.changed, &fake.lock);
	}
	if (!ret) {
		set(fake_wake_examined(), ZPIPE_UNARMED);
		args->out_flags = (fake.reader_done ? ZPIPE_RES_COMPLETED : 0) |
				  (fake.cancel_flush ? ZPIPE_RES_CANCELED : 0);
		if (fake.cancel_flush) {
			fake.cancel_flush = false;
			set(fake_reader_wake_at(), ZPIPE_UNARMED);
			fake_update_events();
		}
		args->out_examined = examined_now();
		args->out_consumed = get(fake_consumed());
	}
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

int zp_sys_read(int fd, struct zpipe_read_args *args)
{
	int ret;

	if (fd != fake.reader_fd)
		return -EBADF;
	pthread_mutex_lock(&fake.lock);
	fake.calls.reads++;
	ret = fake_take_failure();
	if (!ret && fake.reader_done)
		ret = -ESHUTDOWN;
	if (!ret && fake.writer_error && !fake.drain)
		ret = -fake.writer_error;
	while (!ret) {
		uint64_t published = get(fake_published()), consumed = get(fake_consumed());
		uint64_t examined = args->flags & ZPIPE_READ_F_REREAD ? consumed : examined_now();
		uint64_t wake = ZP_MAX(examined + 1, consumed + ZP_MAX(args->min, 1));

		args->out_flags = fake.writer_done ? ZPIPE_RES_COMPLETED : 0;
		args->out_start = consumed;
		args->out_end = published;
		if (published > fake.granted) {
			ret = -EPROTO;
			break;
		}
		args->out_index = fake.first;
		while (args->out_index < fake.opened && end_of(args->out_index) <= consumed)
			args->out_index++;
		if (published >= wake)
			break;
		if (fake.cancel_read)
			args->out_flags |= ZPIPE_RES_CANCELED;
		if (fake.pushed > examined)
			args->out_flags |= ZPIPE_RES_PUSHED;
		if (fake.writer_waits && published > consumed)
			args->out_flags |= ZPIPE_RES_FULL;
		if (args->out_flags)
			break;
		if (get(fake_reader_wake_at()) > wake)
			set(fake_reader_wake_at(), wake);
		fake.paused = false;
		fake_update_events();
		pthread_cond_broadcast(&fake.changed);
		if (args->flags & ZPIPE_READ_F_NOWAIT)
			ret = -EAGAIN;
		else if (get(fake_published()) < wake)
			pthread_cond_wait(&fake.changed, &fake.lock);
	}
	if (!ret) {
		if (args->out_flags & ZPIPE_RES_CANCELED || fake.cancel_read) {
			args->out_flags |= ZPIPE_RES_CANCELED;
			fake.cancel_read = false;
		}
		if (get(fake_reader_wake_at()) > get(fake_published()) || !fake.reader_done)
			set(fake_reader_wake_at(), ZPIPE_UNARMED);
		fake_update_events();
	}
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

int zp_sys_advance(int fd, struct zpipe_advance_args *args)
{
	int ret;

	if (fd != fake.reader_fd || !(args->flags & ZPIPE_ADVANCE_F_SHARED))
		return -EBADF;
	pthread_mutex_lock(&fake.lock);
	fake.calls.advances++;
	ret = fake_take_failure();
	if (examined_now() >= get(fake_wake_examined()))
		set(fake_wake_examined(), ZPIPE_UNARMED);
	if (get(fake_consumed()) >= get(fake_wake_consumed()))
		set(fake_wake_consumed(), ZPIPE_UNARMED);
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

int zp_sys_complete(int fd, struct zpipe_complete_args *args)
{
	int ret;

	pthread_mutex_lock(&fake.lock);
	fake.calls.completes++;
	ret = fake_take_failure();
	if (!ret && (args->error < 0 || args->error > 4095))
		ret = -EINVAL;
	if (!ret && fd == fake.writer_fd && !fake.writer_done) {
		fake.writer_done = true;
		fake.writer_error = args->error;
		fake.drain = args->flags & ZPIPE_COMPLETE_F_DRAIN;
		if (!args->error && args->position > get(fake_published()))
			set(fake_published(), args->position);
	} else if (!ret && fd == fake.reader_fd && !fake.reader_done) {
		fake.reader_done = true;
		fake.reader_error = args->error;
	}
	fake_update_events();
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.lock);
	return ret;
}

int zp_sys_cancel(int fd, struct zpipe_cancel_args *args)
{
	if (fd != fake.writer_fd && fd != fake.reader_fd)
		return -ENOTTY;
	if (args->what != ZPIPE_CANCEL_READ && args->what != ZPIPE_CANCEL_FLUSH)
		return -EINVAL;
	pthread_mutex_lock(&fake.lock);
	if (args->what == ZPIPE_CANCEL_READ)
		fake.cancel_read = true;
	else
		fake.cancel_flush = true;
	fake_update_events();
	pthread_cond_broadcast(&fake.changed);
	pthread_mutex_unlock(&fake.lock);
	return 0;
}

int zp_sys_set(int fd, struct zpipe_set_args *args)
{
	if (fd != fake.writer_fd && fd != fake.reader_fd)
		return -ENOTTY;
	if (args->pause != ZPIPE_KEEP)
		set(state_word(AT_PAUSE), args->pause);
	if (args->resume != ZPIPE_KEEP)
		fake.opts.resume = args->resume;
	return 0;
}

int zp_sys_reset(int fd, struct zpipe_reset_args *args)
{
	(void)args;
	if (fd != fake.writer_fd && fd != fake.reader_fd)
		return -ENOTTY;
	return fake.writer_done && fake.reader_done ? 0 : -EBUSY;
}
