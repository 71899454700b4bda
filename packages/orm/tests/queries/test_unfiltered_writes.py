"""The guard against unfiltered writes counts what filters rows: TRUE does not, however it is put together."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_bridge.postgres import (
    Col,
    Column,
    IdMixin,
    Link,
    SoftDeleteMixin,
    UnfilteredWrite,
    and_,
    create_all,
    literal,
    not_,
    or_,
    sql,
)
from data_bridge.query import delete, update
from data_bridge.query.expressions.truth import truth_of


class Guarded(IdMixin):
    n: Col[int] = Column(default=0)


class GuardedSoftly(IdMixin, SoftDeleteMixin):
    n: Col[int] = Column(default=0)


class GuardedLink(IdMixin):
    to: Link[Guarded | None] = Column(default=None)


TRUE: dict[str, Callable[[], Any]] = {
    "and_()": lambda: and_(),
    "not_(or_())": lambda: not_(or_()),
    "literal": lambda: literal(True),
    "not literal": lambda: ~literal(False),
    "nested": lambda: and_(and_(), or_(Guarded.n > 1, literal(True)), not_(and_(Guarded.n == 5, or_()))),
    "is true": lambda: literal(True).is_("true"),
    "raw": lambda: sql("TRUE"),
}


@pytest.mark.parametrize("how", TRUE)
async def test_true_is_no_filter(db: Any, how: str) -> None:
    await create_all(Guarded, GuardedSoftly)
    await Guarded(n=1).save()
    true = TRUE[how]()
    for query in (Guarded.find(true), Guarded.find().where(true, and_()), Guarded.find(true).order_by(Guarded.n)):
        for write in (query.delete(), query.update(n=2), query.returning().delete(), query.hard_delete()):
            with pytest.raises(UnfilteredWrite, match="_all"):
                await write
        for statement in (query.delete_query, lambda q=query: q.update_query(n=2)):
            with pytest.raises(UnfilteredWrite):
                statement()
    with pytest.raises(UnfilteredWrite, match="all_rows"):
        delete(Guarded).where(true).sql()
    with pytest.raises(UnfilteredWrite, match="all_rows"):
        update(Guarded).set(n=1).where(true).sql()
    assert await Guarded.find(true, Guarded.n == 1).update(n=3) == 1
    assert await Guarded.find(or_(Guarded.n == 3, ~true)).delete() == 1
    assert await Guarded.find(~true).delete() == 0


async def test_what_leaves_no_row_out(db: Any) -> None:
    await create_all(Guarded, GuardedSoftly, GuardedLink)
    rows = await GuardedSoftly.insert_many([{}, {}])
    await rows[0].delete()
    for query in (GuardedSoftly.find(), GuardedSoftly.with_deleted(), GuardedSoftly.find(and_()).with_deleted()):
        for write in (query.delete(), query.hard_delete()):
            with pytest.raises(UnfilteredWrite):
                await write
    assert await GuardedSoftly.only_deleted().hard_delete() == 1
    target = await Guarded().save()
    await GuardedLink.insert_many([{"to_id": target.id}, {}])
    with pytest.raises(UnfilteredWrite):
        await GuardedLink.find().join(Guarded, how="left").delete()
    assert await GuardedLink.find().join(Guarded).delete() == 1


conditions = st.recursive(
    st.sampled_from([(True, "true"), (False, "false"), (None, "n")]),
    lambda inner: (
        st.tuples(st.just("not"), inner) | st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, max_size=3))
    ),
    max_leaves=12,
)


def built(tree: Any) -> tuple[Any, Callable[[bool], bool]]:
    """An expression, and what it is when the condition on the row is that."""
    tag = tree[0]
    if tag in (True, False, None):
        value = tag
        return (Guarded.n > 0 if tag is None else literal(tag)), (lambda row: row if value is None else value)
    if tag == "not":
        s, f = built(tree[1])
        return ~s, lambda row: not f(row)
    parts = [built(t) for t in tree[1]]
    made = and_(*(s for s, _ in parts)) if tag == "and" else or_(*(s for s, _ in parts))
    which = all if tag == "and" else any
    return made, lambda row: which([f(row) for _, f in parts])


@given(conditions)
def test_truth_is_what_no_row_changes(tree: Any) -> None:
    condition, value = built(tree)
    known = truth_of(condition.s, condition.p)
    assert known is None or known == value(True) == value(False)
    if known is None:
        assert "n" in str(tree)
