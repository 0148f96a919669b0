from __future__ import annotations

import threading

from conduit.record.thread_names import ThreadNames


def started(name: str) -> None:
    thread = threading.Thread(target=str, name=name)
    thread.start()
    thread.join()


def test_watches_that_end_in_the_order_they_began_put_everything_back() -> None:
    before = threading.Thread._set_native_id  # type: ignore[attr-defined]
    first, second = ThreadNames(threading.get_native_id), ThreadNames(threading.get_native_id)
    first.watch()
    second.watch()
    started("both")
    first.unwatch()
    started("second only")
    second.unwatch()
    assert threading.Thread._set_native_id is before  # type: ignore[attr-defined]
    assert sorted(first._by_number.values()) == ["both"]
    assert set(second._by_number.values()) <= {"both", "second only"}
    assert "second only" in second._by_number.values()


def test_nothing_is_learnt_before_and_after_a_watch() -> None:
    names = ThreadNames(threading.get_native_id)
    started("before")
    names.watch()
    names.unwatch()
    started("after")
    assert names._by_number == {}
