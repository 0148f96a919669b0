"""`conduit run -children`: every process of a program is recorded, and one that is not is named."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path

import pytest

from conduit._native import available
from conduit.profile.codec import decode
from conduit.profile.model import Sample

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

BURN = """
import multiprocessing, os, signal, subprocess, sys, time

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def short():
    burn(0.2)

def long():
    burn(0.6)
"""
CHILD = BURN + "short()\n"
RATE = "-profilerate=1000"  # a sample at each of the kernel's ticks, mostly 250 a second


def about(expected: float | list[float]) -> object:
    """What samples may show of a time from 0.2 s on in a process that spends 0.1 s on its imports.

    Of 75 samples, 50 are expected there, and 4 more or less on average where ticks meet the program at random.
    """
    return pytest.approx(expected, rel=0.3)


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "conduit", "run", *arguments],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, program: str, *flags: str) -> tuple[str, str]:
    """The output and the messages of a program that succeeds."""
    (folder / "program.py").write_text(BURN + program)
    (folder / "child.py").write_text(CHILD)
    process = start(folder, *(flags or ("-children", "-cpuprofile=cpu.prof", RATE)), "program.py")
    output, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "Traceback" not in said, said
    return output, said


def seconds(path: Path, function: str = "") -> dict[str, float]:
    """CPU seconds by process in a merged file, of stacks with the function."""
    sums: dict[str, float] = {}
    for sample in decode(path.read_bytes()).samples:
        if is_in(sample, function):
            [process] = sample.labels["process"]
            sums[process] = sums.get(process, 0.0) + sample.values[1] / 1e9
    return sums


def is_in(sample: Sample, function: str) -> bool:
    names = [line.function.name for location in sample.locations for line in location.lines if line.function]
    return any(function in name for name in names)


def files_of_processes(folder: Path) -> set[str]:
    return {path.name.split(".")[1] for path in folder.glob("cpu.*.prof")}


# As uWSGI does: without a word to the interpreter, or (--py-call-osafterfork) with one afterwards.
FORKS_OF_C = """
import ctypes

forked_by_c, told = ctypes.PyDLL(None).fork, ctypes.pythonapi.PyOS_AfterFork_Child
"""
METHODS = """
if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    processes = [context.Process(target=target) for target in (short, long)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print(*(process.exitcode for process in processes))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_have_their_times_in_files_of_their_own_and_in_one(
    method: str, tmp_path: Path
) -> None:
    output, said = run(tmp_path, METHODS.format(method=method))
    assert output == "0 0\n"
    shown = sorted(seconds(tmp_path / "cpu.prof", "burn").values())
    assert shown == about([0.2, 0.6])
    assert files_of_processes(tmp_path) >= set(seconds(tmp_path / "cpu.prof", "burn"))
    assert f"cpu.prof: {len(files_of_processes(tmp_path))} processes, merged from cpu." in said


@pytest.mark.parametrize(
    "pool",
    [
        "multiprocessing.get_context('spawn').Pool(2) as pool:\n        pool.map(burn, [0.2] * 4)",
        "multiprocessing.get_context('fork').Pool(2) as pool:\n        pool.map(burn, [0.2] * 4)",
        "__import__('concurrent.futures').futures.ProcessPoolExecutor(2) as pool:\n        pool.map(burn, [0.2] * 4)",
    ],
    ids=["spawned", "forked, terminated", "executor"],
)
def test_a_pools_workers_are_recorded_also_when_they_are_terminated(pool: str, tmp_path: Path) -> None:
    run(tmp_path, f"if __name__ == '__main__':\n    with {pool}\n")
    shown = seconds(tmp_path / "cpu.prof", "burn")
    assert sum(shown.values()) == about(0.8)
    assert 1 <= len(shown) <= 2


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("subprocess.call([sys.executable, 'child.py'])", 0),
        ("subprocess.call([sys.executable, 'child.py'], close_fds=False)", 0),
        (
            "subprocess.call([sys.executable, 'child.py'], close_fds=False, env={**os.environ, 'PYTHONPATH': '.'})",
            0,
        ),
        ("subprocess.call([sys.executable, 'child.py'], preexec_fn=lambda: None)", 0),
        ("subprocess.call([sys.executable, 'child.py'], env={**os.environ, 'PYTHONPATH': '.'})", 0),
        ("os.system(sys.executable + ' child.py')", 0),
        ("subprocess.call([sys.executable, '-c', CHILD + 'os._exit(3)'])", 3),
        ("subprocess.call([sys.executable, '-c', CHILD + 'os.kill(os.getpid(), signal.SIGTERM)'])", -15),
        ("os.waitstatus_to_exitcode(os.waitpid(os.fork() or (short(), os._exit(4)), 0)[1])", 4),
        ("os.waitstatus_to_exitcode(os.waitpid(forked_by_c() or (short(), os._exit(4)), 0)[1])", 4),
        pytest.param(
            "os.waitstatus_to_exitcode(os.waitpid(forked_by_c() or (told(), short(), os._exit(4)), 0)[1])",
            4,
            marks=pytest.mark.skipif(
                sys.version_info >= (3, 13),
                reason="the interpreter aborts if it was not told before the fork",
            ),
        ),
        (
            "os.waitstatus_to_exitcode(os.waitpid(os.fork() or os.execv(sys.executable, ['python', 'child.py']), 0)[1])",
            0,
        ),
    ],
)
def test_a_program_that_is_started_is_recorded_and_keeps_its_status(
    call: str, status: int, tmp_path: Path
) -> None:
    output, said = run(tmp_path, f"{FORKS_OF_C}CHILD = open('child.py').read()\nprint({call})\n")
    assert output == f"{status}\n"
    [shown] = seconds(tmp_path / "cpu.prof", "short").values()
    assert shown == about(0.2)
    assert "lost" not in said


