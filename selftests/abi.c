// SPDX-License-Identifier: GPL-2.0-only
/*
 * abi - numbers, sizes, tails, flags and pointers of every verb
 *
 * What the structs mean is tested elsewhere; here only how they cross into the kernel. Built for
 * 32 bits too, where every size and number must be the same.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "zpipe_test.h"

static_assert(sizeof(struct zpipe_pool_create_args) == 32, "pool_create");
static_assert(sizeof(struct zpipe_create_args) == 56, "create");
static_assert(sizeof(struct zpipe_region) == 16, "region");
static_assert(sizeof(struct zpipe_info_args) == 272, "info");
static_assert(sizeof(struct zpipe_descriptor) == 16, "descriptor");
static_assert(sizeof(struct zpipe_stat_args) == 320, "stat");
static_assert(sizeof(struct zpipe_pool_stat_args) == 88, "pool_stat");
static_assert(sizeof(struct zpipe_alloc_args) == 56, "alloc");
static_assert(sizeof(struct zpipe_forward_args) == 56, "forward");
static_assert(sizeof(struct zpipe_flush_args) == 40, "flush");
static_assert(sizeof(struct zpipe_span) == 16, "span");
static_assert(sizeof(struct zpipe_read_args) == 64, "read");
static_assert(sizeof(struct zpipe_advance_args) == 24, "advance");
static_assert(sizeof(struct zpipe_complete_args) == 16, "complete");
static_assert(sizeof(struct zpipe_cancel_args) == 8, "cancel");
static_assert(sizeof(struct zpipe_set_args) == 24, "set");
static_assert(sizeof(struct zpipe_reset_args) == 24, "reset");
static_assert(sizeof(struct zpipe_preserve_args) == 48, "preserve");
static_assert(sizeof(struct zpipe_release_args) == 16, "release");
static_assert(sizeof(struct zpipe_export_args) == 16, "export");
static_assert(sizeof(struct zpipe_tee_args) == 24, "tee");
static_assert(sizeof(struct zpipe_post_args) == 32, "post");
static_assert(sizeof(struct zpipe_unpost_args) == 56, "unpost");
static_assert(sizeof(struct zpipe_uring_cmd) == 16, "uring_cmd");
static_assert(offsetof(struct zpipe_create_args, out_id) == 48, "create.out_id");
static_assert(offsetof(struct zpipe_info_args, out_index) == 232, "info.out_index");
static_assert(offsetof(struct zpipe_stat_args, out_replaced_pages) == 192, "stat");
static_assert(offsetof(struct zpipe_stat_args, out_spliced_in) == 224, "stat");
static_assert(offsetof(struct zpipe_stat_args, out_zeroed) == 288, "stat");
static_assert(offsetof(struct zpipe_alloc_args, out_length) == 48, "alloc.out_length");
static_assert(offsetof(struct zpipe_flush_args, out_consumed) == 32, "flush.out_consumed");
static_assert(offsetof(struct zpipe_read_args, out_index) == 56, "read.out_index");

#define ON_DEVICE	1
#define ON_WRITER	2
#define ON_READER	4

/* A verb, its fds, and where its flags and its reserved word are. */
struct verb {
	unsigned int nr;
	unsigned int size;
	unsigned int on;
	unsigned int flags_at;
	__u32 known;
	int reserved_at;
};

