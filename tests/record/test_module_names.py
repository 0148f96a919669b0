"""Names of functions with their modules, for every origin that code can have."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import py_compile
import subprocess
import sys
import textwrap
import threading
import types
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conduit.errors import ProfilerUnavailableError
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import decode
from conduit.profile.model import ValueType
from conduit.record import remote, threads
from conduit.record.module_names import ModuleNames
from conduit.record.remote_names import names_of_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from conduit.profile.model import Profile

# A module with one function of each form; their names as Python itself has them are the right answer.
MODULE = """
    import sys

    def work():
        return sys._getframe()

    class Cart:
        def total(self):
            return (lambda: sys._getframe())()
"""


def name_of(code: CodeType) -> str:
    return ModuleNames.of_this_process()((code.co_qualname, code.co_filename, 1, code.co_firstlineno))[0]


def names_of_frames(module: Any) -> tuple[str, str]:
    return name_of(module.work().f_code), name_of(module.Cart().total().f_code)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    loaded = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - loaded:
        del sys.modules[name]
    sys.path_importer_cache.clear()


def write(path: Path, text: str = MODULE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def imported(name: str, *path: Path) -> Any:
    sys.path[:0] = map(str, path)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    finally:
        del sys.path[: len(path)]  # a loaded module's name must not need the path any more


def python(*arguments: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


TELL = """
    import sys
    from conduit.record.module_names import ModuleNames

    def work():
        code = sys._getframe().f_code
        return ModuleNames.of_this_process()((code.co_qualname, code.co_filename, 1, code.co_firstlineno))[0]
