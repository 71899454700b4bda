"""The tables that the tests of the sandbox share, and two things to do with them."""

from __future__ import annotations

from typing import Any

from data_bridge import core

SCHEMA = """
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE strict (id int PRIMARY KEY, parent_id int REFERENCES parent DEFERRABLE);
    CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE)
"""


async def names(using: Any = None) -> list[str]:
    """All names in order."""
    return [row[0] for row in await core.fetch("SELECT name FROM item ORDER BY name", as_=tuple, using=using)]


async def add(name: str) -> None:
    """One more item."""
    await core.execute("INSERT INTO item (name) VALUES ($1)", name)
