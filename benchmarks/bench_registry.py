"""The registry, measured with the names of the original's suite.

    conduit bench -benchmem benchmarks/bench_registry.py
    conduit bench --check

Documents are generated once for each size. A cold query is the first question to a document that nobody has asked:
making the document and the part of the graph that the answer needs are in it, as they are in the original, which
builds its graph anew for each cold query.
"""

from __future__ import annotations

import functools
import gc
import tracemalloc
from typing import TYPE_CHECKING

from benchmarks.documents import plain_document, rich_document, small_document
from conduit.errors import NotFoundError
from conduit.metadata import Metadata, Registry, decode

if TYPE_CHECKING:
    from conduit.bench import Benchmark
    from conduit.bench.run.parallel import Worker

SIZES = (50, 500, 5_000, 50_000)
LARGEST_SHORT = 500

plain = functools.cache(plain_document)
rich = functools.cache(rich_document)


@functools.cache
def small_registry() -> Registry:
    return Registry.from_json(small_document()).warm()


@functools.cache
def plain_registry(count: int) -> Registry:
    return Registry.from_json(plain(count)).warm()


# Loading.


def bench_registry_init(b: Benchmark) -> None:
    document = plain(50)
    b.set_bytes(len(document))
    for _ in b:
        Registry.from_json(document)


def bench_registry_init_warm(b: Benchmark) -> None:
    """With every index, which an application else builds when it first asks."""
    document = plain(50)
    for _ in b:
        Registry.from_json(document).document.warm()


def bench_registry_init_rich(b: Benchmark) -> None:
    document = rich(50)
    b.set_bytes(len(document))
    for _ in b:
        Registry.from_json(document)


def bench_scaling(b: Benchmark) -> None:
    for size in SIZES:
        b.run(f"{size}", functools.partial(_load, size))


def _load(size: int, b: Benchmark) -> None:
    _spare_short_runs(b, size)
    document = plain(size)
    b.set_bytes(len(document))
    for _ in b:
        Registry.from_json(document)


def _spare_short_runs(b: Benchmark, size: int) -> None:
    if b.short and size > LARGEST_SHORT:
        b.skip(f"{size} resources take too long for -short")


# Simple queries: one dictionary, or what is kept.


def bench_simple_queries(b: Benchmark) -> None:
    registry = small_registry()

    def resource(b: Benchmark) -> None:
        for _ in b:
            registry.resource("Post")

    def resource_missing(b: Benchmark) -> None:
        for _ in b:
            try:
                registry.resource("Missing")
            except NotFoundError:
                continue

    def get(b: Benchmark) -> None:
        for _ in b:
            registry.get("Post")

    def resources(b: Benchmark) -> None:
        for _ in b:
            registry.resources()

    def schema(b: Benchmark) -> None:
        for _ in b:
            registry.schema()

    def relationships_from(b: Benchmark) -> None:
        for _ in b:
            registry.relationships_from("Comment")

    def relationships_to(b: Benchmark) -> None:
        for _ in b:
            registry.relationships_to("User")

    def fields_by_type(b: Benchmark) -> None:
        for _ in b:
            registry.fields_by_type("uuid")

    b.run("Resource", resource)
    b.run("ResourceMissing", resource_missing)
    b.run("Get", get)
    b.run("Resources", resources)
    b.run("Schema", schema)
    b.run("RelationshipsFrom", relationships_from)
    b.run("RelationshipsTo", relationships_to)
    b.run("FieldsByType", fields_by_type)


def bench_route_queries(b: Benchmark) -> None:
    registry = plain_registry(50)

    def every(b: Benchmark) -> None:
        for _ in b:
            registry.routes()

    def by_method(b: Benchmark) -> None:
        for _ in b:
            registry.routes("GET")

    def by_path(b: Benchmark) -> None:
        for _ in b:
            registry.routes(path="/Resource7/:id")

    def by_resource(b: Benchmark) -> None:
        for _ in b:
            registry.routes(resource="Resource7")

    def by_method_and_resource(b: Benchmark) -> None:
        for _ in b:
            registry.routes("GET", resource="Resource7")

    b.run("All", every)
    b.run("ByMethod", by_method)
    b.run("ByPath", by_path)
    b.run("ByResource", by_resource)
    b.run("ByMethodAndResource", by_method_and_resource)