"""


def test_every_function_of_the_loaded_library_has_the_module_that_python_says_it_has() -> None:
    names = ModuleNames.of_this_process()
    loaded = {
        module.__file__: key for key, module in sys.modules.items() if getattr(module, "__file__", None)
    }
    compared = 0
    for key, module in list(sys.modules.items()):
        if key.partition(".")[0] not in (
            "json",
            "asyncio",
            "email",
            "importlib",
            "conduit",
            "http",
            "os",
            "typing",
        ):
            continue
        for function in list(vars(module).values()):
            code = getattr(function, "__code__", None)
            if type(function) is not types.FunctionType or function.__module__ != key or code is None:
                continue
            if loaded.get(code.co_filename, key) != key or code.co_name != function.__name__:
                continue  # made by a decorator that lies in another file
            name, bare = names((code.co_qualname, code.co_filename, 1, code.co_firstlineno))
            if "<locals>" not in code.co_qualname:
                assert name == f"{function.__module__}.{function.__qualname__}"
                assert bare == function.__name__
                compared += 1
    assert compared > 200


def test_functions_methods_and_lambdas_of_a_package(folder: Path) -> None:
    write(folder / "shop" / "__init__.py")
    write(folder / "shop" / "views.py")
    assert names_of_frames(imported("shop.views", folder)) == (
        "shop.views.work",
        "shop.views.Cart.total.<locals>.<lambda>",
    )
    assert names_of_frames(sys.modules["shop"]) == ("shop.work", "shop.Cart.total.<locals>.<lambda>")


def test_a_namespace_package(folder: Path) -> None:
    write(folder / "first" / "space" / "shop" / "models.py")
    write(folder / "second" / "space" / "bank" / "models.py")
    path = (folder / "first", folder / "second")
    assert names_of_frames(imported("space.shop.models", *path))[0] == "space.shop.models.work"
    assert names_of_frames(imported("space.bank.models", *path))[0] == "space.bank.models.work"


@pytest.mark.parametrize("compiled", [False, True])
def test_a_zip_file(folder: Path, compiled: bool) -> None:
    source = write(folder / "build" / "boxed" / "models.py")
    if compiled:
        py_compile.compile(str(source), str(source) + "c")
        source = source.with_suffix(".pyc")
    with zipfile.ZipFile(folder / "app.zip", "w") as archive:
        archive.writestr("boxed/__init__.py", "")
        archive.write(source, f"boxed/{source.name}")
    assert names_of_frames(imported("boxed.models", folder / "app.zip")) == (
        "boxed.models.work",
        "boxed.models.Cart.total.<locals>.<lambda>",
    )


@pytest.mark.parametrize("module", ["bare", "bare.inner", "bare.inner.models"])
def test_a_module_without_its_source_compiled_elsewhere(folder: Path, module: str) -> None:
    for place in ("bare/__init__", "bare/inner/__init__", "bare/inner/models"):
        source = write(folder / "build" / f"{place}.py")
        target = folder / "site" / f"{place}.pyc"
        target.parent.mkdir(parents=True, exist_ok=True)
        py_compile.compile(str(source), str(target), dfile=f"/nowhere/build/{place}.py")
    found = imported(module, folder / "site")
    assert found.work().f_code.co_filename.startswith("/nowhere/build/bare")
    assert names_of_frames(found)[0] == f"{module}.work"


def test_a_package_reached_through_a_link(folder: Path) -> None:
    write(folder / "real" / "linked" / "models.py")
    (folder / "link").symlink_to(folder / "real")
    assert names_of_frames(imported("linked.models", folder / "link"))[0] == "linked.models.work"
    # Code of the real file, compiled by the program itself, while sys.path has the link.
    source = write(folder / "real" / "linked" / "later.py")
    namespace: dict[str, Any] = {}
    exec(compile(source.read_text(), str(source), "exec"), namespace)
    sys.path.insert(0, str(folder / "link"))
    try:
        assert name_of(namespace["work"].__code__) == "linked.later.work"
    finally:
        del sys.path[0]


def test_a_module_that_is_no_longer_loaded_goes_by_the_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "gone" / "models.py")
    monkeypatch.syspath_prepend(str(folder))
    frame = importlib.import_module("gone.models").work()
    del sys.modules["gone.models"]
    assert name_of(frame.f_code) == "gone.models.work"


def test_a_file_that_no_path_leads_to_goes_by_its_packages(folder: Path) -> None:
    write(folder / "plug-ins" / "kit" / "__init__.py")
    source = write(folder / "plug-ins" / "kit" / "job.py")
    namespace: dict[str, Any] = {}
    exec(compile(source.read_text(), str(source), "exec"), namespace)
    assert name_of(namespace["work"].__code__) == "kit.job.work"


def test_an_editable_install_whose_finder_knows_the_folder(folder: Path) -> None:
    source = write(folder / "checkout" / "src" / "edited" / "__init__.py").parent
    write(source / "models.py")

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> Any:
            if name != "edited":
                return None
            return importlib.util.spec_from_file_location(
                name, source / "__init__.py", submodule_search_locations=[str(source)]
            )

    sys.meta_path.append(Finder)
    try:
        found = imported("edited.models")
    finally:
        sys.meta_path.remove(Finder)
    assert names_of_frames(found)[0] == "edited.models.work"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("<string>", "<string>.work"),
        ("<stdin>", "<stdin>.work"),
        ("<attrs generated init shop.Cart>", "<attrs generated init shop.Cart>.work"),
        ("<ipython-input-3-0a1b2c3d4e5f>", "In [3].work"),
        ("<frozen importlib._bootstrap>", "importlib._bootstrap.work"),
        ("/srv/templates/index.html", "<templates/index.html>.work"),
        ("/nowhere/my-job.py", "<nowhere/my-job.py>.work"),
        ("/nowhere/job.py", "job.work"),
        ("a\0b", "<a\0b>.work"),
    ],
)
def test_code_of_no_module(file: str, name: str) -> None:
    assert ModuleNames([], [])(("work", file, 1, 1))[0] == name


def test_frozen_modules_of_this_interpreter() -> None:
    assert name_of(importlib._bootstrap._find_and_load.__code__) == "importlib._bootstrap._find_and_load"  # type: ignore[attr-defined]
    assert name_of(os.path.join.__code__) == "posixpath.join"
    assert name_of(os.fsencode.__code__).startswith("os.")


def test_c_functions_and_remarks_keep_their_names() -> None:
    names = ModuleNames([("/lib/libz.so.1", "zlib")], ["/lib"])
    assert names(("deflate", "/lib/libz.so.1", 0, 0)) == ("deflate", "")
    assert names(("[no Python frames]", "", 0, 0)) == ("[no Python frames]", "")
    assert names(("[app.py]", "/srv/app.py", 7, 0)) == ("[app.py]", "")


def test_modules_and_path_are_read_when_a_file_asks_for_them() -> None:
    read: list[str] = []

    def pairs() -> Iterator[tuple[str, str]]:
        read.append("modules")
        yield from [("/srv/shop/cart.py", "alias"), ("/srv/shop/views.py", "shop.views")]

    def path() -> Iterator[str]:
        read.append("path")
        yield "/srv"

    def chosen_name(module: str) -> str:
        read.append(module)
        return {"alias": "shop.cart"}.get(module, module)

    names = ModuleNames(pairs(), path(), chosen_name=chosen_name)
    assert names(("[no Python frames]", "", 0, 0)) == ("[no Python frames]", "")
    assert read == []
    assert [names.module("/srv/shop/cart.py") for _ in range(2)] == ["shop.cart"] * 2
    assert read == ["modules", "alias"]
    assert names.module("/srv/shop/urls.py") == "shop.urls"
    assert read == ["modules", "alias", "path"]


def test_the_system_name_is_the_bare_name_and_never_the_name_itself() -> None:
    builder = ProfileBuilder(
        [ValueType("samples", "count")], name_function=ModuleNames([("/a.py", "shop")], [])
    )
    builder.add([("Cart.total.<locals>.<lambda>", "/a.py", 3, 1), ("<module>", "/a.py", 9, 1)], [1])
    found = [(function.name, function.system_name) for function in builder.build().functions]
    assert found == [("shop.Cart.total.<locals>.<lambda>", "<lambda>"), ("shop.<module>", "<module>")]


def test_the_address_of_a_location_does_not_depend_on_the_module_that_was_found() -> None:
    frame = ("work", "/srv/job.py", 3, 1)
    found = set()
    for modules in ([], [("/srv/job.py", "__main__")], [("/srv/job.py", "job")]):
        builder = ProfileBuilder([ValueType("samples", "count")], name_function=ModuleNames(modules, []))
        builder.add([frame], [1])
        found.add(builder.build().locations[0].address)
    assert len(found) == 1


def test_a_script_a_package_and_a_module_run_as_the_program_are_main(folder: Path) -> None:
    write(folder / "script.py", TELL + "\n    print(work())\n")
    write(folder / "pack" / "__init__.py", TELL)
    write(folder / "pack" / "__main__.py", TELL + "\n    import pack\n    print(work(), pack.work())\n")
    assert python("script.py", cwd=folder) == "__main__.work\n"
    assert python("-m", "script", cwd=folder) == "__main__.work\n"
    assert python("-m", "pack", cwd=folder) == "__main__.work pack.work\n"
    assert python("pack", cwd=folder, PYTHONPATH=str(folder)) == "__main__.work pack.work\n"
    assert python("-c", "import pack.__main__", cwd=folder) == "pack.__main__.work pack.work\n"


def test_a_program_in_a_zip_file_and_a_compiled_program_are_main(folder: Path) -> None:
    source = write(folder / "app" / "__main__.py", TELL + "\n    print(work())\n")
    with zipfile.ZipFile(folder / "app.pyz", "w") as archive:
        archive.write(source, "__main__.py")
    assert python("app.pyz", cwd=folder) == "__main__.work\n"
    py_compile.compile(str(source), str(folder / "tool.pyc"), dfile="/nowhere/tool.py")
    assert python("tool.pyc", cwd=folder) == "__main__.work\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_call_the_program_main_too(folder: Path, method: str) -> None:
    write(
        folder / "script.py",
        TELL
        + f"""
    if __name__ == "__main__":
        import multiprocessing
        with multiprocessing.get_context({method!r}).Pool(1) as pool:
            print(pool.apply(work))
