"""`data-bridge migrate`: what it prints and its exit status, as --help states them."""

import asyncio
import json
import threading
import time
from typing import Any

import pytest

from data_bridge.core import Database
from data_bridge.migrate.command import arguments, dispatch, main

Folder = Any
Run = Any

FILES = {
    "0001_a.sql": "-- up\ncreate table a (x int);\n-- down\ndrop table a;",
    "0002_b.sql": "-- up\ncreate table b (x int);\n-- down\ndrop table b;",
}


@pytest.fixture
def run(isolated_db: Any, folder: Folder, capsys: pytest.CaptureFixture[str]) -> Run:
    """`status, out, err = run("up")` on a database of its own, with the folder of two migrations."""
    folder(**FILES)

    def go(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        options = [] if argv[0] == "new" else ["--database", isolated_db.dsn]
        status = main([argv[0], "--directory", "migrations", *options, *argv[1:]])
        out, err = capsys.readouterr()
        return status, out, err

    return go


def query(dsn: str, sql: str) -> Any:
    async def ask() -> Any:
        async with Database(dsn, max_connections=1) as database:
            return await database.fetch_val(sql)

    return asyncio.run(ask())


def test_help_states_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for word in (
        "0 done",
        "1 error",
        "2 usage",
        "3 something is open",
        "5 another runner",
        "6 history and files disagree",
        "8 a migration is not proved",
    ):
        assert word in text


def test_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["nonsense"], ["up", "--nonsense"], ["up", "--lock-timeout", "soon"]):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == 2
        assert "usage: data-bridge migrate" in capsys.readouterr().err


def test_up_status_down(run: Run, isolated_db: Any) -> None:
    assert run("status") == (0, "current: -\npending: 0001, 0002\n", "")
    assert run("status", "--check")[0] == 3
    status, out, err = run("up", "0001")
    assert (status, err) == (0, "") and "0001 a …\n0001 applied\n" in out
    assert run("up")[0] == 0
    assert run("up") == (0, "nothing to do\n", "")
    assert run("status", "--check") == (0, "current: 0002\nnothing is pending\n", "")
    status, out, _ = run("down")
    assert status == 0 and "0002 taken back" in out
    assert run("down", "0")[0] == 0
    assert query(isolated_db.dsn, "SELECT to_regclass('a') IS NULL") is True


def test_json(run: Run) -> None:
    assert json.loads(run("up", "--json")[1]) == {"versions": ["0001", "0002"]}
    said = json.loads(run("status", "--json")[1])
    assert said["current"] == "0002" and [a["version"] for a in said["applied"]] == ["0001", "0002"]
    status, out, _ = run("up", "9", "--json")
    assert status == 1 and json.loads(out) == {"error": "there is no migration 9", "status": 1}


def test_plan_and_dry_run(run: Run, isolated_db: Any, folder: Folder) -> None:
    folder(**{"0003_c.sql": "create index concurrently i on a (x); alter table a add y int;"})
    status, out, _ = run("plan")
    assert status == 0
    assert out.splitlines() == [
        "-- 0001",
        "create table a (x int);",
        "-- 0002",
        "create table b (x int);",
        "-- 0003",
        "create index concurrently i on a (x);  -- locks SHARE UPDATE EXCLUSIVE, outside a transaction",
        "--   a: SHARE UPDATE EXCLUSIVE, other schema changes wait; read from end to end",
        "alter table a add y int;  -- locks ACCESS EXCLUSIVE",
        "--   a: ACCESS EXCLUSIVE, readers and writers wait",
    ]
    assert run("up", "--dry-run")[1] == out
    assert run("plan", "0001")[1].splitlines() == out.splitlines()[:2]
    steps = json.loads(run("plan", "--json")[1])["steps"]
    touched = steps[2].pop("touched")
    assert steps[2] == {
        "version": "0003",
        "sql": "create index concurrently i on a (x)",
        "lock": "SHARE UPDATE EXCLUSIVE",
        "transactional": False,
        "understood": True,
        "phase": "expand",
    }
    assert touched == [{
        "relation": "a", "lock": "SHARE UPDATE EXCLUSIVE", "blocks": "other schema changes", "rewrite": False, "scan": True,
        "rows": None, "bytes": None,
    }]  # fmt: skip
    assert query(isolated_db.dsn, "SELECT to_regclass('a') IS NULL") is True


def test_errors(run: Run, folder: Folder) -> None:
    folder(**{"0003_c.sql": "create table c (x int); select 1/0;"})
    status, _, err = run("up")
    assert status == 1 and "0003 c" in err and "division by zero" in err and "Traceback" not in err
    assert main(["up", "--directory", "nowhere", "--database", "postgresql://127.0.0.1:1/x"]) == 2
    assert main(["up", "--directory", "migrations", "--database", "postgresql://127.0.0.1:1/x"]) == 1


