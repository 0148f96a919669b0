/* Puts our functions into the global offset tables of the interpreter and of the modules that wait for it.
 *
 * A call from a shared object to another goes through a slot of its own table; writing another address there
 * changes the calls of that object alone. Patched are the interpreter (libpython, or the program where it is linked in)
 * and the modules select, _socket, _ssl and time. Slots that the linker made read-only are written through a page
 * opened for that moment.
 *
 * Law: patched and restored with the GIL, under no lock. A thread that is inside a replacement when the slot is restored
 * comes out of it as it went in, since this extension is never unloaded. */
#define _GNU_SOURCE
#include "got.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#define IS_CALL(type) ((type) == R_X86_64_JUMP_SLOT || (type) == R_X86_64_GLOB_DAT)
#elif defined(__aarch64__)
#define IS_CALL(type) ((type) == R_AARCH64_JUMP_SLOT || (type) == R_AARCH64_GLOB_DAT)
#else
#define IS_CALL(type) ((void)(type), 0)
#endif

typedef struct {
    void **slot;
    void *original, *replacement;
} Patched;

static Patched *patched;
static size_t patched_count, patched_capacity;

typedef struct {
    GotHook *hooks;
    int count;
    bool failed;
} Patching;

static bool write_slot(void **slot, void *value) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)slot & ~(page - 1);
    /* Whether it was writable is not known here; left writable, as lazy binding leaves it. */
    if (mprotect((void *)first, page, PROT_READ | PROT_WRITE) != 0) return false;
    __atomic_store_n(slot, value, __ATOMIC_RELEASE);
    return true;
}

static bool patch_slot(void **slot, GotHook *hook) {
    if (*slot == hook->replacement) return true;
    if (patched_count == patched_capacity) {
        size_t capacity = patched_capacity ? patched_capacity * 2 : 64;
        Patched *moved = realloc(patched, capacity * sizeof *patched);
        if (moved == NULL) return false;
        patched = moved;
        patched_capacity = capacity;
    }
    /* A slot that was not bound yet would bring the linker's stub; restoring it would undo nothing worse than that. */
    patched[patched_count] = (Patched){slot, *slot, hook->replacement};
    if (!write_slot(slot, hook->replacement)) return false;
    patched_count++;
    hook->places++;
    return true;
}

/* Where the dynamic section points; glibc has added the base already, musl has not. */
static void *address_in(const struct dl_phdr_info *object, ElfW(Addr) value) {
    return (void *)(value < object->dlpi_addr ? object->dlpi_addr + value : value);
}

static void patch_relocations(
    const struct dl_phdr_info *object, const ElfW(Rela) *table, size_t count, const ElfW(Sym) *symbols,
    const char *names, bool interpreter, Patching *patching) {
    for (size_t i = 0; table != NULL && i < count; i++) {
        if (!IS_CALL(ELF64_R_TYPE(table[i].r_info))) continue;
        const char *name = names + symbols[ELF64_R_SYM(table[i].r_info)].st_name;
        for (int k = 0; k < patching->count; k++) {
            GotHook *hook = &patching->hooks[k];
            if ((hook->interpreter_only && !interpreter) || strcmp(name, hook->name) != 0) continue;
            if (!patch_slot((void **)(object->dlpi_addr + table[i].r_offset), hook)) patching->failed = true;
        }
    }
}

static bool ends_in_module(const char *path, const char *module) {
    const char *base = strrchr(path, '/');
    size_t length = strlen(module);
    return base != NULL && strncmp(base + 1, module, length) == 0 && base[1 + length] == '.';
}

static int patch_object(struct dl_phdr_info *object, size_t size, void *argument) {
    (void)size;
    const char *path = object->dlpi_name ? object->dlpi_name : "";
    bool interpreter = *path == '\0' || strstr(path, "libpython") != NULL;
    if (!interpreter && !ends_in_module(path, "select") && !ends_in_module(path, "_socket") &&
        !ends_in_module(path, "_ssl") && !ends_in_module(path, "time"))
        return 0;
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
    patch_relocations(object, calls, call_count, symbols, names, interpreter, argument);
    patch_relocations(object, others, other_count, symbols, names, interpreter, argument);
    return 0;
}

/* Leads the calls to the replacements; false where a table could not be written or there is no room to remember it. */
bool got_patch(GotHook *hooks, int count) {
    for (int k = 0; k < count; k++) {
        hooks[k].places = 0;
        if (*hooks[k].original == NULL) *hooks[k].original = dlsym(RTLD_DEFAULT, hooks[k].name);
        if (*hooks[k].original == NULL) return false;
    }
    Patching patching = {hooks, count, false};
    dl_iterate_phdr(patch_object, &patching);
    if (patching.failed) got_restore();
    return !patching.failed;
}

/* Puts the tables back, but for slots that somebody else has changed since. */
void got_restore(void) {
    for (size_t i = 0; i < patched_count; i++)
        if (*patched[i].slot == patched[i].replacement) write_slot(patched[i].slot, patched[i].original);
    free(patched);
    patched = NULL;
    patched_count = patched_capacity = 0;
}
