// SPDX-License-Identifier: MIT
/*
 * frames - messages behind their length
 */
#include "frames.h"

int frames_next(struct zp_cursor *c, struct zp_view *message)
{
	struct zp_cursor at = *c;
	uint64_t len;
	int ret;

	ret = zp_cursor_be(&at, 4, &len);
	if (!ret && len > FRAMES_MAX)
		return -EMSGSIZE;
	if (!ret)
		ret = zp_cursor_take(&at, len, message);
	if (!ret)
		*c = at;
	return ret;
}
