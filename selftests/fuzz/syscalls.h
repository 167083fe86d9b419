/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * syscalls - the calls of a program of the fuzzer that are no verbs of zpipe
 *
 * Bytes, fds, mappings, and what a process may do besides: one function for each, slots and values
 * in, an answer that nobody relies on out. They are in the table of calls.h.
 */

/* --- bytes --- */

static long call_rd(const uint64_t *a)
{
	uint64_t length = a[1];
	unsigned char *at = memory(a[2], &length);

	return read(fd_of(a[0]), at, length);
}

static long call_wr(const uint64_t *a)
{
	uint64_t length = a[1];
	unsigned char *at = memory(a[2], &length);

	return write(fd_of(a[0]), at, length);
}

static long call_vec(const uint64_t *a)
{
	struct iovec v[3];
	int i;

	for (i = 0; i < 3; i++) {
		uint64_t length = a[1] / 3;

		v[i].iov_base = memory(i == 2 ? a[2] : 0, &length);
		v[i].iov_len = length;
	}
	if (a[3] & 2)
		return preadv2(fd_of(a[0]), v, 3, a[3] & 4 ? 1 : -1, RWF_NOWAIT);
	return a[3] & 1 ? writev(fd_of(a[0]), v, 3) : readv(fd_of(a[0]), v, 3);
}

static long call_at(const uint64_t *a)
{
	uint64_t length = a[2];
	unsigned char *at = memory(a[3], &length);

	return pread(fd_of(a[0]), at, length, a[1]);
}

static long call_seek(const uint64_t *a)
{
	return lseek(fd_of(a[0]), a[1], a[2]);
}

static long call_splice(const uint64_t *a)
{
	return splice(fd_of(a[0]), NULL, fd_of(a[1]), NULL, a[2] % (1UL << 32), a[3]);
}

static long call_tee2(const uint64_t *a)
{
	return tee(fd_of(a[0]), fd_of(a[1]), a[2] % (1UL << 32), a[3]);
}

static long call_vmsplice(const uint64_t *a)
{
	uint64_t length = a[2];
	struct iovec v = { .iov_base = memory(a[1], &length) };

	v.iov_len = length;
	return vmsplice(fd_of(a[0]), &v, 1, a[3] | SPLICE_F_NONBLOCK);
}

static long call_sendfile(const uint64_t *a)
{
	return sendfile(fd_of(a[0]), fd_of(a[1]), NULL, a[2] % (1UL << 32));
}

static long call_process_vm(const uint64_t *a)
{
	uint64_t length = a[1];
	struct iovec here = { .iov_base = buffer }, there = { .iov_base = memory(a[0], &length) };

	here.iov_len = length;
	there.iov_len = length;
	return a[2] ? process_vm_writev(getpid(), &here, 1, &there, 1, 0) :
		      process_vm_readv(getpid(), &here, 1, &there, 1, 0);
}

/* As ptrace(2) does. */
static long call_mem(const uint64_t *a)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t length = 64;
	unsigned char *at = memory(4 + a[0], &length);
	long ret = 0;

	if (length > a[1])
		ret = a[2] ? pwrite(fd, buffer, length, (uintptr_t)at + a[1]) :
			     pread(fd, buffer, length, (uintptr_t)at + a[1]);
	close(fd);
	return ret;
}

/* --- fds --- */

static long call_close(const uint64_t *a)
{
	int fd = __atomic_exchange_n(&fds[a[0] % NR_SLOTS], -1, __ATOMIC_RELAXED);

	return fd < 0 ? -EBADF : close(fd);
}

static long call_dup(const uint64_t *a)
{
	return put_fd(a[1], fcntl(fd_of(a[0]), F_DUPFD_CLOEXEC, 3));
}

static long call_fcntl(const uint64_t *a)
{
	return fcntl(fd_of(a[0]), F_SETFL, a[1] ? O_NONBLOCK : 0);
}

static long call_kernel_pipe(const uint64_t *a)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	fcntl(pair[1], F_SETPIPE_SZ, 1 << (12 + a[2] % 7));
	put_fd(a[0], pair[0]);
	return put_fd(a[1], pair[1]);
}

