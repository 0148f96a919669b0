/* A signal may interrupt the interpreter at any instruction, also where it has published a pointer and not yet
 * filled what it points to (3.11 and 3.12 publish `tstate->cframe` before `cframe.current_frame`). Walking a stack
 * there must not crash. The loads are a few instructions of assembler with known addresses. If one of them faults,
 * our SIGSEGV and SIGBUS handler sets the program counter to the exit that reports failure; nothing is unwound and
 * no jump buffer is kept, so this works on any thread, nested in any handler.
 *
 * Any other fault belongs to the program: the earlier handler is restored and the instruction runs again, as if ours
 * had never been installed. A handler that the program installs later replaces ours and stays: before each sample the
 * owner of SIGSEGV is looked up, and where it is not this file, or the interrupted code has blocked the signal, the
 * kernel copies instead (process_vm_readv). */
#define _GNU_SOURCE
#include "safe_load.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
#define HAVE_RECOVERY 1
#define PROGRAM_COUNTER(context) ((context)->uc_mcontext.gregs[REG_RIP])
/* (to: rdi, from: rsi, words: rdx) → eax */
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden conduit_load_words\n.globl conduit_load_words\n.type conduit_load_words,@function\n"
        ".hidden conduit_load_begin\n.globl conduit_load_begin\n"
        ".hidden conduit_load_end\n.globl conduit_load_end\n"
        ".hidden conduit_load_failed\n.globl conduit_load_failed\n"
        "conduit_load_words:\n"
        "  testq %rdx, %rdx\n"
        "  je 2f\n"
        "1:\n"
        "conduit_load_begin:\n"
        "  movq (%rsi), %rcx\n"
        "conduit_load_end:\n"
        "  movq %rcx, (%rdi)\n"
        "  addq $8, %rsi\n"
        "  addq $8, %rdi\n"
        "  decq %rdx\n"
        "  jne 1b\n"
        "2:\n"
        "  movl $1, %eax\n"
        "  ret\n"
        "conduit_load_failed:\n"
        "  xorl %eax, %eax\n"
        "  ret\n"
        ".size conduit_load_words, .-conduit_load_words\n");
#elif defined(__aarch64__)
#define HAVE_RECOVERY 1
#define PROGRAM_COUNTER(context) ((context)->uc_mcontext.pc)
/* (to: x0, from: x1, words: x2) → w0 */
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden conduit_load_words\n.globl conduit_load_words\n.type conduit_load_words,%function\n"
        ".hidden conduit_load_begin\n.globl conduit_load_begin\n"
        ".hidden conduit_load_end\n.globl conduit_load_end\n"
        ".hidden conduit_load_failed\n.globl conduit_load_failed\n"
        "conduit_load_words:\n"
        "  cbz x2, 2f\n"
        "1:\n"
        "conduit_load_begin:\n"
        "  ldr x3, [x1]\n"
        "conduit_load_end:\n"
        "  str x3, [x0]\n"
        "  add x1, x1, #8\n"
        "  add x0, x0, #8\n"
        "  sub x2, x2, #1\n"
        "  cbnz x2, 1b\n"
        "2:\n"
        "  mov w0, #1\n"
        "  ret\n"
        "conduit_load_failed:\n"
        "  mov w0, #0\n"
        "  ret\n"
        ".size conduit_load_words, .-conduit_load_words\n");
#else
#define HAVE_RECOVERY 0
#endif

static int users; /* calls of safe_loads_begin that have not ended */
static bool kernel_copies; /* process_vm_readv is allowed here (a seccomp filter may forbid it) */

static bool copy_by_kernel(void *to, const void *from, size_t bytes) {
    struct iovec target = {to, bytes}, source = {(void *)from, bytes};
    return syscall(SYS_process_vm_readv, (long)getpid(), &target, 1L, &source, 1L, 0L) == (long)bytes;
}

#if HAVE_RECOVERY
extern int conduit_load_words(void *to, const void *from, size_t words);
extern const char conduit_load_begin[], conduit_load_end[], conduit_load_failed[];

