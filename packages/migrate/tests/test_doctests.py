"""Every example in a docstring of the package runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import data_bridge.migrate

MODULES = [
    "data_bridge.migrate",
    *(module.name for module in pkgutil.walk_packages(data_bridge.migrate.__path__, "data_bridge.migrate.")),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.failed == 0


def test_every_public_name_exists() -> None:
    for name in data_bridge.migrate.__all__:
        assert getattr(data_bridge.migrate, name) is not None
