"""Every command that writes a file also writes to a pipe, a process substitution, a descriptor and redirected output."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from conduit._native import available
from conduit.cli import main
from conduit.profile.codec import decode

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

CONDUIT = f"{sys.executable} -m conduit"
COMMANDS = {
    "run": "run -cpuprofile={file} program.py",
    "run -children": "run -children -cpuprofile={file} program.py",
    "run -trace": "run -trace={file} program.py",
    "pprof": "pprof -proto -output={file} cpu.prof",
    "bench -o": "bench -benchtime=1x -o {file} .",
    "bench -memprofile": "bench -benchtime=10x -memprofilerate=1 -memprofile={file} .",
    "collect": "collect --openapi api.json -o {file}",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "program.py").write_text(
        "import time\nend = time.process_time() + 0.1\nwhile time.process_time() < end:\n    pass\n"
    )
    (folder / "bench_one.py").write_text("def bench_one(b):\n    for _ in b:\n        bytes(1000)\n")
    (folder / "api.json").write_text(
        '{"openapi": "3.0.0", "info": {"title": "x", "version": "1"}, "paths": {}}'
    )
    shell(folder, f"{CONDUIT} run -cpuprofile=cpu.prof program.py")
    return folder


def shell(folder: Path, command: str) -> None:
    # The shell waits for no process substitution: what that writes is read through a pipe that ends with it.
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def check(name: str, data: bytes) -> None:
    if name in ("run -trace", "collect"):
        assert json.loads(data)
    elif name == "bench -o":
        assert b"\nBenchmarkOne" in b"\n" + data
    else:
        assert decode(data).samples


def command_of(name: str, file: str) -> str:
    if name == "run -trace":
        pytest.importorskip("viztracer")
    return f"{CONDUIT} {COMMANDS[name].format(file=file)}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_descriptor_gets_the_whole_output(name: str, inputs: Path, tmp_path: Path) -> None:
    shell(inputs, f"{command_of(name, '/dev/fd/7')} 7> {tmp_path}/out > /dev/null")
    check(name, (tmp_path / "out").read_bytes())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_process_substitution_gets_the_whole_output(name: str, inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    command = command_of(name, f">(cat > {tmp_path}/out; echo done >&8)")
    shell(inputs, f"( {command} > /dev/null ) 8>&1 | grep -q done")
    check(name, (tmp_path / "out").read_bytes())


@pytest.mark.parametrize("name", [name for name in COMMANDS if not name.startswith("bench")])
def test_a_pipe_gets_the_whole_output(name: str, inputs: Path, tmp_path: Path) -> None:
    shell(inputs, f"set -o pipefail; {command_of(name, '/dev/stdout')} | cat > {tmp_path}/out")
    check(name, (tmp_path / "out").read_bytes())


@pytest.mark.parametrize("name", COMMANDS)
def test_redirected_output_keeps_what_the_shell_writes_before_and_after(
    name: str, inputs: Path, tmp_path: Path
) -> None:
    shell(inputs, f"(echo before; {command_of(name, '/dev/stdout')}; echo after) > {tmp_path}/out")
    data = (tmp_path / "out").read_bytes()
    assert data.startswith(b"before\n")
    assert data.endswith(b"after\n")
    if not name.startswith("bench"):  # it also prints there
        check(name, data.removeprefix(b"before\n").removesuffix(b"after\n"))


def test_results_of_benchmarks_go_to_standard_error_where_a_profile_takes_standard_output(
    inputs: Path, tmp_path: Path
) -> None:
    bench = command_of("bench -memprofile", "/dev/stdout")
    shell(inputs, f"set -o pipefail; {bench} 2> {tmp_path}/text | cat > {tmp_path}/out")
    assert decode((tmp_path / "out").read_bytes()).samples
    assert "\nBenchmarkOne" in (tmp_path / "text").read_text()


def test_results_that_are_also_to_be_written_to_standard_output_are_written_once(
    inputs: Path, tmp_path: Path
) -> None:
    shell(inputs, f"{command_of('bench -o', '/dev/stdout')} | cat > {tmp_path}/out")
    assert (tmp_path / "out").read_text().count("\nBenchmarkOne") == 1


@pytest.mark.parametrize(
    "words",
    [
        "run -cpuprofile=a.out -memprofile=./a.out program.py",
        "run -cpuprofile=/dev/stdout -trace=/dev/fd/1 program.py",
        "bench -cpuprofile=/dev/stdout -o=/dev/stdout .",
        "bench -cpuprofile=a.out -memprofile=a.out .",
        "record -pid=1 -wallprofile=a.out -o=a.out",
        "bench -cpuprofile=/dev/stdout -http=localhost:0 .",
    ],
)
def test_one_file_for_two_outputs_is_refused(
    words: str, inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(inputs)
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert "name a" in printed.err
    assert not (inputs / "a.out").exists()


def test_a_compressed_profile_on_a_pipe_is_complete(inputs: Path, tmp_path: Path) -> None:
    shell(inputs, f"{command_of('run', '/dev/stdout')} | cat > {tmp_path}/out")
    assert gzip.decompress((tmp_path / "out").read_bytes())
