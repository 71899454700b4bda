"""The laws of `make` over schemas that nobody thought of, and the proof that they notice a wrong diff."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from migrate_schema_laws import files_lead
from migrate_schemas import pairs

from data_bridge.migrate.diff import enum_changes, object_changes, script, table_changes
from data_bridge.migrate.diff.column_changes import ColumnChange
from data_bridge.migrate.diff.table_changes import TableChange
from data_bridge.query import (
    ColumnDef,
    ConstraintDef,
    FunctionDef,
    GrantDef,
    IndexDef,
    PolicyDef,
    TableDef,
    TriggerDef,
    ViewDef,
    ddl,
    sql,
    types,
)

_CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
Place = Callable[..., None]


@pytest.fixture
def on_this_server(server_version: int) -> Callable[[Any], Any]:
    """Makes virtual columns stored ones before PostgreSQL 18, which brought them."""
    if server_version >= 180_000:
        return lambda pair: pair

    def stored(definition: Any) -> Any:
        if not isinstance(definition, TableDef):
            return definition
        return definition.replace(columns=tuple(c.replace(stored=True) for c in definition.columns))

    return lambda pair: tuple([*map(stored, side)] for side in pair)


def test_operations_lead_from_any_schema_to_any_other_and_back(
    lead: Place, on_this_server: Callable[[Any], Any]
) -> None:
    @settings(max_examples=30, suppress_health_check=_CHECKS)
    @given(pairs())
    def law(pair: Any) -> None:
        lead(*on_this_server(pair))

    law()


def test_files_lead_from_any_schema_to_any_other(
    postgres_dsn: str, tmp_path: Path, on_this_server: Callable[[Any], Any]
) -> None:
    @settings(max_examples=5, suppress_health_check=_CHECKS, phases=[Phase.explicit, Phase.generate])
    @given(pairs())
    def law(pair: Any) -> None:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        asyncio.run(files_lead(postgres_dsn, folder, *on_this_server(pair)))

    law()
    for command in (["format", "--check"], ["check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _table(
    name: str = "t", *, default: str | None = None, where: str | None = None, on_delete: Any = None, to: str = "t",
    comment: str | None = None, moods: tuple[str, ...] = (),
) -> TableDef:  # fmt: skip
    columns = [
        ColumnDef("id", types.BigInt, nullable=False),
        ColumnDef("a", types.BigInt, default=None if default is None else sql(default)),
    ]
    if moods:
        columns.append(ColumnDef("m", types.Enum("mood", *moods)))
    constraints = [ConstraintDef("primary_key", f"{name}_pkey", ("id",))]
    if on_delete is not None:
        constraints.append(
            ConstraintDef(
                "foreign_key", f"{name}_a_fkey", ("a",), references=(None, to), references_columns=("id",),
                on_delete=on_delete,
            )
        )  # fmt: skip
    indexes = () if where is None else (IndexDef(f"{name}_a_idx", ("a",), where=sql(where)),)
    return TableDef(name, tuple(columns), constraints=tuple(constraints), indexes=indexes, comment=comment)


def _forget_defaults(change: ColumnChange) -> None:
    if change.is_retyped:
        _DEFAULT_AND_TYPE(change)


def _view(query: str = "SELECT id, a FROM t", name: str = "v", **options: Any) -> ViewDef:
    return ViewDef(name, query, **options)


def _function(body: str, returns: str = "bigint", name: str = "f") -> FunctionDef:
    return FunctionDef(f"CREATE FUNCTION {name}() RETURNS {returns} LANGUAGE sql {body}")


def _touch() -> FunctionDef:
    return FunctionDef("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'")


_POLICY = PolicyDef("p", using=sql("a > 0"))
_TRIGGER = TriggerDef("tr", "BEFORE UPDATE", "FOR EACH ROW EXECUTE FUNCTION touch()")
_TRIGGER_SQL = table_changes.trigger_sql
_FUNCTION = object_changes._ObjectChanges._function
_MADE = object_changes._ObjectChanges.make
_DEFAULT_AND_TYPE = ColumnChange._default_and_type
_INDEX_SQL = table_changes.index_sql
_CONSTRAINT_SQL = table_changes.constraint_sql
_ADD_VALUE = ddl.AddEnumValue
FAULTS: dict[str, tuple[tuple[Any, str, Any], tuple[list[Any], list[Any]]]] = {
    "a changed default is forgotten": (
        (ColumnChange, "_default_and_type", _forget_defaults),
        ([_table(default="0")], [_table(default="1")]),
    ),
    "the predicate of an index is not compared": (
        (table_changes, "index_sql", lambda index: _INDEX_SQL(index.replace(where=None))),
        ([_table(where="id > 5")], [_table(where="id > 6")]),
    ),
    "what a foreign key does on delete is not compared": (
        (table_changes, "constraint_sql", lambda table, c: _CONSTRAINT_SQL(table, c.replace(on_delete=None))),
        ([_table(on_delete="cascade")], [_table(on_delete="restrict")]),
    ),
    "comments are forgotten": (
        (TableChange, "_comments", lambda change: None),
        ([_table(comment="one")], [_table(comment="two")]),
    ),
    "foreign keys come before their tables": (
        (script, "PHASES", ("keys", *(phase for phase in script.PHASES if phase != "keys"))),
        ([_table()], [_table(on_delete="cascade", to="other"), _table("other", on_delete="cascade")]),
    ),
    "new values of an enum come last": (
        (enum_changes.ddl, "AddEnumValue", lambda key, value, **place: _ADD_VALUE(key, value)),
        ([_table(moods=("a", "c"))], [_table(moods=("a", "b", "c"))]),
    ),
    "a renamed type stays": (
        (enum_changes.ddl, "DropEnum", lambda key: ddl.Comment("type", key, None)),
        ([_table(moods=("a", "b"))], [_table(moods=("b", "a"))]),
    ),
    "the query of a view is not compared": (
        (object_changes, "view_sql", lambda view: ""),
        ([_table(), _view()], [_table(), _view("SELECT id, a FROM t WHERE a > 0")]),
    ),
    "every view is replaced in place": (
        (object_changes._ObjectChanges, "can_stay", lambda work, name: True),
        ([_table(), _view()], [_table(), _view("SELECT a, id FROM t")]),
    ),
    "a view is in nobody's way": (
        (object_changes._Blocked, "is_in_the_way", lambda blocked, one, dropped: False),
        ([_table(moods=("a", "b")), _view("SELECT m FROM t")], [_table(moods=("b", "a")), _view("SELECT m FROM t")]),
    ),
    "what reads a dropped view stays": (
        (object_changes._Blocked, "is_in_the_way", lambda blocked, one, dropped: False),
        (
            [_table(), _view(), _view("SELECT a FROM v", "w")],
            [_table(), _view("SELECT a FROM t"), _view("SELECT a FROM v", "w")],
        ),
    ),
    "a view comes before what it reads": (
        (object_changes, "in_order", lambda views: sorted(views, key=lambda v: v.name)),
        ([_table()], [_table(), _view(name="z"), _view("SELECT a FROM z", "b")]),
    ),
    "views come before tables": (
        (script, "PHASES", ("objects", *(phase for phase in script.PHASES if phase != "objects"))),
        ([_table()], [_table(), _table("other"), _view("SELECT id FROM other")]),
    ),
    "the body of a function is not compared": (
        (object_changes._ObjectChanges, "_function", lambda work, old, new: None if old else _FUNCTION(work, old, new)),
        ([_table(), _function("RETURN 1")], [_table(), _function("RETURN 2")]),
    ),
    "every function is replaced in place": (
        (object_changes, "_replaces_function", lambda old, new: True),
        ([_table(), _function("RETURN 1")], [_table(), _function("RETURN 'a'", "text")]),
    ),
    "functions come behind what calls them": (
        (script, "PHASES", (*(phase for phase in script.PHASES if phase != "functions"), "functions")),
        ([_table()], [_table(default="f()"), _function("RETURN 1")]),
    ),
    "what the text of a function mentions is not looked at": (
        (object_changes, "_used", lambda one, names: object_changes._known(one)),
        ([_table()], [_table(), _function("AS 'SELECT g()'"), _function("RETURN 1", name="g")]),
    ),
    "privileges are forgotten": (
        (table_changes, "change_grants", lambda script, path, old, new: None),
        ([_table()], [_table().replace(grants=(GrantDef("SELECT", "policy_a"),))]),
    ),
    "policies are forgotten": (
        (TableChange, "_policies", lambda change: None),
        ([_table()], [_table().replace(policies=(_POLICY,))]),
    ),
    "the condition of a policy is not compared": (
        (table_changes, "policy_sql", lambda policy: ""),
        ([_table().replace(policies=(_POLICY,))], [_table().replace(policies=(_POLICY.replace(using=sql("a > 1")),))]),
    ),
    "every policy is altered in place": (
        (table_changes, "_alters", lambda old, new, moved: True),
        ([_table().replace(policies=(_POLICY,))], [_table().replace(policies=(_POLICY.replace(restrictive=True),))]),
    ),
    "security of rows is forgotten": (
        (table_changes.ddl, "SetRowSecurity", lambda table, to: ddl.Comment("table", table, None)),
        ([_table()], [_table().replace(row_security="forced")]),
    ),
    "triggers are forgotten": (
        (TableChange, "_triggers", lambda change: None),
        ([_table(), _touch()], [_table().replace(triggers=(_TRIGGER,)), _touch()]),
    ),
    "the event of a trigger is not compared": (
        (table_changes, "trigger_sql", lambda trigger: _TRIGGER_SQL(trigger.replace(event="BEFORE UPDATE"))),
        (
            [_table().replace(triggers=(_TRIGGER,)), _touch()],
            [_table().replace(triggers=(_TRIGGER.replace(event="AFTER INSERT"),)), _touch()],
        ),
    ),
    "the comment of a view is forgotten": (
        (
            object_changes._ObjectChanges,
            "make",
            lambda work, one, is_there: _MADE(work, one.replace(comment=None), is_there=is_there),
        ),
        ([_table(), _view()], [_table(), _view(comment="x")]),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_laws_notice_a_fault(fault: str, lead: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    planted, (a, b) = FAULTS[fault]
    lead(a, b)
    monkeypatch.setattr(*planted)
    with pytest.raises(AssertionError):
        lead(a, b)
