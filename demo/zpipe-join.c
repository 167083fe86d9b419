// SPDX-License-Identifier: MIT
/*
 * zpipe-join - run `FIRST | SECOND` with a zpipe for the bar
 *
 * usage: zpipe-join 'FIRST' 'SECOND'. Both are shell commands. Says on stderr how fast it was and
 * what the kernel copied. Status: that of SECOND, else that of FIRST.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "join.h"

int main(int argc, char **argv)
{
	char shell[] = "sh", flag[] = "-c";
	struct join_result result;
	int err;

	if (argc != 3) {
		fprintf(stderr, "usage: zpipe-join 'FIRST' 'SECOND'\n");
		return 2;
	}
	err = join_run((char *[]) { shell, flag, argv[1], NULL },
		       (char *[]) { shell, flag, argv[2], NULL }, STDOUT_FILENO, &result);
	if (err) {
		fprintf(stderr, "zpipe-join: %s\n", strerror(-err));
		return 125;
	}
	fprintf(stderr, "zpipe-join: %llu bytes, %.1f MB/s, copied in %llu and out %llu\n",
		(unsigned long long)result.stat.published,
		(double)result.stat.published / 1e6 / result.seconds,
		(unsigned long long)result.stat.copied_write,
		(unsigned long long)result.stat.copied_read);
	return result.status;
}