""",
    )
    assert python("script.py", cwd=folder) == "__main__.work\n"


def test_code_of_the_program_is_never_run_to_find_a_name(folder: Path) -> None:
    calls: list[str] = []

    class Trap(types.ModuleType):
        def __getattribute__(self, name: str) -> Any:
            calls.append(name)
            raise RuntimeError(name)

    class Anything:
        def __getattr__(self, name: str) -> Any:
            calls.append(name)
            raise RuntimeError(name)

        @property  # type: ignore[misc]
        def __class__(self) -> Any:
            calls.append("__class__")
            return types.ModuleType

    class Text(str):
        __slots__ = ()

        def __hash__(self) -> int:
            calls.append("__hash__")
            return 1

    write(folder / "real.py")
    module = imported("real", folder)
    trap = Trap("trap")
    object.__getattribute__(trap, "__dict__").update(__file__="/srv/trap.py", __spec__=Anything())
    odd = types.ModuleType("odd")
    odd.__dict__.update(__file__=Text("/srv/odd.py"), __name__=Anything())
    sys.modules.update({"trap": trap, "anything": Anything(), "odd": odd, "nothing": None})  # type: ignore[dict-item]
    before = list(calls)
    names = ModuleNames.of_this_process()
    assert names.module("/srv/trap.py") == "trap"
    assert calls == before
    assert name_of(module.work().f_code) == "real.work"


@pytest.mark.parametrize("make", [threads.profile, threads.thread_starts])
def test_profiles_of_threads_have_modules(make: Callable[[], Any]) -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        names = {function.name for function in make().functions}
    finally:
        end.set()
        thread.join()
    assert "threading.Thread._bootstrap" in names
    assert f"{threads.__name__}.dump" in names or make is threads.thread_starts


def test_the_text_of_a_dump_has_modules() -> None:
    assert f"\n{__name__}.test_the_text_of_a_dump_has_modules\n\t{__file__}:" in threads.text()


EVERY_KIND = """
    import threading, time
    lock = threading.Lock()
    entered, asked = threading.Event(), threading.Event()

    def hold():
        if entered.is_set():
            asked.set()  # the second one comes while the first has the lock, however late it starts
        with lock:
            entered.set()
            asked.wait()
            time.sleep(0.1)

    def work():
        kept = [bytes(1000) for _ in range(1000)]
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            sum(range(100))
        return kept

    kept = work()
    both = [threading.Thread(target=hold) for _ in range(2)]
    both[0].start()
    entered.wait()
    both[1].start()
    for one in both: one.join()
