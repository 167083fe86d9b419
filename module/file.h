/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file - /dev/zpipe and the files of the two ends
 */
#ifndef ZPIPE_FILE_H
#define ZPIPE_FILE_H

#include "types.h"

struct zpipe_end *zpipe_file_end(struct file *file);
struct file *zpipe_file_tee(struct zpipe_end *end, struct zpipe_tee_args *args);
int zpipe_file_init(void);
void zpipe_file_exit(void);

#endif /* ZPIPE_FILE_H */
