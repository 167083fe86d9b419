/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zpipe_test - what the zpipe selftests share
 *
 * Thin calls over the raw UAPI that answer 0 or a negative errno, a pair of mapped ends, an oracle
 * for the bytes of a stream, and ways to wait that never hang. Every call fills the outputs of its
 * struct with a poison first and dies when a refused call changed one.
 */
#ifndef ZPIPE_TEST_H
#define ZPIPE_TEST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/zpipe.h>

#define ZT_DEVICE	"/dev/zpipe"
#define ZT_PAGE		4096
#define ZT_POISON	0xa5
#define ZT_SPANS	16

/* How long anything may take before the test is declared stuck. */
#define ZT_PATIENCE_MS	20000

/* How long a call is watched to see that it does sleep. */
#define ZT_GLANCE_MS	30

#define ZT_ALL_RES	(ZPIPE_RES_COMPLETED | ZPIPE_RES_CANCELED | ZPIPE_RES_PUSHED | \
			 ZPIPE_RES_FULL | ZPIPE_RES_ABORTED | \
			 ZPIPE_RES_FINISHED)

/* Arguments of CREATE; thresholds are off (0) unless given. */
#define ZT_ARGS(_segment, _capacity, ...)						\
	(&(struct zpipe_create_args){ .segment_size = (_segment),			\
				      .capacity = (_capacity),				\
				      .pool_fd = -1, ##__VA_ARGS__ })

/*
 * One end: its fd and, where mapped, its regions (the data window twice, and the spare region
 * behind it).
 */
struct zt_end {
	int fd;
	struct zpipe_info_args info;
	unsigned char *state;
	unsigned char *writer;
	unsigned char *reader;
	unsigned char *data;
};

struct zt_pipe {
	struct zt_end w;
	struct zt_end r;
	__u64 id;
};

/* What READ answered, and where the bytes are. */
struct zt_view {
	struct zpipe_read_args args;
	struct zpipe_span spans[ZT_SPANS];
};

/* A preserved range: its handle, or 0, and where the bytes are. */
struct zt_kept {
	__u64 handle;
	struct zpipe_preserve_args args;
	struct zpipe_span spans[ZT_SPANS];
};

/* A call that runs in a thread of its own. */
struct zt_bg {
	pthread_t thread;
	int fd;
	unsigned long cmd;
	void *args;
	int ret;
	atomic_int tid;
	atomic_bool done;
};

/* A splice(2) that runs in a thread of its own; ret is bytes or -errno. */
struct zt_splice {
	pthread_t thread;
	int in;
	int out;
	size_t length;
	unsigned int flags;
	ssize_t ret;
	atomic_int tid;
	atomic_bool done;
};

void zt_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Calls: 0 or -errno. */
int zt_ioctl(int fd, unsigned long cmd, void *args);
int zt_create(struct zpipe_create_args *args);
int zt_pool(__u32 segment, __u32 segments, __u32 idle);
struct zpipe_pool_stat_args zt_pool_stat(int pool);
int zt_alloc(struct zt_end *w, __u64 position, __u64 min, __u64 want, struct zpipe_alloc_args *out);
int zt_flush(struct zt_end *w, __u64 position, __u32 flags, struct zpipe_flush_args *out);
int zt_forward(struct zt_end *w, const struct zt_end *source, __u64 from, __u64 len,
	       __u64 position, struct zpipe_forward_args *out);
int zt_read(struct zt_end *r, __u64 min, __u32 flags, struct zt_view *out);
int zt_advance(struct zt_end *r, __u64 consumed, __u64 examined);
int zt_complete(struct zt_end *e, int error, __u32 flags, __u64 position);
int zt_cancel(struct zt_end *e, __u32 what);
int zt_set(struct zt_end *e, __u64 pause, __u64 resume);
int zt_reset(struct zt_end *e, struct zpipe_reset_args *out);
int zt_tee(int fd, __u32 flags, struct zpipe_tee_args *out);
int zt_preserve(struct zt_end *r, __u64 position, __u64 len, struct zt_kept *out);
int zt_release(struct zt_end *r, __u64 handle);
int zt_export(struct zt_end *r, __u64 handle);
int zt_info(int fd, struct zpipe_info_args *out);
struct zpipe_stat_args zt_stat(const struct zt_end *e);

/* Pipes and mappings: 0 or -errno. */
int zt_pipe_open(struct zt_pipe *p, struct zpipe_create_args *args);
void zt_pipe_close(struct zt_pipe *p);
int zt_end_map(struct zt_end *e, int fd);
void zt_end_unmap(struct zt_end *e);
void zt_end_close(struct zt_end *e);

/* Shared words; aligned also where a 64-bit type by itself is not. */
typedef __u64 __attribute__((aligned(8))) zt_word;

static inline __u64 zt_load(const unsigned char *region, __u32 at)
{
	return __atomic_load_n((const zt_word *)(const void *)(region + at), __ATOMIC_ACQUIRE);
}

static inline void zt_store(unsigned char *region, __u32 at, __u64 value)
{
	__atomic_store_n((zt_word *)(void *)(region + at), value, __ATOMIC_RELEASE);
}

static inline void zt_mb(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline __u64 zt_opened(const struct zt_end *e)
{
	return zt_load(e->state, e->info.out_opened_at);
}

static inline __u64 zt_granted(const struct zt_end *e)
{
	return zt_load(e->state, e->info.out_granted_at);
}

static inline __u64 zt_reader_wake(const struct zt_end *e)
{
	return zt_load(e->state, e->info.out_reader_wake_at);
}

static inline __u64 zt_wake_examined(const struct zt_end *e)
{
	return zt_load(e->state, e->info.out_writer_wake_examined_at);
}

static inline __u64 zt_wake_consumed(const struct zt_end *e)
{
	return zt_load(e->state, e->info.out_writer_wake_consumed_at);
}

static inline __u64 zt_published(const struct zt_end *e)
{
	return zt_load(e->writer, e->info.out_published_at);
}

static inline __u64 zt_examined(const struct zt_end *e)
{
	return zt_load(e->reader, e->info.out_examined_at);
}

static inline __u64 zt_consumed(const struct zt_end *e)
{
	return zt_load(e->reader, e->info.out_consumed_at);
}

static inline void zt_store_published(struct zt_end *e, __u64 position)
{
	zt_store(e->writer, e->info.out_published_at, position);
}

static inline void zt_store_examined(struct zt_end *e, __u64 position)
{
	zt_store(e->reader, e->info.out_examined_at, position);
}

static inline void zt_store_consumed(struct zt_end *e, __u64 position)
{
	zt_store(e->reader, e->info.out_consumed_at, position);
}

struct zpipe_descriptor zt_entry(const struct zt_end *e, __u64 index);
__u32 zt_events(const struct zt_end *e);

/* The oracle: what byte stands at a stream position. */
void zt_fill(void *dst, __u64 position, size_t len);
ssize_t zt_mismatch(const void *src, __u64 position, size_t len);
long long zt_kept_mismatch(const struct zt_end *r, const struct zt_kept *kept);
void zt_check_view(const struct zt_end *r, const struct zt_view *view);
int zt_fill_grant(struct zt_end *w, const struct zpipe_alloc_args *grant, __u64 len);

/* Whole steps of a stream, without waiting: 0 or -errno. */
int zt_put(struct zt_end *w, __u64 len);
int zt_put_pages(struct zt_end *w, __u64 len);	/* in grants of a page at most */
int zt_take(struct zt_end *r, __u64 len);

/* Time and waiting. */
__u64 zt_now(void);
__u64 zt_deadline(unsigned int ms);
void zt_sleep_ms(unsigned int ms);
bool zt_eventually(bool (*test)(void *), void *arg);
void zt_await_reader(const struct zt_end *e);
void zt_await_paused(const struct zt_end *e);
void zt_await_starved(const struct zt_end *e);
void zt_await_asleep(pid_t tid);

void zt_bg_start(struct zt_bg *bg, int fd, unsigned long cmd, void *args);
bool zt_bg_sleeps(struct zt_bg *bg);
int zt_bg_join(struct zt_bg *bg);
void zt_splice_start(struct zt_splice *bg, int in, int out, size_t length);
bool zt_splice_sleeps(struct zt_splice *bg);
ssize_t zt_splice_join(struct zt_splice *bg);
void zt_join(pthread_t thread);
void zt_spawn(pthread_t *thread, void *(*fn)(void *), void *arg);
int zt_wait_child(pid_t child);

/* Touching memory that may not be there (SIGBUS, SIGSEGV): the byte or -1; does it work? One
 * thread at a time.
 */
int zt_peek(const unsigned char *at);
bool zt_can_read(const unsigned char *at);
bool zt_can_write(unsigned char *at);

/* Random numbers whose seed is printed (ZPIPE_SEED repeats a run) and ZPIPE_LONG. */
__u64 zt_seed(void);
__u64 zt_random(__u64 *state);
bool zt_long(void);

/* Files without a name: with bytes of the oracle; for direct I/O, or -1 where that is not had. */
int zt_file(size_t length);
int zt_direct_file(void);

/* Files and the kernel log. */
int zt_open_fds(void);
int zt_send_fd(int socket, int fd);
int zt_receive_fd(int socket);
int zt_log_mark(void);
bool zt_log_is_clean(int mark);
long long zt_read_number(const char *path);
int zt_write_text(const char *path, const char *text);
int zt_write_number(const char *path, long long value);

/* What the whole module holds: a number of the fdinfo of an fd of the device. */
long long zt_total(int device, const char *key);
bool zt_total_becomes(int device, const char *key, long long value);

/* Another user than anybody, without privileges; and how many files this one may open. */
uid_t zt_fresh_uid(void);
void zt_become(uid_t uid);
void zt_allow_files(unsigned long most);

#endif
