"""Privileges on a table or a view that come or go."""

from __future__ import annotations

from data_bridge.migrate.diff.renames import Key
from data_bridge.migrate.diff.script import Script
from data_bridge.query import TableDef, ViewDef, ddl

__all__ = ["change_grants"]


def change_grants(script: Script, path: Key, old: TableDef | ViewDef, new: TableDef | ViewDef) -> None:
    """Grants what comes before it revokes what goes."""
    before, after = ddl.privileges_of(old), ddl.privileges_of(new)
    for role, wanted in after.items():
        if more := tuple(p for p in wanted if p not in before.get(role, ())):
            script.add("grants", ddl.Grant(path, more, role))
    for role, known in before.items():
        if fewer := tuple(p for p in known if p not in after.get(role, ())):
            script.add("grants", ddl.Revoke(path, fewer, role))
