"""`data-bridge migrate make` for tables that are declared with the query package alone."""

from __future__ import annotations

from typing import Any

import pytest

Project = Any


def test_definitions_of_query_need_no_orm(project: Project) -> None:
    project.models(
        "from data_bridge.query import ColumnDef, ConstraintDef, TableDef, column, table, types\n"
        "books = TableDef('book', (ColumnDef('id', types.BigInt, nullable=False), ColumnDef('title', types.Text)),"
        " constraints=(ConstraintDef('primary_key', columns=('id',)),))\n"
        "notes = table('note', column('id', int, primary_key=True))\n"
    )
    text = project.make()
    assert '"book"' in text and '"note"' in text
    assert project.run("up")[0] == 0
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")


def test_a_type_of_an_extension_brings_the_extension(project: Project) -> None:
    if not project.query("SELECT name FROM pg_available_extensions WHERE name = 'citext'"):
        pytest.skip("this server brings no citext")
    project.models(
        "from data_bridge.query import ColumnDef, TableDef, types\n"
        "books = TableDef('book', (ColumnDef('email', types.Citext),))\n"
    )
    text = project.make()
    assert 'ddl.CreateExtension("citext", if_not_exists=True)' in text
    assert project.run("up")[0] == 0
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")


def test_two_declarations_of_one_table_must_agree(project: Project) -> None:
    project.models(
        "from data_bridge.query import ColumnDef, TableDef, types\n"
        "one = TableDef('t', (ColumnDef('id', types.BigInt),))\nother = TableDef('t', (ColumnDef('id', types.Integer),))\n"
    )
    status, _, err = project.run("make")
    assert status == 2 and "both declare the table t, and not alike" in err


def test_a_serial_column_is_made_and_stays(project: Project) -> None:
    project.models(
        "from data_bridge.orm import *\n\nclass Old(Table):\n    id: int = Column(primary_key=True, auto_increment='serial')\n"
        "    n: int = Column(auto_increment='always')\n    name: str\n"
    )
    text = project.make()
    assert 'ddl.CreateSequence(SequenceDef("old_id_seq"))' in text
    assert 'SequenceDef("old_id_seq", owned_by=("old", "id"))' in text
    assert project.run("up")[0] == 0
    assert project.query("SELECT pg_get_serial_sequence('old', 'id') AS s") == [{"s": "public.old_id_seq"}]
    assert project.run("drift")[:2] == (0, "the database is as recorded\n")
    assert project.run("make", "--check") == (0, "nothing changed\n", "")
    assert project.run("verify")[0] == project.run("down")[0] == 0
