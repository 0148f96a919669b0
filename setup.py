"""Builds the one C extension; without a compiler the installation still succeeds (see `conduit doctor`)."""

from pathlib import Path

from setuptools import Extension, setup

sources = sorted(str(path) for path in Path("src/conduit/_native").glob("*.c"))

setup(
    ext_modules=[
        Extension(
            "conduit._native._core",
            sources=sources,
            depends=sorted(str(path) for path in Path("src/conduit/_native").glob("*.h")),
            extra_compile_args=[
                "-std=c11",
                "-O2",
                "-Wall",
                "-Wextra",
                "-fno-strict-aliasing",
                "-fvisibility=hidden",
            ],
            libraries=["m"],
            optional=True,
        )
    ]
    if sources
    else [],
)
