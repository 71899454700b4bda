"""The template that every test starts from."""

from typing import Any

import pytest
from accounts import Account

from data_bridge.postgres import create_all


@pytest.fixture(scope="session")
def db_template() -> Any:
    """Tables and rows that all tests share."""

    async def template() -> None:
        await create_all(Account)
        await Account.insert_many([Account(owner="Ann", balance=100), Account(owner="Bob")])

    return template