def test_no_database(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder(**FILES)
    assert main(["up", "--directory", "migrations"]) == 2
    assert "DATABASE_URL" in capsys.readouterr().err


def test_disagreement_is_6(run: Run, folder: Folder) -> None:
    assert run("up")[0] == 0
    folder(**{"0001_a.sql": "-- up\ncreate table a (x bigint);"})
    status, out, _ = run("status")
    assert status == 6 and "modified: 0001" in out
    status, _, err = run("up")
    assert status == 6 and "changed since: 0001" in err
    place = folder(**FILES)
    (place / "0002_b.sql").unlink()
    assert run("status")[0] == 6
    assert run("up")[0] == 6


def test_another_runner_is_5(run: Run, isolated_db: Any, folder: Folder) -> None:
    folder(**{"0003_slow.sql": "select pg_sleep(2)"})
    first: list[int] = []
    thread = threading.Thread(
        target=lambda: first.append(main(["up", "--directory", "migrations", "--database", isolated_db.dsn]))
    )
    thread.start()
    sleeping = (
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'select pg_sleep%' AND datname = current_database()"
    )
    until = time.monotonic() + 20
    while not query(isolated_db.dsn, sleeping):
        assert time.monotonic() < until
    status, _, err = run("up", "--lock-timeout", "0.1")
    assert status == 5 and "another runner" in err
    thread.join()
    assert first == [0]


def test_new(run: Run, folder: Folder) -> None:
    status, out, _ = run("new", "Create users")
    assert status == 0 and out.strip().endswith("_create_users.py")
    status, out, _ = run("new", "add index", "--sql")
    assert status == 0
    assert out.strip().endswith("_add_index.sql")
    assert "create_users" in str(list(folder().iterdir()))
    status, out, _ = run("status")
    assert status == 0 and out.count(",") == 3, "both are found"
    assert run("up")[0] == 0, "skeletons run"


def test_fake(run: Run, isolated_db: Any) -> None:
    assert run("up", "--fake")[0] == 0
    assert query(isolated_db.dsn, "SELECT to_regclass('a') IS NULL") is True
    assert run("status", "--check")[0] == 0


def test_the_database_of_the_environment(folder: Folder, isolated_db: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(**FILES)
    monkeypatch.setenv("DATABASE_URL", isolated_db.dsn)
    assert main(["up", "--directory", "migrations"]) == 0
    assert query(isolated_db.dsn, "SELECT to_regclass('a') IS NULL") is False


def test_to_and_redo(run: Run, isolated_db: Any) -> None:
    assert run("redo") == (0, "nothing to do\n", "")
    assert run("to", "0002")[0] == 0
    status, out, _ = run("redo")
    assert status == 0 and out.splitlines() == ["0002 b …", "0002 taken back", "0002 b …", "0002 applied"]
    assert run("to", "0001")[0] == 0
    assert query(isolated_db.dsn, "SELECT to_regclass('b') IS NULL AND to_regclass('a') IS NOT NULL") is True
    assert run("to", "0001") == (0, "nothing to do\n", "")
    assert run("to", "0")[0] == 0
    assert run("to", "7")[0] == 1


def test_stamp(run: Run, isolated_db: Any) -> None:
    assert run("stamp", "0001")[0] == 0
    assert run("status")[1] == "current: 0001\npending: 0002\n"
    assert query(isolated_db.dsn, "SELECT to_regclass('a') IS NULL") is True


def test_history(run: Run, folder: Folder) -> None:
    assert run("history") == (0, "nothing ran\n", "")
    folder(**{"0003_c.sql": "create table c (x int); create index concurrently i on c (x); select 1/0;"})
    assert run("up")[0] == 7
    assert run("status")[0] == 7
    lines = run("history")[1].splitlines()
    assert [line.split()[:2] for line in lines] == [["0001", "applied"], ["0002", "applied"], ["0003", "failed"]]
    assert "step 3 failed" in lines[2]
    assert [r["state"] for r in json.loads(run("history", "--json")[1])] == ["applied", "applied", "failed"]


def test_repair(run: Run, folder: Folder) -> None:
    assert run("up")[0] == 0
    folder(**{"0001_a.sql": "-- up\ncreate table a (x int);\n-- down\ndrop table a; -- now with a comment"})
    assert run("up")[0] == 6
    assert run("repair") == (0, "repaired: 0001\n", "")
    assert run("repair") == (0, "nothing to do\n", "")
    assert run("up") == (0, "nothing to do\n", "")
    (folder() / "0002_b.sql").unlink()
    assert run("status")[0] == 6
    assert run("repair", "--forget", "9")[0] == 1
    assert run("repair", "--forget", "0002")[0] == 0
    assert run("status")[0] == 0


def test_sql_needs_no_database(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder(**FILES)
    assert main(["sql", "--directory", "migrations"]) == 0
    assert capsys.readouterr().out == "-- 0001\ncreate table a (x int);\n-- 0002\ncreate table b (x int);\n"
    assert main(["sql", "--directory", "migrations", "--down"]) == 0
    down = "-- 0002\ndrop table b;  -- locks ACCESS EXCLUSIVE\n-- 0001\ndrop table a;  -- locks ACCESS EXCLUSIVE\n"
    assert capsys.readouterr().out == down
    assert main(["sql", "--directory", "migrations", "0002"]) == 0
    assert capsys.readouterr().out == "-- 0002\ncreate table b (x int);\n"
    assert main(["sql", "--directory", "migrations", "7"]) == 1


def test_the_plan_knows_sizes_and_old_transactions(run: Run, folder: Folder, isolated_db: Any) -> None:
    folder(**{"0003_c.sql": "create table c (x int);", "0004_d.sql": "alter table c alter x type bigint;"})
    assert run("up", "0003")[0] == 0
    query(
        isolated_db.dsn, "WITH i AS (INSERT INTO c SELECT generate_series(1, 1000) RETURNING 1) SELECT count(*) FROM i"
    )
    asyncio.run(_analyze(isolated_db.dsn))
    out = run("plan")[1]
    assert "c: ACCESS EXCLUSIVE, readers and writers wait; written again: " in out and "about 1,000 rows" in out


async def _analyze(dsn: str) -> None:
    async with Database(dsn, max_connections=1) as database:
        await database.execute_script("ANALYZE c")


def test_a_folder_that_nobody_names(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("up", "lint", "sql"):
        assert main([command, "--database", "postgresql://127.0.0.1:1/x"]) == 2
        assert "there is no folder migrations" in capsys.readouterr().err
    folder(**FILES)
    assert main(["sql"]) == 0
    assert "create table a" in capsys.readouterr().out


def test_init(folder: Folder, capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert main(["init"]) == 0
    assert capsys.readouterr().out == "migrations\npyproject.toml\n"
    assert main(["init", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"paths": []}
    assert main(["new", "First: step", "--folder", "--json"]) == 0
    (path,) = json.loads(capsys.readouterr().out)["paths"]
    assert path.endswith("_first_step") and "migrations" in path
    assert (tmp_path / "pyproject.toml").read_text().startswith("[project]")


def test_fake_and_resolve(run: Run, folder: Folder, isolated_db: Any) -> None:
    assert run("fake", "0002") == (0, "applied: 0002\n", "")
    assert run("fake", "0002") == (0, "nothing to do\n", "")
    assert run("status")[1] == "current: 0002\npending: 0001\nlate: 0001\n"
    assert run("fake", "9")[0] == 1
    assert run("fake", "--down", "0002")[1] == "not applied: 0002\n"
    folder(**{"0003_c.sql": "create table c (x int); create index concurrently i on c (x); select 1/0;"})
    assert run("resolve", "0003", "--applied")[0] == 1, "it has not begun"
    assert run("up")[0] == 7
    assert run("resolve", "0003", "--applied") == (0, "applied: 0003\n", "")
    assert run("status", "--check")[0] == 0
    assert run("fake", "--down", "0003")[0] == 0
    assert run("up")[0] == 1, "the table is there already"


def test_lint(run: Run, folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder(
        **{
            "0003_c.sql": "-- up\ncreate index i on a (x);\n-- down\ndrop index concurrently i;",
            "0004_d.sql": "-- up\n-- lint: allow L21, L99: nobody reads it\nalter table a drop column x;\n-- down\nselect 1;",
            "0005_e.sql": "-- up\nalter table a drop column x; -- lint: allow L21\n-- down\nselect 1;",
        }
    )
    capsys.readouterr()
    assert main(["lint", "-d", "migrations", "--json"]) == 4
    said = json.loads(capsys.readouterr().out)
    found = [(f["file"][-10:], f["line"], f["rule"], f["severity"], f["lock"]) for f in said["findings"]]
    assert found == [
        ("0003_c.sql", 2, "L01", "error", "SHARE"),
        ("0005_e.sql", 2, "L21", "error", "ACCESS EXCLUSIVE"),
        ("0005_e.sql", 2, "L00", "error", None),
    ]
    assert said["ok"] is False
    assert [(w["rule"], w["reason"]) for w in said["waived"]] == [("L21", "nobody reads it")]
    assert main(["lint", str(place / "0001_a.sql"), "--json"]) == 0
    phases = {str(place / "0001_a.sql"): "expand"}
    assert json.loads(capsys.readouterr().out) == {"findings": [], "waived": [], "phases": phases, "ok": True}
    assert main(["lint", str(place / "0003_c.sql")]) == 4
    out = capsys.readouterr().out
    assert "L01 error: building index i blocks every write to a" in out
    assert "instead: CREATE INDEX CONCURRENTLY" in out and out.endswith("1 error\n") and "\x1b" not in out
    assert main(["lint", "nowhere.sql"]) == 1


def test_every_command_of_the_parser_has_a_function() -> None:
    (commands,) = [action.choices for action in arguments.build()._actions if isinstance(action.choices, dict)]
    assert set(commands) == {*dispatch.FILE_COMMANDS, *dispatch.DATABASE_COMMANDS}
    functions = [*dispatch.FILE_COMMANDS.values(), *dispatch.DATABASE_COMMANDS.values()]
    assert all(function.__doc__ for function in functions)