#define VERB(_nr, _type, _on, _known, _reserved)				\
	{ .nr = ZPIPE_NR_##_nr, .size = sizeof(struct zpipe_##_type##_args),	\
	  .on = (_on), .flags_at = offsetof(struct zpipe_##_type##_args, flags), \
	  .known = (_known), .reserved_at = (_reserved) }
#define RESERVED(_type)	((int)offsetof(struct zpipe_##_type##_args, __reserved))

static const struct verb verbs[] = {
	VERB(CREATE, create, ON_DEVICE, 0xf, RESERVED(create)),
	VERB(INFO, info, ON_WRITER | ON_READER, 0, -1),
	VERB(STAT, stat, ON_WRITER | ON_READER, 0, RESERVED(stat)),
	VERB(ALLOC, alloc, ON_WRITER, 0x1, -1),
	VERB(FLUSH, flush, ON_WRITER, 0x3f, -1),
	VERB(READ, read, ON_READER, 0x7, -1),
	VERB(ADVANCE, advance, ON_READER, 0x1, -1),
	VERB(COMPLETE, complete, ON_WRITER | ON_READER, 0x1, -1),
	VERB(CANCEL, cancel, ON_WRITER | ON_READER, 0, -1),
	VERB(SET, set, ON_WRITER | ON_READER, 0, RESERVED(set)),
	VERB(RESET, reset, ON_WRITER | ON_READER, 0, RESERVED(reset)),
	VERB(PRESERVE, preserve, ON_READER, 0, -1),
	VERB(RELEASE, release, ON_READER, 0, RESERVED(release)),
	VERB(EXPORT, export, ON_READER, 0, -1),
	VERB(TEE, tee, ON_READER, 0x3, RESERVED(tee)),
	VERB(POOL_CREATE, pool_create, ON_DEVICE, 0, RESERVED(pool_create)),
	VERB(FORWARD, forward, ON_WRITER, 0x1, -1),
};

#define NR_VERBS	(sizeof(verbs) / sizeof(*verbs))

static unsigned long command(unsigned int nr, unsigned int size)
{
	return _IOC(_IOC_READ | _IOC_WRITE, ZPIPE_IOC_MAGIC, nr, size);
}

/* The source of FORWARD. */
static int forward_from;
/* For verbs that need a handle. */
static struct zt_end *reader;

static __u64 make_handle(void)
{
	struct zt_kept kept;
	int ret = zt_preserve(reader, 0, 16, &kept);

	/* The reader may have completed before; then any will do. */
	return ret ? 1 : kept.handle;
}

/* Arguments with which the verb does as little as it can and succeeds in the fixture. */
static void harmless(const struct verb *v, void *buffer)
{
	memset(buffer, 0, v->size);
	switch (v->nr) {
	case ZPIPE_NR_CREATE:
		((struct zpipe_create_args *)buffer)->pool_fd = -1;
		break;
	case ZPIPE_NR_ALLOC:
		((struct zpipe_alloc_args *)buffer)->position = 16;
		break;
	case ZPIPE_NR_READ:
		((struct zpipe_read_args *)buffer)->flags = ZPIPE_READ_F_SHARED;
		break;
	case ZPIPE_NR_ADVANCE:
		((struct zpipe_advance_args *)buffer)->consumed = ZPIPE_KEEP;
		((struct zpipe_advance_args *)buffer)->examined = ZPIPE_KEEP;
		((struct zpipe_advance_args *)buffer)->flags = ZPIPE_ADVANCE_F_SHARED;
		break;
	case ZPIPE_NR_CANCEL:
		((struct zpipe_cancel_args *)buffer)->what = ZPIPE_CANCEL_FLUSH;
		break;
	case ZPIPE_NR_FORWARD:
		((struct zpipe_forward_args *)buffer)->source_fd = forward_from;
		((struct zpipe_forward_args *)buffer)->length = 1;
		((struct zpipe_forward_args *)buffer)->position = 16;
		break;
	case ZPIPE_NR_PRESERVE:
		((struct zpipe_preserve_args *)buffer)->length = 16;
		break;
	case ZPIPE_NR_RELEASE:
		((struct zpipe_release_args *)buffer)->handle = make_handle();
		break;
	case ZPIPE_NR_EXPORT:
		((struct zpipe_export_args *)buffer)->handle = make_handle();
		break;
	case ZPIPE_NR_SET:
		((struct zpipe_set_args *)buffer)->pause = ZPIPE_KEEP;
		((struct zpipe_set_args *)buffer)->resume = ZPIPE_KEEP;
		break;
	}
}

/* Sixteen bytes are published and nothing is examined. */
FIXTURE(abi)
{
	int device;
	struct zt_pipe p;
	struct zt_pipe other;
};

FIXTURE_SETUP(abi)
{
	self->device = open(ZT_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(0, zt_pipe_open(&self->p, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	ASSERT_EQ(0, zt_put(&self->p.w, 16));
	ASSERT_EQ(0, zt_pipe_open(&self->other, ZT_ARGS(ZT_PAGE, 4 * ZT_PAGE)));
	ASSERT_EQ(0, zt_put(&self->other.w, 16));
	forward_from = self->other.r.fd;
	reader = &self->p.r;
}

FIXTURE_TEARDOWN(abi)
{
	zt_pipe_close(&self->p);
	zt_pipe_close(&self->other);
	close(self->device);
}

static int fd_for(FIXTURE_DATA(abi) *self, const struct verb *v)
{
	if (v->on & ON_DEVICE)
		return self->device;
	return v->on & ON_WRITER ? self->p.w.fd : self->p.r.fd;
}

/* The fd that CREATE, EXPORT or TEE made, should it have succeeded. */
static void drop(const struct verb *v, const void *buffer)
{
	const struct zpipe_create_args *a = buffer;

	if (v->nr == ZPIPE_NR_CREATE) {
		close(a->out_writer_fd);
		close(a->out_reader_fd);
	}
	if (v->nr == ZPIPE_NR_POOL_CREATE)
		close(((const struct zpipe_pool_create_args *)buffer)->out_fd);
	if (v->nr == ZPIPE_NR_EXPORT)
		close(((const struct zpipe_export_args *)buffer)->out_fd);
	if (v->nr == ZPIPE_NR_TEE)
		close(((const struct zpipe_tee_args *)buffer)->out_fd);
}

/* COMPLETE and RESET change what the others see, so they come last where calls succeed. */
static const struct verb *in_order(size_t i)
{
	static const unsigned char order[] = {
		0, 1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13, 14, 15, 16, 7, 10,
	};

	return &verbs[order[i]];
}

static void finish_reader(FIXTURE_DATA(abi) *self, const struct verb *v)
{
	if (v->nr == ZPIPE_NR_RESET)
		zt_complete(&self->p.r, 0, 0, 0);
}

TEST_F(abi, numbers_are_the_published_ones)
{
	EXPECT_EQ(0xc0207a80U, (unsigned int)ZPIPE_IOC_POOL_CREATE);
	EXPECT_EQ(0xc0587a83U, (unsigned int)ZPIPE_IOC_POOL_STAT);
	EXPECT_EQ(0xc0387a81U, (unsigned int)ZPIPE_IOC_CREATE);
	EXPECT_EQ(0xc1107a82U, (unsigned int)ZPIPE_IOC_INFO);
	EXPECT_EQ(0xc1407a83U, (unsigned int)ZPIPE_IOC_STAT);
	EXPECT_EQ(0xc0387a84U, (unsigned int)ZPIPE_IOC_ALLOC);
	EXPECT_EQ(0xc0287a85U, (unsigned int)ZPIPE_IOC_FLUSH);
	EXPECT_EQ(0xc0407a86U, (unsigned int)ZPIPE_IOC_READ);
	EXPECT_EQ(0xc0187a87U, (unsigned int)ZPIPE_IOC_ADVANCE);
	EXPECT_EQ(0xc0107a88U, (unsigned int)ZPIPE_IOC_COMPLETE);
	EXPECT_EQ(0xc0087a89U, (unsigned int)ZPIPE_IOC_CANCEL);
	EXPECT_EQ(0xc0187a8aU, (unsigned int)ZPIPE_IOC_SET);
	EXPECT_EQ(0xc0187a8bU, (unsigned int)ZPIPE_IOC_RESET);
	EXPECT_EQ(0xc0307a8cU, (unsigned int)ZPIPE_IOC_PRESERVE);
	EXPECT_EQ(0xc0107a8dU, (unsigned int)ZPIPE_IOC_RELEASE);
	EXPECT_EQ(0xc0107a8eU, (unsigned int)ZPIPE_IOC_EXPORT);
	EXPECT_EQ(0xc0387a8fU, (unsigned int)ZPIPE_IOC_FORWARD);
	EXPECT_EQ(0xc0187a90U, (unsigned int)ZPIPE_IOC_TEE);
	EXPECT_EQ(0xc0207a91U, (unsigned int)ZPIPE_IOC_POST);
	EXPECT_EQ(0xc0387a92U, (unsigned int)ZPIPE_IOC_UNPOST);
}

TEST_F(abi, harmless_arguments_succeed)
{
	unsigned char buffer[512];
	size_t i;

	for (i = 0; i < NR_VERBS; i++) {
		const struct verb *v = in_order(i);

		finish_reader(self, v);
		harmless(v, buffer);
		EXPECT_EQ(0, zt_ioctl(fd_for(self, v), command(v->nr, v->size), buffer))
			TH_LOG("verb %#x", v->nr);
		drop(v, buffer);
	}
}

TEST_F(abi, unknown_flag_eopnotsupp)
{
	unsigned char buffer[512];
	unsigned int bit;
	size_t i;

	for (i = 0; i < NR_VERBS; i++) {
		const struct verb *v = in_order(i);

		finish_reader(self, v);
		for (bit = 0; bit < 32; bit++) {
			__u32 flag = 1U << bit;

			if (v->known & flag)
				continue;
			harmless(v, buffer);
			*(__u32 *)(void *)(buffer + v->flags_at) |= flag;
			EXPECT_EQ(-EOPNOTSUPP,
				  zt_ioctl(fd_for(self, v), command(v->nr, v->size), buffer))
				TH_LOG("verb %#x flag %#x", v->nr, flag);
		}
	}
}

TEST_F(abi, reserved_word_eopnotsupp)
{
	unsigned char buffer[512];
	size_t i;

	for (i = 0; i < NR_VERBS; i++) {
		const struct verb *v = in_order(i);

		if (v->reserved_at < 0)
			continue;
		finish_reader(self, v);
		harmless(v, buffer);
		*(__u32 *)(void *)(buffer + v->reserved_at) = 1;
		EXPECT_EQ(-EOPNOTSUPP, zt_ioctl(fd_for(self, v), command(v->nr, v->size), buffer))
			TH_LOG("verb %#x", v->nr);
	}
}

TEST_F(abi, longer_struct_with_zero_tail_succeeds)
{
	unsigned char buffer[512] = { 0 };
	size_t i, k;

	for (i = 0; i < NR_VERBS; i++) {
		const struct verb *v = in_order(i);

		finish_reader(self, v);
		memset(buffer, 0, sizeof(buffer));
		harmless(v, buffer);
		EXPECT_EQ(0, ioctl(fd_for(self, v), command(v->nr, v->size + 64), buffer))
			TH_LOG("verb %#x: %s", v->nr, strerror(errno));
		for (k = v->size; k < sizeof(buffer); k++) {
			EXPECT_EQ(0, buffer[k]);
		}
		drop(v, buffer);
	}
}

TEST_F(abi, longer_struct_with_any_byte_behind_e2big)
{
	unsigned char buffer[512] = { 0 };
	size_t i, k;

	for (i = 0; i < NR_VERBS; i++) {
		const struct verb *v = in_order(i);

		finish_reader(self, v);
		for (k = v->size; k < v->size + 64; k += 9) {
			memset(buffer, 0, sizeof(buffer));
			harmless(v, buffer);
			buffer[k] = 1;
			EXPECT_EQ(-1, ioctl(fd_for(self, v), command(v->nr, v->size + 64), buffer));
			EXPECT_EQ(E2BIG, errno)
				TH_LOG("verb %#x byte %zu", v->nr, k);
		}
	}
}

TEST_F(abi, shorter_struct_is_zero_filled)
{
	struct zpipe_flush_args flush = { .position = 16 };
	struct zpipe_advance_args advance = { .consumed = 4, .examined = 8 };
	struct zpipe_cancel_args cancel = { .what = ZPIPE_CANCEL_READ, .flags = ~0U };
	struct zpipe_complete_args complete = { .error = EIO, .flags = ~0U, .position = ~0ULL };
	struct zt_view view;

	flush.out_examined = 0x5555;
	EXPECT_EQ(0, ioctl(self->p.w.fd, command(ZPIPE_NR_FLUSH, 24), &flush));
	EXPECT_EQ(0x5555, flush.out_examined);
	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &view));
	EXPECT_EQ(0, ioctl(self->p.r.fd, command(ZPIPE_NR_ADVANCE, 16), &advance));
	EXPECT_EQ(4, zt_consumed(&self->p.r));
	EXPECT_EQ(0, ioctl(self->p.r.fd, command(ZPIPE_NR_CANCEL, 4), &cancel));
	EXPECT_EQ(0, ioctl(self->p.w.fd, command(ZPIPE_NR_COMPLETE, 4), &complete));
}

TEST_F(abi, no_length_writes_behind_the_struct)
{
	unsigned char buffer[512];
	unsigned int size;
	size_t i, k;

	for (i = 0; i < NR_VERBS - 2; i++) {
		const struct verb *v = in_order(i);

		for (size = 0; size < v->size; size++) {
			memset(buffer, ZT_POISON, sizeof(buffer));
			harmless(v, buffer);
			memset(buffer + size, ZT_POISON, sizeof(buffer) - size);
			if (!ioctl(fd_for(self, v), command(v->nr, size), buffer) &&
			    size >= offsetof(struct zpipe_create_args, out_id))
				drop(v, buffer);
			for (k = size; k < sizeof(buffer); k++) {
				ASSERT_EQ(ZT_POISON, buffer[k])
					TH_LOG("verb %#x size %u", v->nr, size);
			}
			zt_advance(&self->p.r, ZPIPE_KEEP, ZPIPE_KEEP);
		}
	}
}

TEST_F(abi, unknown_number_enotty)
{
	int fds[] = { self->device, self->p.w.fd, self->p.r.fd };
	unsigned char buffer[512] = { 0 };
	unsigned int nr;
	size_t i;

	for (i = 0; i < 3; i++) {
		for (nr = 0; nr < 256; nr++) {
			if (nr >= ZPIPE_NR_POOL_CREATE && nr <= ZPIPE_NR_EXPORT)
				continue;
			if (nr >= ZPIPE_NR_FORWARD && nr <= ZPIPE_NR_UNPOST)
				continue;
			EXPECT_EQ(-1, ioctl(fds[i], command(nr, 16), buffer));
			EXPECT_EQ(ENOTTY, errno)
				TH_LOG("number %#x on fd %zu", nr, i);
		}
	}
}

TEST_F(abi, other_magic_enotty)
{
	unsigned char buffer[512] = { 0 };

	EXPECT_EQ(-1, ioctl(self->device, _IOWR('y', ZPIPE_NR_CREATE, struct zpipe_create_args),
			    buffer));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->p.w.fd, _IOWR('y', ZPIPE_NR_STAT, struct zpipe_stat_args),
			    buffer));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->p.r.fd, 0x5401, buffer));
	EXPECT_EQ(ENOTTY, errno);
}

