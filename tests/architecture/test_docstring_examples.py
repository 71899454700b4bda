"""The example of every public docstring can be copied alone, imports included, and runs."""

from __future__ import annotations

import doctest
import importlib
import inspect
import runpy
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_bridge import core

# The packages whose reference must be complete.
PACKAGES: list[str] = runpy.run_path(str(Path(__file__).parents[2] / ".ci" / "check_reference.py"))["PACKAGES"]
PARSER = doctest.DocTestParser()


def documented(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """The docstring of an object, and those of a class's public members."""
    if isinstance(value, types.ModuleType | types.FunctionType) or inspect.isclass(value):
        yield name, value.__doc__ or ""
    if inspect.isclass(value):
        for base in value.__mro__:
            if base.__module__.startswith("data_bridge"):
                for member, code in vars(base).items():
                    code = getattr(code, "__func__", code)
                    if not member.startswith("_") and isinstance(code, types.FunctionType | property):
                        yield f"{base.__qualname__}.{member}", code.__doc__ or ""


def examples() -> list[Any]:
    found: dict[str, str] = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        found.setdefault(module.__doc__ or "", package)
        for name in module.__all__:
            for where, text in documented(getattr(module, name), name):
                found.setdefault(text, where)
    return [pytest.param(text, name, id=name) for text, name in found.items() if ">>> " in text]


EXAMPLES = examples()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 150


@pytest.mark.db_real
@pytest.mark.parametrize(("text", "name"), EXAMPLES)
def test_example(text: str, name: str) -> None:
    test = PARSER.get_doctest(text, {"__name__": "__main__"}, name, None, None)
    told: list[str] = []
    failed = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(test, out=told.append).failed
    assert not failed, "".join(told)
    source = "".join(example.source for example in test.examples)
    assert "async def main(" not in source or "asyncio.run(main(" in source, "an example that defines main() runs it"
    assert not core.is_connected(), "an example closes what it opens"
