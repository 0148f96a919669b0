/* The labels that apply to a thread (`conduit.label`).
 *
 * Contract: the two readers may be called with or without the GIL. Each marks the set that it returns as used by its
 * recorder, so that the number keeps its meaning until `labels_unuse`. Number 0 is the empty set. */
#ifndef CONDUIT_LABEL_READER_H
#define CONDUIT_LABEL_READER_H

#include "label_sets.h"
#include "safe_load.h"

/* The labels of a thread that is at rest inside one of our hooks; for NULL, none. */
uint32_t labels_at_rest(const PyThreadState *thread, LabelUser user);

/* The labels of the thread that a signal has interrupted. Safe in a signal handler. */
uint32_t labels_interrupted(LoadMethod method, const PyThreadState *thread, LabelUser user);

#endif
