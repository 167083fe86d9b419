/* SPDX-License-Identifier: MIT */
/*
 * zptop_screen - the live table on a terminal
 */
#ifndef ZPTOP_SCREEN_H
#define ZPTOP_SCREEN_H

#include "zptop_rows.h"

/* What the user has chosen. */
struct zptop_choice {
	int key;
	bool reverse;
	bool processes;
	size_t first;		/* row at the top */
};

/**
 * zptop_screen_begin - take over the terminal
 *
 * Return: false: it is none, or none that is known.
 */
bool zptop_screen_begin(void);

/* Give it back, as it was. */
void zptop_screen_end(void);

/**
 * zptop_screen_draw - show a sample
 * @sample: sorted
 * @choice: what to show of it; @choice->first is brought into range
 */
void zptop_screen_draw(const struct zptop_sample *sample, struct zptop_choice *choice);

/**
 * zptop_screen_input - the keys that were pressed, a new size of the terminal
 * @choice: changed by them
 *
 * Return: false when the user wants to end.
 */
bool zptop_screen_input(struct zptop_choice *choice);

#endif
