// SPDX-License-Identifier: GPL-2.0-only
///
/// Who refuses VM_WRITE must also clear VM_MAYWRITE, or mprotect(2) wins back what mmap(2) refused.
///
virtual report

@refuses@
expression mask;
identifier fn, vma;
position p;
@@
fn(..., struct vm_area_struct *vma, ...) {
<+...
vma->vm_flags &@p mask
...+>
}

@clears@
identifier refuses.fn, vma;
@@
fn(..., struct vm_area_struct *vma, ...) {
<+...
VM_MAYWRITE
...+>
}

@script:python depends on report && !clears@
p << refuses.p;
fn << refuses.fn;
mask << refuses.mask;
@@
if "VM_WRITE" in mask:
	coccilib.report.print_report(p[0], "%s refuses VM_WRITE and leaves VM_MAYWRITE" % fn)
