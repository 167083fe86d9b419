// SPDX-License-Identifier: GPL-2.0-only
/*
 * cover - see cover.h
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cover.h"

#define AREA		(64 << 10)	/* program counters that one thread can note */
#define MOST_SECTIONS	8
#define BUG_ENTRY	12	/* bytes of struct bug_entry, with relative pointers */

/* Sections with code that has blocks, and where they were loaded. */
static struct section {
	char name[32];
	uint64_t address;
	uint64_t size;
	int16_t *block;		/* for each offset its number, or -1 */
} sections[MOST_SECTIONS];
static int nr_sections;

static struct {
	const struct section *section;
	uint64_t offset;
	bool apart;		/* no call gets there without a report */
} blocks[COVER_MOST];
static int nr_blocks;

static struct {
	int fd;
	uint64_t *at;
} areas[COVER_AREAS];

static uint64_t loaded_at(const char *section)
{
	char path[96], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/module/zpipe/sections/%s", section);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtoull(text, NULL, 16);
}

static const Elf64_Shdr *header(const unsigned char *elf, unsigned int i)
{
	const Elf64_Ehdr *e = (const void *)elf;

	return (const void *)(elf + e->e_shoff + (size_t)i * e->e_shentsize);
}

/* What only says that something is wrong: a sanitizer's report, a counter that ran over, WARN. */
static bool is_report(const char *function)
{
	static const char *const reports[] = {
		"__warn_printk", "dump_page", "refcount_warn_saturate",
	};
	size_t i;

	for (i = 0; i < sizeof(reports) / sizeof(*reports); i++) {
		if (!strcmp(function, reports[i]))
			return true;
	}
	return !strncmp(function, "__ubsan_", 8);
}

/* One block for each relocation against the function. */
static void read_relocations(const unsigned char *elf, const Elf64_Shdr *rela)
{
	const Elf64_Ehdr *e = (const void *)elf;
	const Elf64_Shdr *target = header(elf, rela->sh_info);
	const Elf64_Shdr *symtab = header(elf, rela->sh_link);
	const Elf64_Sym *symbols = (const void *)(elf + symtab->sh_offset);
	const char *strings = (const char *)elf + header(elf, symtab->sh_link)->sh_offset;
	const char *names = (const char *)elf + header(elf, e->e_shstrndx)->sh_offset;
	const Elf64_Rela *r = (const void *)(elf + rela->sh_offset);
	struct section *section = NULL;
	int last = -1;
	uint64_t i;

	if (!(target->sh_flags & SHF_EXECINSTR))
		return;
	for (i = 0; i < rela->sh_size / sizeof(*r); i++) {
		const Elf64_Sym *symbol = &symbols[ELF64_R_SYM(r[i].r_info)];
		uint64_t offset = r[i].r_offset + 4;	/* where the call returns to */

		if (last >= 0 && is_report(strings + symbol->st_name))
			blocks[last].apart = true;
		if (ELF64_R_TYPE(r[i].r_info) == R_X86_64_PLT32)
			last = -1;
		if (strcmp(strings + symbol->st_name, "__sanitizer_cov_trace_pc"))
			continue;
		if (!section) {
			if (nr_sections == MOST_SECTIONS)
				errx(1, "more sections than were expected");
			section = &sections[nr_sections++];
			snprintf(section->name, sizeof(section->name), "%s",
				 names + target->sh_name);
			section->size = target->sh_size + 1;
			section->address = loaded_at(section->name);
			section->block = malloc(section->size * sizeof(*section->block));
			if (!section->block)
				err(1, "blocks");
			memset(section->block, 0xff, section->size * sizeof(*section->block));
		}
		if (nr_blocks == COVER_MOST || offset >= section->size)
			errx(1, "more blocks than were expected");
		section->block[offset] = nr_blocks;
		last = nr_blocks;
		/* Run before there is a device, or when there is none any more. */
		blocks[nr_blocks].apart = strcmp(section->name, ".text") &&
					  strcmp(section->name, ".text.unlikely");
		blocks[nr_blocks].section = section;
		blocks[nr_blocks++].offset = offset;
	}
}

/* The blocks of WARN and BUG are those whose instruction is in the table of them. */
static void read_bugs(const unsigned char *elf, const Elf64_Shdr *rela)
{
	const Elf64_Sym *symbols = (const void *)(elf + header(elf, rela->sh_link)->sh_offset);
	const Elf64_Ehdr *e = (const void *)elf;
	const char *names = (const char *)elf + header(elf, e->e_shstrndx)->sh_offset;
	const Elf64_Rela *r = (const void *)(elf + rela->sh_offset);
	uint64_t i;

	if (strcmp(names + header(elf, rela->sh_info)->sh_name, "__bug_table"))
		return;
	for (i = 0; i < rela->sh_size / sizeof(*r); i++) {
		const Elf64_Sym *symbol = &symbols[ELF64_R_SYM(r[i].r_info)];
		uint64_t at = symbol->st_value + r[i].r_addend;
		const char *name;
		int k;

		/* Of an entry: where the instruction is; the other one names the file. */
		if (r[i].r_offset % BUG_ENTRY || symbol->st_shndx >= e->e_shnum)
			continue;
		name = names + header(elf, symbol->st_shndx)->sh_name;
		for (k = 0; k < nr_sections && strcmp(sections[k].name, name); k++)
			;
		if (k == nr_sections || at >= sections[k].size)
			continue;
		while (at && sections[k].block[at] < 0)
			at--;
		if (sections[k].block[at] >= 0)
			blocks[sections[k].block[at]].apart = true;
	}
}

