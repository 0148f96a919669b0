"""A strict stranger's program against the public face: every checker finds every type, and nothing to complain about."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import conduit
from conduit import record
from conduit.bench import Benchmark, BenchmarkResult, benchmark
from conduit.debug import Server, serve
from conduit.metadata import Impact, Metadata, Resource, Route, decode, encode
from conduit.profile.codec import decode as decode_profile
from conduit.profile.model import Profile, Sample


def resource_names(path: Path) -> list[str]:
    registry = conduit.load(path)
    assert_type(registry, conduit.Registry)
    found: list[str] = []
    for resource in registry.resources():
        assert_type(resource, Resource)
        found.append(resource.name)
    return found


def routes(registry: conduit.Registry) -> list[tuple[str, str]]:
    listed: list[tuple[str, str]] = []
    for route in registry.routes():
        assert_type(route, Route)
        listed.append((route.method, route.path))
    return listed


def touched(registry: conduit.Registry, name: str) -> Impact:
    return registry.impact(name)


def copied(data: bytes) -> bytes:
    document: Metadata = decode(data)
    return encode(document)


def samples(path: Path) -> list[Sample]:
    profile = decode_profile(path.read_bytes())
    assert_type(profile, Profile)
    return profile.samples


def recorded(path: Path) -> Profile | None:
    with record.cpu(path, rate_hz=250) as recording, conduit.region("sum"):
        sum(range(10))
    return recording.profile


def bench_sum(b: Benchmark) -> None:
    for _ in b:
        sum(range(10))


def timed() -> BenchmarkResult:
    return benchmark(lambda: sum(range(10)))


def served() -> Server:
    return serve()


def version() -> str:
    try:
        return conduit.__version__
    except conduit.ConduitError as error:
        return str(error)
