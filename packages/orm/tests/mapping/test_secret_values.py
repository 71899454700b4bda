"""Values of secret columns reach the server as they are, and no log."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pydantic import SecretBytes, SecretStr

from data_bridge.core import Database
from data_bridge.postgres import Col, Column, Table, create_all, use_database

HIDDEN = "tr0ub4dor"


class Vault(Table):
    id: Col[int] = Column(default=None, primary_key=True, auto_increment=True)
    name: Col[str]
    word: Col[SecretStr]
    octets: Col[SecretBytes]


def vault(name: str, word: str = HIDDEN) -> Vault:
    return Vault(name=name, word=SecretStr(word), octets=SecretBytes(word.encode()))


async def test_no_way_of_writing_or_asking_shows_a_secret(
    isolated_db: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "data_bridge")
    options = {"log_values": True, "echo": True, "slow_query": 0.0, "slow_query_plan": True}
    async with Database(isolated_db.dsn, **options) as database, use_database(database):
        await create_all(Vault)
        one = await vault("one").save()
        await Vault.insert_many([vault("two"), vault("three")])
        await Vault.insert_many([vault(f"row {n}") for n in range(1500)])
        one.word = SecretStr(HIDDEN + "!")
        await one.save()
        await Vault.find(Vault.name == "two").update({Vault.word: SecretStr(HIDDEN + "?")})
        rows = (
            await Vault.find(Vault.word.in_([SecretStr(HIDDEN + "!"), SecretStr(HIDDEN + "?")]))
            .order_by(Vault.id)
            .all()
        )
        assert [row.word.get_secret_value() for row in rows] == [HIDDEN + "!", HIDDEN + "?"]
        assert await Vault.find(Vault.word == SecretStr(HIDDEN)).count() == 1501
        assert await Vault.find(Vault.octets == SecretBytes(HIDDEN.encode())).count() == 1503
    said = caplog.text + capsys.readouterr().err
    assert "='one'" in said and "**********" in said
    assert HIDDEN not in said
    assert any("plan of" in record.getMessage() for record in caplog.records)
