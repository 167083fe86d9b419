/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * calls - the calls that a program of the fuzzer consists of: verbs of zpipe, and the table of all
 *
 * One function for each: slots and values in, an answer that nobody relies on out; those of system
 * calls are in syscalls.h. FUZZ_CALLS at the end is the table of them, with what kind of argument
 * each takes; program.c reads and changes programs by it.
 */

/* --- verbs --- */

static long call_pool(const uint64_t *a)
{
	struct zpipe_pool_create_args args = {
		.flags = a[1], .segment_size = a[2], .segments = a[3], .idle = a[4],
	};
	int device = open("/dev/zpipe", O_RDWR | O_CLOEXEC);
	long ret;

	if (device < 0)
		return -errno;
	args.out_fd = -1;
	ret = verb(device, ZPIPE_NR_POOL_CREATE, &args, sizeof(args));
	close(device);
	return ret ? ret : put_fd(a[0], args.out_fd);
}

static long call_create(const uint64_t *a)
{
	struct zpipe_create_args args = {
		.flags = a[2], .segment_size = a[3], .capacity = a[4], .pause = a[5],
		.resume = a[6], .pool_fd = fd_of(a[7]), .out_writer_fd = -1, .out_reader_fd = -1,
	};
	int device = open("/dev/zpipe", O_RDWR | O_CLOEXEC);
	long ret;

	if (device < 0)
		return -errno;
	ret = verb(device, ZPIPE_NR_CREATE, &args, sizeof(args));
	close(device);
	if (ret)
		return ret;
	put_fd(a[0], args.out_writer_fd);
	return put_fd(a[1], args.out_reader_fd);
}

static long call_info(const uint64_t *a)
{
	struct zpipe_info_args args = { .flags = a[1] };

	return verb(fd_of(a[0]), ZPIPE_NR_INFO, &args, sizeof(args));
}

static long call_stat(const uint64_t *a)
{
	struct zpipe_stat_args args = { .flags = a[1] };

	return verb(fd_of(a[0]), ZPIPE_NR_STAT, &args, sizeof(args));
}

static long call_pool_stat(const uint64_t *a)
{
	struct zpipe_pool_stat_args args = { .flags = a[1] };

	return verb(fd_of(a[0]), ZPIPE_NR_STAT, &args, sizeof(args));
}

static long call_alloc(const uint64_t *a)
{
	struct zpipe_alloc_args args = {
		.position = a[1], .min = a[2], .want = a[3], .flags = a[4],
		.deadline = deadline_of(a[5]),
	};

	return verb(fd_of(a[0]), ZPIPE_NR_ALLOC, &args, sizeof(args));
}

static long call_flush(const uint64_t *a)
{
	struct zpipe_flush_args args = {
		.position = a[1], .flags = a[2], .deadline = deadline_of(a[3]),
	};

	return verb(fd_of(a[0]), ZPIPE_NR_FLUSH, &args, sizeof(args));
}

static long call_read(const uint64_t *a)
{
	uint64_t room = a[3] * sizeof(struct zpipe_span);
	struct zpipe_read_args args = {
		.min = a[1], .flags = a[2], .nr_spans = a[3], .deadline = deadline_of(a[4]),
	};

	args.spans = (uintptr_t)memory(a[5], &room);
	return verb(fd_of(a[0]), ZPIPE_NR_READ, &args, sizeof(args));
}

static long call_advance(const uint64_t *a)
{
	struct zpipe_advance_args args = { .consumed = a[1], .examined = a[2], .flags = a[3] };

	return verb(fd_of(a[0]), ZPIPE_NR_ADVANCE, &args, sizeof(args));
}

static long call_complete(const uint64_t *a)
{
	struct zpipe_complete_args args = { .error = a[1], .flags = a[2], .position = a[3] };

	return verb(fd_of(a[0]), ZPIPE_NR_COMPLETE, &args, sizeof(args));
}

