"""The public names of the packages and how each is called, as lines of text.

`python tests/architecture/public_names.py` writes them into public_names.txt, which test_public_names.py compares.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

SNAPSHOT = Path(__file__).with_suffix(".txt")
MODULES = (
    "data_bridge.query",
    "data_bridge.query.types",
    "data_bridge.query.ddl",
    "data_bridge.query.catalog",
    "data_bridge.orm",
    "data_bridge.postgres",
)
# Where a name is defined is not part of how it is called.
PLACES = re.compile(r"\b_?[a-z]\w*\.(?=[A-Za-z_])")
VALUES = re.compile(r"<[^<>]*>(?=[,)])|\bColumnSpec\([^()]*(?:\([^()]*\)[^()]*)*\)")
# What dataclasses, typing and Pydantic add differs between their versions.
GENERATED = {"__delattr__", "__setattr__", "__replace__", "__getstate__", "__setstate__", "__repr__", "__hash__"}


def _plain(text: str) -> str:
    return VALUES.sub("…", PLACES.sub("", text))


def _called(value: Any) -> str:
    try:
        return _plain(str(inspect.signature(value)))
    except (TypeError, ValueError):
        return ""


def _members(cls: type) -> Iterator[str]:
    seen: set[str] = set()
    for base in cls.__mro__:
        if not base.__module__.startswith("data_bridge."):
            continue
        for name, value in vars(base).items():
            if name in seen or (name.startswith("_") and not name.startswith("__")):
                continue
            seen.add(name)
            if name.startswith("__"):
                if inspect.isfunction(value) and name not in GENERATED:
                    yield f"{name}{_called(value)}"
            elif isinstance(value, classmethod | staticmethod):
                yield f"{name}{_called(value.__func__)} [{type(value).__name__}]"  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            elif inspect.isfunction(value):
                yield f"{name}{_called(value)}"
            else:
                yield f"{name} [{'property' if isinstance(value, property) else 'attribute'}]"


def _exported(module: Any) -> list[str]:
    names: list[str] | None = getattr(module, "__all__", None)
    if names is not None:
        return sorted(names)
    own = (name for name in vars(module) if not name.startswith("_"))
    return sorted(name for name in own if getattr(vars(module)[name], "__module__", None) == module.__name__)


def _described(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        # The parameters of a model are its fields, which Pydantic spells.
        yield f"class {name}" + ("" if hasattr(value, "model_fields") else _called(value))
        yield from (f"    {member}" for member in sorted(_members(value)))
    elif inspect.ismodule(value):
        yield f"module {name}"
    elif inspect.isfunction(value):
        yield f"{'async ' if inspect.iscoroutinefunction(value) else ''}def {name}{_called(value)}"
    elif type(value).__module__.startswith("data_bridge."):
        yield f"{name}: {type(value).__name__}"
    else:
        yield name


def lines() -> Iterator[str]:
    """One line per name, and one per member of a class."""
    for path in MODULES:
        module = import_module(path)
        yield f"# {path}"
        for name in _exported(module):
            # What the façade re-exports is described where it comes from.
            facade = path == "data_bridge.postgres"
            yield from (name,) if facade else _described(name, getattr(module, name))


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(lines()) + "\n")
