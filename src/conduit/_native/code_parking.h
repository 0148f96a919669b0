/* Keeping dying code objects until nobody can hold their address. See code_parking.c. */
#ifndef CONDUIT_CODE_PARKING_H
#define CONDUIT_CODE_PARKING_H

#include "native.h"

#include <stdbool.h>

/* Called with the GIL when many are parked; ought to call code_parking_sweep. */
typedef void (*ParkingFull)(void);
typedef bool (*StillReferenced)(const PyCodeObject *code, void *argument);

bool code_parking_begin(ParkingFull when_full);
void code_parking_sweep(StillReferenced is_referenced, void *argument);
void code_parking_end(bool may_bury);

#endif