TEST_F(abi, wrong_kind_of_fd_ebadf)
{
	const struct {
		int fd;
		unsigned int on;
	} fds[] = {
		{ self->device, ON_DEVICE },
		{ self->p.w.fd, ON_WRITER },
		{ self->p.r.fd, ON_READER },
	};
	unsigned char buffer[512];
	size_t i, k;

	for (i = 0; i < NR_VERBS; i++) {
		for (k = 0; k < 3; k++) {
			if (verbs[i].on & fds[k].on)
				continue;
			harmless(&verbs[i], buffer);
			EXPECT_EQ(-EBADF, zt_ioctl(fds[k].fd,
						   command(verbs[i].nr, verbs[i].size), buffer))
				TH_LOG("verb %#x on fd %zu", verbs[i].nr, k);
		}
	}
}

/* Two pages; the second cannot be touched. */
static unsigned char *guarded_page(void)
{
	unsigned char *p = mmap(NULL, 2 * ZT_PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + ZT_PAGE, ZT_PAGE, PROT_NONE))
		zt_die("no memory");
	return p;
}

TEST_F(abi, struct_at_the_very_end_of_a_page_succeeds)
{
	unsigned char *page = guarded_page();
	size_t i;

	for (i = 0; i < NR_VERBS; i++) {
		const struct verb *v = in_order(i);
		unsigned char *at = page + ZT_PAGE - v->size;

		finish_reader(self, v);
		harmless(v, at);
		EXPECT_EQ(0, zt_ioctl(fd_for(self, v), command(v->nr, v->size), at))
			TH_LOG("verb %#x", v->nr);
		drop(v, at);
	}
}

