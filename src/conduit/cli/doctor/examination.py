"""The installation: versions, the C extension, its timers, the right to read other processes, programs and extras."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from pathlib import Path

from conduit.cli.doctor.finding import Finding

_TRIAL_CPU_NS = 200_000_000
_TRIAL_RATE_HZ = 100
_FEWEST_SAMPLES = 5  # of the 20 that the trial should give; a slow kernel tick still gives more

# Packages worth having beside this one: distribution → (extra, what it is for).
_EXTRAS = {
    "PyYAML": "OpenAPI documents in YAML",
    "viztracer": "execution traces (-trace) and `conduit trace`",
}

_OLDEST, _NEWEST = (3, 11), (3, 15)  # of CPython, whose structures the C extension knows
_USE_CPYTHON = "measure on CPython for Linux, in a container for example"


def examine() -> list[Finding]:
    """Return the findings about the installation, the most important first."""
    return [
        _conduit(),
        _python(),
        extension(),
        self_check(),
        _timers(),
        _clock(),
        other_processes(),
        patterns(),
        *(_extra(name, purpose) for name, purpose in _EXTRAS.items()),
        graphviz(),
        _browser(),
        _git(),
    ]


def _conduit() -> Finding:
    import conduit

    return Finding("conduit", f"{conduit.__version__} ({Path(conduit.__file__).parent})")


def _python() -> Finding:
    return python(
        platform.python_implementation(), sys.version_info[:2], is_free_threaded=_is_free_threaded()
    )


def python(implementation: str, version: tuple[int, int], *, is_free_threaded: bool) -> Finding:
    """Return whether the profilers know this interpreter."""
    found = f"{implementation} {platform.python_version()} ({sys.executable})"
    oldest, newest = (".".join(map(str, each)) for each in (_OLDEST, _NEWEST))
    if implementation != "CPython":
        return Finding(
            "python", found, "note", f"the profilers are for CPython {oldest} to {newest}", _USE_CPYTHON
        )
    if is_free_threaded:
        return Finding(
            "python",
            f"{found}, without the GIL",
            "note",
            "the profilers read frames and locks as builds with the GIL have them; the parts in pure Python work",
            "measure on the ordinary build of this version",
        )
    if version > _NEWEST:
        return Finding(
            "python",
            found,
            "note",
            f"the profilers read interpreter structures that are known for {oldest} to {newest}; the parts in "
            "pure Python work",
            f"measure on Python {oldest} to {newest}, or look for a newer Conduit",
        )
    return Finding("python", found)


def _is_free_threaded() -> bool:
    import sysconfig

    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def extension() -> Finding:
    """Return whether the C extension is loaded, or why not, what you lose without it and how to get it."""
    from conduit import _native

    if _native.available():
        return Finding(
            "C extension",
            "loaded: B/op and allocs/op are counted exactly, profiles of all kinds are built in",
        )
    return Finding(
        "C extension",
        _native.reason(),
        "lost",
        "B/op and allocs/op are n/a; no CPU, block, mutex and GIL profiles, no `conduit record`; heap profiles "
        "come from "
        "tracemalloc (memory in use only, slower); the registry takes longer to answer. Wall-clock profiles, "
        "ns/op, comparisons and all reports work",
        _extension_remedy(),
    )


def _extension_remedy() -> str:
    if os.environ.get("CONDUIT_NATIVE") == "off":
        return "unset CONDUIT_NATIVE"
    if sys.implementation.name != "cpython" or not sys.platform.startswith("linux"):
        return _USE_CPYTHON
    if unknown := _python().remedy:
        return unknown  # no compiler helps
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    headers = Path(_include_folder(), "Python.h")
    missing = [] if compiler else ["a C compiler (none of cc, gcc, clang is on the PATH)"]
    missing += [] if headers.exists() else [f"the headers of this Python ({headers} does not exist)"]
    first = f"install {' and '.join(missing)}; then " if missing else ""
    return f"{first}pip install --force-reinstall --no-cache-dir --no-binary conduit-runtime conduit-runtime"


def _include_folder() -> str:
    import sysconfig

    return sysconfig.get_path("include")


def self_check() -> Finding:
    """Return whether the extension reads this interpreter's frames, locks and tasks as the interpreter itself does."""
    from conduit import _native

    name = "self-check"
    if not _native.available():
        return Finding(name, "not made: the C extension is missing", "lost", "no profiles that need it")
    import asyncio  # noqa: F401  (the names of its tasks are read)

    from conduit._native import waits
    from conduit._native.self_check import require_frames
    from conduit.record.task_names import watch_tasks

    python = f"Python {platform.python_version()}"
    try:
        require_frames()
    except RuntimeError as error:
        return Finding(
            name, str(error), "lost", "no CPU, heap, block, mutex and GIL profiles", _use_another(python)
        )
    try:
        waits.set_rates(0, 1, gil=True)
        waits.set_rates(0, 0, gil=False)
    except RuntimeError as error:
        return Finding(name, str(error), "lost", "profiles of this kind are refused", _use_another(python))
    if warning := watch_tasks():
        return Finding(
            name, warning, "note", "CPU profiles do not say which task was running", _use_another(python)
        )
    return Finding(name, f"frames, locks and tasks of {python} are read as it tells them itself")


def _use_another(python: str) -> str:
    return f"install a newer Conduit, or use a point release other than {python}"


