# What `auto` lets QEMU run in order to learn whether KVM executes guests here: a multiboot image that
# switches to 64-bit mode behind a page table of its own, multiplies its way through 400,000 rounds of
# FNV-1a with each round going through memory, and hands the result to isa-debug-exit. QEMU then exits
# with (result << 1) | 1, which a machine that spins, aborts or miscalculates does not.
#
#   as --32 payload.S -o payload.o && ld -m elf_i386 -Ttext 0x200000 --oformat binary payload.o -o payload.bin
#
# A test assembles it again and compares.

        .set    FLAGS, 0x00010000               # the five addresses below are given
        .set    PML4,  0x00202000
        .set    PDPT,  0x00203000
        .set    PD,    0x00204000
        .set    CELL,  0x00205000
        .set    END,   0x00206000
        .set    ROUNDS, 400000

        .text
        .code32
        .globl  _start
_start:
header: .long   0x1BADB002
        .long   FLAGS
        .long   -(0x1BADB002 + FLAGS)
        .long   header                          # where this header is to be
        .long   _start                          # where the image begins
        .long   image_end                       # where it ends
        .long   END                             # what is to be cleared behind it: the tables
        .long   entry

entry:  cli
        # One 2 MiB page, at the address where we are: what runs on proves that it is translated.
        movl    $(PDPT | 3), PML4
        movl    $(PD | 3), PDPT
        movl    $0x00200083, PD + 8
        movl    $PML4, %eax
        movl    %eax, %cr3
        movl    $0x20, %eax                     # PAE
        movl    %eax, %cr4
        movl    $0xC0000080, %ecx               # EFER.LME
        rdmsr
        btsl    $8, %eax
        wrmsr
        movl    %cr0, %eax
        btsl    $31, %eax                       # paging
        movl    %eax, %cr0
        lgdt    table
        ljmp    $8, $wide

        .code64
wide:   movabsq $0xcbf29ce484222325, %rax
        movabsq $0x00000100000001b3, %rbx
        xorl    %ecx, %ecx
round:  xorq    %rcx, %rax
        imulq   %rbx, %rax
        movq    %rax, CELL
        addl    $1, %ecx
        movq    CELL, %rax
        cmpl    $ROUNDS, %ecx
        jne     round
        movq    %rax, %rdx
        shrq    $32, %rdx
        xorl    %edx, %eax
        andl    $0x7f, %eax
        movl    $0xf4, %edx
        outb    %al, %dx
stop:   hlt
        jmp     stop

        .p2align 3
gdt:    .quad   0
        .quad   0x00af9b000000ffff              # 64-bit code
table:  .word   15
        .long   gdt
image_end:
