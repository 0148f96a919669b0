"""CPU time of collecting an application, as a ratio to the framework's own start and enumeration of it.

Run: python benchmarks/collect_overhead.py [--runs N] [NAME PYTHON ROOT KIND TARGET …]

The applications are those of `examples/`; others are given by five words: a name, their interpreter, their folder, `app`
or `django`, and what is loaded (`module:attribute`, a settings module). Both sides run in processes of their own, in
turns; printed is the least CPU time of each. The enumeration is what the framework itself has: `get_models` and their
fields with every URL pattern, `app.routes`, `url_map.iter_rules()`, the mappers and their columns.
"""

from __future__ import annotations

import compileall
import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
COLLECTOR = HERE / "src" / "conduit" / "sources" / "collector"
RUNS = 7

ENUMERATE = """
import importlib, json, os, sys
request = json.loads(sys.argv[1])
sys.path.insert(0, request["root"])
count = 0
if request.get("django"):
    os.environ["DJANGO_SETTINGS_MODULE"] = request["django"]
    import django
    django.setup()
    from django.apps import apps
    for model in apps.get_models():
        count += len(model._meta.get_fields())
    from django.conf import settings
    def walk(patterns):
        global count
        for one in patterns:
            count += 1
            walk(getattr(one, "url_patterns", ()))
    if getattr(settings, "ROOT_URLCONF", None):
        walk(importlib.import_module(settings.ROOT_URLCONF).urlpatterns)
else:
    module, _, name = request["app"].partition(":")
    app = getattr(importlib.import_module(module), name.partition("(")[0])
    app = app() if name.endswith(")") else app
    rules = app.url_map.iter_rules() if hasattr(app, "url_map") else app.routes
    count += len(list(rules))
    if "sqlalchemy.orm" in sys.modules:
        from sqlalchemy.orm import configure_mappers, Mapper
        configure_mappers()
        import sqlalchemy
        seen = [sqlalchemy.inspect(v, raiseerr=False) for m in list(sys.modules.values())
                for v in list(vars(m).values()) if isinstance(v, type)]
        count += sum(len(m.columns) for m in {id(m): m for m in seen if isinstance(m, Mapper)}.values())
os._exit(0)
"""


def measure(command: list[str], folder: str) -> float:
    """The CPU time in seconds of a process, its start included."""
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        os.execv(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command[:1])} ended with status {status} in {folder}")
    return usage.ru_utime + usage.ru_stime


def compare(name: str, python: str, root: str, kind: str, target: str, runs: int) -> None:
    from conduit.sources.application import _BOOTSTRAP

    with tempfile.TemporaryFile() as answer:
        os.set_inheritable(answer.fileno(), True)
        request = {"root": root, kind: target, "result_fd": answer.fileno()}
        text = json.dumps(request)
        commands = (
            [python, "-B", "-c", ENUMERATE, text],
            [python, "-B", "-c", _BOOTSTRAP, str(COLLECTOR), text],
        )
        turns = [[measure(command, root) for command in commands] for _ in range(runs)]
        own, ours = map(min, zip(*turns, strict=True))
        size = os.fstat(answer.fileno()).st_size // runs
    print(
        f"{name:<16} {own:7.2f} s {ours:7.2f} s {ours / own:6.2f} x {ours - own:7.2f} s {size / 1e6:7.1f} MB",
        flush=True,
    )


def main() -> None:
    compileall.compile_dir(COLLECTOR, quiet=1)  # as an installation does; a source tree may never be compiled
    words = sys.argv[1:]
    runs = RUNS
    if words[:1] == ["--runs"]:
        runs = int(words[1])
        words = words[2:]
    print(f"{'application':<16} {'own':>9} {'collected':>9} {'ratio':>8} {'more':>9} {'document':>10}")
    examples = HERE / "examples"
    given = [words[i : i + 5] for i in range(0, len(words), 5)] or [
        ["django_library", sys.executable, str(examples / "django_library"), "django", "library.settings"],
        ["fastapi_shop", sys.executable, str(examples / "fastapi_shop"), "app", "main:app"],
        ["flask_notes", sys.executable, str(examples / "flask_notes"), "app", "app:create_app()"],
    ]
    for name, python, root, kind, target in given:
        compare(name, python, root, kind, target, runs)


if __name__ == "__main__":
    main()
