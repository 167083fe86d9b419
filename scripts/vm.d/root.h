/* SPDX-License-Identifier: MIT */
/*
 * root - the file systems that the command sees
 *
 * The host's root, read-only, over 9p; on top of it what must be the guest's own or writable: the
 * kernel's file systems, empty temporary folders but for what is kept of them, and the shares.
 */
#ifndef ZPIPE_VM_ROOT_H
#define ZPIPE_VM_ROOT_H

void mount_all(void);
void switch_root(void);

#endif
