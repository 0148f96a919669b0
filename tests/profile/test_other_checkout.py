"""Functions of a base from another checkout are compared with those of the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.fetch.inputs import Request, fetch_profile
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import encode
from conduit.profile.model import ValueType
from conduit.profile.other_checkout import move_into_files_of

if TYPE_CHECKING:
    from pathlib import Path

    from conduit.profile.model import Profile


def recorded(*functions: tuple[str, str]) -> Profile:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for name, file in functions:
        builder.add([(name, file, 3, 1)], [10**7])
    return builder.build()


def moved(there: list[tuple[str, str]], here: list[tuple[str, str]]) -> set[tuple[str, str]]:
    base = recorded(*there)
    move_into_files_of(base, recorded(*here))
    return {(function.name, function.filename) for function in base.functions}


def test_files_of_another_checkout_are_those_of_this_one() -> None:
    there = [
        ("shop.cart.total", "/old/shop/cart.py"),
        ("shop.views.show", "/old/shop/views.py"),
        ("shop.cart.gone", "/old/shop/cart.py"),
    ]
    here = [("shop.cart.total", "/new/shop/cart.py"), ("shop.views.show", "/new/shop/views.py")]
    assert moved(there, here) == {
        ("shop.cart.total", "/new/shop/cart.py"),
        ("shop.cart.gone", "/new/shop/cart.py"),  # in the same file as a function that is in both
        ("shop.views.show", "/new/shop/views.py"),
    }


def test_files_that_both_have_or_that_may_be_one_of_several_stay() -> None:
    both = ("json.loads", "/usr/lib/json/__init__.py")
    assert moved([both], [both, ("json.loads", "/opt/json/__init__.py")]) == {both}
    two = [("main", "/a/run.py"), ("main", "/b/run.py")]
    assert moved(two, [("main", "/c/run.py")]) == set(two)
    assert moved([("main", "/c/run.py")], two) == {("main", "/c/run.py")}
    assert moved([("main", "/a/run.py")], [("main", "/b/start.py")]) == {("main", "/a/run.py")}
    assert moved([("one", "/a/run.py")], [("other", "/b/run.py")]) == {("one", "/a/run.py")}
    assert moved([("one", "")], [("one", "/b/run.py")]) == {("one", "")}


def test_a_comparison_by_name_says_which_files_are_compared_and_others_keep_their_files(
    tmp_path: Path,
) -> None:
    for side in ("old", "new"):
        content = encode(recorded(("main", f"/{side}/run.py"), ("shop.total", f"/{side}/shop.py")))
        (tmp_path / f"{side}.prof").write_bytes(content)
    said: list[str] = []
    sources = ([str(tmp_path / "new.prof")], [str(tmp_path / "old.prof")])
    profile = fetch_profile(Request(*sources, diff_base=True, by_name=True), said.append)
    assert {function.filename for function in profile.functions} == {"/new/run.py", "/new/shop.py"}
    assert said == ["functions of /old/run.py are compared with those of /new/run.py, and 1 more file"]
    profile = fetch_profile(Request(*sources, diff_base=True), said.append)
    assert len({function.filename for function in profile.functions}) == 4
