"""What a class says and the database could not do is refused when the class is made."""

from typing import Any

import pytest

from data_bridge.core.errors import ConfigurationError
from data_bridge.postgres import Col, Column, IdMixin, Link


class Pointee(IdMixin):
    name: Col[str] = Column(default="x")


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "SET NULL of a link": ({"to": Link[Pointee]}, {"to": Column(on_delete="SET NULL")}, r"Refused.to_id: on_delete='SET NULL' of a column that is NOT NULL"),
    "SET NULL of a key": ({"to": int}, {"to": Column(foreign_key=Pointee, on_update="set null")}, "Refused.to: on_update='set null'"),
    "a misspelt action": ({"to": Link[Pointee]}, {"to": Column(on_delete="CASCAD")}, "on_delete='CASCAD' is not an action: did you mean 'CASCADE'"),
    "no action at all": ({"to": Link[Pointee]}, {"to": Column(on_delete="x")}, "is not an action; actions are CASCADE, SET NULL"),
    "one column twice": ({"a": int, "b": int}, {"a": Column(name="x"), "b": Column(name="x")}, "Refused.a and Refused.b are both the column 'x'"),
    "a name of another": ({"a": int, "b": int}, {"b": Column(name="a")}, "Refused.a and Refused.b are both the column 'a'"),
    "a key of another type": ({"to_id": str, "to": Link[Pointee]}, {}, "Refused.to_id: str for a key that is bigint"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    annotations, body, message = REFUSED[what]
    with pytest.raises(ConfigurationError, match=message):
        type(IdMixin)("Refused", (IdMixin,), {"__module__": __name__, "__annotations__": annotations, **body})


def test_accepted() -> None:
    class Accepted(IdMixin):
        a: Link[Pointee | None] = Column(default=None, on_delete="SET NULL")
        b: Link[Pointee] = Column(on_delete="no action", on_update="set_default")
        c_id: Col[int]
        c: Link[Pointee] = Column(on_delete="CASCADE")

    assert {c.on_delete for c in Accepted.__table_def__.constraints if c.kind == "foreign_key"} == {
        "set null",
        "no action",
        "cascade",
    }
