"""The command in hostile surroundings: other encodings, closed pipes, accounts without a name."""

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest

from data_bridge.core import Database

Folder = Any
FILES = {
    "0001_öl.sql": "-- up\ncreate table a (x int); -- é…\n-- down\ndrop table a;",
    "0002_b.sql": "create table b (i int);",
}
COMMAND = "import sys; from data_bridge.migrate.command import main; sys.exit(main(sys.argv[1:]))"


def call(dsn: str, *arguments: str, code: str = COMMAND, **environment: str) -> subprocess.CompletedProcess[bytes]:
    options = ["--directory", "migrations", "--database", dsn]
    return subprocess.run(
        [sys.executable, "-c", code, arguments[0], *options, *arguments[1:]],
        capture_output=True,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_output_in_any_encoding(isolated_db: Any, folder: Folder, encoding: str) -> None:
    folder(**FILES)
    done = call(isolated_db.dsn, "up", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"0002" in done.stdout
    assert call(isolated_db.dsn, "status", "--check").returncode == 0


def test_a_reader_that_goes_away_stops_no_run(isolated_db: Any, folder: Folder) -> None:
    folder(**{f"{n:04}_a.sql": f"create table t{n} (i int);" for n in range(1, 30)})
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "up", "--directory", "migrations", "--database", isolated_db.dsn],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert (process.wait(30), process.stderr.read()) == (0, b"")
    process.stderr.close()
    assert call(isolated_db.dsn, "status", "--check").returncode == 0


def test_an_account_without_a_name(isolated_db: Any, folder: Folder) -> None:
    """A container runs under a number that /etc/passwd does not know."""
    folder(**FILES)
    nameless = f"import os, pwd\nos.getuid = lambda: 4_000_123\n{COMMAND}"
    cleared = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "")
    done = call(isolated_db.dsn, "up", code=nameless, **cleared)
    assert done.returncode == 0, done.stderr


def test_migrations_import_modules_of_the_project(isolated_db: Any, folder: Folder) -> None:
    place = folder(
        **{
            "0001_a.py": "from data_bridge.migrate import Migration\nfrom shop_names import TABLE\n\n\n"
            "class A(Migration):\n    version = '1'\n\n    async def up(self):\n"
            "        await self.create_table(TABLE, {'id': 'int'})\n"
        }
    )
    (place.parent / "shop_names.py").write_text("TABLE = 'orders'\n")
    code = "import sys; sys.path.remove(''); " + COMMAND
    done = call(isolated_db.dsn, "up", code=code)
    assert done.returncode == 0, done.stderr


def test_printed_sql_runs(isolated_db: Any, folder: Folder) -> None:
    """A comment at the end of a statement must not hide its semicolon."""
    folder(
        **{
            "1_a.sql": "create table a (i int) -- the last\n;\n insert into a values (1) -- one",
            "2_b.sql": "create table b (i int)",
        }
    )
    printed = call(isolated_db.dsn, "sql").stdout.decode()

    async def run() -> int:
        async with Database(isolated_db.dsn, max_connections=1) as database:
            await database.execute_script(printed)
            count: int = await database.fetch_val("SELECT count(*) FROM a, pg_class WHERE relname = 'b'")
            return count

    assert asyncio.run(run()) == 1, printed
