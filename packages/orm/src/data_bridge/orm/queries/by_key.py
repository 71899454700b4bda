"""Rows by key with their relations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data_bridge.orm.mapping.entity import Entity
from data_bridge.orm.mapping.entity_keys import need_key
from data_bridge.orm.persistence.single_row import row_not_found
from data_bridge.orm.queries.builder import QueryBuilder
from data_bridge.query import row


def with_links(query: QueryBuilder[Any], given: bool | Sequence[Any]) -> QueryBuilder[Any]:
    """The query with what fetch_links= asks for: all relations, or a list of them, or one."""
    if given is True:
        return query.fetch_links()
    if isinstance(given, (list, tuple)):
        return query.fetch_links(*given)
    return query.fetch_links(given)


async def get(entity: Entity, key: tuple[Any, ...], for_update: bool, given: bool | Sequence[Any], tx: Any) -> Any:
    """The row with a key and these relations.

    Raises:
        RowNotFound: there is none.
    """
    query: Any = with_links(QueryBuilder.of(entity), given)
    for k, v in zip(entity.pk_keys, key, strict=True):
        query = query.find(entity.columns[k] == v)
    if for_update:
        query = query.for_update(of=[entity.source])
    rows = await (query if tx is None else query.using(tx)).to_list()
    if not rows:
        raise row_not_found(entity, key)
    return rows[0]


async def find_one(
    entity: Entity, filters: tuple[Any, ...], equals: Mapping[str, Any], given: bool | Sequence[Any], tx: Any
) -> Any:
    """A matching row with these relations, or None."""
    query: Any = QueryBuilder.of(entity)
    if filters or equals:
        query = query.find(*filters, **equals)
    if given:
        query = with_links(query, given)
    if tx is not None:
        query = query.using(tx)
    rows = await query.limit(1).to_list()
    return rows[0] if rows else None


def with_keys(query: QueryBuilder[Any], keys: Sequence[Any]) -> QueryBuilder[Any]:
    """The query for the rows with these keys: one statement.

    Raises:
        EncodeError: a key has the wrong type.
        TypeError: a key has another number of values.
    """
    entity = query._entity
    need_key(entity, "get_many()")
    if entity.pk_key is not None:
        return query.find(entity.pk_binds[0].in_(keys))
    return query.find(row(*entity.pk_binds).in_([entity.key_values(key) for key in keys]))
