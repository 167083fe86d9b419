// SPDX-License-Identifier: MIT
/*
 * machine - the module, its parameters and its device on this machine
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "machine.h"

bool machine_has_module(void)
{
	if (!access(MACHINE_MODULE, F_OK))
		return true;
	complain("the module zpipe is not loaded: modprobe zpipe, or see zpipe doctor");
	return false;
}

void machine_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");

	*line = '\0';
	if (!f)
		return;
	if (!fgets(line, (int)size, f))
		*line = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(f);
}

long long machine_parameter(const char *name)
{
	char path[128], line[64], *end;
	long long value;

	snprintf(path, sizeof(path), MACHINE_MODULE "/parameters/%s", name);
	machine_line(path, line, sizeof(line));
	value = strtoll(line, &end, 10);
	return *line && !*end ? value : -1;
}
