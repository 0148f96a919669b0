/* The labels that have been entered in a context, as a chain of nodes, and how they are read.
 *
 * Contract: the variable exists once the layout is known. */
#ifndef CONDUIT_LABEL_NODES_H
#define CONDUIT_LABEL_NODES_H

#include "native.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct LabelNode {
    PyObject_HEAD
    struct LabelNode *outer;
    _Atomic(uint32_t) number;
    PyObject *generator; /* a weak reference to the generator in which it was entered, or NULL */
    const void *context; /* the context in which the generator entered it: an address, not a reference */
    PyObject *own;       /* pairs of this label alone */
    const void *owner;   /* the label: compared only */
    PyObject *older;     /* its earlier numbers, which a reader may still be using; or NULL */
} LabelNode;

extern PyTypeObject label_node_type;

/* The context variable, whose value is the innermost node of a context, or None. */
extern PyObject *label_variable;

/* Whether labels can be read on this interpreter, found out once. */
bool label_layout_is_known(void);

/* Whether it has been found out that labels cannot be read. */
bool label_layout_is_refused(void);

/* Called before a label is entered, in case it is the first one. */
void label_note_use(void);
bool label_was_used(void);

/* The variables of a context; borrowed. */
PyObject *label_variables_of(const PyObject *context);

/* The innermost node of a context that does not change now, whether it applies or not; borrowed, or NULL. */
const LabelNode *label_node_in(const PyObject *context);

/* The number of the innermost node that applies in a context that does not change now. */
uint32_t label_number_in(const PyObject *context);

bool label_put(PyObject *which, PyObject *value);

#endif
