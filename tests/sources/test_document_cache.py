from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conduit.metadata.codec import decode
from conduit.sources.application import Application
from conduit.sources.document_cache import CollectedWithErrorsError, collect_and_cache, find_cached

TABLE = (
    "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n"
    "class Base(DeclarativeBase): pass\n"
    "class {name}(Base):\n    __tablename__ = 'row'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
)


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "tables.py").write_text(TABLE.format(name="Row"))
    return Application(root=str(project), sqlalchemy="tables:Base", python=sys.executable)


def test_what_was_collected_is_found_again_until_a_file_of_the_project_changes(
    application: Application,
) -> None:
    assert find_cached(application) == (None, "")
    taken = collect_and_cache(application)
    found, _ = find_cached(application)
    assert found is not None and found.path == taken.path and not found.is_fresh
    file = Path(application.root) / "tables.py"
    file.write_text(TABLE.format(name="OtherRow"))
    assert find_cached(application) == (None, str(file))
    again = collect_and_cache(application)
    assert [r.name for r in decode(again.data).resources] == ["OtherRow"]


def test_a_new_lock_file_makes_the_snapshot_stale(application: Application) -> None:
    collect_and_cache(application)
    lock = Path(application.root) / "uv.lock"
    lock.write_text("version = 1\n")
    assert find_cached(application) == (None, str(lock))


SCANNING = (
    "import importlib, pkgutil, package\n"
    "from sqlalchemy.orm import DeclarativeBase\n"
    "class Base(DeclarativeBase): pass\n"
    "for found in pkgutil.iter_modules(package.__path__): importlib.import_module('package.' + found.name)\n"
)
PICKED_UP = (
    "import tables\nfrom sqlalchemy.orm import Mapped, mapped_column\n"
    "class {name}(tables.Base):\n    __tablename__ = '{name}'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
)


def test_a_new_file_that_is_picked_up_by_its_name_makes_the_snapshot_stale(application: Application) -> None:
    root = Path(application.root)
    (root / "tables.py").write_text(SCANNING)
    (root / "package").mkdir()
    (root / "package" / "__init__.py").touch()
    (root / "package" / "orders.py").write_text(PICKED_UP.format(name="Order"))
    collect_and_cache(application)
    new = root / "package" / "invoices.py"
    new.write_text(PICKED_UP.format(name="Invoice"))
    assert find_cached(application) == (None, str(new))
    again = collect_and_cache(application)
    assert {r.name for r in decode(again.data).resources} == {"Order", "Invoice"}
    new.unlink()
    assert find_cached(application) == (None, str(new))


def test_a_new_package_beside_the_modules_makes_the_snapshot_stale(application: Application) -> None:
    collect_and_cache(application)
    package = Path(application.root) / "billing"
    package.mkdir()
    assert find_cached(application)[0] is not None
    (package / "__init__.py").touch()
    assert find_cached(application) == (None, str(package))


def test_what_cannot_be_imported_may_come_and_go_beside_the_modules(application: Application) -> None:
    taken = collect_and_cache(application)
    for name in ("db.sqlite3-journal", ".tables.py.swp", "README.md"):
        (Path(application.root) / name).touch()
    for name in ("__pycache__", ".git", "media"):
        (Path(application.root) / name).mkdir()
    (Path(application.root) / "media" / "photo.png").touch()
    (Path(application.root) / "__pycache__" / "tables.py").touch()
    found, changed = find_cached(application)
    assert (found is not None and found.path, changed) == (taken.path, "")


def test_another_question_has_another_snapshot(application: Application) -> None:
    collect_and_cache(application)
    other = Application(
        root=application.root, sqlalchemy="tables:Base", python=application.python, lifespan=True
    )
    assert find_cached(other) == (None, "")


def test_nothing_of_it_lies_in_the_project(application: Application) -> None:
    collect_and_cache(application)
    assert [path.name for path in Path(application.root).iterdir()] == ["tables.py"]


def test_a_document_with_errors_is_handed_over_and_not_kept(application: Application) -> None:
    (Path(application.root) / "tables.py").write_text(
        TABLE.format(name="Row") + "raise RuntimeError('away')\n"
    )
    with pytest.raises(CollectedWithErrorsError) as caught:
        collect_and_cache(application)
    assert decode(caught.value.data).errors[0].message == "RuntimeError: away"
    assert find_cached(application) == (None, "")


@pytest.mark.parametrize(
    "content", [b"", b"[", b"conduit document 1\n", b"conduit document 1\n" + b"\xff" * 8]
)
def test_a_damaged_or_foreign_file_counts_for_nothing(content: bytes, application: Application) -> None:
    taken = collect_and_cache(application)
    taken.path.write_bytes(content)
    assert find_cached(application) == (None, "")
    taken.path.unlink()
    assert find_cached(application) == (None, "")


def test_of_two_collectors_at_once_the_last_whole_document_stays_with_its_own_stamps(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one is held back between collecting and writing, until the application changed and was cached anew."""
    import conduit.files

    written = conduit.files.write_file_whole
    module = Path(application.root) / "tables.py"

    def held_back(path: str, data: bytes) -> None:
        monkeypatch.setattr(conduit.files, "write_file_whole", written)
        module.write_text(module.read_text() + "\n# newer\n")
        collect_and_cache(application)
        written(path, data)

    monkeypatch.setattr(conduit.files, "write_file_whole", held_back)
    collect_and_cache(application)
    found, changed = find_cached(application)
    assert found is None and changed.endswith("tables.py")
