/* A table from the address of a live block to its size and site.
 *
 * Contract: not locked; the owner holds a lock or the GIL around every call. A zeroed map is an empty one. */
#ifndef CONDUIT_ADDRESS_MAP_H
#define CONDUIT_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uintptr_t address; /* 0: the slot is empty */
    size_t size;       /* bytes requested */
    uint32_t site;     /* a number whose meaning the owner of the map decides */
} Block;

typedef struct {
    Block *slots;
    size_t capacity; /* a power of two, or 0 before the first block */
    size_t used;
} AddressMap;

/* Add a block, or replace the one at its address. False: no memory, and nothing has changed. */
bool address_map_put(AddressMap *map, Block block);

/* Find the block at an address. False: it is not in the map. */
bool address_map_find(const AddressMap *map, uintptr_t address, Block *found);

/* Remove the block at an address and return it in `taken`. False: it was not in the map. */
bool address_map_take(AddressMap *map, uintptr_t address, Block *taken);

/* Remove all blocks and give the memory back. */
void address_map_clear(AddressMap *map);

#endif
