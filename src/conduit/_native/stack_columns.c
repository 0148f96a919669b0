/* Two indexes over arrays: code objects by address, places by code and instruction. */
#include "stack_columns.h"

#include <string.h>

static int32_t code_number(StackColumns *columns, const PyCodeObject *code) {
    uint32_t hash = (uint32_t)hash_mix(0, (uintptr_t)code), probe = 0;
    for (uint32_t found; (found = hash_index_next(&columns->code_index, hash, &probe)) != HASH_NO_ENTRY;)
        if (PyList_GET_ITEM(columns->codes, found) == (const PyObject *)code) return (int32_t)found;
    int32_t number = (int32_t)PyList_GET_SIZE(columns->codes);
    if (!hash_index_reserve(&columns->code_index)) {
        PyErr_NoMemory();
        return -1;
    }
    if (PyList_Append(columns->codes, (PyObject *)code) < 0) return -1;
    hash_index_add(&columns->code_index, hash, (uint32_t)number);
    return number;
}

static uint32_t place_number(StackColumns *columns, const Frame *frame) {
    uint64_t hash = hash_mix(hash_mix(0, (uintptr_t)frame->code), (uint32_t)frame->instruction);
    uint32_t probe = 0;
    for (uint32_t found; (found = hash_index_next(&columns->place_index, (uint32_t)hash, &probe)) != HASH_NO_ENTRY;)
        if (columns->places[found].code == frame->code && columns->places[found].instruction == frame->instruction)
            return found;
    int32_t code = code_number(columns, frame->code);
    if (code < 0) return HASH_NO_ENTRY;
    if (!hash_index_reserve(&columns->place_index) ||
        !array_reserve((void **)&columns->places, &columns->place_capacity, (size_t)columns->place_count + 1,
                       sizeof *columns->places)) {
        PyErr_NoMemory();
        return HASH_NO_ENTRY;
    }
    hash_index_add(&columns->place_index, (uint32_t)hash, columns->place_count);
    columns->places[columns->place_count] =
        (Place){.code = frame->code, .instruction = frame->instruction, .number = code,
                .line = PyCode_Addr2Line((PyCodeObject *)frame->code, frame->instruction)};
    return columns->place_count++;
}

bool stack_columns_add(StackColumns *columns, const Frame *frames, uint32_t depth) {
    if (columns->codes == NULL && (columns->codes = PyList_New(0)) == NULL) return false;
    if (!array_reserve((void **)&columns->frames, &columns->frame_capacity, columns->frame_count + depth,
                       sizeof *columns->frames) ||
        !array_reserve((void **)&columns->stops, &columns->stack_capacity, columns->stack_count + 1,
                       sizeof *columns->stops)) {
        PyErr_NoMemory();
        return false;
    }
    for (uint32_t i = 0; i < depth; i++) {
        if (!frame_is_complete(&frames[i])) continue;
        uint32_t number = place_number(columns, &frames[i]);
        if (number == HASH_NO_ENTRY) return false;
        columns->frames[columns->frame_count++] = number;
    }
    columns->stops[columns->stack_count++] = (int64_t)columns->frame_count;
    return true;
}

static PyObject *bytes_of(const void *memory, size_t size) {
    return PyBytes_FromStringAndSize(memory, (Py_ssize_t)size);
}

PyObject *stack_columns_built(const StackColumns *columns) {
    size_t size = columns->stack_count * sizeof(int64_t);
    PyObject *codes = columns->codes != NULL ? Py_NewRef(columns->codes) : PyList_New(0);
    PyObject *places = bytes_of(NULL, 2 * columns->place_count * sizeof(int32_t)), *bounds = bytes_of(NULL, 2 * size);
    PyObject *frames = bytes_of(columns->frames, columns->frame_count * sizeof *columns->frames);
    if (codes == NULL || places == NULL || bounds == NULL || frames == NULL) {
        Py_XDECREF(codes);
        Py_XDECREF(places);
        Py_XDECREF(bounds);
        Py_XDECREF(frames);
        return NULL;
    }
    int32_t *rows = (int32_t *)PyBytes_AS_STRING(places);
    for (uint32_t i = 0; i < columns->place_count; i++) {
        rows[2 * i] = columns->places[i].number;
        rows[2 * i + 1] = columns->places[i].line;
    }
    int64_t *starts = (int64_t *)PyBytes_AS_STRING(bounds);
    if (size > 0) {
        starts[0] = 0;
        memcpy(starts + 1, columns->stops, size - sizeof(int64_t));
        memcpy(starts + columns->stack_count, columns->stops, size);
    }
    return Py_BuildValue("(NNNN)", codes, places, bounds, frames);
}

void stack_columns_clear(StackColumns *columns) {
    Py_XDECREF(columns->codes);
    free(columns->places);
    free(columns->frames);
    free(columns->stops);
    hash_index_clear(&columns->code_index);
    hash_index_clear(&columns->place_index);
    *columns = (StackColumns){0};
}
