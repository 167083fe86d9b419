// SPDX-License-Identifier: MIT
/*
 * uring - a pipe is read by commands of io_uring, and by nothing else
 *
 * Each READ waits in the ring, without a thread (Linux 6.8 and later), beside
 * whatever else the ring does; its answer says where in the mapped window the
 * bytes are. ADVANCE gives them back, and the next READ is linked to it, so a
 * turn is one system call. A child counts; the parent adds up what it says.
 */
#include <err.h>
#include <errno.h>
#include <liburing.h>
#include <linux/zpipe.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zpipe.h>

#define COUNT	100000U
#define SPANS	32

static int count(int fd)
{
	struct zp_writer *w;
	uint32_t n;
	int ret;

	ret = zp_writer_open(&w, fd, NULL);
	for (n = 1; !ret && n <= COUNT; n++) {
		ret = zp_write(w, &n, sizeof(n));
		if (!ret && n % 16 == 0)
			ret = zp_flush(w);
	}
	return ret ? ret : zp_writer_complete(w, 0, 0);
}

/* A verb of the pipe as a command; the struct must stay until it is complete. */
static struct io_uring_sqe *prepare(struct io_uring *ring, int fd, unsigned long verb, void *args)
{
	struct zpipe_uring_cmd area = { .args = (uintptr_t)args };
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		errx(1, "the ring is full");
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = (uint32_t)verb;
	memcpy(sqe->cmd, &area, sizeof(area));
	return sqe;
}

/* Submit what was prepared and wait for all of it. */
static int run(struct io_uring *ring, unsigned int nr)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_submit_and_wait(ring, nr);

	for (ret = ret < 0 ? ret : 0; !ret && nr; nr--) {
		ret = io_uring_wait_cqe(ring, &cqe);
		if (ret)
			return ret;
		ret = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
	return ret;
}

/* Twice, back to back: a span that passes the window's end goes on behind it. */
static const unsigned char *map_window(int fd, const struct zpipe_region *data)
{
	unsigned char *base = mmap(NULL, 2 * data->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	unsigned int i;

	if (base == MAP_FAILED)
		return NULL;
	for (i = 0; i < 2; i++) {
		if (mmap(base + i * data->size, data->size, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
			 (off_t)data->offset) == MAP_FAILED)
			return NULL;
	}
	return base;
}

static int add_up(struct io_uring *ring, int fd, uint64_t *sum)
{
	struct zpipe_span spans[SPANS] = { { 0 } };
	struct zpipe_read_args read = { .nr_spans = SPANS, .spans = (uintptr_t)spans };
	struct zpipe_advance_args advance = { .consumed = 0 };
	struct zpipe_info_args info = { .flags = 0 };
	const unsigned char *window = NULL;
	int ret;

	prepare(ring, fd, ZPIPE_IOC_INFO, &info);
	ret = run(ring, 1);
	if (!ret)
		window = map_window(fd, &info.out_data);
	if (!window)
		return ret ? ret : -errno;
	/* segments are a multiple of 4 bytes, so no number lies across two spans */
	prepare(ring, fd, ZPIPE_IOC_READ, &read);
	ret = run(ring, 1);
	while (!ret && read.out_end > read.out_start) {
		uint64_t done = 0;
		uint32_t i;

		for (i = 0; i < read.out_nr_spans && i < SPANS; i++) {
			uint32_t at, n;

			for (at = 0; at < spans[i].length; at += sizeof(n)) {
				memcpy(&n, window + spans[i].offset + at, sizeof(n));
				*sum += n;
			}
			done += spans[i].length;
		}
		advance.consumed = read.out_start + done;
		advance.examined = advance.consumed;
		prepare(ring, fd, ZPIPE_IOC_ADVANCE, &advance)->flags |= IOSQE_IO_LINK;
		prepare(ring, fd, ZPIPE_IOC_READ, &read);
		ret = run(ring, 2);
	}
	return ret;
}

int main(void)
{
	struct io_uring ring;
	uint64_t sum = 0;
	int wfd, rfd, status = 0, ret;
	pid_t child;

	if (zp_create(NULL, &wfd, &rfd))
		return 1;
	child = fork();
	if (child == 0)
		_exit(close(rfd) || count(wfd) ? 1 : 0);
	close(wfd);
	ret = io_uring_queue_init(8, &ring, 0);
	if (!ret)
		ret = add_up(&ring, rfd, &sum);
	if (ret)
		warnx("%s", strerror(-ret));
	io_uring_queue_exit(&ring);
	close(rfd);
	waitpid(child, &status, 0);
	printf("sum %llu\n", (unsigned long long)sum);
	return ret || status || sum != (uint64_t)COUNT * (COUNT + 1) / 2;
}
