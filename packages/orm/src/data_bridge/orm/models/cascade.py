"""Write rules: whether save() and delete() go on to the rows that an instance holds in its relations."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from data_bridge.core import pg_transaction
from data_bridge.orm._state import GONE, links_of, state_of
from data_bridge.orm.relations.loading import fetch

if TYPE_CHECKING:
    from data_bridge.orm.mapping.entity import Entity
    from data_bridge.orm.mapping.relation import Relation


class WriteRules(StrEnum):
    """For save() and insert()."""

    DO_NOTHING = "do_nothing"
    """Only the row itself."""
    WRITE = "write"
    """First the new and changed rows its links point to, then the row, then those that point to it."""


class DeleteRules(StrEnum):
    """For delete(). What the database does by itself, `on_delete`, holds in any case."""

    DO_NOTHING = "do_nothing"
    """Only the row itself."""
    DELETE_LINKS = "delete_links"
    """After the row also those its links point to; the rows that point to it before."""


async def save(entity: Entity, row: Any, skip: Any, tx: Any, work: Any) -> Any:
    """`work(transaction)` writes the row itself; all or nothing."""
    links = dict(links_of(row) or {})
    async with pg_transaction(using=entity.writer(tx)) as inner:
        for relation in entity.relations.values():
            other = links.get(relation.name)
            if relation.kind == "link" and other is not None and _needs_saving(other):
                await other.save(skip_events=skip, tx=inner)
        result = await work(inner)
        for relation in entity.relations.values():
            found = links.get(relation.name)
            if found is None or relation.kind == "link":
                continue
            others = list(found) if relation.is_list else [found]
            if relation.kind == "many":
                await _write(relation, [o for o in others if _needs_saving(o)], skip, inner)
                await getattr(row, relation.name).add(*others, tx=inner)
                continue
            values = [row.__dict__[k] for k in relation.near]
            for other in others:
                for key, value in zip(relation.far, values, strict=True):
                    if other.__dict__.get(key) != value:
                        setattr(other, key, value)
            await _write(relation, [o for o in others if _needs_saving(o)], skip, inner)
    return result


def _needs_saving(row: Any) -> bool:
    return state_of(row) is not GONE and row.is_changed


async def _write(relation: Relation, rows: list[Any], skip: Any, tx: Any) -> None:
    """New rows by one statement, changed ones by another."""
    new = [r for r in rows if state_of(r) is None]
    changed = [r for r in rows if state_of(r) is not None]
    if new:
        await relation.cls.insert_many(new, skip_events=skip, tx=tx)
    if changed:
        await relation.cls.bulk_update(changed, skip_events=skip, tx=tx)


async def delete(entity: Entity, row: Any, skip: Any, tx: Any, work: Any) -> Any:
    """`work(transaction)` deletes the row itself; all or nothing."""
    async with pg_transaction(using=entity.writer(tx)) as inner:
        held = links_of(row) or {}
        missing = [r.name for r in entity.relations.values() if r.kind != "many" and r.name not in held]
        if missing:
            await fetch(row, missing, inner)
        held = dict(links_of(row) or {})
        for relation in entity.relations.values():
            if relation.kind == "back":
                found = held.get(relation.name)
                for other in (found or ()) if relation.is_list else [found] if found is not None else []:
                    await other.delete(skip_events=skip, tx=inner)
            elif relation.kind == "many":
                await getattr(row, relation.name).clear(tx=inner)
        result = await work(inner)
        for relation in entity.links:
            other = held.get(relation.name)
            if other is not None:
                await other.delete(skip_events=skip, tx=inner)
    return result
