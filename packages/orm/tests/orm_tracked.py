"""Tables with every kind of field, values for them, and edits: what the machine of change tracking works on."""

from __future__ import annotations

import copy
import json
import os
from decimal import Decimal
from enum import Enum
from typing import Any

import hypothesis.strategies as st
from pydantic import BaseModel

from data_bridge.postgres import (
    Col,
    Column,
    IdMixin,
    Link,
    Table,
)


class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


class Part(BaseModel):
    size: int = 0
    names: list[str] = []


class MachineParent(IdMixin):
    name: Col[str] = Column(default="")


class _Fields(Table):
    class Settings:
        abstract = True

    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    n: Col[int] = Column(default=0)
    price: Col[Decimal | None] = Column(default=None)
    word: Col[str | None] = Column(default="w", name="a_word")
    mood: Col[Mood] = Column(default=Mood.GLAD)
    tags: Col[list[str]] = Column(default_factory=list)
    flags: Col[set[int]] = Column(default_factory=set)
    data: Col[dict[str, Any]] = Column(default_factory=dict)
    part: Col[Part] = Column(default_factory=Part)
    parts: Col[list[Part] | None] = Column(default=None)
    parent: Link[MachineParent | None] = Column(default=None)


class MachinePlain(_Fields):
    touched: Col[int] = Column(default=0, update_default="(random() * 1000000000)::integer")


class MachineRevised(_Fields):
    class Settings:
        use_revision = True

    revision: Col[int] = Column(default=1)


class MachineXmin(_Fields):
    class Settings:
        use_revision = "xmin"


EXAMPLES = int(os.environ.get("TRACKING_EXAMPLES", "40"))
CLASSES = (MachinePlain, MachineRevised, MachineXmin)
KEYS = ("n", "price", "word", "mood", "tags", "flags", "data", "part", "parts", "parent_id")
MUTABLE = ("tags", "flags", "data", "part", "parts")
SERVER = ("touched", "revision", "xmin")

words = st.sampled_from(["", "a", "b"])
documents = st.dictionaries(words, st.sampled_from([0, 1, True, 1.0, None, "x", [1], {"k": [2]}]), max_size=2)
part = st.builds(Part, size=st.integers(0, 2), names=st.lists(words, max_size=2))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "n": st.integers(0, 3),
    "price": st.sampled_from([None, Decimal("1.5"), Decimal(2)]),
    "word": st.none() | words,
    "mood": st.sampled_from(Mood),
    "tags": st.lists(words, max_size=3),
    "flags": st.sets(st.integers(0, 3), max_size=3),
    "data": documents,
    "part": part,
    "parts": st.none() | st.lists(part, max_size=2),
    "parent_id": st.sampled_from([None, 1, 2, 3]),
}
field_and_value = st.sampled_from(KEYS).flatmap(lambda k: st.tuples(st.just(k), VALUES[k]))


def frozen(value: Any) -> str:
    """A value as text that tells 1, 1.0 and True apart."""

    def plain(v: Any) -> Any:
        if isinstance(v, BaseModel):
            return v.model_dump(mode="json")
        if isinstance(v, Enum):
            return v.value
        if isinstance(v, (set, frozenset)):
            return sorted(v)
        if isinstance(v, Decimal):
            return f"decimal {v.normalize()}"
        if isinstance(v, list):
            return [plain(x) for x in v]
        return v

    return json.dumps(plain(value), sort_keys=True)


def edit_in_place(row: Any, key: str, value: Any, how: int) -> None:
    """Changes a mutable field without, or with, an assignment of the same object."""
    now = getattr(row, key)
    if now is None or value is None:
        setattr(row, key, value)
    elif key == "tags":
        if how % 2:
            row.tags += value
        else:
            row.tags[:] = value
    elif key == "flags":
        if how % 2:
            row.flags |= value
        else:
            now.clear()
            now.update(value)
    elif key == "data":
        if how % 2:
            row.data |= value
        else:
            for v in now.values():
                if isinstance(v, list):
                    v.append(how)
                    break
            else:
                now.clear()
                now.update(copy.deepcopy(value))
    elif key == "part":
        if how % 2:
            now.size = value.size
        else:
            now.names.append("in place")
    else:
        now.extend(copy.deepcopy(value))
        if how % 2:
            row.parts = now
