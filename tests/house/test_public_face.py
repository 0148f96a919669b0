"""What others import is documented and typed."""

from __future__ import annotations

import importlib
import inspect

import pytest

PUBLIC = (
    "conduit",
    "conduit.bench",
    "conduit.debug",
    "conduit.metadata",
    "conduit.profile",
    "conduit.record",
)


def exported(name: str) -> dict[str, object]:
    module = importlib.import_module(name)
    return {each: getattr(module, each) for each in getattr(module, "__all__", ())}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_package_says_what_it_is_and_what_it_exports(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__ and len(module.__doc__.split()) >= 8


@pytest.mark.parametrize("name", PUBLIC)
def test_every_exported_function_and_class_is_documented(name: str) -> None:
    things = {
        key: value
        for key, value in exported(name).items()
        if inspect.isroutine(value) or inspect.isclass(value)
    }
    assert [key for key, value in things.items() if not (value.__doc__ or "").strip()] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_every_exported_function_names_the_types_of_all_it_takes_and_returns(name: str) -> None:
    untyped = []
    for key, value in exported(name).items():
        if inspect.isfunction(value):
            signature = inspect.signature(value)
            parameters = signature.parameters.values()
            if (
                any(each.annotation is each.empty for each in parameters)
                or signature.return_annotation is signature.empty
            ):
                untyped.append(key)
    assert untyped == []