TEST_F(abi, struct_across_the_end_of_memory_efault)
{
	unsigned char *page = guarded_page(), buffer[512];
	size_t i;

	for (i = 0; i < NR_VERBS; i++) {
		const struct verb *v = in_order(i);
		unsigned char *at = page + ZT_PAGE - v->size + 4;

		finish_reader(self, v);
		harmless(v, buffer);
		memcpy(at, buffer, v->size - 4);
		EXPECT_EQ(-1, ioctl(fd_for(self, v), command(v->nr, v->size), at));
		EXPECT_EQ(EFAULT, errno)
			TH_LOG("verb %#x", v->nr);
	}
}

TEST_F(abi, null_pointer_efault)
{
	size_t i;

	for (i = 0; i < NR_VERBS; i++) {
		const struct verb *v = in_order(i);

		EXPECT_EQ(-1, ioctl(fd_for(self, v), command(v->nr, v->size), NULL));
		EXPECT_EQ(EFAULT, errno)
			TH_LOG("verb %#x", v->nr);
	}
}

TEST_F(abi, reply_that_cannot_be_written_leaks_no_fds)
{
	unsigned char *page = guarded_page();
	struct zpipe_create_args *args = (void *)page;
	int before = zt_open_fds();

	*args = *ZT_ARGS(0, 0);
	ASSERT_EQ(0, mprotect(page, ZT_PAGE, PROT_READ));
	EXPECT_EQ(-1, ioctl(self->device, ZPIPE_IOC_CREATE, args));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(before, zt_open_fds());
}

