/* Sets of labels, each with a number for as long as something refers to it.
 *
 * Contract: a set is ((key, text), …), sorted by key; number 0 is the empty one, which needs no owner. Everything needs
 * the GIL, except where it says so. */
#ifndef CONDUIT_LABEL_SETS_H
#define CONDUIT_LABEL_SETS_H

#include "native.h"

#include <stdbool.h>
#include <stdint.h>

/* The recorders; each keeps the sets whose numbers are in its samples. */
typedef enum { LABELS_OF_CPU = 1, LABELS_OF_HEAP = 2, LABELS_OF_WAITS = 4 } LabelUser;

/* The number of the set with these pairs, to which the caller gets a reference. If no number is left, it is that of a
 * set that says so. False: an exception is set. */
bool label_set_intern(PyObject *pairs, uint32_t *number);

/* The same for the pairs of a set with `inner` added, or in place of those with the same key. */
bool label_set_merged(uint32_t outer, PyObject *inner, uint32_t *number);
PyObject *label_pairs_merged(PyObject *outer, PyObject *inner);

void label_set_own(uint32_t number);
void label_set_disown(uint32_t number);

/* The set with this number; a new reference. */
PyObject *label_set_pairs(uint32_t number);

/* Have the recorder keep a set that is alive now. Without the GIL; safe in a signal handler, like the next one. */
void label_set_mark(uint32_t number, LabelUser user);

/* Whether there may be a set with this number. */
bool label_set_exists(uint32_t number);

/* Called when the recorder has dropped all numbers. Needs the GIL. */
void labels_unuse(LabelUser user);

Py_ssize_t label_set_count(void);
int label_sets_begin(void);

#endif