static long call_cancel(const uint64_t *a)
{
	struct zpipe_cancel_args args = { .what = a[1], .flags = a[2] };

	return verb(fd_of(a[0]), ZPIPE_NR_CANCEL, &args, sizeof(args));
}

static long call_set(const uint64_t *a)
{
	struct zpipe_set_args args = { .pause = a[1], .resume = a[2], .flags = a[3] };

	return verb(fd_of(a[0]), ZPIPE_NR_SET, &args, sizeof(args));
}

static long call_reset(const uint64_t *a)
{
	struct zpipe_reset_args args = { .flags = a[1], .__reserved = a[2] };

	return verb(fd_of(a[0]), ZPIPE_NR_RESET, &args, sizeof(args));
}

static long call_preserve(const uint64_t *a)
{
	uint64_t room = a[5] * sizeof(struct zpipe_span);
	struct zpipe_preserve_args args = {
		.position = a[2], .length = a[3], .flags = a[4], .nr_spans = a[5],
	};
	long ret;

	args.spans = (uintptr_t)memory(a[6], &room);
	ret = verb(fd_of(a[0]), ZPIPE_NR_PRESERVE, &args, sizeof(args));
	if (!ret && args.out_handle)
		handles[a[1] % NR_SLOTS] = args.out_handle;
	return ret;
}

static long call_release(const uint64_t *a)
{
	struct zpipe_release_args args = { .handle = a[1], .flags = a[2] };

	return verb(fd_of(a[0]), ZPIPE_NR_RELEASE, &args, sizeof(args));
}

static long call_export(const uint64_t *a)
{
	struct zpipe_export_args args = { .handle = a[2], .flags = a[3], .out_fd = -1 };
	long ret = verb(fd_of(a[0]), ZPIPE_NR_EXPORT, &args, sizeof(args));

	return ret ? ret : put_fd(a[1], args.out_fd);
}

static long call_forward(const uint64_t *a)
{
	struct zpipe_forward_args args = {
		.source_fd = fd_of(a[1]), .source = a[2], .length = a[3], .position = a[4],
		.flags = a[5], .deadline = deadline_of(a[6]),
	};

	return verb(fd_of(a[0]), ZPIPE_NR_FORWARD, &args, sizeof(args));
}

static long call_tee(const uint64_t *a)
{
	struct zpipe_tee_args args = { .flags = a[2], .__reserved = a[3], .out_fd = -1 };
	long ret = verb(fd_of(a[0]), ZPIPE_NR_TEE, &args, sizeof(args));

	return ret ? ret : put_fd(a[1], args.out_fd);
}

static long call_post(const uint64_t *a)
{
	struct zpipe_post_args args = {
		.cookie = a[1], .offset = a[2], .length = a[3], .flags = a[4],
	};

	return verb(fd_of(a[0]), ZPIPE_NR_POST, &args, sizeof(args));
}

static long call_unpost(const uint64_t *a)
{
	struct zpipe_unpost_args args = { .flags = a[1], .cookie = a[2] };

	return verb(fd_of(a[0]), ZPIPE_NR_UNPOST, &args, sizeof(args));
}

/* Any number, size and bytes. */
static long call_ioctl(const uint64_t *a)
{
	unsigned char args[512];

	memset(args, a[3], sizeof(args));
	return ioctl(fd_of(a[0]), VERB_OF(ZPIPE_NR_POOL_CREATE + a[1], a[2] % 512), args);
}

static long call_raw(const uint64_t *a)
{
	return ioctl(fd_of(a[0]), (unsigned long)a[1], buffer);
}

/* --- how the next verb goes --- */

static long call_via(const uint64_t *a)
{
	via[this_thread] = a[0];
	return 0;
}

static long call_fail(const uint64_t *a)
{
	fail_nth[this_thread] = a[0];
	return 0;
}

/* Is it one of these two. */
static int says_how(const char *name)
{
	return !strcmp(name, "via") || !strcmp(name, "fail");
}

