/* The registers of an interrupted thread, from the context that the kernel gives a signal handler. */
#ifndef CONDUIT_REGISTERS_H
#define CONDUIT_REGISTERS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define MAX_REGISTERS 48
#define SIGNAL_SET_BYTES 8 /* in the kernel */

/* The address of the interrupted instruction; 0 on a processor that is not known here. */
static inline uintptr_t counter_of(const ucontext_t *context) {
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

/* Whether the signal arrived as the thread returned from the system call that changes which signals it blocks: what
 * this call leaves in the registers says so. False on a processor that is not known here. */
static inline bool is_change_of_blocked_signals(const ucontext_t *context) {
#if defined(__x86_64__)
    const greg_t *registers = context->uc_mcontext.gregs; /* RCX is where the call returns to; RDI and R10: arguments */
    return registers[REG_RCX] == registers[REG_RIP] && registers[REG_RAX] == 0 &&
           (registers[REG_RDI] == SIG_UNBLOCK || registers[REG_RDI] == SIG_SETMASK) &&
           registers[REG_R10] == SIGNAL_SET_BYTES;
#elif defined(__aarch64__)
    const unsigned long long *registers = context->uc_mcontext.regs; /* X8 is the number of the call */
    return registers[8] == SYS_rt_sigprocmask && registers[0] == 0 && registers[3] == SIGNAL_SET_BYTES;
#else
    (void)context;
    return false;
#endif
}

/* Write the words in registers that may hold an address, at most MAX_REGISTERS; return how many. Vector registers count
 * too: a compiler keeps pairs of pointers in them on their way to memory. */
static inline int registers_of(const ucontext_t *context, uintptr_t *words) {
    int count = 0;
#if defined(__x86_64__)
    for (int i = REG_R8; i <= REG_RSP; i++) words[count++] = (uintptr_t)context->uc_mcontext.gregs[i];
    if (context->uc_mcontext.fpregs == NULL) return count;
    for (int i = 0; i < 16; i++, count += 2)
        memcpy(&words[count], &context->uc_mcontext.fpregs->_xmm[i], 2 * sizeof *words);
#elif defined(__aarch64__)
    for (int i = 0; i < 31; i++) words[count++] = (uintptr_t)context->uc_mcontext.regs[i];
#else
    (void)context;
    (void)words;
#endif
    return count;
}

#endif
