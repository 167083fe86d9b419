// SPDX-License-Identifier: GPL-2.0-only
// What may-write.cocci must report, and what not.
static int drops_it(struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	vm_flags_clear(vma, VM_MAYWRITE);
	return 0;
}

static int forgets_it(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_flags & (VM_WRITE | VM_EXEC)) /* caught */
		return -EACCES;
	vm_flags_set(vma, VM_DONTEXPAND);
	return 0;
}

static int forgets_it_too(struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_WRITE) /* caught */
		return -EACCES;
	return 0;
}
