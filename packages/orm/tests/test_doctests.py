"""Every example in a docstring of the package runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import data_bridge.orm

MODULES = [
    "data_bridge.orm",
    # The plugin of mypy is imported by mypy, which only the session for types has.
    *(
        module.name
        for module in pkgutil.walk_packages(data_bridge.orm.__path__, "data_bridge.orm.")
        if module.name != "data_bridge.orm.mypy"
    ),
]


@pytest.mark.db_real
@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    # The examples are read without the module's `from __future__ import annotations`, as a reader would type them.
    names = {k: v for k, v in vars(module).items() if k != "annotations"}
    result = doctest.testmod(module, globs=names, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.failed == 0


def test_every_public_name_exists() -> None:
    for name in data_bridge.orm.__all__:
        assert getattr(data_bridge.orm, name) is not None
