"""A folder of migrations: whatever looks like a migration and would not run is an error, and so is an empty folder."""

from typing import Any

import pytest

from data_bridge.migrate import run_migrations
from data_bridge.migrate.sources.discovery import in_directory
from data_bridge.postgres import ConfigurationError, IrreversibleMigration, MigrationError

Folder = Any
CLASS = """
from data_bridge.migrate import Migration
class {}(Migration):
    {}
    async def up(self):
        await self.execute("select 1")
"""


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"sub/1_a.sql": "select 1"}, "sub/1_a.sql would not run"),
        ({"sub/more/1_a.sql": "select 1"}, "would not run"),
        ({"sub/0001_a.py": "x = 1"}, "sub/0001_a.py would not run"),
        ({"1_a.sql": "select 1", "sub/2_b.sql": "select 2"}, "sub/2_b.sql would not run"),
        ({"1_a.SQL": "select 1"}, "1_a.SQL would not run.*in small letters"),
        ({"20240101_init/migration.sql": "select 1"}, "would not run"),
        ({"0001_a.py": "x = 1"}, "0001_a.py would not run: it holds no class that inherits from Migration"),
        ({"0001_a.py": CLASS.format("A", "")}, '0001_a.py: A would not run.*version = "0001"'),
        ({"0001_a.py": CLASS.format("A", 'version = "0001"') + CLASS.format("B", "")}, "B would not run"),
        ({"people.py": CLASS.format("A", "")}, "people.py: A would not run, because it has no version"),
    ],
)
def test_what_would_be_passed_over_is_an_error(folder: Folder, files: dict[str, str], said: str) -> None:
    place = folder()
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with pytest.raises(MigrationError, match=said):
        in_directory(place)


def test_what_is_no_migration_may_lie_there(folder: Folder) -> None:
    place = folder(
        **{"1_a.sql": "select 1", "README.md": "…", "data/users.csv": "1", "_old/1_x.sql": "", ".git/x.sql": ""}
    )
    (place / "shared").mkdir()
    (place / "shared" / "names.py").write_text("x = 1")
    (place / "bases.py").write_text(
        "from data_bridge.migrate import Migration\nclass Base(Migration):\n    atomic = True\n"
    )
    base = CLASS.format("Base", "") + "class A(Base):\n    version = '2'\n"
    (place / "2_with_a_base.py").write_text(base)
    assert [m.version for m in in_directory(place)] == ["2", "1"]


@pytest.mark.parametrize("files", [{}, {"README.md": "nothing"}, {"data/users.csv": "1"}])
async def test_a_folder_without_migrations_is_an_error(isolated_db: Any, folder: Folder, files: dict[str, str]) -> None:
    place = folder(**files)
    with pytest.raises(ConfigurationError, match="migrations holds no migrations: is it the right folder"):
        await run_migrations(directory=place, using=isolated_db)


@pytest.mark.parametrize(
    ("files", "file"),
    [
        ({"1_a/up.sql": "create table a (i int)", "1_a/down.sql": "drop table nope"}, "1_a/down.sql"),
        ({"1_a.up.sql": "create table a (i int)", "1_a.down.sql": "drop table nope"}, "1_a.down.sql"),
        ({"V1__a.sql": "create table a (i int)", "U1__a.sql": "drop table nope"}, "U1__a.sql"),
        ({"1_a.sql": "-- up\ncreate table a (i int);\n-- down\ndrop table nope;"}, "1_a.sql"),
    ],
)
async def test_a_way_back_that_fails_names_its_file(
    isolated_db: Any, folder: Folder, files: dict[str, str], file: str
) -> None:
    place = folder(**files)
    await run_migrations(directory=place, using=isolated_db)
    with pytest.raises(MigrationError) as caught:
        await run_migrations(directory=place, direction="down", using=isolated_db)
    text = str(caught.value)
    assert f"{place / file})" in text and "drop table nope" in text
    assert "Nothing was taken back: the migration is applied as before." in text
    assert not isinstance(caught.value, IrreversibleMigration)
