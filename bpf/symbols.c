// SPDX-License-Identifier: MIT
/*
 * symbols - names for the addresses of a user stack
 *
 * From /proc/PID/maps to the file and the place in it, from its program headers to the address that
 * it was linked for, from its symbol tables to the function that begins at or before that.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gelf.h>
#include <libelf.h>

#include "symbols.h"

struct symbol {
	uint64_t begin;
	uint64_t end;
	char *name;
};

struct load {
	uint64_t offset;
	uint64_t size;
	uint64_t address;
};

struct image {
	struct image *next;
	char *path;
	size_t nr_symbols;
	struct symbol *symbol;	/* sorted by begin */
	size_t nr_loads;
	struct load load[8];
};

struct mapping {
	uint64_t begin;
	uint64_t end;
	uint64_t offset;
	char path[512];
};

static struct image *images;

static int compare(const void *one, const void *other)
{
	const struct symbol *a = one, *b = other;

	return a->begin < b->begin ? -1 : a->begin > b->begin;
}

static void read_table(struct image *image, Elf *elf, Elf_Scn *section, const GElf_Shdr *header)
{
	const size_t number = header->sh_entsize ? header->sh_size / header->sh_entsize : 0;
	Elf_Data *data = elf_getdata(section, NULL);
	struct symbol *larger;
	const char *name;
	GElf_Sym symbol;
	size_t k;

	larger = reallocarray(image->symbol, image->nr_symbols + number + 1, sizeof(*larger));
	if (!data || !larger)
		return;
	image->symbol = larger;
	for (k = 0; k < number; k++) {
		if (!gelf_getsym(data, (int)k, &symbol) || !symbol.st_value ||
		    GELF_ST_TYPE(symbol.st_info) != STT_FUNC)
			continue;
		name = elf_strptr(elf, header->sh_link, symbol.st_name);
		if (!name)
			continue;
		larger = &image->symbol[image->nr_symbols];
		larger->begin = symbol.st_value;
		larger->end = symbol.st_value + symbol.st_size;
		larger->name = strdup(name);
		if (larger->name)
			image->nr_symbols++;
	}
}

static void read_elf(struct image *image, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Phdr program;
	size_t number, k;

	if (elf_getphdrnum(elf, &number))
		return;
	for (k = 0; k < number && image->nr_loads < 8; k++) {
		if (!gelf_getphdr(elf, (int)k, &program) || program.p_type != PT_LOAD)
			continue;
		image->load[image->nr_loads++] = (struct load){
			.offset = program.p_offset, .size = program.p_filesz,
			.address = program.p_vaddr,
		};
	}
	while ((section = elf_nextscn(elf, section))) {
		if (gelf_getshdr(section, &header) &&
		    (header.sh_type == SHT_SYMTAB || header.sh_type == SHT_DYNSYM))
			read_table(image, elf, section, &header);
	}
	if (image->nr_symbols)
		qsort(image->symbol, image->nr_symbols, sizeof(*image->symbol), compare);
}

/* As that process sees the file. */
static const struct image *image_of(pid_t pid, const char *path)
{
	struct image *image;
	char name[600];
	Elf *elf;
	int fd;

	for (image = images; image; image = image->next) {
		if (!strcmp(image->path, path))
			return image;
	}
	image = calloc(1, sizeof(*image));
	if (!image)
		return NULL;
	image->path = strdup(path);
	if (!image->path) {
		free(image);
		return NULL;
	}
	image->next = images;
	images = image;
	snprintf(name, sizeof(name), "/proc/%d/root%s", pid, path);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return image;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf)
		read_elf(image, elf);
	elf_end(elf);
	close(fd);
	return image;
}

static const struct symbol *find(const struct image *image, uint64_t offset, uint64_t *address)
{
	const struct symbol *best = NULL;
	size_t k, low = 0, high = image->nr_symbols;

	for (k = 0; k < image->nr_loads; k++) {
		if (offset - image->load[k].offset < image->load[k].size)
			break;
	}
	if (k == image->nr_loads)
		return NULL;
	*address = offset - image->load[k].offset + image->load[k].address;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (image->symbol[middle].begin <= *address) {
			best = &image->symbol[middle];
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	/* What was written in assembler may have no size. */
	if (best && *address >= best->end && best->end > best->begin)
		return NULL;
	return best;
}

static bool mapping_of(FILE *maps, uint64_t address, struct mapping *mapping)
{
	char line[700];

	rewind(maps);
	while (fgets(line, sizeof(line), maps)) {
		mapping->path[0] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %511[^\n]",
			   &mapping->begin, &mapping->end, &mapping->offset, mapping->path) < 3)
			continue;
		if (address >= mapping->begin && address < mapping->end)
			return true;
	}
	return false;
}

static void put_line(FILE *out, pid_t pid, FILE *maps, uint64_t address)
{
	const struct symbol *symbol = NULL;
	const struct image *image;
	struct mapping mapping;
	uint64_t linked = 0;

	if (!maps || !mapping_of(maps, address, &mapping) || !mapping.path[0]) {
		fprintf(out, "%#" PRIx64 "\n", address);
		return;
	}
	image = mapping.path[0] == '/' ? image_of(pid, mapping.path) : NULL;
	if (image)
		symbol = find(image, address - mapping.begin + mapping.offset, &linked);
	if (symbol)
		fprintf(out, "%s+%#" PRIx64 " (%s)\n", symbol->name, linked - symbol->begin,
			mapping.path);
	else
		fprintf(out, "%#" PRIx64 " (%s)\n", linked ? linked : address, mapping.path);
}

char *zb_symbols(pid_t pid, const uint64_t *address, size_t number)
{
	char *text = NULL, path[64];
	size_t size, k;
	FILE *out, *maps;

	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	for (k = 0; k < number && address[k]; k++)
		put_line(out, pid, maps, address[k]);
	if (maps)
		fclose(maps);
	return fclose(out) ? NULL : text;
}