def test_the_python_in_another_program_is_recorded_and_the_programs_status_kept(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    words = ["/bin/sh", "-c", f"{sys.executable} child.py; exit 5"]
    process = start(tmp_path, "-children", "-cpuprofile=cpu.prof", RATE, *words)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 5
    [shown] = seconds(tmp_path / "cpu.prof", "short").values()
    assert shown == about(0.2)
    assert "Traceback" not in said


EMBEDDING = """
#include <Python.h>
#include <sys/wait.h>

int main(void) {
    Py_Initialize();
    pid_t child = fork();
    PyRun_SimpleString(child ? "import child" : "import child; child.long()");
    if (child) waitpid(child, NULL, 0);
    exit(child ? 6 : 0);
}
"""


def test_a_program_that_embeds_python_forks_and_exits_in_c_is_recorded_whole(tmp_path: Path) -> None:
    compiler, library = shutil.which("cc"), sysconfig.get_config_var("LDLIBRARY")
    folder = sysconfig.get_config_var("LIBDIR")
    if compiler is None or not str(library).endswith(".so") or not Path(folder, library).exists():
        pytest.skip("there is no C compiler, or no shared library of Python")
    (tmp_path / "embedding.c").write_text(EMBEDDING)
    (tmp_path / "child.py").write_text(CHILD)
    include = f"-I{sysconfig.get_config_var('INCLUDEPY')}"
    libraries = [f"-L{folder}", f"-Wl,-rpath,{folder}", f"-l{library[3:-3]}"]
    subprocess.run(
        [compiler, include, "embedding.c", "-o", "embedding", *libraries], cwd=tmp_path, check=True
    )
    prefix = {"PYTHONHOME": sys.base_prefix, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    process = start(tmp_path, "-children", "-cpuprofile=cpu.prof", RATE, "./embedding", **prefix)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 6, said
    assert "lost" not in said
    assert sorted(seconds(tmp_path / "cpu.prof", "burn").values()) == about([0.2, 0.8])


def test_another_program_ends_by_the_signal_that_its_run_was_sent(tmp_path: Path) -> None:
    process = start(
        tmp_path, "-children", "-cpuprofile=cpu.prof", "/bin/sh", "-c", "echo begun; exec sleep 60"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGTERM
    assert (tmp_path / "cpu.prof").exists()


@pytest.mark.parametrize(
    ("before", "shell", "status", "printed"),
    [
        ("early(signal.SIGTERM)", "exec sleep 60", -signal.SIGTERM, ""),
        ("early(signal.SIGHUP)", "exec sleep 60", -signal.SIGHUP, ""),
        (
            "signal.signal(signal.SIGHUP, signal.SIG_IGN)",
            "kill -HUP $PPID; sleep 0.1; kill -HUP $$; echo alive",
            0,
            "alive\n",
        ),
    ],
    ids=["SIGTERM before it runs", "SIGHUP before it runs", "SIGHUP ignored"],
)
def test_signals_before_another_program_runs_are_passed_on_and_ignored_ones_stay_ignored(
    before: str, shell: str, status: int, printed: str
) -> None:
    program = f"""
import signal, subprocess
from conduit.cli import other_programs

def early(number):
    start = subprocess.Popen
    def start_late(words):
        signal.raise_signal(number)
        return start(words)
    subprocess.Popen = start_late

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup before the tests ignores it
{before}
other_programs.run_other_program(["/bin/sh", "-c", {shell!r}])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (status, printed, "")


def test_another_program_is_refused_where_its_children_are_not_asked_for(tmp_path: Path) -> None:
    process = start(tmp_path, "-cpuprofile=cpu.prof", "/bin/sh", "-c", "true")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "/bin/sh is machine code, and no Python program; with -children" in said
    assert not (tmp_path / "cpu.prof").exists()


def test_the_child_of_a_child_is_recorded(tmp_path: Path) -> None:
    run(
        tmp_path,
        "subprocess.call([sys.executable, '-c', \"import subprocess, sys; subprocess.call([sys.executable, 'child.py'])\"])",
    )
    [shown] = seconds(tmp_path / "cpu.prof", "short").values()
    assert shown == about(0.2)
    assert len(files_of_processes(tmp_path)) == 3


def test_a_child_finds_its_own_path_and_its_own_sitecustomize(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('customized', flush=True)")
    shown = "import sys; print(sys.path[:1], 'hook' in str(sys.path), sys.modules['sitecustomize'].__file__)"
    output, _ = run(
        tmp_path,
        f"subprocess.call([sys.executable, '-c', {shown!r}], env={{**os.environ, 'PYTHONPATH': os.getcwd()}})",
    )
    assert output == f"customized\n[''] False {tmp_path}/sitecustomize.py\n"


def test_a_child_that_is_killed_by_the_program_writes_before(tmp_path: Path) -> None:
    program = (
        "child = subprocess.Popen([sys.executable, '-c', BODY], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\nchild.kill()\nprint(child.wait())\n"
    )
    body = "BODY = open('child.py').read() + \"print('burnt', flush=True)\\ntime.sleep(60)\\n\"\n"
    output, _ = run(tmp_path, body + program)
    assert output == "-9\n"
    [shown] = seconds(tmp_path / "cpu.prof", "short").values()
    assert shown == about(0.2)


def test_a_child_that_is_killed_from_outside_is_lost_and_that_is_told_there_and_in_the_file(
    tmp_path: Path,
) -> None:
    _, said = run(tmp_path, "subprocess.call([sys.executable, '-c', 'import os; os.kill(os.getpid(), 9)'])")
    [line] = [line for line in said.splitlines() if "lost" in line]
    found = re.fullmatch(
        r"conduit: (process (\d+) \(python.*\) was killed, crashed, or ended without Python's exit functions: its part is lost)",
        line,
    )
    assert found is not None
    assert found[1] in decode((tmp_path / "cpu.prof").read_bytes()).comments
    assert not (tmp_path / f"cpu.{found[2]}.prof").exists()


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("subprocess.call([sys.executable, '-I', 'child.py'])", "-I leaves the start hook out"),
        ("subprocess.call([sys.executable, '-Es', 'child.py'])", "-E leaves the start hook out"),
        ("subprocess.call([sys.executable, 'child.py'], env={})", "its environment was replaced"),
    ],
)
def test_a_python_program_that_cannot_be_followed_is_named_with_the_reason(
    call: str, reason: str, tmp_path: Path
) -> None:
    _, said = run(tmp_path, call)
    assert re.search(rf"conduit: not followed: python.* child\.py \(pid \d+: {reason}\)", said), said
    assert seconds(tmp_path / "cpu.prof", "short") == {}


def test_a_child_that_outlives_the_program_is_named_and_writes_its_file_when_it_ends(tmp_path: Path) -> None:
    body = (
        "import os, time\nprint(1, flush=True)\nwhile not os.path.exists('go'):\n    time.sleep(0.05)\n"
        + CHILD
    )
    streams = "stdout=subprocess.PIPE, stderr=subprocess.DEVNULL"
    program = f"subprocess.Popen([sys.executable, '-c', {body!r}], {streams}).stdout.readline()\n"
    try:
        _, said = run(tmp_path, program)
    finally:
        (tmp_path / "go").touch()
    found = re.search(r"process (\d+) .* is still running: .* and writes (cpu\.\1\.prof) when it ends", said)
    assert found is not None, said
    late = tmp_path / found[2]
    for _ in range(1200):
        if late.exists():
            break
        time.sleep(0.05)
    assert sum(sample.values[1] for sample in decode(late.read_bytes()).samples) / 1e9 >= 0.19


def test_without_the_flag_no_child_is_recorded_and_one_line_says_so_with_its_time(tmp_path: Path) -> None:
    program = (
        "subprocess.call([sys.executable, 'child.py'])\nos.waitpid(os.fork() or (short(), os._exit(0)), 0)\n"
    )
    _, said = run(tmp_path, program, "-cpuprofile=cpu.prof")
    line = next(line for line in said.splitlines() if "not followed" in line)
    found = re.fullmatch(
        r"conduit: not followed: 2 processes, which used ([\d.]+)s of CPU time: python[\d.]* child\.py \(pid \d+\), "
        r"forked \(pid \d+\); -children records Python programs, too",
        line,
    )
    assert found is not None, line
    assert float(found[1]) >= 0.38
    assert [path.name for path in tmp_path.glob("*.prof")] == ["cpu.prof"]


def test_a_program_that_starts_none_is_told_nothing_of_children(tmp_path: Path) -> None:
    for flags in (["-cpuprofile=cpu.prof"], ["-children", "-cpuprofile=cpu.prof"]):
        _, said = run(tmp_path, "long()\n", *flags)
        assert "process" not in said.replace("only", "")
        assert [path.name for path in tmp_path.glob("*.prof")] == ["cpu.prof"]


KINDS = """
import threading

def allocate_and_wait():
    global kept
    kept = bytearray(30_000_000)
    lock = threading.Lock()
    lock.acquire()
    threading.Timer(0.2, lock.release).start()
    lock.acquire()

if __name__ == "__main__":
    inherited = bytearray(50_000_000)
    child = multiprocessing.get_context("{method}").Process(target=allocate_and_wait)
    child.start()
    child.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_memory_and_waits_of_a_child_are_its_own_and_memory_it_inherited_is_counted_once(
    method: str, tmp_path: Path
) -> None:
    flags = ["-children", "-memprofile=mem.prof", "-blockprofile=block.prof", "-mutexprofile=mutex.prof"]
    run(tmp_path, KINDS.format(method=method), *flags)
    memory = decode((tmp_path / "mem.prof").read_bytes())
    main, child = sorted({sample.labels["process"][0] for sample in memory.samples}, key=int)[:2]
    in_use = {main: 0, child: 0}
    for sample in memory.samples:
        in_use[sample.labels["process"][0]] += sample.values[3]
    assert 50e6 <= in_use[main] < 65e6
    assert 30e6 <= in_use[child] < 45e6
    waited = sum(
        sample.values[1]
        for sample in decode((tmp_path / "block.prof").read_bytes()).samples
        if sample.labels["process"] == [child] and sample.labels["wait"] == ["lock"]
    )
    assert waited >= 0.19e9
    assert {
        sample.labels["process"][0] for sample in decode((tmp_path / "mutex.prof").read_bytes()).samples
    } == {child}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_trace_shows_all_processes_on_one_clock(method: str, tmp_path: Path) -> None:
    pytest.importorskip("viztracer")
    run(
        tmp_path,
        METHODS.format(method=method).replace("short, long", "os.getpid, KeyError"),
        "-children",
        "-trace=cpu.prof",
    )
    events = json.loads((tmp_path / "cpu.prof").read_text())["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    processes = {str(event["pid"]) for event in spans}
    assert processes == files_of_processes(tmp_path)
    assert len(processes) == 3
    [main] = {
        event["pid"]
        for event in spans
        if event["name"].startswith("multiprocessing.process.BaseProcess.join")
    }
    last_join = max(
        event["ts"] + event["dur"]
        for event in spans
        if event["name"].startswith("multiprocessing.process.BaseProcess.join")
    )
    assert all(event["ts"] < last_join for event in spans if event["pid"] != main)


def test_a_pipe_gets_the_merged_profile(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(BURN + METHODS.format(method="spawn"))
    command = (
        f"{sys.executable} -m conduit run -children -cpuprofile=/dev/stdout {RATE} program.py | cat > out"
    )
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, timeout=120)
    said, data = (tmp_path / "out").read_bytes().split(b"\n", 1)
    assert said == b"0 0"
    (tmp_path / "cpu.prof").write_bytes(data)
    burning = seconds(tmp_path / "cpu.prof", "burn")
    # How a process divides its time is measured elsewhere; the whole of it is that of its clock, whatever the machine does.
    short, long = sorted(
        time for process, time in seconds(tmp_path / "cpu.prof").items() if process in burning
    )
    assert (short >= 0.199, long >= 0.599) == (True, True)


SERVICE = (
    BURN
    + """
async def asgi(scope, receive, send):
    if scope["type"] == "http":
        short()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

def wsgi(environment, start_response):
    short()
    start_response("200 OK", [])
    return [b"ok"]
"""
)


def ask(port: int, times: int) -> None:
    for _ in range(600):
        if times == 0:
            return
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read()
            times -= 1
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the service does not answer")


def free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_a_terminated_server_has_the_requests_of_all_its_workers(server: str, tmp_path: Path) -> None:
    pytest.importorskip(server)
    (tmp_path / "service.py").write_text(SERVICE)
    port = free_port()
    arguments = {
        "uvicorn": ["uvicorn", "service:asgi", "--workers", "2", "--port", str(port), "--lifespan", "off"],
        "gunicorn": ["gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}", "service:wsgi"],
    }[server]
    process = start(tmp_path, "-children", "-cpuprofile=cpu.prof", RATE, "-m", *arguments)
    ask(port, 5)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert sum(seconds(tmp_path / "cpu.prof", "short").values()) == about(1.0)
    assert len(files_of_processes(tmp_path)) == 3
    assert "lost" not in said


RELOADING = (
    BURN
    + """
import flask

app = flask.Flask(__name__)

@app.route("/")
def answer():
    short()
    return "ok"

app.run(port={port}, debug=True)
"""
)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("flags", [["-children"], []], ids=["followed", "alone"])
def test_the_served_process_of_a_reloader_keeps_its_profile(
    flags: list[str], name: str, tmp_path: Path
) -> None:
    pytest.importorskip("flask")
    port = free_port()
    (tmp_path / "program.py").write_text(RELOADING.format(port=port))
    process = start(tmp_path, *flags, "-cpuprofile=cpu.prof", "program.py")
    ask(port, 3)
    if name == "SIGINT":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    else:
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    served = [
        (
            path,
            sum(sample.values[1] for sample in decode(path.read_bytes()).samples if is_in(sample, "short"))
            / 1e9,
        )
        for path in tmp_path.glob("cpu.*.prof")
    ]
    [spent] = [spent for _, spent in served if spent]
    assert spent == about(0.6)
    if flags:
        assert sum(seconds(tmp_path / "cpu.prof", "short").values()) == about(0.6)
    else:
        [(path, _)] = served
        assert f"has recordings of its own: {path.name}" in said


# By its name, and in a folder of its own, since not every machine has a python3 on its PATH.
EXEC = """
short()
os.environ['PATH'] = os.pathsep.join(['/no such folder', os.path.dirname(sys.executable), os.environ['PATH']])
os.execvp('python3', ['python3', 'child.py'])
"""


def test_a_program_that_replaces_itself_by_another_has_both_in_the_one_file(tmp_path: Path) -> None:
    _, said = run(tmp_path, EXEC)
    shown = seconds(tmp_path / "cpu.prof", "short")
    assert list(shown.values()) == pytest.approx([0.2, 0.2], rel=0.3)
    first, second = sorted(shown)
    assert second == f"{first}-2"
    assert f"cpu.prof: 2 processes, merged from cpu.{first}.prof, cpu.{second}.prof" in said


def test_a_program_that_replaces_itself_is_named_where_processes_are_not_followed(tmp_path: Path) -> None:
    _, said = run(tmp_path, EXEC, "-cpuprofile=cpu.prof")
    assert (
        "the program replaced itself by python3 child.py, which is not recorded; -children records it, too"
        in said
    )
    assert sum(
        sample.values[1] for sample in decode((tmp_path / "cpu.prof").read_bytes()).samples
    ) == pytest.approx(0.2e9, rel=0.5)


def test_a_program_that_finds_nothing_to_replace_itself_by_is_recorded_on(tmp_path: Path) -> None:
    program = "try:\n    os.execvp('no-such-program', ['x'])\nexcept FileNotFoundError:\n    short()\n"
    run(tmp_path, program, "-cpuprofile=cpu.prof")
    assert sum(
        sample.values[1]
        for sample in decode((tmp_path / "cpu.prof").read_bytes()).samples
        if is_in(sample, "short")
    ) == pytest.approx(0.2e9, rel=0.3)