static void read_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const unsigned char *elf;
	struct stat st;
	unsigned int i;

	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	elf = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (elf == MAP_FAILED || memcmp(elf, ELFMAG, SELFMAG))
		errx(1, "%s: no module", path);
	for (i = 0; i < ((const Elf64_Ehdr *)elf)->e_shnum; i++)
		if (header(elf, i)->sh_type == SHT_RELA)
			read_relocations(elf, header(elf, i));
	for (i = 0; i < ((const Elf64_Ehdr *)elf)->e_shnum; i++)
		if (header(elf, i)->sh_type == SHT_RELA)
			read_bugs(elf, header(elf, i));
	munmap((void *)elf, st.st_size);
}

int cover_init(const char *module)
{
	int i;

	if (!module || access("/sys/kernel/debug/kcov", R_OK | W_OK))
		return 0;
	read_module(module);
	for (i = 0; nr_blocks && i < COVER_AREAS; i++) {
		areas[i].fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
		if (areas[i].fd < 0 || ioctl(areas[i].fd, KCOV_INIT_TRACE, AREA))
			err(1, "kcov");
		areas[i].at = mmap(NULL, AREA * sizeof(uint64_t), PROT_READ | PROT_WRITE,
				   MAP_SHARED, areas[i].fd, 0);
		if (areas[i].at == MAP_FAILED)
			err(1, "kcov");
	}
	return nr_blocks;
}

void cover_clear(void)
{
	int i;

	for (i = 0; nr_blocks && i < COVER_AREAS; i++)
		__atomic_store_n(&areas[i].at[0], 0, __ATOMIC_RELAXED);
}

/* An area may still belong to a child that was left: then this one is not seen. */
void cover_begin(int area)
{
	if (nr_blocks && ioctl(areas[area].fd, KCOV_ENABLE, KCOV_TRACE_PC))
		return;
}

static void note(struct cover *to, uint64_t pc)
{
	int i;

	for (i = 0; i < nr_sections; i++) {
		uint64_t offset = pc - sections[i].address;

		if (sections[i].address && offset < sections[i].size) {
			int block = sections[i].block[offset];

			if (block >= 0)
				to->bits[block / 64] |= 1ULL << block % 64;
			return;
		}
	}
}

void cover_collect(struct cover *to)
{
	uint64_t k, nr;
	int i;

	memset(to, 0, sizeof(*to));
	for (i = 0; nr_blocks && i < COVER_AREAS; i++) {
		nr = __atomic_load_n(&areas[i].at[0], __ATOMIC_RELAXED);
		for (k = 1; k <= nr && k < AREA; k++)
			note(to, areas[i].at[k]);
	}
}

int cover_count(const struct cover *c)
{
	int i, n = 0;

	for (i = 0; i < COVER_MOST / 64; i++)
		n += __builtin_popcountll(c->bits[i]);
	return n;
}

int cover_within_reach(const struct cover *c, int *all)
{
	int i, n = 0;

	*all = 0;
	for (i = 0; i < nr_blocks; i++) {
		*all += !blocks[i].apart;
		n += !blocks[i].apart && c->bits[i / 64] >> i % 64 & 1;
	}
	return n;
}

int cover_new(const struct cover *a, const struct cover *b, struct cover *fresh)
{
	int i;

	for (i = 0; i < COVER_MOST / 64; i++)
		fresh->bits[i] = a->bits[i] & ~b->bits[i];
	return cover_count(fresh);
}

bool cover_holds(const struct cover *all, const struct cover *part)
{
	int i;

	for (i = 0; i < COVER_MOST / 64; i++)
		if (part->bits[i] & ~all->bits[i])
			return false;
	return true;
}

void cover_and(struct cover *to, const struct cover *with)
{
	int i;

	for (i = 0; i < COVER_MOST / 64; i++)
		to->bits[i] &= with->bits[i];
}

void cover_or(struct cover *to, const struct cover *with)
{
	int i;

	for (i = 0; i < COVER_MOST / 64; i++)
		to->bits[i] |= with->bits[i];
}

void cover_print_missing(const struct cover *c, FILE *to)
{
	int i;

	for (i = 0; i < nr_blocks; i++)
		if (!blocks[i].apart && !(c->bits[i / 64] >> i % 64 & 1))
			fprintf(to, "%s %#llx\n", blocks[i].section->name,
				(unsigned long long)blocks[i].offset);
}
