"""An outer join without a partner returns None for it, never an instance full of None, in every shape of the result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from data_bridge.postgres import Col, Column, ConfigurationError, IdMixin, Link, create_all, func, optional


class Kennel(IdMixin):
    name: Col[str] = Column(default="k")


class Hound(IdMixin):
    kennel: Link[Kennel | None] = Column(default=None)


@pytest.fixture
async def rows(db: Any) -> tuple[Kennel, Hound, Hound]:
    """A kennel without a hound, a hound without a kennel, and two that belong together."""
    await create_all(Kennel, Hound)
    full = await Kennel(name="full").save()
    await Kennel(name="empty").save()
    return full, await Hound(kennel=full).save(), await Hound().save()


def joined(how: Any) -> Any:
    return Kennel.find().join(Hound, Hound.kennel.id == Kennel.id, how=how)


COUNTS = {"inner": (1, 0, 0), "left": (1, 1, 0), "right": (1, 0, 1), "full": (1, 1, 1)}
"""Pairs, kennels alone, hounds alone."""


@pytest.mark.parametrize("how", list(COUNTS))
@pytest.mark.parametrize(
    ("first", "second"), [(Kennel, Hound), (optional(Kennel), optional(Hound)), (Kennel, optional(Hound))]
)
async def test_tuples(rows: Any, how: str, first: Any, second: Any) -> None:
    found = await joined(how).tuples(first, second)
    pairs = [(k, h) for k, h in found if k is not None and h is not None]
    assert all(k.id == h.kennel.pk for k, h in pairs)
    alone = [k for k, h in found if h is None], [h for k, h in found if k is None]
    assert (len(pairs), len(alone[0]), len(alone[1])) == COUNTS[how]
    assert all(k.name == "empty" for k in alone[0])
    assert await joined(how).count() == sum(COUNTS[how])


async def test_links(rows: Any) -> None:
    found = await Hound.find().order_by(Hound.id).tuples(Hound.id, Hound.kennel)
    assert [None if kennel is None else kennel.name for _, kennel in found] == ["full", None]
    found = (
        await Hound.find()
        .join(Kennel, Hound.kennel.id == Kennel.id, how="left")
        .order_by(Hound.id)
        .tuples(Hound, Kennel)
    )
    assert [None if kennel is None else kennel.name for _, kennel in found] == ["full", None]


async def streamed(query: Any) -> Any:
    async with query.stream() as rows:
        return [row async for row in rows]


async def batched(query: Any) -> Any:
    return [row async for batch in query.batches(1) for row in batch]


async def iterated(query: Any) -> Any:
    return [row async for row in query]


WAYS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "await": lambda q: q.to_list(),
    "first": lambda q: q.first(),
    "last": lambda q: q.last(),
    "one": lambda q: q.one(),
    "page": lambda q: q.order_by(Kennel.id).page(1, size=5),
    "paginate": lambda q: q.order_by(Kennel.id).paginate(size=5),
    "stream": streamed,
    "batches": batched,
    "iterate": iterated,
    "prepare": lambda q: q.prepare()(),
    "links": lambda q: q.fetch_links().to_list(),
    "select": lambda q: q.select(Kennel.name).to_list(),
}


@pytest.mark.parametrize("how", ["right", "full"])
@pytest.mark.parametrize("way", list(WAYS))
async def test_instances_are_refused_where_a_row_may_be_missing(rows: Any, how: str, way: str) -> None:
    with pytest.raises(ConfigurationError, match=r"have no Kennel.*tuples\(optional\(Kennel\)"):
        await WAYS[way](joined(how))


@pytest.mark.parametrize("how", ["right", "full"])
async def test_other_shapes_are_as_they_were(rows: Any, how: str) -> None:
    names = sorted(str(row["name"]) for row in await joined(how).values(Kennel.name))
    assert names == (["None", "full"] if how == "right" else ["None", "empty", "full"])
    assert await joined(how).exists()
    assert await joined(how).aggregate(n=func.count()) == [{"n": sum(COUNTS[how])}]
