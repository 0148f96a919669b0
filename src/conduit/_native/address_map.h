/* What is known of each live block, by its address. See address_map.c. */
#ifndef CONDUIT_ADDRESS_MAP_H
#define CONDUIT_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uintptr_t address; /* 0: the slot is empty */
    size_t size;       /* bytes that were asked for */
    uint32_t site;     /* whose it is: an index that the owner of the map gives meaning to */
} Block;

typedef struct {
    Block *slots;
    size_t capacity; /* a power of two, or 0 before the first block */
    size_t used;
} AddressMap;

bool address_map_put(AddressMap *map, Block block);
bool address_map_find(const AddressMap *map, uintptr_t address, Block *found);
bool address_map_take(AddressMap *map, uintptr_t address, Block *taken);
void address_map_clear(AddressMap *map);

#endif
