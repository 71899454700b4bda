"""Each test sees Ann with 100 and Bob with nothing, whatever the others did."""

from typing import Any

import pytest
from accounts import Account, transfer

from data_bridge.postgres import CheckViolation
from data_bridge.testing import assert_queries


async def test_a_transfer_moves_money(db: Any) -> None:
    await transfer("Ann", "Bob", 30)
    assert [a.balance for a in await Account.find().order_by(Account.owner)] == [70, 30]


async def test_nothing_is_overdrawn(db: Any) -> None:
    with pytest.raises(CheckViolation):
        await transfer("Ann", "Bob", 101)
    assert (await Account.get("Bob")).balance == 0, "the first half was rolled back, too"


async def test_a_transfer_takes_two_statements(db: Any) -> None:
    with assert_queries(2):
        await transfer("Ann", "Bob", 1)