def _timers() -> Finding:
    """Return whether the kernel's per-thread CPU timers interrupt, and how often, from a recording of a short loop."""
    from conduit import _native
    from conduit.errors import ConduitError

    name = "CPU timers"
    if not _native.available():
        return Finding(name, "not tried: the C extension is missing", "lost", "no CPU profiles")
    from conduit.record.cpu import CpuRecording

    recording = CpuRecording(rate_hz=_TRIAL_RATE_HZ)
    try:
        with recording:
            _spin()
    except (ConduitError, OSError) as error:
        return Finding(name, f"a trial recording failed: {error}", "lost", "no CPU profiles")
    profile = recording.profile
    samples = sum(sample.values[0] for sample in profile.samples) if profile else 0
    due = _TRIAL_CPU_NS * _TRIAL_RATE_HZ // 1_000_000_000
    found = (
        f"{samples} samples in {_TRIAL_CPU_NS // 1_000_000} ms of CPU time, {due} due at {_TRIAL_RATE_HZ} Hz"
    )
    if samples >= _FEWEST_SAMPLES:
        return Finding(name, found)
    return Finding(
        name,
        found,
        "note",
        "CPU profiles need several times as long for the same certainty",
        "the kernel or the sandbox delivers timer signals late; try outside the sandbox, or record longer",
    )


def _spin() -> None:
    end = time.thread_time_ns() + _TRIAL_CPU_NS
    while time.thread_time_ns() < end:
        sum(range(1000))


def _clock() -> Finding:
    """Return the smallest step that the clock of the benchmarks takes; nothing shorter can be timed by itself."""
    now = time.perf_counter_ns
    steps = []
    for _ in range(200):
        started = now()
        while (ended := now()) == started:
            pass
        steps.append(ended - started)
    info = time.get_clock_info("perf_counter")
    step = min(steps)
    found = f"{info.implementation}, steps of {step} ns seen"
    if step < 10_000:
        return Finding("clock", found)
    return Finding(
        "clock",
        found,
        "note",
        "benchmarks need more iterations before a time means something",
        "choose another clock source (/sys/devices/system/clocksource), or raise -benchtime",
    )


def other_processes() -> Finding:
    """Return whether processes that are not our children may be read, as the kernel says."""
    name = "other processes"
    if not sys.platform.startswith("linux"):
        return Finding(name, f"not readable on {sys.platform}", "note", "no `conduit record`")
    scope = _kernel_text("/proc/sys/kernel/yama/ptrace_scope")
    if _has_ptrace_capability():
        return Finding(name, "may be read (CAP_SYS_PTRACE)")
    if scope in ("", "0"):
        return Finding(name, f"those of this user may be read ({_scope_words(scope)})")
    return Finding(
        name,
        f"may not be read (kernel.yama.ptrace_scope = {scope}, no CAP_SYS_PTRACE)",
        "note",
        "`conduit record -pid` only for its own children; `conduit run` and the debug endpoint are not concerned",
        "run as root, give the container --cap-add SYS_PTRACE, or set kernel.yama.ptrace_scope to 0",
    )


def _scope_words(scope: str) -> str:
    return f"kernel.yama.ptrace_scope = {scope}" if scope else "the kernel has no Yama"


_CAP_SYS_PTRACE = 19  # linux/capability.h


def _has_ptrace_capability() -> bool:
    fields = dict(
        line.split(":", 1) for line in _kernel_text("/proc/self/status").splitlines() if ":" in line
    )
    return bool(int(fields.get("CapEff", "0").strip(), 16) >> _CAP_SYS_PTRACE & 1)


def _kernel_text(path: str) -> str:
    """Return a kernel file's text; empty where there is no such file."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _extra(distribution: str, purpose: str) -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    from conduit.extras import how_to_install

    try:
        return Finding(distribution, version(distribution))
    except PackageNotFoundError:
        return Finding(distribution, "not installed", "note", f"no {purpose}", how_to_install(distribution))


def patterns() -> Finding:
    """Return which engine matches regular expressions."""
    from conduit.regexps.engine import engine_name
    from conduit.regexps.plain import how_to_get_re2

    name = engine_name()
    if name:
        return Finding("patterns", f"matched by RE2 ({name})")
    effect = "flags and filters match plain text only; regular expressions are refused"
    return Finding("patterns", "RE2 is not installed", "note", effect, how_to_get_re2())


def graphviz() -> Finding:
    """Return Graphviz's version, or what you lose without it."""
    program = shutil.which("dot")
    if program:
        return Finding("Graphviz", f"{_version_of(program, '-V')} ({program})")
    from conduit.report.formats.graphviz import install_command

    effect = "no -svg, -png, -pdf, -ps and -gif; -dot, the web page and all other reports need nothing"
    return Finding("Graphviz", "no program dot on the PATH", "note", effect, install_command())


def _browser() -> Finding:
    from conduit.web.browser import has_screen

    effect = "-http, -web and `conduit trace` print their address instead of opening it"
    if not has_screen():
        found = "none can be opened: there is no screen (DISPLAY, WAYLAND_DISPLAY and BROWSER are not set)"
        remedy = "open the address from a machine that has one, through `ssh -L` for example"
        return Finding("browser", found, "note", effect, remedy)
    import webbrowser

    try:
        browser = webbrowser.get()
    except webbrowser.Error as error:
        return Finding(
            "browser", f"none found: {error}", "note", effect, "install one, or name it in BROWSER"
        )
    return Finding("browser", str(getattr(browser, "name", type(browser).__name__)))


def _git() -> Finding:
    program = shutil.which("git")
    if program:
        return Finding("git", f"{_version_of(program, '--version')} ({program})")
    effect = "no `conduit bench -against REV` and no `conduit hook`; -against PATH works"
    return Finding("git", "no program git on the PATH", "note", effect, "install git")


def _version_of(program: str, flag: str) -> str:
    """Return the line in which a program gives its version, on standard output or standard error."""
    import subprocess

    try:
        done = subprocess.run([program, flag], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else f"exit status {done.returncode}, says no version"
