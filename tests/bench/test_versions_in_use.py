"""Which distributions a comparison names where its two sides have different versions of them."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from conduit.bench.against.worker import versions_in_use

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("from_checkout", [False, True], ids=["installed", "checkout"])
def test_a_version_is_named_only_where_the_module_is_that_of_the_installed_distribution(
    from_checkout: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, checkout = tmp_path / "site", tmp_path / "checkout"
    information = site / "kettle-1.5.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: kettle\nVersion: 1.5\n")
    (information / "RECORD").write_text("kettle_module.py,,\n")
    checkout.mkdir()
    for folder in (site, checkout):
        (folder / "kettle_module.py").write_text("")
    monkeypatch.syspath_prepend(site)
    if from_checkout:
        monkeypatch.syspath_prepend(checkout)
    monkeypatch.delitem(sys.modules, "kettle_module", raising=False)
    importlib.import_module("kettle_module")
    try:
        assert versions_in_use().get("kettle") == (None if from_checkout else "1.5")
    finally:
        del sys.modules["kettle_module"]
