// SPDX-License-Identifier: MIT
/*
 * fake_mmap - both ends at the same addresses
 *
 * ThreadSanitizer knows memory by address, and would see no connection between
 * the writer's and the reader's mapping of one page. Linked with --wrap, this
 * gives the second end the addresses of the first.
 */
#include <stdint.h>
#include <sys/mman.h>

#define REGIONS		4

void *__real_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *addr, size_t length);
void *__wrap_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *addr, size_t length);

static void *regions[REGIONS];
static void *reserved;

void *__wrap_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	unsigned int region = (unsigned int)((uint64_t)offset >> 40);

	if (flags & MAP_ANONYMOUS) {
		if (!reserved)
			reserved = __real_mmap(addr, length, prot, flags, fd, offset);
		return reserved;
	}
	if (flags & MAP_FIXED)
		return __real_mmap(addr, length, PROT_READ | PROT_WRITE, flags, fd, offset);
	if (region >= REGIONS)
		return MAP_FAILED;
	if (!regions[region])
		regions[region] = __real_mmap(addr, length, PROT_READ | PROT_WRITE, flags, fd,
					      offset);
	return regions[region];
}

int __wrap_munmap(void *addr, size_t length)
{
	(void)addr;
	(void)length;
	return 0;
}
