/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file - /dev/zpipe and the files of the two ends
 */
#ifndef ZPIPE_FILE_H
#define ZPIPE_FILE_H

int zpipe_file_init(void);
void zpipe_file_exit(void);

#endif /* ZPIPE_FILE_H */