TEST_F(abi, reply_that_cannot_be_written_leaves_no_read_outstanding)
{
	unsigned char *page = guarded_page();
	struct zpipe_read_args *args = (void *)page;
	struct zt_view view;

	*args = (struct zpipe_read_args){ .min = 1 };
	ASSERT_EQ(0, mprotect(page, ZT_PAGE, PROT_READ));
	EXPECT_EQ(-1, ioctl(self->p.r.fd, ZPIPE_IOC_READ, args));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, zt_read(&self->p.r, 1, 0, &view));
}

/* A copy of @args that may only be read. */
static void *read_only(const void *args, size_t size)
{
	unsigned char *page = guarded_page();

	memcpy(page, args, size);
	if (mprotect(page, ZT_PAGE, PROT_READ))
		zt_die("mprotect");
	return page;
}

TEST_F(abi, reply_that_cannot_be_written_does_not_advance)
{
	struct zpipe_advance_args args = { .consumed = 16, .examined = 16 };
	struct zt_view view;

	ASSERT_EQ(0, zt_read(&self->p.r, 1, 0, &view));
	EXPECT_EQ(-1, ioctl(self->p.r.fd, ZPIPE_IOC_ADVANCE, read_only(&args, sizeof(args))));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, zt_stat(&self->p.r).out_consumed);
	/* The READ is still outstanding, and its bytes are there. */
	zt_check_view(&self->p.r, &view);
	EXPECT_EQ(0, zt_advance(&self->p.r, 16, 16));
}

