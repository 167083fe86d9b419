/* SPDX-License-Identifier: MIT */
/*
 * zptop_show - a sample as text, JSON or CSV
 */
#ifndef ZPTOP_SHOW_H
#define ZPTOP_SHOW_H

#include <stdio.h>

#include "zptop_rows.h"

/* Wide enough for every column. */
#define ZPTOP_WIDTH	160

/* The line above the rows. */
void zptop_show_head(char *text, size_t size, bool processes);

/* One line for one row, without a newline. */
void zptop_show_row(char *text, size_t size, const struct zptop_row *row);
void zptop_show_process(char *text, size_t size, const struct zptop_process *process);

/* One line about everything. */
void zptop_show_sum(char *text, size_t size, const struct zptop_sample *sample);

/**
 * zptop_show_text - the table
 * @file: where to
 * @sample: sorted
 * @processes: one line for each process, not for each pipe
 * @most: lines; 0 for all
 */
void zptop_show_text(FILE *file, const struct zptop_sample *sample, bool processes, size_t most);

/* One object on a line, with everything that is known. */
void zptop_show_json(FILE *file, const struct zptop_sample *sample);

/* What zptop_show_csv prints; and one line for each pipe, with the time first. */
void zptop_show_csv_head(FILE *file);
void zptop_show_csv(FILE *file, const struct zptop_sample *sample);

#endif
