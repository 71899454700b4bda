"""What the settings of a project say of its models and its database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from data_bridge.core import ConfigurationError
from data_bridge.migrate import load_project
from data_bridge.migrate.state.models import definitions_in
from data_bridge.query import ColumnDef, TableDef, types


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    package = tmp_path / "project_of_settings"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "models.py").write_text("answer = 42\n")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.data-bridge.migrate]\nmodels = ["project_of_settings"]\ndatabase = "postgresql://localhost/shop"\n'
    )
    yield tmp_path
    sys.path.remove(str(tmp_path))
    for name in [n for n in sys.modules if n.startswith("project_of_settings")]:
        del sys.modules[name]


def test_the_settings_name_the_models_and_the_database(project: Path) -> None:
    (project / "deep").mkdir()
    found = load_project(start=project / "deep")
    assert found.database == "postgresql://localhost/shop"
    assert [m.__name__ for m in found.modules] == ["project_of_settings", "project_of_settings.models"]
    named = load_project(["project_of_settings.models"], start=project)
    assert [m.__name__ for m in named.modules] == ["project_of_settings.models"]


def test_without_settings_there_is_nothing(tmp_path: Path) -> None:
    assert load_project(start=tmp_path) == ([], None)


def test_models_that_are_not_there_are_an_error(project: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"the models project_of_settings\.nothing cannot be imported"):
        load_project(["project_of_settings.nothing"], start=project)


class Meta(type):
    """As the metaclass of tables: what it says is said of classes."""

    def __table_defs__(cls) -> list[TableDef]:
        return [TableDef("rows_beside", (ColumnDef("id", types.BigInt),))]


class Thing(metaclass=Meta):
    pass


def test_a_row_at_the_level_of_a_module_declares_nothing() -> None:
    module = ModuleType("with_a_row")
    module.__dict__.update(Thing=Thing, row=Thing())
    assert [d.name for d in definitions_in([module])] == ["rows_beside"]
    module = ModuleType("with_only_a_row")
    module.__dict__.update(row=Thing())
    assert definitions_in([module]) == []
