"""Section marks and options: every tool's mark in every place, and nothing that is dropped without a word."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from data_bridge.migrate import run_migrations
from data_bridge.migrate._sql_lexer import comments, first_statement, split
from data_bridge.migrate.lint.linter import lint_migrations
from data_bridge.migrate.runner.plan import record
from data_bridge.migrate.sources.discovery import checksum, in_directory, ordered
from data_bridge.migrate.sources.section_marks import divide
from data_bridge.migrate.sources.sql_files import sections
from data_bridge.postgres import MigrationError, fetch_val

Folder = Any

PAIRS = {
    "data-bridge": ("-- up", "-- down"),
    "capitals": ("-- UP", "-- DOWN"),
    "close": ("--up", "--down"),
    "decorated": ("-- up --", "-- down:"),
    "at": ("-- @up", "-- @down"),
    "dbmate": ("-- migrate:up", "-- migrate:down"),
    "goose": ("-- +goose Up", "-- +goose Down"),
    "sql-migrate": ("-- +migrate Up", "-- +migrate Down"),
    "micrate": ("-- +micrate Up", "-- +micrate Down"),
    "node-pg-migrate": ("-- Up Migration", "-- Down Migration"),
    "rambler": ("-- rambler up", "-- rambler down"),
}
CLOSING = {
    "tern": "---- create above / drop below ----",
    "MyBatis": "-- //@UNDO",
    "MyBatis, close": "--//@UNDO",
}
marks = pytest.mark.parametrize("style", PAIRS)


def write(folder: Path, text: str, name: str = "1_a.sql") -> Any:
    (folder / name).write_bytes(text.encode())
    (found,) = in_directory(folder)
    return found


async def steps(migration: Any, direction: str = "up") -> list[str]:
    return [s.sql.rstrip(";").strip() for s in (await record(migration, direction))[0]]


# ------------------------------------------------------------------------------------------------------- known marks
@marks
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("head", ["", "\ufeff", "-- a comment\n\n", "/* -- down */\n", "\n\n;\n"])
async def test_both_sections(folder: Folder, style: str, end: str, head: str) -> None:
    up, down = PAIRS[style]
    text = f"{head}{up}\nselect 1;\n{down}\nselect -1;\n".replace("\n", end)
    made = write(folder(), text)
    assert await steps(made) == ["select 1"]
    assert await steps(made, "down") == ["select -1"]
    assert checksum(made)


@marks
async def test_the_other_order_and_indented_marks(folder: Folder, style: str) -> None:
    up, down = PAIRS[style]
    made = write(folder(), f"  {down}\t\nselect -1;\n \t{up}  \nselect 1;")
    assert (await steps(made), await steps(made, "down")) == (["select 1"], ["select -1"])


HIDDEN = {
    "string": "select '\n{mark}\n'",
    "escape string": "select E'\\'\n{mark}\n'",
    "dollar quote": "do $$ begin\n{mark}\nend $$",
    "tagged dollar quote": "do $x$ begin $$\n{mark}\n$$ end $x$",
    "block comment": "select 1 /*\n{mark}\n*/",
    "nested block comment": "select 1 /* /* */\n{mark}\n*/",
    "identifier": 'select 1 as "\n{mark}\n"',
    "behind a statement": "select 1 {mark}",
    "behind a block comment": "select 1; /* x */ {mark}",
    "behind a string's end": "select '\n' {mark}",
}


@marks
@pytest.mark.parametrize("place", HIDDEN)
async def test_marks_that_are_hidden_are_text(folder: Folder, style: str, place: str) -> None:
    up, down = PAIRS[style]
    for mark in (up, down):
        hidden = HIDDEN[place].format(mark=mark)
        made = write(folder(), f"{hidden}\n;")
        assert await steps(made) == [f"{hidden}\n;".rstrip(";").strip()]
        assert made.sections[1] is None
    hidden = HIDDEN[place].format(mark=down)
    made = write(folder(), f"{up}\n{hidden}\n;\n{down}\nselect -1;")
    assert len(await steps(made)) == 1
    assert hidden in (await steps(made))[0]
    assert await steps(made, "down") == ["select -1"]


@marks
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{down}\nselect 1;", r"line 1: '.*' has no up section"),
        ("create table a (i int);\n\n{down}\n-- drop table a;\n", r"line 3: '.*' has no up section"),
        ("select 1;\n{up}\nselect 2;", r"line 1: what stands before the first mark \(line 2"),
        (
            "-- words\n\nselect 1\n;\n{up}\nselect 2;\n{down}\nselect 3;",
            r"line 3: what stands before the first mark \(line 5",
        ),
        ("{up}\nselect 1;\n{up}\nselect 2;", r"line 3: a second up section \(the first begins in line 1\)"),
        ("{up}\nselect 1;\n{down}\nselect 2;\n{down}\nselect 3;", r"line 5: a second down section"),
        ("{up}\nselect 1;\n{down}\nselect 2;\n{up}\nselect 3;", r"line 5: a second up section"),
        ("{up}\ncreate table t (\n{down}\na int);", r"line 3: '.*' stands inside a statement"),
    ],
)
def test_a_file_of_which_a_part_would_not_run(folder: Folder, style: str, text: str, message: str) -> None:
    up, down = PAIRS[style]
    place = folder()
    with pytest.raises(MigrationError, match=r"1_a\.sql, " + message):
        write(place, text.format(up=up, down=down))


@marks
def test_marks_of_two_tools(folder: Folder, style: str) -> None:
    up, _ = PAIRS[style]
    other = "-- migrate:down" if style != "dbmate" else "-- +goose Down"
    with pytest.raises(MigrationError, match=r"line 3: .* is a mark of (dbmate|goose), but line 1 has one of"):
        write(folder(), f"{up}\nselect 1;\n{other}\nselect 2;")


@pytest.mark.parametrize("style", CLOSING)
async def test_marks_that_close_the_up_section(folder: Folder, style: str) -> None:
    mark = CLOSING[style]
    made = write(
        folder(), f"-- // First migration.\n-- Write your migrate up statements here\nselect 1;\n\n{mark}\nselect -1;\n"
    )
    assert await steps(made) == ["-- // First migration.\n-- Write your migrate up statements here\nselect 1"]
    assert await steps(made, "down") == ["select -1"]
    with pytest.raises(MigrationError, match="a second down section"):
        write(folder(), f"select 1;\n{mark}\nselect 2;\n{mark}\nselect 3;")


# ------------------------------------------------------------------------------------------- what looks like a mark
LOOKS_LIKE = [
    "-- up (users)", "-- Up: create users", "-- UPGRADE", "-- DOWNGRADE", "-- downgrade", "-- [up]", "-- === down ===", "--- UP ---",
    "-- #up", "-- migrate up", "-- migration down", "-- undo", "-- @UNDO", "-- ROLLBACK", "-- revert", "-- rollback script", "-- up - users",
    "-- Down - users", "-- begin up", "-- end down", "-- up/down", "-- do", "-- +up: users", "-- forward", "-- backwards", "-- Up = users",
]  # fmt: skip


@pytest.mark.parametrize("line", LOOKS_LIKE)
@pytest.mark.parametrize(
    "place", ["{line}\nselect 1;", "select 1;\n  {line}\nselect 2;", "-- up\nselect 1;\n{line}\nselect 2;"]
)
def test_a_comment_that_looks_like_a_mark(folder: Folder, line: str, place: str) -> None:
    at = (
        place.format(line=line).split("\n").index(line if line in place.format(line=line).split("\n") else f"  {line}")
        + 1
    )
    with pytest.raises(MigrationError, match=rf"1_a\.sql, line {at}: .* looks like the mark of a section"):
        write(folder(), place.format(line=line))


@pytest.mark.parametrize(
    "line",
    [
        "-- up to now this was text", "-- upgrade the table", "-- down there are dragons", "-- set up the users", "-- this goes up",
        "-- apply the discount", "-- do not touch", "-- undo the change of 0007 later", "-- rollback is safe here", "-- update users",
        "-- the rows that migrate up the tree", "-- markdown", "-- top-down: see the manual", "-- up-to-date rows only", "-- begin", "-- migrate",
        "-- schema migrations", "------------------", "-- ", "--",
    ],
)  # fmt: skip
async def test_words_are_words(folder: Folder, line: str) -> None:
    made = write(folder(), f"{line}\nselect 1;\n{line}\nselect 2;")
    assert len(await steps(made)) == 1
    assert made.sections == (f"{line}\nselect 1;\n{line}\nselect 2;", None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-- +goose ENVSUB ON", "goose puts environment variables"),
        ("-- +goose NOTHING", "no such annotation"),
        ("-- +migrate Sideways", "no such annotation"),
        ("-- migrate:sideways", "dbmate has no such section"),
        ("-- //@DELIMITER /", "MyBatis divides"),
        ("-- @DELIMITER //", "MyBatis divides"),
        ("--liquibase formatted sql", "Liquibase"),
        ("--changeset ann:1", "Liquibase"),
        ("--rollback DROP TABLE t", "Liquibase"),
        ("--- !Ups", "Play"),
        ("-- !Downs", "Play"),
        ("-- atlas:delimiter \\n\\n", "Atlas"),
        ("-- atlas:txmode file", "Atlas"),
    ],
)
def test_what_other_tools_say_is_refused_by_name(folder: Folder, line: str, message: str) -> None:
    with pytest.raises(MigrationError, match=rf"1_a\.sql, line 1: .*{message}"):
        write(folder(), f"{line}\nselect 1;")


async def test_annotations_that_change_nothing(folder: Folder) -> None:
    text = "-- +goose Up\n-- +goose StatementBegin\nselect 1;\n-- +goose StatementEnd\n-- +goose ENVSUB OFF\n-- +goose Down\nselect 2;"
    made = write(folder(), text)
    assert len(await steps(made)) == 1
    assert await steps(made, "down") == ["select 2"]


# ------------------------------------------------------------------------------------------------------------ options
OPTIONS = [
    "-- no-transaction", "-- no transaction", "-- NO_TRANSACTION", "-- transaction: false", "-- transaction=false", "-- atomic: false",
    "-- atomic = FALSE", "-- +goose NO TRANSACTION", "---- tern: disable-tx ----", "-- atlas:txmode none", "  -- no-transaction  ",
]  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
async def test_options(folder: Folder, option: str) -> None:
    for text in (f"{option}\nselect 1; select 2;", f"-- words\n{option}\n-- more words\nselect 1; select 2;"):
        assert await steps(write(folder(), text)) == ["select 1", "select 2"]
    both = write(folder(), f"-- words\n{option}\n-- up\nselect 1; select 2;\n-- down\nselect 3; select 4;")
    assert (len(await steps(both)), len(await steps(both, "down"))) == (2, 2)
    one = write(folder(), f"-- up\nselect 1; select 2;\n-- down\n{option}\nselect 3; select 4;")
    assert (len(await steps(one)), len(await steps(one, "down"))) == (1, 2)
    (folder() / "1_a.sql").unlink()
    pair = folder(**{"1_a.up.sql": f"{option}\nselect 1; select 2;", "1_a.down.sql": "select 3; select 4;"})
    (made,) = in_directory(pair)
    assert (len(await steps(made)), len(await steps(made, "down"))) == (2, 1)


@pytest.mark.parametrize(
    "mark",
    [
        "-- up no-transaction",
        "-- up: transaction: false",
        "-- migrate:up transaction:false",
        "-- +migrate Up notransaction",
    ],
)
async def test_options_beside_a_mark(folder: Folder, mark: str) -> None:
    made = write(folder(), f"{mark}\nselect 1; select 2;")
    assert await steps(made) == ["select 1", "select 2"]
    whole = write(folder(), "-- migrate:up transaction:true\nselect 1; select 2;")
    assert len(await steps(whole)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "-- payments that have no transaction yet", "-- rows without a transaction", "-- no transaction is needed", "select '-- no-transaction';",
        "/*\n-- no-transaction\n*/", "select $$\n-- no-transaction\n$$;", "select 0; -- no-transaction", "/* -- no-transaction */",
    ],
)  # fmt: skip
async def test_prose_and_text_are_no_options(folder: Folder, line: str) -> None:
    assert len(await steps(write(folder(), f"{line}\nselect 1; select 2;"))) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("select 1;\n-- no-transaction\nselect 2;", "line 2: .* stands behind a statement"),
        ("-- up\nselect 1;\n-- atomic: false\nselect 2;\n-- down\nselect 3;", "line 3: .* stands behind a statement"),
        ("-- a table, atomic: false\nselect 1;", "line 1: .* an option has a line for itself"),
    ],
)
def test_options_in_the_wrong_place(folder: Folder, text: str, message: str) -> None:
    with pytest.raises(MigrationError, match=message):
        write(folder(), text)


def test_irreversible_is_a_comment(folder: Folder) -> None:
    assert write(folder(), "-- irreversible: data is gone\nselect 1;").irreversible == "data is gone"
    assert write(folder(), "-- up\n-- irreversible: data is gone\nselect 1;").irreversible == "data is gone"
    assert write(folder(), "select '\n-- irreversible: text\n';").irreversible == ""
    (folder() / "1_a.sql").unlink()
    (pair,) = in_directory(folder(**{"1_a.up.sql": "-- irreversible: gone\nselect 1;"}))
    assert pair.irreversible == "gone"


# -------------------------------------------------------------------------------------------------------------- names
async def test_files_whose_names_say_their_direction(folder: Folder) -> None:
    place = folder(
        **{
            "1_a.up.sql": "-- up\nselect 1;",
            "1_a.down.sql": "-- Down Migration\nselect -1;",
            "V2__b.sql": "select 2;",
            "U2__b.sql": "select -2;",
            "3_c/up.sql": "-- migrate:up\nselect 3;",
            "3_c/down.sql": "-- migrate:down\nselect -3;",
        }
    )
    for n, made in enumerate(ordered(in_directory(place)), 1):
        assert (await steps(made))[0].endswith(f"select {n}")
        assert (await steps(made, "down"))[0].endswith(f"select -{n}")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"1_a.up.sql": "select 1;\n-- down\nselect 2;"}, r"1_a\.up\.sql, line 2: '-- down' begins a section, but the whole file is the up part"),
        ({"1_a.up.sql": "select 1;\n-- up\nselect 2;"}, r"line 2: '-- up' begins a section"),
        ({"1_a.up.sql": "select 1;\n-- DOWNGRADE\nselect 2;"}, r"line 2: '-- DOWNGRADE' looks like the mark"),
        ({"1_a.up.sql": "select 1;", "1_a.down.sql": "-- up\nselect 1;"}, r"1_a\.down\.sql, line 1: '-- up' begins"),
        ({"1_a/up.sql": "select 1;\n-- migrate:down\nselect 2;"}, r"up\.sql, line 2"),
        ({"1_a.down.sql": "select 1;"}, r"1_a\.down\.sql would not run: there is no 1_a\.up\.sql beside it"),
        ({"1_a.sql": "select 1;", "1_a.down.sql": "select 2;"}, r"rename 1_a\.sql to 1_a\.up\.sql"),
        ({"U1__a.sql": "select 1;"}, r"U1__a\.sql would not run: there is no V1__….sql beside it"),
        ({"V1__a.sql": "-- up\nselect 1;\n-- down\nselect 2;", "U1__a.sql": "select 3;"}, "the down migration is in this file and in a file of its own"),
        ({"R__views.sql": "select 1;"}, r"R__views\.sql is a repeatable migration of Flyway"),
        ({"B1__base.sql": "select 1;"}, r"B1__base\.sql is a baseline migration of Flyway"),
        ({"V1__a.sql": "select 1;", "V1__a.sql.conf": "executeInTransaction=false"}, r"V1__a\.sql\.conf has settings of Flyway"),
        ({"001.do.users.sql": "select 1;"}, "named as Postgrator does"),
        ({"001.undo.users.sql": "select 1;"}, "named as Postgrator does"),
        ({"1_init/migration.sql": "select 1;"}, r"migration\.sql would not run: a folder holds up\.sql and down\.sql"),
    ],
)  # fmt: skip
def test_files_that_would_not_run(folder: Folder, files: dict[str, str], message: str) -> None:
    with pytest.raises(MigrationError, match=message):
        in_directory(folder(**files))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "select 'a';\nselect 'ü';".encode("latin-1"),
            r"1_a\.sql, line 2: byte 0xfc is not UTF-8: save the file as UTF-8",
        ),
        ("select 1;".encode("utf-16"), r"1_a\.sql is UTF-16: save it as UTF-8"),
    ],
)
def test_other_encodings_name_the_file(folder: Folder, data: bytes, message: str) -> None:
    place = folder()
    (place / "1_a.sql").write_bytes(data)
    with pytest.raises(MigrationError, match=message):
        in_directory(place)


# -------------------------------------------------------------------------------------------------------- on a server
async def test_the_cases_that_dropped_sql(isolated_db: Any, folder: Folder) -> None:
    place = folder(**{"1_a.sql": "CREATE TABLE a(i int);\n\n-- Down\n-- DROP TABLE a;\n"})
    with pytest.raises(MigrationError, match="has no up section"):
        await run_migrations(directory=place, using=isolated_db)
    with pytest.raises(MigrationError, match="has no up section"):
        await lint_migrations(directory=place)
    assert await fetch_val("select to_regclass('_data_bridge_migrations')") is None
    place = folder(
        **{
            "1_a.sql": "\ufeff-- up\nCREATE TABLE a(i int);\n-- down\nDROP TABLE a;\n",
            "2_b.sql": "\ufeffCREATE TABLE b(i int);",
        }
    )
    assert await run_migrations(directory=place, using=isolated_db) == ["1", "2"]
    assert await fetch_val("select count(*) from pg_class where relname in ('a', 'b')") == 2


# ------------------------------------------------------------------------------------------------------------- laws
def test_sections_take_a_file_apart_without_loss() -> None:
    text = "-- head\n-- up\nselect 1;\n\n-- down\nselect 2;\n"
    up, down = sections(text)
    assert up == "\n\nselect 1;\n\n"
    assert down is not None
    lines = text.split("\n")
    for part in (up, down):
        for s in split(part):
            assert lines[s.line - 1] == s.sql + ";"


def test_comments_and_first_statement() -> None:
    text = "-- a\nselect (\n-- b\n'\n-- c\n');\n\t-- d \nselect 1 -- e\n/* \n-- f\n*/ -- g\n$$\n-- h\n$$\n-- i"
    assert [(c.text, c.line, c.inside) for c in comments(text)] == [
        ("-- a", 1, False), ("-- b", 3, True), ("-- d", 7, False), ("-- i", 15, False),
    ]  # fmt: skip
    assert [c.text for c in comments("-- a\nselect 'open\n-- b")] == ["-- a"]
    assert first_statement("-- a\n/* b */ ;\n") is None
    for start in ("select", "'a'", "(", "\\", '"a"', "$$ $$", "1", "= 1", "e'x'", "'open", "$a$ open"):
        assert first_statement(f"-- a\n ;{start} x") == 7, start


@pytest.mark.parametrize(
    "line", ["INSERT INTO t (a, b, c) VALUES ({i}, 'name {i}', 1.5);", "select '{i}'::text, $${i};$$; -- x"]
)
def test_time_grows_with_the_length(line: str) -> None:
    text = "\n".join(line.format(i=i) for i in range(30_000))
    began = time.perf_counter()
    assert len(split(text)) == 30_000
    divide(f"-- up\n{text}\n-- down\n{text}")
    assert time.perf_counter() - began < 10  # a splitter that counts lines from the top takes minutes


async def test_added_values_are_looked_for_in_linear_time(folder: Folder) -> None:
    lines = "\n".join(f"insert into t values ({i});" for i in range(20_000))
    made = write(folder(), f"alter type mood add value 'new';\n{lines}\nupdate t set m = 'new';\n{lines}")
    began = time.perf_counter()
    assert len(await steps(made)) == 2
    assert time.perf_counter() - began < 10
