"""Triggers of a class and their functions are made with its table, fire, and go with it."""

from __future__ import annotations

from typing import Any

import pytest

from data_bridge.core.errors import ConfigurationError
from data_bridge.postgres import Col, Function, IdMixin, Table, Trigger, create_all, drop_all, fetch_val

COUNT = Function(
    "CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.changes := old.changes + 1; RETURN new; END$$",
    comment="how often",
)
TWICE = Function("CREATE OR REPLACE FUNCTION twice(n bigint) RETURNS bigint LANGUAGE sql RETURN 2 * n")


class Price(IdMixin):
    class Settings:
        triggers = [Trigger("counted", "BEFORE UPDATE OF amount", COUNT, comment="counts")]

    amount: Col[int]
    changes: Col[int] = 0


class OtherPrice(IdMixin):
    class Settings:
        triggers = [
            Trigger("counted", "BEFORE UPDATE", "FOR EACH ROW WHEN (new.amount > 1) EXECUTE FUNCTION count_change()")
        ]

    amount: Col[int]
    changes: Col[int] = 0


async def _functions() -> int:
    return int(await fetch_val("SELECT count(*) FROM pg_proc WHERE proname IN ('count_change', 'twice')"))


async def test_triggers_fire_and_go_with_their_table(db: Any) -> None:
    await create_all(Price, OtherPrice, TWICE)
    await create_all(Price, OtherPrice, TWICE)
    assert await fetch_val("SELECT twice(4)") == 8
    price = await Price.create(amount=1)
    price.amount = 2
    await price.save()
    await price.refresh()
    assert price.changes == 1
    other = await OtherPrice.create(amount=1)
    await other.update(amount=5)
    assert (await OtherPrice.get(other.id)).changes == 1
    assert await Price.check_schema() == []
    await drop_all(Price)
    assert await _functions() == 2  # the other table still needs the function
    await drop_all(OtherPrice, Price, TWICE)
    assert await _functions() == 0


def test_the_ddl_of_a_table_has_its_triggers() -> None:
    assert Price.ddl().splitlines()[-4:] == [
        'CREATE FUNCTION "count_change"() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.changes := old.changes + 1; '
        "RETURN new; END$$;",
        "COMMENT ON FUNCTION \"count_change\" IS 'how often';",
        'CREATE TRIGGER "counted" BEFORE UPDATE OF amount ON "price" FOR EACH ROW EXECUTE FUNCTION "count_change"();',
        'COMMENT ON TRIGGER "counted" ON "price" IS \'counts\';',
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"triggers": ["x"]}, "Wrong.Settings.triggers takes Trigger"),
        ({"view": "SELECT 1 AS n", "triggers": [Trigger("x", "BEFORE UPDATE", COUNT)]}, "a view has no triggers"),
    ],
)
def test_what_cannot_be_a_trigger_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):

        class Wrong(Table):
            class Settings:
                locals().update(settings)

            n: Col[int]
