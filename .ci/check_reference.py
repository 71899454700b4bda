"""Checks that the API reference is complete: every public name of every package, and every public member of its classes.

python .ci/check_reference.py site
"""

from __future__ import annotations

import importlib
import inspect
import sys
import types
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGES = [
    "data_bridge.postgres",
    "data_bridge.postgres.operators",
    "data_bridge.postgres.sync",
    "data_bridge.postgres.notebook",
    "data_bridge.postgres.admin",
    "data_bridge.postgres.asgi",
    "data_bridge.postgres.fastapi",
    "data_bridge.query",
    "data_bridge.query.types",
    "data_bridge.query.ddl",
    "data_bridge.query.catalog",
    "data_bridge.migrate",
    "data_bridge.testing",
    "data_bridge.core",
]


PLUMBING = {
    "data_bridge.testing.Sandbox": "what stands in for a pool; tests use fail(), freeze(), tick(), unfreeze(), example",
    "data_bridge.testing.TestDatabase": "the methods of a Database; tests use fail() and sqlalchemy_url besides",
}
"""Classes whose entry shows chosen members only, with the reason."""


def documented(site: Path) -> set[str]:
    """The names in the inventory of a built site, which other projects link to."""
    data = (site / "objects.inv").read_bytes()
    at = 0
    for _ in range(4):
        at = data.index(b"\n", at) + 1
    lines = zlib.decompress(data[at:]).decode().splitlines()
    return {line.split(" py:")[0] for line in lines if " py:" in line}


def members(cls: type) -> Iterator[str]:
    """The public methods and properties of a class that this project wrote, inherited ones included, second names not."""
    for name in dir(cls):
        if name.startswith("_"):
            continue
        for base in cls.__mro__:
            if name not in vars(base):
                continue
            value = vars(base)[name]
            value = getattr(value, "__func__", value)
            is_code = isinstance(value, types.FunctionType | property)
            is_alias = isinstance(value, types.FunctionType) and value.__name__ != name
            if is_code and not is_alias and base.__module__.startswith("data_bridge"):
                yield name
            break


def missing(site: Path) -> list[str]:
    """Public names and members that have no entry."""
    known = documented(site)
    by_object: dict[int, list[str]] = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            if f"{package}.{name}" in known:
                by_object.setdefault(id(getattr(module, name)), []).append(f"{package}.{name}")
    found: list[str] = []
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in sorted(set(module.__all__)):
            value: Any = getattr(module, name)
            paths = by_object.get(id(value), [])
            if isinstance(value, types.ModuleType):
                paths = [value.__name__] if any(entry.startswith(value.__name__ + ".") for entry in known) else []
            if inspect.isclass(value) and f"{value.__module__}.{name}" in known:
                paths = [*paths, f"{value.__module__}.{name}"]
            if not paths:
                found.append(f"{package}.{name} has no entry")
            elif inspect.isclass(value) and not issubclass(value, BaseException) and paths[0] not in PLUMBING:
                found += [
                    f"{paths[0]}.{m} has no entry"
                    for m in members(value)
                    if not any(f"{path}.{m}" in known for path in paths)
                ]
    return sorted(set(found))


if __name__ == "__main__":
    gaps = missing(Path(sys.argv[1]))
    print("\n".join(gaps) or "the API reference is complete")
    sys.exit(1 if gaps else 0)
