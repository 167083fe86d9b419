// SPDX-License-Identifier: MIT
/*
 * consumer - computes SHA-256 over the views, where the producer wrote the bytes
 *
 * A view may show all that the pipe holds. It is given back in steps, so that a producer that waits
 * goes on while the rest is hashed.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <zpipe.h>

#include "demo.h"

#define STEP	(64U << 10)

static int fail(struct demo_shared *shared, const char *what, int err)
{
	snprintf(shared->why[CONSUMER], sizeof(*shared->why), "consumer: %s: %s", what,
		 strerror(-err));
	return -1;
}

/* Until the producer has looked its pages up too: then this view may go. */
static void meet_producer(struct demo_shared *shared, const struct zp_view *view)
{
	demo_find_pages(&shared->consumer, view->first.data, view->first.len);
	for (int ms = 0; ms < 5000 && !atomic_load(&shared->producer.known); ms++)
		usleep(1000);
}

static void tell_digest(struct demo_shared *shared, const unsigned char *digest, unsigned int len)
{
	for (unsigned int i = 0; i < len && 2 * i + 2 < DEMO_DIGEST; i++)
		snprintf(shared->digest + 2 * i, 3, "%02x", digest[i]);
}

int demo_consume(struct demo_shared *shared, int reader_fd)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	struct zp_reader *reader;
	struct zp_view view;
	unsigned int len;
	size_t step;
	int err;

	if (!sha || !EVP_DigestInit_ex(sha, EVP_sha256(), NULL))
		return fail(shared, "libcrypto", -1);
	err = zp_reader_open(&reader, reader_fd, NULL);
	if (err)
		return fail(shared, "zp_reader_open", err);

	for (;;) {
		err = zp_read(reader, &view);
		if (err)
			return fail(shared, "zp_read", err);
		if (!zp_view_len(&view))
			break;
		step = view.first.len < STEP ? view.first.len : STEP;
		EVP_DigestUpdate(sha, view.first.data, step);
		if (!view.start)
			meet_producer(shared, &view);
		atomic_store_explicit(&shared->done, view.start + step, memory_order_relaxed);
		err = zp_consume(reader, step);
		if (err)
			return fail(shared, "zp_consume", err);
	}
	EVP_DigestFinal_ex(sha, digest, &len);
	EVP_MD_CTX_free(sha);
	shared->ended_ns = demo_now();
	tell_digest(shared, digest, len);
	zp_reader_close(reader);
	return 0;
}
