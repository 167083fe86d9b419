// SPDX-License-Identifier: MIT
/*
 * opts - structs that begin with their own size
 *
 * A caller built against an older header passes a shorter struct: the rest is
 * zero, which is always the default. One built against a newer header passes a
 * longer one: fine as long as it asks for nothing this library does not know.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* Read the caller's struct into one of known_size bytes. */
int zp_opts_get(void *known, size_t known_size, const void *from)
{
	const unsigned char *bytes = from;
	size_t sz, i;

	memset(known, 0, known_size);
	if (!from)
		return 0;
	memcpy(&sz, from, sizeof(sz));
	if (sz < sizeof(sz))
		return -EINVAL;
	for (i = known_size; i < sz; i++) {
		if (bytes[i])
			return -E2BIG;
	}
	memcpy(known, from, ZP_MIN(sz, known_size));
	return 0;
}

/* Fill the caller's struct from one of known_size bytes; its sz stays. */
int zp_opts_put(void *to, const void *known, size_t known_size)
{
	unsigned char *bytes = to;
	size_t sz;

	memcpy(&sz, to, sizeof(sz));
	if (sz < sizeof(sz))
		return -EINVAL;
	memset(bytes + sizeof(sz), 0, sz - sizeof(sz));
	memcpy(bytes + sizeof(sz), (const unsigned char *)known + sizeof(sz),
	       ZP_MIN(sz, known_size) - sizeof(sz));
	return 0;
}
