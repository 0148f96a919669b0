/* Signals whose handler in Python is called also when the interpreter has just begun to wait.
 *
 * The interpreter's own handler only notes a signal. If the signal arrives between the last check of that note and a
 * system call that waits for a lock, the call is not interrupted, and a handler in Python does not run until something
 * else wakes the thread: for a worker whose lock is held by a process that has ended, never. So the signal is sent to
 * the main thread again, by a timer, until the handler in Python says that it runs.
 *
 * Timers are made by direct system calls, because a handler may make those, and glibc does not promise that for its own
 * functions. */
#define _GNU_SOURCE
#include "native.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_SIGNALS 4
#define AGAIN_AFTER_NS 20000000

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid /* glibc gives the field no public name */
#endif

typedef struct {
    int number;
    struct sigaction previous; /* the interpreter's */
    pid_t owner;               /* of the timer; a forked child has none of its parent's */
    int timer;
} RepeatedSignal;

static RepeatedSignal repeated[MAX_SIGNALS];
static int repeated_count;

static RepeatedSignal *find(int number) {
    for (int index = 0; index < repeated_count; index++)
        if (repeated[index].number == number) return &repeated[index];
    return NULL;
}

static void send_again_later(RepeatedSignal *one) {
    if (one->owner != getpid()) {
        struct sigevent event = {0};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = one->number;
        event.sigev_notify_thread_id = getpid(); /* the main thread has the process's number */
        if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &one->timer) != 0) return;
        one->owner = getpid();
    }
    struct itimerspec once = {.it_value = {.tv_nsec = AGAIN_AFTER_NS}};
    syscall(SYS_timer_settime, one->timer, 0, &once, NULL);
}

static void handle(int number, siginfo_t *information, void *context) {
    int kept = errno;
    RepeatedSignal *one = find(number);
    if (one != NULL) {
        if (one->previous.sa_flags & SA_SIGINFO)
            one->previous.sa_sigaction(number, information, context);
        else
            one->previous.sa_handler(number);
        send_again_later(one);
    }
    errno = kept;
}

static PyObject *signal_repeat(PyObject *Py_UNUSED(module), PyObject *argument) {
    long number = PyLong_AsLong(argument);
    if (number == -1 && PyErr_Occurred()) return NULL;
    struct sigaction present;
    if (sigaction((int)number, NULL, &present) != 0) return PyErr_SetFromErrno(PyExc_OSError);
    bool has_information = (present.sa_flags & SA_SIGINFO) != 0;
    bool is_handled = has_information || (present.sa_handler != SIG_DFL && present.sa_handler != SIG_IGN);
    bool is_ours = has_information && present.sa_sigaction == handle;
    if (!is_handled || is_ours) Py_RETURN_FALSE;
    RepeatedSignal *one = find((int)number);
    if (one == NULL) {
        if (repeated_count == MAX_SIGNALS) Py_RETURN_FALSE;
        one = &repeated[repeated_count];
        one->number = (int)number;
    }
    one->previous = present;
    if (one == &repeated[repeated_count]) repeated_count++;
    struct sigaction ours = present;
    ours.sa_sigaction = handle;
    ours.sa_flags |= SA_SIGINFO;
    if (sigaction((int)number, &ours, NULL) != 0) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_TRUE;
}

static PyObject *signal_handled(PyObject *Py_UNUSED(module), PyObject *argument) {
    long number = PyLong_AsLong(argument);
    if (number == -1 && PyErr_Occurred()) return NULL;
    RepeatedSignal *one = find((int)number);
    if (one != NULL && one->owner == getpid()) {
        one->owner = 0;
        syscall(SYS_timer_delete, one->timer);
    }
    Py_RETURN_NONE;
}

PyMethodDef repeated_signal_methods[] = {
    {"signal_repeat", signal_repeat, METH_O,
     "signal_repeat(number): send a signal that Python handles again until signal_handled; False if it does not."},
    {"signal_handled", signal_handled, METH_O, "signal_handled(number): its handler in Python runs."},
    {NULL, NULL, 0, NULL},
};
