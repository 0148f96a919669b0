"""Saved configurations: what is answered as done is in the file, and a damaged file costs the menu only."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from conduit.errors import ConduitError
from conduit.report.options import Options
from conduit.web.configs import SavedConfigs

from .test_application import Pages, data_of

if TYPE_CHECKING:
    from pathlib import Path


def test_sixty_parallel_saves_are_all_kept(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    start, statuses = threading.Barrier(60), []

    def save(number: int) -> None:
        start.wait()
        statuses.append(pages.post("/ui/saveconfig", f"config=c{number}&f=f{number}").status)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 60
    assert {name: config["focus"] for name, config in pages.configs.all().items()} == {
        f"c{number}": f"f{number}" for number in range(60)
    }


def test_saves_of_several_processes_are_all_kept(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from conduit.report.options import Options\n"
        "from conduit.web.configs import SavedConfigs\n"
        "for n in range(20): SavedConfigs(Path(sys.argv[1])).save(f'{sys.argv[2]}-{n}', Options())"
    )
    path = tmp_path / "settings.json"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in ("a", "b", "c")
    ]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert len(SavedConfigs(path).all()) == 60


@pytest.mark.parametrize(
    "content",
    [
        "{half",
        "[]",
        '{"configs": 5}',
        '{"configs": [5]}',
        '{"configs": [{"name": 5}]}',
        '{"configs": [{"name": "x", "nodecount": "many"}]}',
        '{"configs": [{"name": "x", "focus": ["a"]}]}',
        '{"configs": [{"name": "x", "nodefraction": 1e400}]}',
        '{"configs": [{"name": "x", "nodecount": 1' + "0" * 400 + "}]}",
        "[" * 100_000,
        "\x00\xff",
    ],
)
def test_a_damaged_settings_file_is_named_on_the_page_whose_numbers_are_shown(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content.encode("latin-1"))
    pages = Pages(tmp_path)
    response = pages.get("/ui/top")
    assert response.status == 200
    assert [str(path) in message for message in data_of(response)["errors"]] == [True]
    assert data_of(response)["views"]["top"]["rows"]
    assert pages.get("/ui/top?config=x").status == 500
    assert path.read_bytes() == content.encode("latin-1")


def test_values_of_the_originals_types_are_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(
        json.dumps({"configs": [{"name": "x", "nodecount": 7, "trim": False, "nodefraction": 1}]})
    )
    assert SavedConfigs(path).get("x") == {"nodecount": 7, "trim": False, "nodefraction": 1.0}


def test_a_user_without_a_home_directory_is_told_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", classmethod(_no_home))
    with pytest.raises(ConduitError, match="set HOME or XDG_CONFIG_HOME"):
        SavedConfigs().save("x", Options())


def _no_home(cls: type) -> Path:
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("name", ["x" * 300, "a\x1b[2J"])
def test_a_name_that_no_menu_can_show_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConduitError, match="invalid configuration name"):
        SavedConfigs(tmp_path / "settings.json").save(name, Options())
