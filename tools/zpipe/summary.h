/* SPDX-License-Identifier: MIT */
/*
 * summary - all zpipes of the machine in one set of numbers
 */
#ifndef ZPIPE_SUMMARY_H
#define ZPIPE_SUMMARY_H

#include <stdbool.h>

/* Once, or every `seconds`, `count` times (0: until interrupted). An exit status. */
int summary_show(bool json, double seconds, long long count);

#endif