def bench_pattern_queries(b: Benchmark) -> None:
    registry = small_registry()

    def every(b: Benchmark) -> None:
        for _ in b:
            registry.patterns()

    def by_category(b: Benchmark) -> None:
        for _ in b:
            registry.patterns("hook")

    def by_name(b: Benchmark) -> None:
        for _ in b:
            registry.pattern("uuid-generation")

    def matching(b: Benchmark) -> None:
        for _ in b:
            registry.resources_matching("P*")

    b.run("All", every)
    b.run("ByCategory", by_category)
    b.run("ByName", by_name)
    b.run("ResourcesMatching", matching)


# The dependency graph.


def bench_dependency_queries(b: Benchmark) -> None:
    registry = small_registry()

    def depth_1(b: Benchmark) -> None:
        for _ in b:
            registry.dependencies("Comment", 1)

    def unlimited(b: Benchmark) -> None:
        for _ in b:
            registry.dependencies("Comment")

    def reverse(b: Benchmark) -> None:
        for _ in b:
            registry.dependencies("User", reverse=True)

    def filtered(b: Benchmark) -> None:
        for _ in b:
            registry.dependencies("Comment", types=("belongs_to",))

    def depth(b: Benchmark) -> None:
        for _ in b:
            registry.dependency_depth("Comment")

    def cycles(b: Benchmark) -> None:
        for _ in b:
            registry.cycles()

    b.run("Depth1", depth_1)
    b.run("Unlimited", unlimited)
    b.run("Reverse", reverse)
    b.run("Filtered", filtered)
    b.run("DependencyDepth", depth)
    b.run("Cycles", cycles)


def bench_complex_queries(b: Benchmark) -> None:
    metadata = decode(small_document())
    b.run("Depth3Cold", functools.partial(_ask_cold, metadata, 3))
    b.run("Depth3Cached", functools.partial(_ask_cached, 3))
    b.run("Depth5Cold", functools.partial(_ask_cold, metadata, 5))
    b.run("Depth5Cached", functools.partial(_ask_cached, 5))


def _ask_cold(metadata: Metadata, depth: int, b: Benchmark) -> None:
    for _ in b:
        Registry(metadata).dependencies("Comment", depth)


def _ask_cached(depth: int, b: Benchmark) -> None:
    registry = small_registry()
    registry.dependencies("Comment", depth)
    for _ in b:
        registry.dependencies("Comment", depth)


# Memory.


def bench_memory_efficiency(b: Benchmark) -> None:
    for size in SIZES[:3]:
        b.run(f"{size}", functools.partial(_load_and_weigh, size))


def _load_and_weigh(size: int, b: Benchmark) -> None:
    """Loads with every index built; `kept-B` is what one registry keeps alive, `kept-B/resource` its share."""
    _spare_short_runs(b, size)
    document = plain(size)
    kept = kept_bytes(document)
    for _ in b:
        Registry.from_json(document).document.warm()
    b.report_metric(kept, "kept-B")
    b.report_metric(kept / size, "kept-B/resource")


@functools.cache
def kept_bytes(document: bytes) -> int:
    """Bytes that one warm registry of the document keeps alive, counted by the interpreter's own allocators."""
    Registry.from_json(document).document.warm()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        registry = Registry.from_json(document)
        registry.document.warm()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        del registry
    finally:
        tracemalloc.stop()
    return after - before


# Threads, and everything together.


def bench_parallel_resource(b: Benchmark) -> None:
    registry = small_registry()

    def ask(worker: Worker) -> None:
        for _ in worker:
            registry.resource("Post")

    b.run_parallel(ask)


def bench_mixed_workload(b: Benchmark) -> None:
    registry = small_registry()
    for _ in b:
        registry.resource("Post")
        registry.routes("GET", resource="Post")
        registry.patterns("hook")
        registry.relationships_to("User")
        registry.dependencies("Comment", 3)
