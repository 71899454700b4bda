"""`data-bridge inspect`: arguments, settings, files and exit statuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data_bridge.core.cli import main as data_bridge
from data_bridge.orm.inspection.command import main
from data_bridge.postgres.sync import run

Output = tuple[int, str, str]


@pytest.fixture
def command(
    isolated_db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Runs the command in an empty folder, on a database with two tables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", isolated_db.dsn)
    run(
        isolated_db.execute_script(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL); CREATE SCHEMA shop; "
            "CREATE TABLE shop.orders (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users); "
            "CREATE TABLE notes (text text); CREATE VIEW names AS SELECT name FROM users; "
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
    )

    def called(*arguments: str) -> Output:
        capsys.readouterr()
        status = main(arguments)
        return status, *capsys.readouterr()

    return called


def test_a_module_is_printed(command: Any) -> None:
    status, out, err = command()
    assert status == 0
    assert "class User(Table):\n" in out
    assert "    name: Col[str]\n" in out
    assert "Order" not in out
    assert err.splitlines() == [
        "not said by a class: table notes: it has no primary key, which a class needs",
        "not said by a class: function f",
    ]
    assert '    class Settings:\n        name = "names"\n        view = ' in out
    namespace: dict[str, Any] = {"__name__": "printed_models"}
    sys.modules["printed_models"] = type(sys)("printed_models")
    exec(compile(out, "models.py", "exec"), namespace)
    assert namespace["User"].__name__ == "User"


def test_schemas_and_tables_are_chosen(command: Any) -> None:
    out = command("--schema", "public", "--schema", "shop")[1]
    assert "    user: Link[User] = Column(index=False)\n" in out
    assert '    orders: BackLink[list[Order]] = BackLink("user")\n' in out
    assert '        schema = "shop"\n' in out
    only = command("--schema", "shop", "--table", "shop.orders")[1]
    assert '    user_id: Col[int] = Column(foreign_key="users.id", index=False)\n' in only
    assert command("--table", "user") == (2, "", "data-bridge inspect: the database has no table or view 'user'\n")
    status, _, err = command("--schema", "nothing")
    assert (status, err) == (
        2,
        "data-bridge inspect: there are no views, and no tables with a primary key, in nothing\n",
    )


def test_a_file_is_written_once(command: Any, tmp_path: Path) -> None:
    path = tmp_path / "models.py"
    status, out, err = command("--output", "models.py")
    assert (status, out) == (0, "")
    assert err.startswith("models.py: 2 classes\n")
    path.write_text("# mine\n" + path.read_text())
    status, _, err = command("--output", "models.py")
    assert (status, err) == (2, "data-bridge inspect: models.py is there already: --force replaces it\n")
    assert path.read_text().startswith("# mine")
    assert command("--output", "models.py", "--force")[0] == 0
    assert not path.read_text().startswith("# mine")
    checked = subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", str(path)], check=False)
    assert checked.returncode == 0


def test_strict_is_an_exit_status(command: Any) -> None:
    assert command("--strict")[0] == 3
    assert command("--schema", "shop", "--strict")[0] == 0


def test_settings_are_read(command: Any, tmp_path: Path) -> None:
    settings = tmp_path / "pyproject.toml"
    settings.write_text(
        '[tool.data-bridge.inspect]\nschemas = ["shop"]\n[tool.data-bridge.inspect.classes]\norders = "Purchase"\n'
    )
    assert "class Purchase(Table):" in command()[1]
    settings.write_text('[tool.data-bridge.inspect]\nschema = "shop"\n')
    status, _, err = command()
    assert status == 2
    assert "has no setting 'schema'; known are database, schemas, tables, output, classes" in err
    settings.write_text('[tool.data-bridge.inspect]\nschemas = "shop"\n')
    assert "schemas of [tool.data-bridge.inspect] has another type than expected" in command()[2]


def test_without_a_database(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    status, _, err = command()
    assert status == 2
    assert "no database: give --database" in err
    status, _, err = command("--database", "postgresql://u:secret@127.0.0.1:1/x")
    assert status == 1
    assert "127.0.0.1:1" in err
    assert "secret" not in err


def test_it_is_a_command_of_data_bridge(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        data_bridge(["inspect", "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "usage: data-bridge inspect" in out
    assert "exit status:" in out
