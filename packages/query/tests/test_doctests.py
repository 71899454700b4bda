"""Every example in a docstring of the package runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import types

import pytest

import data_bridge.query

MODULES = [
    "data_bridge.query",
    *(module.name for module in pkgutil.walk_packages(data_bridge.query.__path__, "data_bridge.query.")),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.failed == 0


def test_no_module_hides_a_public_name() -> None:
    # A submodule becomes an attribute of the package when it is first imported: all are imported by now.
    for name in MODULES[1:]:
        importlib.import_module(name)
    for name in data_bridge.query.__all__:
        value = getattr(data_bridge.query, name)
        assert isinstance(value, types.ModuleType) == (name in ("catalog", "ddl", "types")), name
