/* Has the calling thread run as soon as it wakes up, even if another thread is running at that moment.
 *
 * A sampler with an ordinary priority may have to wait until the thread that it should sample has finished its work and
 * sleeps, so threads that run in short bursts would seem to be asleep. A real-time priority prevents that, where it is
 * permitted (root, CAP_SYS_NICE); otherwise a short time slice does, which needs no permission and has an effect from
 * kernel 6.12 on. */
#define _GNU_SOURCE
#include "native.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS 100000
#define RESET_ON_FORK 1

/* struct sched_attr of linux/sched/types.h in its first version; glibc declares it only from 2.41 on. */
typedef struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} SchedulingAttributes;

static bool get_attributes(SchedulingAttributes *attributes) {
    return syscall(SYS_sched_getattr, 0, attributes, sizeof *attributes, 0) == 0;
}

static bool set_attributes(SchedulingAttributes attributes) {
    attributes.size = sizeof attributes;
    return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0;
}

static PyObject *raise_priority(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    SchedulingAttributes now;
    if (!get_attributes(&now) || now.policy != SCHED_OTHER) Py_RETURN_FALSE;
    SchedulingAttributes raised = {.policy = SCHED_FIFO, .priority = 1, .flags = RESET_ON_FORK, .nice = now.nice};
    if (set_attributes(raised)) Py_RETURN_TRUE;
    now.runtime = SLICE_NS;
    return PyBool_FromLong(set_attributes(now));
}

static PyObject *restore_priority(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) {
    SchedulingAttributes now;
    if (get_attributes(&now) && (now.policy == SCHED_FIFO || now.policy == SCHED_OTHER))
        set_attributes((SchedulingAttributes){.policy = SCHED_OTHER, .nice = now.nice});
    Py_RETURN_NONE;
}

PyMethodDef priority_methods[] = {
    {"raise_priority", raise_priority, METH_NOARGS,
     "raise_priority(): let the calling thread run as soon as it wakes up; False where that is not possible."},
    {"restore_priority", restore_priority, METH_NOARGS, "restore_priority(): undo raise_priority."},
    {NULL, NULL, 0, NULL},
};
