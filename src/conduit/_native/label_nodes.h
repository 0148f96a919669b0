/* What has been entered in a context, and how it is read there.
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
    const void *context; /* in which it was entered there: an address, not a reference */
    PyObject *own;       /* pairs of this label alone */
    const void *owner;   /* the label: compared only */
    PyObject *older;     /* numbers that it had before: its readers may still have one in hand; or NULL */
} LabelNode;

extern PyTypeObject label_node_type;

/* The context variable, whose value is the innermost node of a context, or None. */
extern PyObject *label_variable;

/* Whether labels can be read on this interpreter, found out once. */
bool label_layout_is_known(void);

/* Whether that has been found out, and they cannot. */
bool label_layout_is_refused(void);

/* A label is about to be entered for the first time, perhaps. */
void label_note_use(void);
bool label_was_used(void);

/* The variables of a context; borrowed. */
PyObject *label_variables_of(const PyObject *context);

/* The innermost node of a context that stands still, whether it holds or not; borrowed, or NULL. */
const LabelNode *label_node_in(const PyObject *context);

/* The number of the innermost node that holds in a context that stands still. */
uint32_t label_number_in(const PyObject *context);

bool label_put(PyObject *which, PyObject *value);

#endif
