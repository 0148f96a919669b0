/* A call from one shared object to another goes through a slot of the caller's global offset table; writing another
 * address there changes the calls of that object alone. The interpreter is libpython, or the program itself if
 * libpython is linked into it; its modules that wait are select, _socket, _ssl and time. Slots that the linker made
 * read-only are made writable first. */
#define _GNU_SOURCE
#include "got.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REACH(reach) (1u << (reach))

#if defined(__x86_64__)
#define IS_CALL(type) ((type) == R_X86_64_JUMP_SLOT || (type) == R_X86_64_GLOB_DAT)
#elif defined(__aarch64__)
#define IS_CALL(type) ((type) == R_AARCH64_JUMP_SLOT || (type) == R_AARCH64_GLOB_DAT)
#else
#define IS_CALL(type) ((void)(type), 0)
#endif

typedef struct GotSlot {
    void **slot;
    void *original, *replacement;
} GotSlot;

typedef struct {
    GotPatches *patches;
    GotHook *hooks;
    int count;
    size_t position; /* of the object, in the order of loading */
    bool failed;
} Patching;

static bool write_slot(void **slot, void *value) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)slot & ~(page - 1);
    /* The page is left writable, as lazy binding leaves it: its earlier protection is not known here. */
    if (mprotect((void *)first, page, PROT_READ | PROT_WRITE) != 0) return false;
    __atomic_store_n(slot, value, __ATOMIC_RELEASE);
    return true;
}

static bool patch_slot(GotPatches *patches, void **slot, GotHook *hook) {
    if (*slot == hook->replacement) return true;
    if (patches->count == patches->capacity) {
        size_t capacity = patches->capacity ? patches->capacity * 2 : 64;
        GotSlot *moved = realloc(patches->slots, capacity * sizeof *moved);
        if (moved == NULL) return false;
        patches->slots = moved;
        patches->capacity = capacity;
    }
    /* A slot that is not bound yet has the linker's stub, which can be restored just as well. */
    patches->slots[patches->count] = (GotSlot){slot, *slot, hook->replacement};
    if (!write_slot(slot, hook->replacement)) return false;
    patches->count++;
    hook->calls++;
    return true;
}

/* An address from the dynamic section: glibc has added the base already, musl has not. */
static void *address_in(const struct dl_phdr_info *object, ElfW(Addr) value) {
    return (void *)(value < object->dlpi_addr ? object->dlpi_addr + value : value);
}

static void patch_relocations(
    const struct dl_phdr_info *object, const ElfW(Rela) *table, size_t count, const ElfW(Sym) *symbols,
    const char *names, unsigned reaches, Patching *patching) {
    for (size_t i = 0; table != NULL && i < count; i++) {
        if (!IS_CALL(ELF64_R_TYPE(table[i].r_info))) continue;
        const char *name = names + symbols[ELF64_R_SYM(table[i].r_info)].st_name;
        for (int k = 0; k < patching->count; k++) {
            GotHook *hook = &patching->hooks[k];
            if (!(reaches & REACH(hook->reach)) || strcmp(name, hook->name) != 0) continue;
            void **slot = (void **)(object->dlpi_addr + table[i].r_offset);
            if (!patch_slot(patching->patches, slot, hook)) patching->failed = true;
        }
    }
}

static bool ends_in_module(const char *path, const char *module) {
    const char *base = strrchr(path, '/');
    size_t length = strlen(module);
    return base != NULL && strncmp(base + 1, module, length) == 0 && base[1 + length] == '.';
}

/* The reaches that an object belongs to, one bit for each. */
static unsigned reaches_of(const char *path) {
    if (*path == '\0' || strstr(path, "libpython") != NULL) return REACH(GOT_INTERPRETER) | REACH(GOT_WAITING);
    bool waits = ends_in_module(path, "select") || ends_in_module(path, "_socket") || ends_in_module(path, "_ssl") ||
                 ends_in_module(path, "time");
    return REACH(GOT_EXTENSIONS) | (waits ? REACH(GOT_WAITING) : 0);
}

static bool concerns_any(const Patching *patching, unsigned reaches) {
    for (int k = 0; k < patching->count; k++)
        if (reaches & REACH(patching->hooks[k].reach)) return true;
    return false;
}

static int patch_object(struct dl_phdr_info *object, size_t size, void *argument) {
    (void)size;
    Patching *patching = argument;
    GotPatches *patches = patching->patches;
    if (patching->position++ == 0 && patches->objects_gone != object->dlpi_subs) {
        patches->objects_gone = object->dlpi_subs;
        patches->objects_seen = 0; /* later objects now have other positions */
    }
    unsigned reaches = reaches_of(object->dlpi_name ? object->dlpi_name : "");
    if (patching->position <= patches->objects_seen || !concerns_any(patching, reaches)) return 0;
    const ElfW(Dyn) *entry = NULL;
    for (int i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_DYNAMIC)
            entry = (const ElfW(Dyn) *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
    const ElfW(Sym) *symbols = NULL;
    const ElfW(Rela) *calls = NULL, *others = NULL;
    const char *names = NULL;
    size_t call_count = 0, other_count = 0;
    for (; entry != NULL && entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
        case DT_SYMTAB: symbols = address_in(object, entry->d_un.d_ptr); break;
        case DT_STRTAB: names = address_in(object, entry->d_un.d_ptr); break;
        case DT_JMPREL: calls = address_in(object, entry->d_un.d_ptr); break;
        case DT_PLTRELSZ: call_count = entry->d_un.d_val / sizeof(ElfW(Rela)); break;
        case DT_RELA: others = address_in(object, entry->d_un.d_ptr); break;
        case DT_RELASZ: other_count = entry->d_un.d_val / sizeof(ElfW(Rela)); break;
        default: break;
        }
    }
    if (symbols == NULL || names == NULL) return 0;
    patch_relocations(object, calls, call_count, symbols, names, reaches, patching);
    patch_relocations(object, others, other_count, symbols, names, reaches, patching);
    return 0;
}

bool got_patch_newly_loaded(GotPatches *patches, GotHook *hooks, int count) {
    Patching patching = {patches, hooks, count, 0, false};
    dl_iterate_phdr(patch_object, &patching);
    patches->objects_seen = patching.position;
    return !patching.failed;
}

bool got_patch(GotPatches *patches, GotHook *hooks, int count) {
    for (int k = 0; k < count; k++) {
        hooks[k].calls = 0;
        if (*hooks[k].original == NULL) *hooks[k].original = dlsym(RTLD_DEFAULT, hooks[k].name);
        if (*hooks[k].original == NULL) return false;
    }
    if (got_patch_newly_loaded(patches, hooks, count)) return true;
    got_restore(patches);
    return false;
}

void got_restore(GotPatches *patches) {
    for (size_t i = 0; i < patches->count; i++) {
        const GotSlot *patched = &patches->slots[i];
        if (*patched->slot == patched->replacement) write_slot(patched->slot, patched->original);
    }
    free(patches->slots);
    *patches = (GotPatches){0};
}
