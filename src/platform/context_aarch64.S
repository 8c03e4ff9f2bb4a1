/* SPDX-License-Identifier: MIT */
/* Contexts for AArch64, AAPCS64: x19-x30 and d8-d15, stored on the stack that is left. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/context.h"

#ifdef CONTEXT_AARCH64

#define FRAME 160

/* "bti c" and "bti j", which are no-ops before ARMv8.5. */
#define BTI_C hint #34
#define BTI_J hint #36

	.text

/* void context_switch(void **save, void *to) */
	.globl	context_switch
	.type	context_switch, %function
	.p2align 4
context_switch:
	.cfi_startproc
	BTI_C
	sub	sp, sp, #FRAME
	.cfi_def_cfa_offset FRAME
	stp	x29, x30, [sp, #0]
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	.cfi_rel_offset x19, 16
	.cfi_rel_offset x20, 24
	.cfi_rel_offset x21, 32
	.cfi_rel_offset x22, 40
	.cfi_rel_offset x23, 48
	.cfi_rel_offset x24, 56
	.cfi_rel_offset x25, 64
	.cfi_rel_offset x26, 72
	.cfi_rel_offset x27, 80
	.cfi_rel_offset x28, 88
	.cfi_rel_offset d8, 96
	.cfi_rel_offset d9, 104
	.cfi_rel_offset d10, 112
	.cfi_rel_offset d11, 120
	.cfi_rel_offset d12, 128
	.cfi_rel_offset d13, 136
	.cfi_rel_offset d14, 144
	.cfi_rel_offset d15, 152
	mov	x2, sp
	str	x2, [x0]
	mov	sp, x1
	ldp	x29, x30, [sp, #0]
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #FRAME
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore d8
	.cfi_restore d9
	.cfi_restore d10
	.cfi_restore d11
	.cfi_restore d12
	.cfi_restore d13
	.cfi_restore d14
	.cfi_restore d15
	ret
	.cfi_endproc
	.size	context_switch, . - context_switch

/*
 * Where a new context starts, with entry in x19 and arg in x20. Nothing called
 * it: the undefined return address tells unwinders and gdb to stop here.
 */
	.type	context_entry, %function
	.p2align 4
context_entry:
	.cfi_startproc
	.cfi_undefined x30
	BTI_J
	mov	x0, x20
	blr	x19
	brk	#0
	.cfi_endproc
	.size	context_entry, . - context_entry

/*
 * void *context_make(void *base, void *top, void (*entry)(void *), void *arg)
 *
 * The frame that context_switch() restores, just below top. The zero x29 ends a
 * chain of frame pointers; the registers that stay as the memory was are dead.
 */
	.globl	context_make
	.hidden	context_make
	.type	context_make, %function
	.p2align 4
context_make:
	.cfi_startproc
	BTI_C
	sub	x0, x1, #FRAME
	adrp	x4, context_entry
	add	x4, x4, :lo12:context_entry
	stp	xzr, x4, [x0, #0]
	stp	x2, x3, [x0, #16]
	ret
	.cfi_endproc
	.size	context_make, . - context_make

#endif

	.section .note.GNU-stack, "", %progbits