TEST_F(abi, reply_that_cannot_be_written_does_not_reset)
{
	struct zpipe_reset_args args = { .flags = 0 };

	ASSERT_EQ(0, zt_complete(&self->p.w, 0, 0, 0));
	ASSERT_EQ(0, zt_complete(&self->p.r, 0, 0, 0));
	EXPECT_EQ(-1, ioctl(self->p.w.fd, ZPIPE_IOC_RESET, read_only(&args, sizeof(args))));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, zt_reset(&self->p.w, &args));
	EXPECT_EQ(1, args.out_generation);
}

TEST_F(abi, verb_without_outputs_writes_nothing)
{
	size_t i;

	for (i = 0; i < NR_VERBS; i++) {
		const struct verb *v = in_order(i);
		unsigned char buffer[512];

		switch (v->nr) {
		case ZPIPE_NR_COMPLETE:
		case ZPIPE_NR_CANCEL:
		case ZPIPE_NR_SET:
		case ZPIPE_NR_RELEASE:
			harmless(v, buffer);
			EXPECT_EQ(0, ioctl(fd_for(self, v), command(v->nr, v->size),
					   read_only(buffer, v->size)))
				TH_LOG("verb %#x", v->nr);
		}
	}
}

TEST_F(abi, spans_that_cannot_be_written_efault_and_leave_no_read_outstanding)
{
	struct zpipe_read_args args = { .nr_spans = 1, .spans = ZT_PAGE };
	struct zt_view view;

	EXPECT_EQ(-EFAULT, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	args.spans = 1ULL << 63;
	EXPECT_EQ(-EFAULT, zt_ioctl(self->p.r.fd, ZPIPE_IOC_READ, &args));
	EXPECT_EQ(0, zt_read(&self->p.r, 1, 0, &view));
}

TEST_F(abi, refused_create_leaks_no_fds)
{
	struct zpipe_create_args *args = ZT_ARGS(5000, 0);
	int before = zt_open_fds(), i;

	for (i = 0; i < 100; i++) {
		EXPECT_EQ(-EINVAL, zt_ioctl(self->device, ZPIPE_IOC_CREATE, args));
	}
	EXPECT_EQ(before, zt_open_fds());
}

TEST_HARNESS_MAIN
