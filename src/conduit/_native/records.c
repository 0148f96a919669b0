/* Loops over the records of a document, for the indexes that are built when it is loaded.
 *
 * Contract: each function does the same as its counterpart in `conduit.metadata.indexing`, which replaces it where this
 * extension is not loaded. Attributes of a type with slots are read and written where they lie in memory, as the
 * interpreter's own inline caches do; those of any other type by name. A record's attribute may be replaced by the
 * program while keys are compared, so keys are owned. */
#include "native.h"

#include <stdbool.h>
#include <structmember.h>
#include <string.h>

/* The offset of an attribute in records of one type; 0: it can only be read by name. */
typedef struct {
    PyTypeObject *type;
    Py_ssize_t offset;
} FieldOffset;

static void find_offset(FieldOffset *field, PyTypeObject *type, PyObject *attribute) {
    PyObject *descriptor = _PyType_Lookup(type, attribute);
    field->type = type;
    field->offset = 0;
    if (descriptor == NULL || !Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) return;
    PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
    if (member->type == T_OBJECT_EX) field->offset = member->offset;
}

static inline PyObject **slot_of(PyObject *record, PyObject *attribute, FieldOffset *field) {
    if (UNLIKELY(Py_TYPE(record) != field->type)) find_offset(field, Py_TYPE(record), attribute);
    return field->offset == 0 ? NULL : (PyObject **)((char *)record + field->offset);
}

/* A new reference to the attribute. */
static inline PyObject *attribute_of(PyObject *record, PyObject *attribute, FieldOffset *field) {
    PyObject **slot = slot_of(record, attribute, field);
    if (UNLIKELY(slot == NULL || *slot == NULL)) return PyObject_GetAttr(record, attribute);
    return Py_NewRef(*slot);
}

/* Neighbours often have the same key; comparing two texts costs less than hashing one. */
static inline bool same_text(PyObject *one, PyObject *other) {
    if (!PyUnicode_CheckExact(one) || !PyUnicode_CheckExact(other)) return false;
    Py_ssize_t length = PyUnicode_GET_LENGTH(one);
    return length == PyUnicode_GET_LENGTH(other) && PyUnicode_KIND(one) == PyUnicode_KIND(other) &&
           memcmp(PyUnicode_DATA(one), PyUnicode_DATA(other), (size_t)length * PyUnicode_KIND(one)) == 0;
}

/* The group of a key, added to `groups` if it is new; borrowed from there. */
static PyObject *group_of(PyObject *groups, PyObject *key) {
    PyObject *group = PyDict_GetItemWithError(groups, key);
    if (group != NULL || PyErr_Occurred()) return group;
    PyObject *made = PyList_New(0);
    if (made == NULL) return NULL;
    int status = PyDict_SetItem(groups, key, made);
    Py_DECREF(made);
    return status < 0 ? NULL : made;
}

static bool add_to_groups(PyObject *groups, PyObject *records, PyObject *attribute, bool by_position) {
    FieldOffset field = {NULL, 0};
    PyObject *key = NULL, *group = NULL;
    bool added = true;
    for (Py_ssize_t i = 0; added && i < PyTuple_GET_SIZE(records); i++) {
        PyObject *record = PyTuple_GET_ITEM(records, i), *next = attribute_of(record, attribute, &field);
        bool same = next != NULL && key != NULL && same_text(key, next);
        Py_XDECREF(key);
        key = next;
        if (!same) group = key == NULL ? NULL : group_of(groups, key);
        PyObject *member = group == NULL ? NULL : by_position ? PyLong_FromSsize_t(i) : Py_NewRef(record);
        added = member != NULL && PyList_Append(group, member) == 0;
        Py_XDECREF(member);
    }
    Py_XDECREF(key);
    return added;
}

static PyObject *group_by(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *records, *attribute;
    int by_position = false;
    if (!PyArg_ParseTuple(arguments, "OU|p", &records, &attribute, &by_position)) return NULL;
    records = PySequence_Tuple(records); /* itself, where it is one */
    if (records == NULL) return NULL;
    PyObject *groups = PyDict_New();
    if (groups != NULL && !add_to_groups(groups, records, attribute, by_position)) Py_CLEAR(groups);
    Py_DECREF(records);
    return groups;
}

/* Names are interned, so that a lookup by a literal compares two addresses and no text. */
static bool index_records(PyObject *index, PyObject *records, PyObject *attribute) {
    FieldOffset field = {NULL, 0};
    bool added = true;
    for (Py_ssize_t i = 0; added && i < PyTuple_GET_SIZE(records); i++) {
        PyObject *record = PyTuple_GET_ITEM(records, i), *key = attribute_of(record, attribute, &field);
        if (key != NULL && PyUnicode_CheckExact(key)) PyUnicode_InternInPlace(&key);
        added = key != NULL && PyDict_SetItem(index, key, record) == 0;
        Py_XDECREF(key);
    }
    return added;
}

static PyObject *index_by(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *records, *attribute;
    if (!PyArg_ParseTuple(arguments, "OU", &records, &attribute)) return NULL;
    records = PySequence_Tuple(records);
    if (records == NULL) return NULL;
    PyObject *index = PyDict_New();
    if (index != NULL && !index_records(index, records, attribute)) Py_CLEAR(index);
    Py_DECREF(records);
    return index;
}

/* ---- what Go writes as null ---- */

/* Change only records whose slots are plain memory: any other type may need its own code to set an attribute. */
static bool replace_in(PyObject *records, PyObject *attribute, PyObject *value) {
    FieldOffset field = {NULL, 0};
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(records); i++) {
        PyObject *record = PyTuple_GET_ITEM(records, i);
        PyObject **slot = slot_of(record, attribute, &field);
        if (slot == NULL) {
            PyErr_Format(PyExc_TypeError, "%.100s has no slot %R", Py_TYPE(record)->tp_name, attribute);
            return false;
        }
        if (*slot != Py_None) continue;
        *slot = Py_NewRef(value);
        Py_DECREF(Py_None);
    }
    return true;
}

static PyObject *replace_none(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *records, *attributes, *value;
    if (!PyArg_ParseTuple(arguments, "OO!O", &records, &PyTuple_Type, &attributes, &value)) return NULL;
    records = PySequence_Tuple(records);
    bool replaced = records != NULL;
    for (Py_ssize_t i = 0; replaced && i < PyTuple_GET_SIZE(attributes); i++)
        replaced = replace_in(records, PyTuple_GET_ITEM(attributes, i), value);
    Py_XDECREF(records);
    if (!replaced) return NULL;
    Py_RETURN_NONE;
}

PyMethodDef record_methods[] = {
    {"group_by", group_by, METH_VARARGS,
     "group_by(records, attribute, by_position=False): {value: [record, …]}, or [position, …], in document order."},
    {"index_by", index_by, METH_VARARGS, "index_by(records, attribute): {value: record}, the last one of each value."},
    {"replace_none", replace_none, METH_VARARGS,
     "replace_none(records, attributes, value): puts the value wherever one of the attributes is None."},
    {NULL, NULL, 0, NULL},
};
