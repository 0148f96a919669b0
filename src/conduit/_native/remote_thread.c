#define _GNU_SOURCE
#include "remote_thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_STATUS 8192

static int open_file(const RemoteThread *thread, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", thread->pid, thread->tid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void remote_thread_begin(RemoteThread *thread, int pid, int tid, bool keeps_files) {
    *thread = (RemoteThread){.pid = pid, .tid = tid, .schedstat = -1, .status = -1, .ended_runs = UINT64_MAX};
    if (!keeps_files) return;
    thread->schedstat = open_file(thread, "schedstat");
    thread->status = open_file(thread, "status");
}

void remote_thread_end(RemoteThread *thread) {
    if (thread->schedstat >= 0) close(thread->schedstat);
    if (thread->status >= 0) close(thread->status);
    thread->schedstat = thread->status = -1;
}

/* Read a small file as text. False: the thread has ended. */
static bool read_text(const RemoteThread *thread, int file, const char *name, char *text, size_t size) {
    int opened = file >= 0 ? file : open_file(thread, name);
    ssize_t length = opened >= 0 ? pread(opened, text, size - 1, 0) : -1;
    if (file < 0 && opened >= 0) close(opened);
    if (length <= 0) return false;
    text[length] = '\0';
    return true;
}

bool remote_thread_clock(RemoteThread *thread) {
    char text[128], *end;
    if (!read_text(thread, thread->schedstat, "schedstat", text, sizeof text)) return false;
    thread->cpu_ns = strtoull(text, &end, 10);
    strtoull(end, &end, 10); /* the time that it waited for a processor */
    thread->runs = strtoull(end, &end, 10);
    return true;
}

static uint64_t number_after(const char *text, const char *word) {
    const char *found = strstr(text, word);
    return found ? strtoull(found + strlen(word), NULL, 10) : 0;
}

RemoteState remote_thread_state(RemoteThread *thread) {
    char text[MAX_STATUS];
    if (!read_text(thread, thread->status, "status", text, sizeof text)) return REMOTE_ASLEEP;
    const char *state = strstr(text, "\nState:\t");
    bool is_runnable = state != NULL && state[8] == 'R';
    uint64_t yields = number_after(text, "\nvoluntary_ctxt_switches:\t");
    uint64_t preemptions = number_after(text, "\nnonvoluntary_ctxt_switches:\t");
    /* If it was switched out only voluntarily and is runnable, it has been woken and has not run yet. */
    bool has_slept = yields != thread->yields && preemptions == thread->preemptions;
    thread->yields = yields;
    thread->preemptions = preemptions;
    if (thread->runs == yields + preemptions + 1) return is_runnable ? REMOTE_RUNNING : REMOTE_ASLEEP;
    if (thread->runs == yields + preemptions) thread->ended_runs = thread->runs;
    return is_runnable && !has_slept ? REMOTE_PREEMPTED : REMOTE_ASLEEP;
}