static const int FAULTS[] = {SIGSEGV, SIGBUS};
enum { FAULT_COUNT = sizeof(FAULTS) / sizeof(FAULTS[0]) };
static struct sigaction previous[FAULT_COUNT];
static volatile sig_atomic_t in_chain[FAULT_COUNT]; /* ours is installed, or another handler's "previous" */

static void restore_previous(int signal_number, const siginfo_t *information) {
    for (int i = 0; i < FAULT_COUNT; i++) {
        if (FAULTS[i] != signal_number) continue;
        struct sigaction before = previous[i];
        /* Reached a second time, through a later handler that had saved ours: only the default is left. */
        if (!in_chain[i]) {
            memset(&before, 0, sizeof before);
            before.sa_handler = SIG_DFL;
        }
        in_chain[i] = 0;
        sigaction(signal_number, &before, NULL);
        /* A real fault recurs when the instruction runs again; one that was sent (kill, raise) has to be sent again. */
        if (information->si_code <= 0) syscall(SYS_tgkill, (long)getpid(), syscall(SYS_gettid), (long)signal_number);
        return;
    }
}

static void on_fault(int signal_number, siginfo_t *information, void *context_pointer) {
    ucontext_t *context = context_pointer;
    uintptr_t at = (uintptr_t)PROGRAM_COUNTER(context);
    if (at >= (uintptr_t)conduit_load_begin && at < (uintptr_t)conduit_load_end && information->si_code > 0) {
        PROGRAM_COUNTER(context) = (uintptr_t)conduit_load_failed;
        return;
    }
    int error = errno;
    restore_previous(signal_number, information);
    errno = error;
}

static bool is_ours(const struct sigaction *action) {
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_fault;
}

static void install(int index) {
    struct sigaction current, mine;
    sigaction(FAULTS[index], NULL, &current);
    if (is_ours(&current)) return;
    memset(&mine, 0, sizeof mine);
    mine.sa_sigaction = on_fault;
    mine.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    previous[index] = current;
    in_chain[index] = 1;
    sigaction(FAULTS[index], &mine, NULL);
}

static void uninstall(int index) {
    struct sigaction current;
    sigaction(FAULTS[index], NULL, &current);
    if (!is_ours(&current)) return; /* a later handler lies above ours, and may still pass faults down */
    in_chain[index] = 0;
    sigaction(FAULTS[index], &previous[index], NULL);
}
#endif

bool safe_loads_begin(void) {
    uintptr_t probe = 1, copy = 0;
    kernel_copies = copy_by_kernel(&copy, &probe, sizeof probe) && copy == 1;
    users++;
#if HAVE_RECOVERY
    for (int i = 0; i < FAULT_COUNT; i++) install(i);
    return true;
#else
    if (!kernel_copies) users--;
    return kernel_copies;
#endif
}

void safe_loads_end(void) {
    if (--users > 0) return;
#if HAVE_RECOVERY
    for (int i = 0; i < FAULT_COUNT; i++) uninstall(i);
#endif
}

LoadMethod safe_load_method(const void *signal_mask) {
#if HAVE_RECOVERY
    struct sigaction current;
    bool blocked = signal_mask != NULL &&
                   (sigismember(signal_mask, SIGSEGV) == 1 || sigismember(signal_mask, SIGBUS) == 1);
    if (!blocked && sigaction(SIGSEGV, NULL, &current) == 0 && is_ours(&current)) return LOADS_RECOVER;
#else
    (void)signal_mask;
#endif
    return kernel_copies ? LOADS_COPY : LOADS_NEVER;
}

bool safe_load(LoadMethod method, void *to, const void *from, size_t words) {
#if HAVE_RECOVERY
    if (method == LOADS_RECOVER) return conduit_load_words(to, from, words) != 0;
#endif
    return method == LOADS_COPY && copy_by_kernel(to, from, words * sizeof(uintptr_t));
}
