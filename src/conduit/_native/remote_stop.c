#define _GNU_SOURCE
#include "remote_stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t wait_for(pid_t tid, int *status) {
    pid_t found;
    do found = waitpid(tid, status, __WALL);
    while (found < 0 && errno == EINTR);
    return found;
}

bool remote_stop(RemoteStop *stop, int pid, int tid) {
    *stop = (RemoteStop){.pid = pid, .tid = tid};
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0) return false;
    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
    int status;
    if (wait_for(tid, &status) < 0 || !WIFSTOPPED(status)) {
        errno = ESRCH;
        return false;
    }
    /* The thread stopped at our request (an event), or for a signal, which must not be lost. */
    if (status >> 16 == 0) stop->signal = WSTOPSIG(status);
    return true;
}

bool remote_stop_is_in_system_call(const RemoteStop *stop) {
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", stop->pid, stop->tid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, text, sizeof text) : -1;
    if (file >= 0) close(file);
    return length > 0 && text[0] != '-'; /* -1: in none */
}

void remote_continue(const RemoteStop *stop) {
    ptrace(PTRACE_DETACH, stop->tid, NULL, (void *)(intptr_t)stop->signal);
}
