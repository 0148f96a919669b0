/* Parking for dying code objects while stacks are sampled: a sample holds their address without a reference.
 *
 * Contract: everything here runs with the GIL. Between begin and end, no code object gets the address of an earlier
 * one. */
#ifndef CONDUIT_CODE_PARKING_H
#define CONDUIT_CODE_PARKING_H

#include "native.h"

#include <stdbool.h>

/* Called when many code objects are parked; should call code_parking_sweep. */
typedef void (*ParkingFull)(void);
typedef bool (*StillReferenced)(const PyCodeObject *code, void *argument);

/* Begin to park. False, with an exception: the interpreter has no room for another watcher. */
bool code_parking_begin(ParkingFull when_full);

/* Release the parked objects for which `is_referenced` returns false. */
void code_parking_sweep(StillReferenced is_referenced, void *argument);

/* Stop parking and release all. `may_release` is false where a sample may still hold an address; then they are
 * leaked. */
void code_parking_end(bool may_release);

#endif
