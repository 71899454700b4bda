"""The public names of migrate and testing, their signatures and their import paths stay what the committed snapshot says.

A change of the public interface shows in the diff of the snapshot:
`python tests/architecture/test_kit_names.py` writes the files again.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SNAPSHOTS = Path(__file__).with_name("kit_names")
# Every module that documentation or an entry point names; the rest of a package may move.
MODULES = {
    "migrate": ["data_bridge.migrate"],
    "testing": ["data_bridge.testing", "data_bridge.testing.migrations", "data_bridge.testing.proxy"],
}
# `module:function` as the entry points of the packages name them
ENTRY_POINTS = {
    "migrate": ["data_bridge.migrate.command:main"],
    "testing": ["data_bridge.testing.command:main", "data_bridge.testing.dsn:resolve", "data_bridge.testing.plugin:db"],
}
PACKAGE = re.compile(r"data_bridge\.\w+")
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def signature_of(value: Any) -> str:
    try:
        return ADDRESS.sub("", str(inspect.signature(value)))
    except (TypeError, ValueError):
        return ""


def members(cls: type, package: str) -> Iterator[str]:
    """The public members of a class, those it inherits inside of its package included."""
    for name in sorted(dir(cls)):
        owner = next((base for base in cls.__mro__ if name in vars(base)), cls)
        if name.startswith("_") or not owner.__module__.startswith(package):
            continue
        value = inspect.getattr_static(cls, name)
        if isinstance(value, property):
            yield f".{name}: property {signature_of(value.fget)}"
        elif isinstance(value, (classmethod, staticmethod)):
            yield f".{name}: {type(value).__name__} {signature_of(value.__func__)}"
        elif inspect.isroutine(value):
            kind = "async def" if inspect.iscoroutinefunction(value) else "def"
            yield f".{name}: {kind} {signature_of(value)}"
        else:
            yield f".{name}: attribute"
    for name, annotation in sorted(inspect.get_annotations(cls).items()):
        if not name.startswith("_"):
            yield f".{name}: {annotation}"


def described(module_name: str) -> Iterator[str]:
    module = importlib.import_module(module_name)
    for name in sorted(module.__all__):
        value = getattr(module, name)
        if inspect.isclass(value):
            bases = ", ".join(base.__name__ for base in value.__bases__)
            yield f"{module_name}.{name}: class({bases}) {signature_of(value)}"
            for member in members(value, PACKAGE.match(module_name)[0]):  # type: ignore[index]
                yield f"    {member}"
        elif inspect.isroutine(value):
            kind = "async def" if inspect.iscoroutinefunction(value) else "def"
            yield f"{module_name}.{name}: {kind} {signature_of(value)}"
        else:
            yield f"{module_name}.{name}: {type(value).__name__}"


def snapshot(part: str) -> str:
    return "".join(f"{line}\n" for module in MODULES[part] for line in described(module))


@pytest.mark.parametrize("part", MODULES)
def test_public_names_and_signatures_are_those_of_the_snapshot(part: str) -> None:
    assert snapshot(part).splitlines() == (SNAPSHOTS / f"{part}.txt").read_text().splitlines()


@pytest.mark.parametrize("part", MODULES)
def test_the_snapshot_finds_a_changed_signature(part: str) -> None:
    module = importlib.import_module(MODULES[part][0])
    name = next(name for name in sorted(module.__all__) if inspect.isroutine(getattr(module, name)))
    original = getattr(module, name)
    try:
        setattr(module, name, lambda another: None)
        assert snapshot(part) != (SNAPSHOTS / f"{part}.txt").read_text()
    finally:
        setattr(module, name, original)


@pytest.mark.parametrize("target", [target for targets in ENTRY_POINTS.values() for target in targets])
def test_entry_points_lead_to_something(target: str) -> None:
    module, _, name = target.partition(":")
    assert getattr(importlib.import_module(module), name) is not None


if __name__ == "__main__":
    for part in MODULES:
        (SNAPSHOTS / f"{part}.txt").write_text(snapshot(part))
