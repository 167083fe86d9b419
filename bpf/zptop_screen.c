// SPDX-License-Identifier: MIT
/*
 * zptop_screen - the live table on a terminal
 *
 * curses draws and knows the size; whoever calls redraws after each key, so nothing here has to
 * remember what was shown. Columns that do not fit are cut off: the most useful come first.
 */
#include <curses.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "zptop_screen.h"
#include "zptop_show.h"

static SCREEN *screen;

bool zptop_screen_begin(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return false;
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	return true;
}

void zptop_screen_end(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

static void put(int line, const char *text, attr_t attributes)
{
	int lines, columns, x;

	getmaxyx(stdscr, lines, columns);
	if (line < 0 || line >= lines)
		return;
	attrset(attributes);
	mvaddnstr(line, 0, text, columns);
	if (attributes) {
		for (x = (int)strlen(text); x < columns; x++)
			mvaddch(line, x, ' ');
	}
	attrset(A_NORMAL);
}

void zptop_screen_draw(const struct zptop_sample *sample, struct zptop_choice *choice)
{
	size_t number = choice->processes ? sample->nr_processes : sample->nr_rows, k;
	char text[ZPTOP_WIDTH], about[ZPTOP_WIDTH];
	time_t now = (time_t)sample->time;
	int lines, columns, line = 0;
	size_t room;
	struct tm tm;

	erase();
	getmaxyx(stdscr, lines, columns);
	(void)columns;
	localtime_r(&now, &tm);
	zptop_show_sum(about, sizeof(about), sample);
	snprintf(text, sizeof(text), "%02d:%02d:%02d  %.140s", tm.tm_hour, tm.tm_min, tm.tm_sec,
		 about);
	put(line++, text, A_NORMAL);
	snprintf(text, sizeof(text), "by %s%s   s next key, r reverse, t %s, arrows, q quit",
		 zptop_keys[choice->key], choice->reverse ? ", smallest first" : "",
		 choice->processes ? "pipes" : "processes");
	put(line++, text, A_DIM);
	zptop_show_head(text, sizeof(text), choice->processes);
	put(line++, text, A_REVERSE);

	room = lines > line ? (size_t)(lines - line) : 0;
	if (choice->first + room > number)
		choice->first = number > room ? number - room : 0;
	for (k = choice->first; k < number && line < lines; k++) {
		if (choice->processes)
			zptop_show_process(text, sizeof(text), &sample->processes[k]);
		else
			zptop_show_row(text, sizeof(text), &sample->rows[k]);
		put(line++, text, A_NORMAL);
	}
	refresh();
}

bool zptop_screen_input(struct zptop_choice *choice)
{
	const size_t page = LINES > 4 ? (size_t)LINES - 4 : 1;
	int key;

	while ((key = getch()) != ERR) {
		switch (key) {
		case 'q':
		case 'Q':
			return false;
		case 's':
		case '>':
			choice->key++;
			if (!zptop_keys[choice->key])
				choice->key = 0;
			break;
		case '<':
			if (!choice->key) {
				while (zptop_keys[choice->key])
					choice->key++;
			}
			choice->key--;
			break;
		case 'r':
			choice->reverse = !choice->reverse;
			break;
		case 't':
			choice->processes = !choice->processes;
			choice->first = 0;
			break;
		case KEY_UP:
		case 'k':
			choice->first -= choice->first > 0;
			break;
		case KEY_DOWN:
		case 'j':
			choice->first++;
			break;
		case KEY_PPAGE:
			choice->first -= choice->first < page ? choice->first : page;
			break;
		case KEY_NPAGE:
			choice->first += page;
			break;
		case KEY_HOME:
			choice->first = 0;
			break;
		case KEY_END:
			choice->first = (size_t)-1 >> 1;
			break;
		case KEY_RESIZE:
			/* What a smaller terminal has left over is not to be seen again. */
			clear();
			break;
		}
	}
	return true;
}
