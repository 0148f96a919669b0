/* Shared by every file of the extension: thread-local storage that a signal handler may touch, and the tables of
 * functions from which module.c is assembled.
 *
 * Code inside an allocator hook or a signal handler allocates nothing from Python, raises nothing and takes no
 * reference; it writes to memory that this extension owns. A signal handler does not even call malloc, and waits for
 * no lock. Python objects are built later, in an ordinary call. */
#ifndef CONDUIT_NATIVE_H
#define CONDUIT_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* glibc gives a dlopen'ed library static TLS from its surplus, and only that model is safe in a signal handler
 * there; musl sets every thread's block up beforehand, and refuses the static model after start-up. */
#if defined(__GLIBC__)
#define THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))
#else
#define THREAD_LOCAL __thread
#endif

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* One table for each file; module.c adds them all. The `attach` functions run once, when the module is made; the `add`
 * functions put types into it. */
extern PyMethodDef allocation_methods[];
extern PyMethodDef cpu_methods[];
extern PyMethodDef forks_methods[];
extern PyMethodDef heap_methods[];
extern PyMethodDef label_functions[];
extern PyMethodDef layout_methods[];
extern PyMethodDef symbol_methods[];
extern PyMethodDef task_methods[];
extern PyMethodDef task_list_methods[];
extern PyMethodDef column_label_methods[];
extern PyMethodDef column_methods[];
extern PyMethodDef column_stack_methods[];
extern PyMethodDef column_sum_methods[];
extern PyMethodDef json_key_methods[];
extern PyMethodDef column_tree_methods[];
extern PyMethodDef free_pages_methods[];
extern PyMethodDef priority_methods[];
extern PyMethodDef profile_writer_methods[];
extern PyMethodDef record_methods[];
extern PyMethodDef repeated_signal_methods[];
extern PyMethodDef result_line_methods[];
extern PyMethodDef self_check_methods[];
extern PyMethodDef wait_methods[];
extern PyMethodDef yaml_text_methods[];
extern PyMethodDef json_text_methods[];
int attach_allocations(void);
int attach_cpu(void);
int attach_heap(void);
int attach_waits(void);
int add_labels(PyObject *module);
int add_questions(PyObject *module);
int add_remote_reader(PyObject *module);

#endif