static long call_reap(const uint64_t *a)
{
	return ring_reap(a[0] % 32);
}

/* Another operation of io_uring than a command. */
static long call_uring(const uint64_t *a)
{
	static const unsigned char ops[] = { 6, 22, 23, 24, 14, 30 };
	unsigned int op = ops[a[1] % sizeof(ops)];

	if (op == 30)	/* a splice has its file elsewhere */
		return ring_submit(op, 0, fd_of(a[0]), -1ULL, -1ULL, a[2], 0);
	return ring_submit(op, a[3] ? SQE_ASYNC : 0, fd_of(a[0]), -1ULL, (uintptr_t)buffer,
			   op == 6 ? 0 : a[2] % BUFFER, 0);
}

static long call_ring_close(const uint64_t *a)
{
	(void)a;
	ring_close();
	return 0;
}

/*
 * Kinds of arguments: F, M, H are slots of fds, mappings, handles; V is a value, also a position
 * of an fd or a handle; L a length; N<most> a small number; X<mask> flags; D a deadline; B what
 * memory() knows.
 */
#define FUZZ_CALLS(_)								\
	_(pool, "F X1 L N65 N8")						\
	_(create, "F F Xf L L L L F")						\
	_(info, "F X1")								\
	_(stat, "F X1")								\
	_(pool_stat, "F X1")							\
	_(alloc, "F V L L X1 D")						\
	_(flush, "F V X3f D")							\
	_(read, "F L X7 N9 D B")						\
	_(advance, "F V V X1")							\
	_(complete, "F N130 X1 V")						\
	_(cancel, "F N3 X1")							\
	_(set, "F L L X1")							\
	_(reset, "F X1 X1")							\
	_(preserve, "F H V L X1 N9 B")						\
	_(release, "F V X1")							\
	_(export, "F F V X1")							\
	_(forward, "F F V L V X1 D")						\
	_(tee, "F F X3 X1")							\
	_(post, "F N9 L L X1")							\
	_(unpost, "F X1 N9")							\
	_(ioctl, "F N20 N511 N255")						\
	_(raw, "F L")								\
	_(via, "N12")								\
	_(fail, "N24")								\
	_(reap, "N31")								\
	_(uring, "F N5 L X1")							\
	_(ring_close, "")							\
	_(rd, "F L B")								\
	_(wr, "F L B")								\
	_(vec, "F L B X7")							\
	_(at, "F L L B")							\
	_(seek, "F L N5")							\
	_(splice, "F F L Xf")							\
	_(tee2, "F F L Xf")							\
	_(vmsplice, "F B L Xf")							\
	_(sendfile, "F F L")							\
	_(process_vm, "B L X1")							\
	_(mem, "M L X1")							\
	_(close, "F")								\
	_(dup, "F F")								\
	_(fcntl, "F X1")							\
	_(kernel_pipe, "F F N6")						\
	_(sockets, "F F")							\
	_(memory_file, "F L")							\
	_(device, "F")								\
	_(proc, "F N2")								\
	_(send, "F F")								\
	_(recv, "F F")								\
	_(poll, "F X201f N15")							\
	_(epoll, "F")								\
	_(epoll_ctl, "F N2 F Xe000001f")					\
	_(epoll_wait, "F N15")							\
	_(mmap, "M F N4 N20 N40 X7 N2")						\
	_(mmap_at, "M F L N40 X7")						\
	_(munmap, "M N16")							\
	_(mremap, "M N64 X3")							\
	_(mprotect, "M X7")							\
	_(madvise, "M N25")							\
	_(mlock, "M")								\
	_(load, "M L N63")							\
	_(store, "M L N63")							\
	_(word, "M F N2 V")							\
	_(sleep, "L")								\
	_(kick, "N1")								\
	_(user, "N3")								\
	_(limit, "N4 L")							\
	_(fd_limit, "N3")							\
	_(shrink, "")
