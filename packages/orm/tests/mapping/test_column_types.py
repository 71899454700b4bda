"""Columns of types beyond text and numbers: declared by annotation, written and loaded, dumped as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from pydantic import ValidationError

from data_bridge.core import EncodeError, Range
from data_bridge.orm import Col, Column, IdMixin, Table, create_all
from data_bridge.query import types

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


class Booking(IdMixin, Table):
    during: Col[Range[datetime]]
    seats: Col[Range[int] | None] = Column(default=None)
    address: Col[IPv4Address | None] = Column(default=None)
    network: Col[IPv4Network | None] = Column(default=None)
    flags: Col[str | None] = Column(default=None, type=types.Bit(4))
    breaks: Col[list[Range[int]]] = Column(default_factory=list, type=types.Int4Multirange)

    class Settings:
        name = "bookings_of_types"


async def test_ranges_and_addresses_come_back(db: Any) -> None:
    await create_all(Booking)
    made = await Booking.create(
        during=Range(NOON, NOON + timedelta(hours=1)),
        seats=Range(1, 5),
        address="10.0.0.1",
        network="10.0.0.0/8",
        flags="1010",
        breaks=[Range(1, 3), Range(8, 9)],
    )
    loaded = await Booking.get(made.id)
    assert loaded == made
    assert loaded.during == Range(NOON, NOON + timedelta(hours=1))
    assert (loaded.address, loaded.network, loaded.flags) == (
        IPv4Address("10.0.0.1"),
        IPv4Network("10.0.0.0/8"),
        "1010",
    )
    assert loaded.breaks == [Range(1, 3), Range(8, 9)]
    assert await Booking.find(Booking.breaks.contains(2), Booking.breaks.overlaps([Range(8, 20)])).count() == 1
    loaded.seats = Range(2, 3)
    await loaded.save()
    assert await Booking.find(Booking.seats == Range(2, 3)).count() == 1
    assert await Booking.find(Booking.during.contains(NOON), Booking.address.contained_by("10.0.0.0/8")).count() == 1
    assert await Booking.find(Booking.during.overlaps((NOON + timedelta(hours=1), None))).count() == 0
    with pytest.raises(EncodeError, match=r"Booking\.during"):
        Booking.find(Booking.during == 5)


def test_ranges_are_fields_like_any_other() -> None:
    booking = Booking(during=Range(NOON, None), seats={"lower": 1, "upper": 5, "bounds": "[]"})
    assert booking.seats == Range(1, 5, "[]")
    dumped = booking.model_dump_json(include={"during", "seats"})
    assert dumped == (
        '{"during":{"lower":"2024-01-01T12:00:00Z","upper":null,"bounds":"[)"},"seats":{"lower":1,"upper":5,"bounds":"[]"}}'
    )
    assert Booking.model_validate_json(dumped).during == booking.during
    assert Booking.model_json_schema()["properties"]["during"]["properties"].keys() == {"lower", "upper", "bounds"}
    with pytest.raises(ValidationError, match="during"):
        Booking(during=5)
    with pytest.raises(ValidationError, match="above the upper one"):
        Booking(during={"lower": NOON, "upper": NOON - timedelta(hours=1)})
    with pytest.raises(ValidationError, match="valid integer"):
        Booking(during=Range(NOON), seats=Range("a", "b"))


class OddLabel(Enum):
    QUOTE = "it's"
    BACKSLASH = "a\\'b"
    NAME = 'a"b'
    PLACE = "$1"


class OddLabelled(IdMixin, Table):
    label: Col[OddLabel] = Column(name='the "label"')


@pytest.mark.parametrize("strings", ["on", "off"])
async def test_labels_of_enums_are_quoted_as_the_server_reads_them(db: Any, strings: str) -> None:
    await db.execute(f"SET LOCAL standard_conforming_strings = {strings}")
    await create_all(OddLabelled)
    await OddLabelled.insert_many([OddLabelled(label=label) for label in OddLabel])
    assert {row.label for row in await OddLabelled.all()} == set(OddLabel)
