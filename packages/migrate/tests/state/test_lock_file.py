"""`schema.lock`: one text for one schema, and a reader that names the line of what it cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from migrate_schemas import schemas

from data_bridge.core.errors import MigrationConflict, MigrationError
from data_bridge.migrate.state.facts import facts_of
from data_bridge.migrate.state.lock_file import NAME, Lock, dumped, parsed, read, write
from data_bridge.migrate.state.models import declared_schema, normalised
from data_bridge.query import ColumnDef, TableDef, types

HEAD = "format 1\nhead 1 of 1\npostgresql 18\n"


@given(schemas(), st.sampled_from(["", "1", "20261130120000"]))
def test_what_is_written_is_read(tables: list[TableDef], head: str) -> None:
    facts = facts_of(declared_schema([normalised(t) for t in tables]))
    lock = Lock(head, 18, facts, {path: " text\\\n" for path in facts if path[-2:-1] == ("column",)}, 3 if head else 0)
    assert parsed(dumped(lock), "x") == lock
    assert list(parsed(dumped(lock), "x").facts) == list(facts)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12), st.text(max_size=30))
def test_odd_names_and_comments_are_read(name: str, comment: str) -> None:
    table = TableDef(name, (ColumnDef(name, types.Text, comment=comment),), schema=name, comment=comment)
    lock = Lock("1", 18, facts_of(declared_schema([normalised(table)])), migrations=1)
    assert parsed(dumped(lock), "x") == lock


def test_a_column_is_a_line_and_the_head_is_one(tmp_path: Path) -> None:
    def lock(head: str, *columns: str) -> list[str]:
        table = TableDef("t", tuple(ColumnDef(c, types.Text) for c in columns))
        return dumped(Lock(head, 18, facts_of(declared_schema([table])), migrations=int(head))).splitlines()

    one, other = lock("1", "a", "b"), lock("2", "a", "b", "c")
    assert set(one) ^ set(other) == {"head 1 of 1", "head 2 of 2", "  column c text"}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "format is missing"),
        ("format 2\nhead 1\npostgresql 18", 1, "this release reads format 1, not 2"),
        ("format 1\nhead 1 of 1\nhead 2 of 2\npostgresql 18", 3, "head is said twice"),
        ("format 1\nhead\npostgresql x", 3, "postgresql is the number of a major version"),
        ("format 1\nhead 1\npostgresql 18", 2, "head is a version and how many migrations there are: head 20260101120000 of 3"),
        ("format 1\ntable t\n", 2, "format, head and postgresql come first"),
        (f"{HEAD}table t\ntable t", 5, "table t is there twice"),
        (f"{HEAD}table t\n  column a text\n  column a text", 6, "column a is there twice"),
        (f"{HEAD}column a text", 4, "'column' has no place here"),
        (f"{HEAD}table t\n  table u", 5, "'table' has no place inside a table"),
        (f"{HEAD}table t\n    column a text", 5, "'column' has no place here"),
        (f"{HEAD}table t\n  view a", 5, "'view' has no place inside a table"),
        (f"{HEAD}table t\n   column a text", 5, "this is not a line of a schema.lock"),
        (f"{HEAD}table\n", 4, "table needs a name"),
        (f"{HEAD}table t\n  column a.b text", 5, "column needs a name"),
        (f"{HEAD}  comment x", 4, "comment stands below nothing that it could be about"),
        (f"{HEAD}extension citext\n  comment x", 5, "comment stands below nothing that it could be about"),
        (f"{HEAD}table t\n  comment x\n  comment y", 6, "comment is said twice"),
        (f"{HEAD}table t\n\t column a text", 5, "this is not a line of a schema.lock"),
        (f"{HEAD}TABLE t", 4, "this is not a line of a schema.lock"),
    ],
)  # fmt: skip
def test_the_reader_names_the_line(text: str, line: int, says: str) -> None:
    with pytest.raises(MigrationError) as caught:
        parsed(text, NAME)
    assert str(caught.value) == f"{NAME}:{line}: {says}"


def test_a_merge_conflict_is_named(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("format 1\n<<<<<<< ours\nhead 1\n=======\nhead 2\n>>>>>>> theirs\npostgresql 18\n")
    with pytest.raises(MigrationConflict, match=r"schema.lock:2: a merge conflict: `data-bridge migrate rebase`"):
        read(tmp_path)


def test_the_file_is_written_as_a_whole_and_only_when_it_changes(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    assert write(tmp_path, Lock("1", 18)) is True
    assert write(tmp_path, Lock("1", 18)) is False
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    (tmp_path / NAME).write_bytes(b"\xff")
    with pytest.raises(MigrationError, match="this is not UTF-8"):
        read(tmp_path)
