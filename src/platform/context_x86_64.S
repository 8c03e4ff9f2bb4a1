/* SPDX-License-Identifier: MIT */
/* Contexts for x86-64, System V ABI: the callee-saved registers, pushed on the stack that is left. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "platform/context.h"

#ifdef CONTEXT_X86_64

	.macro	save register
	pushq	%\register
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \register, 0
	.endm

	.macro	restore register
	popq	%\register
	.cfi_adjust_cfa_offset -8
	.cfi_restore \register
	.endm

	.text

/* void context_switch(void **save, void *to) */
	.globl	context_switch
	.type	context_switch, @function
	.p2align 4
context_switch:
	.cfi_startproc
	endbr64
	save	rbp
	save	rbx
	save	r12
	save	r13
	save	r14
	save	r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	restore	r15
	restore	r14
	restore	r13
	restore	r12
	restore	rbx
	restore	rbp
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	/*
	 * A ret would always be mispredicted between a scheduler and its tasks: the
	 * processor expects it to go back to the fiber that is left. notrack, because
	 * no endbr64 waits behind the caller's call instruction.
	 */
	notrack jmpq *%rcx
	.cfi_endproc
	.size	context_switch, . - context_switch

/*
 * Where a new context starts, with entry in r12 and arg in r13. Nothing called
 * it: the undefined return address tells unwinders and gdb to stop here.
 */
	.type	context_entry, @function
	.p2align 4
context_entry:
	.cfi_startproc
	.cfi_undefined rip
	endbr64
	movq	%r13, %rdi
	callq	*%r12
	ud2
	.cfi_endproc
	.size	context_entry, . - context_entry

/*
 * void *context_make(void *base, void *top, void (*entry)(void *), void *arg)
 *
 *   top -  8  0
 *   top - 16  0               what an unwinder without tables takes for a return address
 *   top - 24  context_entry   popped last, which leaves rsp aligned to 16
 *   top - 32  rbp = 0         ends a chain of frame pointers
 *   top - 40  rbx
 *   top - 48  r12 = entry
 *   top - 56  r13 = arg
 *   top - 64  r14
 *   top - 72  r15
 */
	.globl	context_make
	.hidden	context_make
	.type	context_make, @function
	.p2align 4
context_make:
	.cfi_startproc
	endbr64
	xorl	%eax, %eax
	movq	%rax, -8(%rsi)
	movq	%rax, -16(%rsi)
	leaq	context_entry(%rip), %r8
	movq	%r8, -24(%rsi)
	movq	%rax, -32(%rsi)
	movq	%rax, -40(%rsi)
	movq	%rdx, -48(%rsi)
	movq	%rcx, -56(%rsi)
	movq	%rax, -64(%rsi)
	movq	%rax, -72(%rsi)
	leaq	-72(%rsi), %rax
	ret
	.cfi_endproc
	.size	context_make, . - context_make

#endif

	.section .note.GNU-stack, "", %progbits
