"""Operations whose allocations were counted by hand from CPython's sources, and what each asks for.

The table is of warm operations (free lists filled) on 64-bit builds. 3.12 inlines comprehensions, so two of
them need one function object fewer; in 3.13 an instance and its values are one block. 3.14 has free lists for ranges (48
bytes), their iterators (40) and a hundred ints (32); 3.15 asks for the same.
"""

from __future__ import annotations

import sys


class WithDict:
    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y


class WithSlots:
    __slots__ = ("x", "y")

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y


_TEXT = "x" * 50
_MILLION_AND_A_HALF = 1.5


def nothing() -> None:
    pass


def plain_object() -> object:
    return object()


def list_of_a_hundred() -> list[int]:
    return [0] * 100


def list_of_a_hundred_new_integers() -> list[int]:
    return [i for i in range(1000, 1100)]  # noqa: C416 (the comprehension is the operation)


def dict_of_ten() -> dict[int, int]:
    return {i: i for i in range(10)}


def instance_with_dict() -> WithDict:
    return WithDict(1, 2)


def instance_with_slots() -> WithSlots:
    return WithSlots(1, 2)


def concatenation() -> str:
    return _TEXT + "y"


def formatted_string() -> str:
    return f"{_TEXT}-{12345}"


def bytes_of_a_kilobyte() -> bytes:
    return bytes(1024)


def a_hundred_appends() -> list[None]:
    grown: list[None] = []
    for _ in range(100):
        grown.append(None)
    return grown


def small_dict() -> dict[str, int]:
    return {"a": 1, "b": 2, "c": 3}


def small_tuple(item: int = 1) -> tuple[int, ...]:
    return (item, item, item)


def float_product() -> float:
    return _MILLION_AND_A_HALF * 2.5


# name → (allocations, bytes) on 3.11, then what differs from version to version.
_ON_3_11 = {
    nothing: (0, 0),
    plain_object: (1, 16),
    list_of_a_hundred: (2, 808),
    list_of_a_hundred_new_integers: (114, 7576),
    dict_of_ten: (5, 696),
    instance_with_dict: (2, 88),
    instance_with_slots: (1, 48),
    concatenation: (1, 100),
    formatted_string: (3, 191),
    bytes_of_a_kilobyte: (1, 1057),
    a_hundred_appends: (13, 4224),
    small_dict: (0, 0),
    small_tuple: (0, 0),
    float_product: (0, 0),
}
_ON_3_12 = _ON_3_11 | {
    list_of_a_hundred_new_integers: (113, 7416),
    dict_of_ten: (4, 536),
    instance_with_dict: (2, 80),
    concatenation: (1, 92),
    formatted_string: (3, 175),
    a_hundred_appends: (13, 4216),
}
_ON_3_13 = _ON_3_12 | {instance_with_dict: (1, 88)}
_ON_3_14 = _ON_3_13 | {
    list_of_a_hundred_new_integers: (11, 4128),
    dict_of_ten: (2, 448),
    a_hundred_appends: (11, 4128),
}
EXPECTED = {
    (3, 11): _ON_3_11,
    (3, 12): _ON_3_12,
    (3, 13): _ON_3_13,
    (3, 14): _ON_3_14,
    (3, 15): _ON_3_14,
}.get(sys.version_info[:2], {})
