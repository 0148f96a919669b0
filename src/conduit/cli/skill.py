"""`conduit skill`: a page that teaches the command line to coding agents that run commands instead of tools."""

from __future__ import annotations

from conduit.cli.flags import FlagSet
from conduit.errors import UsageError

_PAGE = """---
name: conduit
description: Ask what a Python web application is made of, what uses its CPU time and memory, what became slower.
---
Run `conduit COMMAND -h` for all flags. Data go to standard output, all else to standard error.
Exit status: 0 done, 1 the work failed or a gate is closed, 2 the call was wrong.

## The application (add `-app module:attribute`, `-django SETTINGS` or `-metadata FILE`; `-format json` for programs)
conduit introspect stats                 counts, and where they were collected
conduit introspect resources             models with their fields and relations
conduit introspect resource NAME         one of them, with routes, hooks, constraints, file and line
conduit introspect routes                method, path, handler, guards; -open: no login or permission declared
conduit introspect deps NAME             who depends on whom
conduit introspect impact NAME           what a deletion reaches
conduit introspect path A B              how two resources are connected
conduit introspect diagram -around NAME -depth 1 -keys-only
conduit introspect patterns              conventions, and where they are not followed
conduit introspect diff OLD NEW          two documents; -gate exits 1 where a guard is lost
conduit collect -app module:attribute -o metadata.json

## Where time and memory go
conduit run -cpuprofile cpu.prof -memprofile mem.prof program.py
conduit record -pid PID -o cpu.prof      a running process
conduit dump PID                         where each of its threads and tasks is now
conduit pprof -top cpu.prof              heaviest functions; -cum with what they call; -focus and -ignore are regexps
conduit pprof -peek 'name$' cpu.prof     callers above, callees below
conduit pprof -list 'name$' cpu.prof     source lines with what each took
conduit pprof -tags cpu.prof             by thread, task, route
conduit pprof -top -diff_base old.prof new.prof
conduit pprof -advice cpu.prof           what stands out, in words
SOURCE may be http://localhost:6060/debug/pprof/profile?seconds=10 (or heap, block, mutex, goroutine)
Find the function by -top, ask -peek who calls it, read its lines by -list, change one thing, measure again.

## Did a change make it slower?
conduit bench -bench REGEX -benchmem     functions bench_*(b) in benchmarks/bench_*.py
conduit bench -against main              working copy and revision in turn; a verdict for each benchmark; -gate exits 1
conduit bench -count 10 -o new.txt; conduit benchstat old.txt new.txt
conduit history show                     earlier runs (`conduit bench -save`) and the commits at which they moved
"""


def run(arguments: list[str]) -> int:
    """Print the page; return the exit status."""
    parsed = FlagSet(
        "usage: conduit skill\n\nPrints a page that teaches a coding agent this command line."
    ).parse(arguments)
    if parsed.positionals:
        raise UsageError(f"takes no arguments, found {parsed.positionals[0]!r}")
    print(_PAGE, end="")
    return 0
