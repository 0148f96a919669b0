"""Short names in pictures: readable, and meant for one function only."""

from __future__ import annotations

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import Function, Profile, ValueType
from conduit.report.options import Options
from conduit.report.pipeline import prepare_report, print_report
from conduit.report.short_names import short_names


def recorded(*names: str) -> list[Function]:
    return [
        Function(number, name, name.rpartition(".")[2], f"/{number}.py")
        for number, name in enumerate(names, 1)
    ]


@pytest.mark.parametrize(
    ("name", "readable", "shortest"),
    [
        ("json.loads", "loads", "loads"),
        ("json.decoder.JSONDecoder.raw_decode", "JSONDecoder.raw_decode", "raw_decode"),
        ("shop._Cart.total.<locals>.<lambda>", "_Cart.total.<locals>.<lambda>", "total.<locals>.<lambda>"),
        ("shop.views.<module>", "views.<module>", "views.<module>"),
        ("__main__.<module>", "__main__.<module>", "__main__.<module>"),
        ("<templates/index.html>.root", "root", "root"),
        ("<string>.<lambda>", "<string>.<lambda>", "<string>.<lambda>"),
        ("In [3].spin", "spin", "spin"),
    ],
)
def test_a_name_that_no_other_has_loses_its_modules(name: str, readable: str, shortest: str) -> None:
    assert short_names(recorded(name, "other.thing"))[name] == (readable, shortest)


def test_names_that_would_be_the_same_keep_what_tells_them_apart() -> None:
    names = [
        "shop.cart.run",
        "shop.stock.run",
        "work.Pool.run",
        "thread.pool.Pool.run",
        "run.<module>",
        "a.run.<module>",
    ]
    short = short_names(recorded(*names))
    assert [short[name].readable for name in names] == [
        "cart.run",
        "stock.run",
        "work.Pool.run",
        "pool.Pool.run",
        "run.<module>",
        "a.run.<module>",
    ]
    assert (
        len({one.readable for one in short.values()})
        == len({one.shortest for one in short.values()})
        == len(names)
    )


def test_a_name_that_another_tool_recorded_stays_and_still_makes_a_short_one_ambiguous() -> None:
    functions = [
        *recorded("shop.cart.run"),
        Function(7, "cart.run", "cart.run"),
        Function(8, "main.work", ""),
    ]
    assert short_names(functions) == {"shop.cart.run": ("shop.cart.run", "shop.cart.run")}


def profile(*names: str) -> Profile:
    builder = ProfileBuilder(
        [ValueType("samples", "count")], name_function=lambda frame: (frame[0], frame[0].rpartition(".")[2])
    )
    for number, name in enumerate(names):
        builder.add([(name, f"/{number}.py", 2, 1), ("__main__.main", "/m.py", 2, 1)], [100])
    return builder.build()


def test_boxes_of_a_graph_are_short_and_their_tooltips_are_whole() -> None:
    options = Options()
    text = print_report(
        prepare_report(profile("json.decoder.JSONDecoder.decode"), "dot", options, print)
    ).decode()
    assert r'label="JSONDecoder\ndecode\n100 (100%)"' in text
    assert 'tooltip="json.decoder.JSONDecoder.decode (100)"' in text


def test_a_narrow_box_of_a_flame_graph_has_the_short_name_and_a_wide_one_the_whole() -> None:
    names = ["json.decoder.JSONDecoder.decode", *(f"shop.views.view_{number}.run" for number in range(12))]
    text = print_report(prepare_report(profile(*names), "flame", Options(), print)).decode()
    assert ">__main__.main<" in text
    assert ">decode<" in text
    assert ">view_7.run<" in text
