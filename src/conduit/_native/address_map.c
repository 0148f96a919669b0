/* Open addressing with linear probing, at most half full. Memory comes from mmap and is returned to the system at once.
 *
 * Deletion closes the gap by moving later entries back, so there are no tombstones and a map that lives for days
 * does not slow down. */
#define _GNU_SOURCE
#include "address_map.h"
#include "hash_table.h"

#include <sys/mman.h>

#define MIN_CAPACITY 4096

static inline size_t home_of(const AddressMap *map, uintptr_t address) {
    return (size_t)hash_mix(0, address >> 4) & (map->capacity - 1); /* blocks are aligned to 16 bytes */
}

static size_t slot_of(const AddressMap *map, uintptr_t address) {
    size_t slot = home_of(map, address);
    while (map->slots[slot].address != 0 && map->slots[slot].address != address)
        slot = (slot + 1) & (map->capacity - 1);
    return slot;
}

static bool grow(AddressMap *map) {
    size_t capacity = map->capacity ? map->capacity * 2 : MIN_CAPACITY;
    void *memory = mmap(NULL, capacity * sizeof(Block), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    AddressMap larger = {memory, capacity, map->used};
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].address) larger.slots[slot_of(&larger, map->slots[i].address)] = map->slots[i];
    if (map->slots) munmap(map->slots, map->capacity * sizeof(Block));
    *map = larger;
    return true;
}

bool address_map_put(AddressMap *map, Block block) {
    if (2 * (map->used + 1) > map->capacity && !grow(map)) return false;
    size_t slot = slot_of(map, block.address);
    if (map->slots[slot].address == 0) map->used++;
    map->slots[slot] = block;
    return true;
}

bool address_map_find(const AddressMap *map, uintptr_t address, Block *found) {
    if (map->used == 0) return false;
    size_t slot = slot_of(map, address);
    if (map->slots[slot].address == 0) return false;
    *found = map->slots[slot];
    return true;
}

bool address_map_take(AddressMap *map, uintptr_t address, Block *taken) {
    if (map->used == 0) return false;
    size_t mask = map->capacity - 1;
    size_t gap = slot_of(map, address);
    if (map->slots[gap].address == 0) return false;
    *taken = map->slots[gap];
    for (size_t next = (gap + 1) & mask; map->slots[next].address != 0; next = (next + 1) & mask) {
        /* An entry may move into the gap unless its home lies between the gap and itself. */
        size_t home = home_of(map, map->slots[next].address);
        if (((next - home) & mask) >= ((next - gap) & mask)) {
            map->slots[gap] = map->slots[next];
            gap = next;
        }
    }
    map->slots[gap].address = 0;
    map->used--;
    return true;
}

void address_map_clear(AddressMap *map) {
    if (map->slots) munmap(map->slots, map->capacity * sizeof(Block));
    *map = (AddressMap){NULL, 0, 0};
}
