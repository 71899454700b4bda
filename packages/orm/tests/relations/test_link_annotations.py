"""Every spelling of a link says what it means, or is refused with the spelling that does."""

import re
import sys
import textwrap
import types as python_types
from typing import Any, List, Optional, Union  # noqa: UP035 - spellings of others

import pytest

from data_bridge.core.errors import ConfigurationError
from data_bridge.postgres import BackLink, Column, IdMixin, Link, Table, create_all


class Chief(IdMixin):
    name: str = "x"


def linked(annotation: Any, **body: Any) -> Any:
    return type(Table)("Worker", (IdMixin,), {"__module__": __name__, "__annotations__": {"chief": annotation}, **body})


OPTIONAL: dict[str, Any] = {
    "inside": Link[Chief | None],
    "inside, as text": Link["Chief | None"],
    "Optional": Optional[Link[Chief]],  # noqa: UP045
    "Optional of text": Optional[Link["Chief"]],  # noqa: UP045
    "Union": Union[Link[Chief], None],  # noqa: UP007
    "pipe": Link[Chief] | None,
    "pipe, the other way": None | Link[Chief],
    "both": Optional[Link[Chief | None]],  # noqa: UP045
    "text": "Link[Chief] | None",
    "text, the other way": "None | Link[Chief]",
    "text, Optional": "Optional[Link[Chief]]",
    "text, inside": "Link[Chief | None]",
}


@pytest.mark.parametrize("what", OPTIONAL)
async def test_optional_links(db: Any, what: str) -> None:
    cls = linked(OPTIONAL[what], chief=Column(default=None))
    assert cls.__table_def__.column("chief_id").nullable
    await create_all(Chief, cls)
    row = await cls().save()
    assert (await cls.get(row.id)).chief is None
    chief = await Chief().save()
    await cls(chief=chief).save()
    assert await cls.count(cls.chief.name == "x") == 1


@pytest.mark.parametrize("annotation", [Link[Chief], Link["Chief"], "Link[Chief]", "Link['Chief']"])
def test_links_that_must_be_given(annotation: Any) -> None:
    assert not linked(annotation).__table_def__.column("chief_id").nullable


LISTS: dict[str, Any] = {
    "list": list[Link[Chief]],
    "List": List[Link[Chief]],  # noqa: UP006
    "List of text": List[Link["Chief"]],  # noqa: UP006
    "Optional": Optional[List[Link[Chief]]],  # noqa: UP006, UP045
    "set": set[Link[Chief]],  # type: ignore[type-var]
    "text": "list[Link[Chief]]",
    "text, List": "List[Link[Chief]] | None",
}


@pytest.mark.parametrize("what", LISTS)
def test_lists_of_links_are_refused(what: str) -> None:
    message = (
        'Worker.chief: a list of links is no column. Many to many is chief: ManyToMany[Chief] = ManyToMany(through="…")'
    )
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        linked(LISTS[what])


def test_a_link_to_one_of_two_classes_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Link\[Chief\] | .*: a relation is to one class"):
        Link[Chief] | int  # type: ignore[operator]


def test_annotations_of_the_future() -> None:
    source = """
        from __future__ import annotations
        from typing import Optional, List
        from data_bridge.postgres import Column, IdMixin, Link

        class FutureChief(IdMixin):
            pass

        class FutureWorker(IdMixin):
            a: Optional[Link[FutureChief]] = Column(default=None)
            b: Link[FutureChief] | None = Column(default=None)
            c_: Link[FutureChief]
    """
    module = python_types.ModuleType("future_links")
    sys.modules["future_links"] = module
    try:
        exec(textwrap.dedent(source), module.__dict__)
        definition = module.FutureWorker.__table_def__
        assert [definition.column(n).nullable for n in ("a_id", "b_id", "c__id")] == [True, True, False]
    finally:
        del sys.modules["future_links"]


async def test_optional_back_links(db: Any) -> None:
    owner = type(Table)(
        "CardOwner",
        (IdMixin,),
        {"__module__": __name__, "__annotations__": {"card": BackLink["OwnedCard"] | None}, "card": BackLink("owner")},
    )
    card = type(Table)(
        "OwnedCard",
        (IdMixin,),
        {"__module__": __name__, "__annotations__": {"owner": Link[owner]}, "owner": Column(unique=True)},
    )
    globals().update(OwnedCard=card)
    await create_all(owner, card)
    row = await owner().save()
    assert (await row.fetch("card")).card is None