static long call_sockets(const uint64_t *a)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -errno;
	put_fd(a[0], pair[0]);
	return put_fd(a[1], pair[1]);
}

static long call_memory_file(const uint64_t *a)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, buffer, a[1] % BUFFER) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		errno = 0;
	return put_fd(a[0], fd);
}

static long call_device(const uint64_t *a)
{
	return put_fd(a[0], open("/dev/zpipe", O_RDWR | O_CLOEXEC));
}

static long call_proc(const uint64_t *a)
{
	static const char *const names[] = { "fdinfo", "fd", "map_files" };
	char path[64];
	int fd;
	long ret;

	snprintf(path, sizeof(path), "/proc/self/%s/%d", names[a[1] % 3], fd_of(a[0]));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	ret = read(fd, buffer, 8192);
	close(fd);
	return ret;
}

static long call_send(const uint64_t *a)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec v = { .iov_base = buffer, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fd = fd_of(a[1]);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(fd_of(a[0]), &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long call_recv(const uint64_t *a)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec v = { .iov_base = buffer, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(fd_of(a[0]), &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return 0;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return put_fd(a[1], fd);
}

static long call_poll(const uint64_t *a)
{
	struct pollfd pfd = { .fd = fd_of(a[0]), .events = a[1] };

	return poll(&pfd, 1, a[2] % 16);
}

static long call_epoll(const uint64_t *a)
{
	return put_fd(a[0], epoll_create1(EPOLL_CLOEXEC));
}

static long call_epoll_ctl(const uint64_t *a)
{
	struct epoll_event event = { .events = a[3] };

	return epoll_ctl(fd_of(a[0]), 1 + a[1] % 3, fd_of(a[2]), &event);
}

static long call_epoll_wait(const uint64_t *a)
{
	struct epoll_event events[4];

	return epoll_wait(fd_of(a[0]), events, 4, a[1] % 16);
}

/* --- mappings --- */

static const struct zpipe_region *region_of(const struct zpipe_info_args *info, uint64_t which)
{
	switch (which) {
	case 0:
		return &info->out_state;
	case 1:
		return &info->out_writer;
	case 2:
		return &info->out_reader;
	case 3:
		return &info->out_data;
	default:
		return &info->out_spare;
	}
}

static long put_map(uint64_t slot, unsigned char *at, size_t length)
{
	if (at == MAP_FAILED)
		return -errno;
	if (maps[slot % NR_SLOTS].at)
		munmap(maps[slot % NR_SLOTS].at, maps[slot % NR_SLOTS].length);
	maps[slot % NR_SLOTS].at = at;
	maps[slot % NR_SLOTS].length = length;
	return 0;
}

/* A region as INFO says, or some of its pages. */
static long call_mmap(const uint64_t *a)
{
	static const int flags[] = { MAP_SHARED, MAP_PRIVATE, MAP_SHARED | MAP_POPULATE };
	const struct zpipe_region *region;
	struct zpipe_info_args info;
	uint64_t length;

	info_of(a[1], &info);
	region = region_of(&info, a[2]);
	length = a[4] ? a[4] % 1024 * PAGE : region->size;
	return put_map(a[0], mmap(NULL, length, a[5] & 7, flags[a[6] % 3], fd_of(a[1]),
				  region->offset + a[3] * PAGE), length);
}

/* Any offset. */
static long call_mmap_at(const uint64_t *a)
{
	uint64_t length = a[3] % 1024 * PAGE;

	return put_map(a[0], mmap(NULL, length, a[4] & 7, MAP_SHARED, fd_of(a[1]), a[2] & -PAGE),
		       length);
}

/* All of it, or what lies behind its first pages. */
static long call_munmap(const uint64_t *a)
{
	uint64_t slot = a[0] % NR_SLOTS, keep = a[1] % 1024 * PAGE;
	unsigned char *at = maps[slot].at;

	if (!at || keep >= maps[slot].length)
		return -EINVAL;
	if (!keep)
		maps[slot].at = NULL;
	return munmap(at + keep, maps[slot].length - keep);
}

static long call_mremap(const uint64_t *a)
{
	uint64_t slot = a[0] % NR_SLOTS, length = a[1] % 1024 * PAGE;
	void *at;

	if (!maps[slot].at || !length)
		return -EINVAL;
	at = mremap(maps[slot].at, a[2] & 2 ? 0 : maps[slot].length, length,
		    a[2] & 1 ? MREMAP_MAYMOVE : 0);
	if (at == MAP_FAILED)
		return -errno;
	if (!(a[2] & 2)) {
		maps[slot].at = at;
		maps[slot].length = length;
	}
	return 0;
}

static long call_mprotect(const uint64_t *a)
{
	uint64_t slot = a[0] % NR_SLOTS;

	return maps[slot].at ? mprotect(maps[slot].at, maps[slot].length, a[1] & 7) : -EINVAL;
}

static long call_madvise(const uint64_t *a)
{
	uint64_t slot = a[0] % NR_SLOTS;

	return maps[slot].at ? madvise(maps[slot].at, maps[slot].length, a[1]) : -EINVAL;
}

static long call_mlock(const uint64_t *a)
{
	uint64_t slot = a[0] % NR_SLOTS;

	return maps[slot].at ? mlock(maps[slot].at, maps[slot].length) : -EINVAL;
}

/* Touch each page of some; a fault ends the call. */
static long call_load(const uint64_t *a)
{
	uint64_t slot = a[0] % NR_SLOTS, at;
	long sum = 0;

	for (at = a[1]; at < maps[slot].length && at - a[1] < a[2] % 64 * PAGE + 1; at += PAGE)
		sum += *(volatile unsigned char *)(maps[slot].at + at);
	return sum;
}

static long call_store(const uint64_t *a)
{
	uint64_t slot = a[0] % NR_SLOTS, at;

	for (at = a[1]; at < maps[slot].length && at - a[1] < a[2] % 64 * PAGE + 1; at += PAGE)
		*(volatile unsigned char *)(maps[slot].at + at) = at;
	return 0;
}

/* A shared word, where INFO of the fd says that it is: published, examined or consumed. */
static long call_word(const uint64_t *a)
{
	uint64_t slot = a[0] % NR_SLOTS, at;
	struct zpipe_info_args info;

	info_of(a[1], &info);
	at = a[2] % 3 == 0 ? info.out_published_at : a[2] % 3 == 1 ? info.out_examined_at :
	     info.out_consumed_at;
	if (at + 8 > maps[slot].length)
		return -EINVAL;
	__atomic_store_n((uint64_t *)(void *)(maps[slot].at + at), a[3], __ATOMIC_SEQ_CST);
	return 0;
}

/* --- the rest --- */

static long call_sleep(const uint64_t *a)
{
	sleep_us(a[0] % 20000);
	return 0;
}

/* A signal for another thread. */
static long call_kick(const uint64_t *a)
{
	struct worker *worker = &workers[1 + a[0] % 2];

	return worker->runs && !is_child ? pthread_kill(worker->thread, SIGUSR1) : -ESRCH;
}

/* Nobody special from now on, so limits hold. */
static long call_user(const uint64_t *a)
{
	return syscall(SYS_setresuid, 60000 + a[0] % 4, 60000 + a[0] % 4, 60000 + a[0] % 4);
}

/* A parameter of the module; the fuzzer puts it back. */
static const char *const parameters[] = {
	"user_pages_soft", "user_pages_hard", "user_pipes", "max_preserved", "max_capacity",
};
#define NR_PARAMETERS	5
#define PARAMETERS	"/sys/module/zpipe/parameters/"

static long call_limit(const uint64_t *a)
{
	char path[80], text[24];

	snprintf(path, sizeof(path), PARAMETERS "%s", parameters[a[0] % NR_PARAMETERS]);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(a[1] & 0x3fffff));
	write_text(path, text);
	return 0;
}

/* So many fds as there are: the next one is refused. */
static long call_fd_limit(const uint64_t *a)
{
	int fd = dup(0);
	struct rlimit limit = { fd + a[0] % 4, 4096 };

	close(fd);
	return setrlimit(RLIMIT_NOFILE, &limit);
}

/* Memory pressure: what free segments keep is taken away. */
static long call_shrink(const uint64_t *a)
{
	(void)a;
	write_text("/proc/sys/vm/drop_caches", "2");
	return 0;
}
