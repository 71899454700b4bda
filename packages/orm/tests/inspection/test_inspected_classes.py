"""Classes that `data-bridge inspect` writes: rows that are there, relations and names; and what a class cannot say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_bridge.core import ConfigurationError, Database
from data_bridge.orm.inspection.names import class_name, plural, singular
from data_bridge.orm.registry import entity_of

SHOP = (Path(__file__).parent / "shop.sql").read_text()
ROWS = """
    INSERT INTO auth.users (mail, role, roles, level, class, "Weird Name", find, _secret, model_kind)
    VALUES ('a@x', 'admin', '{admin,user}', 3, 'c', 'w', 1, 's', 'k'), ('b@x', 'user', NULL, 1, NULL, NULL, NULL, NULL, NULL);
    INSERT INTO categories (parent_id, name) VALUES (NULL, 'all'), (1, 'some');
    INSERT INTO products (code, title, price, weight, tags, codes, data, extra, mood, moods, image, opens, opens_tz, seen, seen3,
        lasts, address, network, mac, valid, pages, many, bits, varb, doc, place, note, category_id, owner, made_by, product_code)
    VALUES ('x', 'Title', 2.50, 1.5, '{a,b}', '{1,2}', '{"a": [1]}', '[1]', 'so so', '{sad,happy}', 'ab', '12:30', '12:30+02',
        '2024-02-29 12:30', '2024-02-29 12:30:00.123+00', '1 day', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03',
        '[2024-01-01,2024-02-01)', '[1,5)', '{[1,5)}', '101', '10', NULL, '(1,2)', 'n', 2, 1, 2, 'p');
    INSERT INTO products (code, title, price, category_id) VALUES ('y', 'Other', 0, 1);
    INSERT INTO tags VALUES (1, 'new');
    INSERT INTO product_tags VALUES (1, 1), (2, 1);
    INSERT INTO friends VALUES (1, 2);
    INSERT INTO details VALUES (1, 'long');
    INSERT INTO passports (user_id) VALUES (2);
    INSERT INTO orders VALUES ('eu', 1, 1, 2);
    INSERT INTO order_lines VALUES ('eu', 1, 1, 2);
    INSERT INTO bookings VALUES (gen_random_uuid(), 1, '[2024-01-01,2024-02-01)', 'new');