"""


@pytest.mark.parametrize("how", [("program.py",), ("-m", "program"), ("app.pyz",), ("box",)])
def test_every_kind_of_profile_of_a_run_has_modules(folder: Path, how: tuple[str, ...]) -> None:
    source = write(folder / "program.py", EVERY_KIND)
    with zipfile.ZipFile(folder / "app.pyz", "w") as archive:
        archive.write(source, "__main__.py")
    write(folder / "box" / "__main__.py", EVERY_KIND)
    kinds = ("cpu", "mem", "wall", "block", "mutex")
    python(
        "-m",
        "conduit",
        "run",
        "-memprofilerate=1",
        *(f"-{kind}profile={kind}.prof" for kind in kinds),
        *how,
        cwd=folder,
    )
    expected = {"cpu": "work", "mem": "work", "wall": "work", "block": "hold", "mutex": "hold"}
    for kind in kinds:
        functions = decode((folder / f"{kind}.prof").read_bytes()).functions
        names = {function.name: function.system_name for function in functions}
        assert names.get(f"__main__.{expected[kind]}") == expected[kind], (kind, sorted(names))
        assert all("." in name or name.startswith("[") for name in names), (kind, sorted(names))


BUSY = """
    import sys, threading
    from shop.models import spin

    def work():
        while True:
            spin()

    print("ready", flush=True)
    work()
"""


@pytest.mark.parametrize(
    "how", [("script.py",), ("-m", "script"), ("-X", "utf8", "-W", "error", "./script.py"), ("box",)]
)
def test_a_process_read_from_outside_has_modules(folder: Path, how: tuple[str, ...]) -> None:
    write(folder / "script.py", BUSY)
    write(folder / "box" / "__main__.py", BUSY)
    write(folder / "shop" / "__init__.py", "")
    write(
        folder / "shop" / "models.py", "def spin():\n    return [str(number) for number in range(10_000)]\n"
    )
    environment = os.environ | {"PYTHONPATH": "."}
    with subprocess.Popen(
        [sys.executable, *how], cwd=folder, stdout=subprocess.PIPE, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            profile = record_process(process.pid)
        finally:
            process.kill()
    names = {function.name for function in profile.functions}
    assert {"__main__.<module>", "__main__.work", "shop.models.spin"} <= names


def record_process(pid: int) -> Profile:
    try:
        return remote.record(pid, 0.5)
    except ProfilerUnavailableError as error:
        pytest.skip(str(error))


def test_a_program_known_by_its_command_line_alone_is_main(folder: Path) -> None:
    write(folder / "script.py", "import sys; print('ready', flush=True); sys.stdin.read()")
    command = [sys.executable, "-Xutf8", "-W", "ignore", "script.py", "-m", "x"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        names = names_of_process(process.pid, [])
        assert names.module(str(folder / "script.py")) == "__main__"
        assert names.module(str(folder / "shop" / "models.py")) == "shop.models"
        assert names.module(json.decoder.__file__) == "json.decoder"
        process.kill()
