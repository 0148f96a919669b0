"""Loads a metadata document into a registry again and again, and asks it a little: something to profile."""

import sys
from pathlib import Path

from conduit.metadata.registry import Registry, load


def load_and_ask(path: Path, times: int) -> int:
    """Returns how many dependencies all answers named together."""
    found = 0
    for _ in range(times):
        registry = load(path)
        registry.warm()
        found += count_dependencies(registry)
    return found


def count_dependencies(registry: Registry) -> int:
    found = 0
    for resource in registry.resources():
        found += len(registry.dependencies(resource.name).edges)
        registry.impact(resource.name)
    return found


if __name__ == "__main__":
    print(load_and_ask(Path(sys.argv[1]), int(sys.argv[2])), "dependencies")