"""


@pytest.fixture
async def shop(isolated_db: Database, inspect: Callable[..., Any]) -> Any:
    await isolated_db.execute_script(SHOP + ROWS)
    return await inspect(isolated_db, "public", "auth")


async def test_every_row_is_loaded_changed_and_saved(shop: Any, isolated_db: Database) -> None:
    for name, cls in shop.classes.items():
        table = entity_of(cls).definition
        path = ".".join(f'"{part}"' for part in (table.schema, table.name) if part)
        raw = await isolated_db.fetch(f"SELECT * FROM {path} ORDER BY {', '.join(table.primary_key)}")
        rows = sorted(await cls.find(), key=lambda row: [getattr(row, k) for k in entity_of(cls).pk_keys])
        assert len(rows) == len(raw) > 0, name
        for row, values in zip(rows, raw, strict=True):
            for field in entity_of(cls).fields:
                value = getattr(row, field.key)
                value = (
                    [getattr(v, "value", v) for v in value]
                    if isinstance(value, list)
                    else getattr(value, "value", value)
                )
                assert value == values[field.name], (name, field.key)
            assert not row.is_changed, name
            await row.save()
    user = shop.classes["User"]
    made = await user(mail="c@x", level=1).save()
    assert (made.id, made.role.value) == (3, "user")
    category = await shop.classes["Category"](name="third", parent=2).save()
    assert category.id == 3


async def test_relations_lead_both_ways(shop: Any) -> None:
    classes = shop.classes
    user, product = classes["User"], classes["Product"]
    first = await user.find(user.mail == "a@x", fetch_links=True).one()
    assert [o.number for o in first.buyer_orders] == [1]
    assert [p.id for p in first.owner_products] == [1]
    assert [f.id for f in first.friends] == [2]
    second = await user.get(2, fetch_links=True)
    assert [f.id for f in second.friends_of] == [1]
    assert second.passport.id == 1
    assert [p.id for p in second.made_by_products] == [1]
    item = await product.get(1, fetch_links=True)
    assert (item.category.name, item.detail.text) == ("some", "long")
    found = [f for f in entity_of(shop.classes["Product"]).relations.values() if f.kind == "many"]
    assert len(found) == 1
    assert [t.label for t in getattr(item, found[0].name)] == ["new"]
    assert [c.name for c in (await classes["Category"].get(1, fetch_links=True)).children] == ["some"]


UNSAID = {
    "the sequence s of the column b": "CREATE SEQUENCE s; CREATE TABLE t (a integer PRIMARY KEY, b bigint DEFAULT nextval('s'))",
    "the name of the primary key, own": "CREATE TABLE t (a integer CONSTRAINT own PRIMARY KEY)",
    "INCLUDE or DEFERRABLE of the primary key": "CREATE TABLE t (a integer, b text, PRIMARY KEY (a) INCLUDE (b))",
    "INCLUDE of the unique constraint": "CREATE TABLE t (a integer PRIMARY KEY, b text, UNIQUE (b) INCLUDE (a))",
    "the constraint c is NOT VALID": "CREATE TABLE t (a integer PRIMARY KEY); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
    "the comment of the constraint c": "CREATE TABLE t (a integer PRIMARY KEY, CONSTRAINT c CHECK (a > 0)); "
    "COMMENT ON CONSTRAINT c ON t IS 'why'",
    "the exclusion constraint": "CREATE TABLE t (a integer PRIMARY KEY, b text, CONSTRAINT c EXCLUDE USING gist (int4range(a, a + 1) WITH &&))",
    "the operator class of an expression": "CREATE TABLE t (a integer PRIMARY KEY, b text); CREATE INDEX i ON t (lower(b) text_pattern_ops)",
    "the collation of the index": 'CREATE TABLE t (a integer PRIMARY KEY, b text); CREATE INDEX i ON t (b COLLATE "C")',
    "the comment of the index": "CREATE TABLE t (a integer PRIMARY KEY, b text); CREATE INDEX i ON t (b); COMMENT ON INDEX i IS 'why'",
    "the sequence t_a_seq is of type bigint": "CREATE SEQUENCE t_a_seq; CREATE TABLE t (a integer PRIMARY KEY DEFAULT nextval('t_a_seq')); "
    "ALTER SEQUENCE t_a_seq OWNED BY t.a",
    "the column b is money": "CREATE TABLE t (a integer PRIMARY KEY, b money)",
    "the privileges of public": "CREATE TABLE t (a integer PRIMARY KEY); GRANT SELECT ON t TO public",
    "the trigger x": "CREATE TABLE t (a integer PRIMARY KEY); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; "
    "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "the domain d": "CREATE DOMAIN d AS text CHECK (VALUE <> '') CHECK (VALUE <> 'x'); CREATE TABLE t (a d PRIMARY KEY)",
}  # fmt: skip


@pytest.mark.parametrize("what", UNSAID)
async def test_what_a_class_cannot_say_is_told(isolated_db: Database, inspect: Callable[..., Any], what: str) -> None:
    await isolated_db.execute_script(UNSAID[what])
    made = await inspect(isolated_db)
    assert [line for line in made.unsaid["T"] if line.startswith(what)], made.unsaid
    assert f"# Not said by this class: {what}" in made.text


async def test_virtual_columns_are_told(isolated_db: Database, inspect: Callable[..., Any]) -> None:
    if await isolated_db.fetch_val("SELECT current_setting('server_version_num')::int") < 180000:
        pytest.skip("virtual columns came with PostgreSQL 18")
    await isolated_db.execute("CREATE TABLE t (a integer PRIMARY KEY, b integer GENERATED ALWAYS AS (a + 1) VIRTUAL)")
    made = await inspect(isolated_db)
    assert made.unsaid == {"T": ["the column b is virtual; a class makes a stored one"]}


async def test_names_of_classes_are_given(isolated_db: Database, inspect: Callable[..., Any]) -> None:
    await isolated_db.execute_script(
        "CREATE TABLE accounts (id integer PRIMARY KEY); CREATE TABLE x.t (id integer PRIMARY KEY)".replace(
            "CREATE TABLE x", "CREATE SCHEMA x; CREATE TABLE x"
        )
    )
    made = await inspect(isolated_db, "public", "x", names={"accounts": "Customer", "x.t": "Thing"})
    assert set(made.classes) == {"Customer", "Thing"}
    with pytest.raises(ConfigurationError, match="the table 'acounts', which is not there"):
        await inspect(isolated_db, names={"acounts": "Customer"})
    with pytest.raises(ConfigurationError, match="'A B' is not a name"):
        await inspect(isolated_db, names={"accounts": "A B"})


async def test_the_same_database_has_the_same_text(isolated_db: Database, inspect: Callable[..., Any]) -> None:
    await isolated_db.execute_script(SHOP)
    first, second = [await inspect(isolated_db, "public", "auth") for _ in range(2)]
    assert first.text == second.text


@pytest.mark.parametrize(
    ("many", "one", "name"),
    [
        ("users", "user", "User"),
        ("order_items", "order_item", "OrderItem"),
        ("categories", "category", "Category"),
        ("days", "day", "Day"),
        ("boxes", "box", "Box"),
        ("people", "person", "Person"),
        ("news", "news", "News"),
        ("classes", "class", "Class"),
        ("sales_people", "sales_person", "SalesPerson"),
        ("statuses", "status", "Status"),
    ],
)
def test_nouns(many: str, one: str, name: str) -> None:
    assert (singular(many), class_name(many)) == (one, name)
    assert plural(one) == many
