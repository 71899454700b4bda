"""The pages "Coming from …": each statement of the right column runs, and all pages have the same ones."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from data_bridge.postgres import (
    BackLink,
    Col,
    Column,
    IdMixin,
    Link,
    ManyToMany,
    create_all,
    fetch,
    func,
    pg_transaction,
)

PAGES = Path(__file__).parents[2] / "docs" / "coming-from"
NAMES = ("sqlalchemy", "sqlmodel", "tortoise", "django", "prisma")


class Team(IdMixin):
    name: Col[str]
    heroes: BackLink[list[Hero]] = BackLink("team")


class Power(IdMixin):
    name: Col[str]


class Hero(IdMixin):
    name: Col[str] = Column(unique=True)
    age: Col[int]
    team: Link[Team | None] = Column(default=None)
    powers: ManyToMany[Power] = ManyToMany(through="hero_powers")


class Undone(Exception):
    """Ends the transaction of a statement."""


def statements(page: str) -> dict[str, str]:
    """The statements of the right column, by what they do."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8").partition("## What people do")[2]
    found: dict[str, str] = {}
    for line in text.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if len(cells) == 3 and cells[2].startswith("`"):
            found[cells[0]] = cells[2].strip("`")
    return found


@pytest.mark.parametrize("page", NAMES[1:])
def test_every_page_has_the_same_statements(page: str) -> None:
    assert statements(page) == statements(NAMES[0])
    assert len(statements(page)) > 30


async def test_the_statements_run(isolated_db: Any, capsys: pytest.CaptureFixture[str]) -> None:
    await create_all(Team, Power, Hero)
    red = await Team(name="Red").save()
    power = await Power(name="Flight").save()
    hero = await Hero(name="Bob", age=30, team=red).save()
    ann = await Hero(name="Ann", age=40).save()
    scope = {
        "Team": Team,
        "Power": Power,
        "Hero": Hero,
        "hero": hero,
        "ann": ann,
        "power": power,
        "create_all": create_all,
    }
    scope |= {"fetch": fetch, "func": func, "pg_transaction": pg_transaction}
    for task, statement in statements("django").items():
        exec(f"async def run():\n{textwrap.indent(statement.replace('; ', chr(10)), '    ')}", scope)
        run: Any = scope["run"]
        try:
            async with pg_transaction():
                await run()
                raise Undone
        except Undone:
            pass
        except Exception as error:
            raise AssertionError(f"{task}: {statement}") from error
    assert 'WHERE "hero"."age" > $1' in capsys.readouterr().out
    assert await Hero.count() == 2
