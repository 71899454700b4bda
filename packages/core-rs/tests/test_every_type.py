"""Every type of PostgreSQL that has a Python value: read as the server writes it, and sent as the server reads it."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_interface
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_bridge.core import (
    ConfigurationError,
    Database,
    DatabaseError,
    DecodeError,
    EncodeError,
    Range,
    SyntaxOrAccessError,
    register_type,
)
from data_bridge.core.types.geometry import Box, Circle, Line, Path, Point, Polygon, Segment

EAST = timezone(timedelta(hours=5, minutes=30))
P = Point

# Type, the server's text, the value.
VALUES: list[tuple[str, str, Any]] = [
    ("inet", "10.0.0.1", IPv4Address("10.0.0.1")), ("inet", "10.0.0.1/8", IPv4Interface("10.0.0.1/8")), ("inet", "::1", IPv6Address("::1")),
    ("inet", "2001:db8::1/64", IPv6Interface("2001:db8::1/64")), ("cidr", "10.0.0.0/8", IPv4Network("10.0.0.0/8")), ("cidr", "10.1.2.3/32", IPv4Network("10.1.2.3/32")),
    ("cidr", "2001:db8::/32", IPv6Network("2001:db8::/32")), ("macaddr", "08:00:2b:01:02:03", "08:00:2b:01:02:03"),
    ("macaddr8", "08:00:2b:ff:fe:01:02:03", "08:00:2b:ff:fe:01:02:03"), ("bit(5)", "10110", "10110"), ("varbit", "", ""), ("bit varying", "101101110", "101101110"),
    ("timetz", "12:30:00+05:30", time(12, 30, tzinfo=EAST)), ("timetz", "00:00:00.000001+00", time(0, 0, 0, 1, tzinfo=UTC)), ("\"char\"", "x", "x"), ("\"char\"", "", ""),
    ("pg_snapshot", "10:20:10,14", "10:20:10,14"), ("pg_snapshot", "10:10:", "10:10:"), ("txid_snapshot", "1:9:4", "1:9:4"),
    ("int4range", "[1,5)", Range(1, 5)), ("int4range", "empty", Range.empty()), ("int4range", "(,)", Range()), ("int4range", "[3,)", Range(3)), ("int8range", "(,3)", Range(None, 3)),
    ("numrange", "(1.5,2]", Range(Decimal("1.5"), Decimal(2), "(]")), ("daterange", "[2024-01-01,2024-02-01)", Range(date(2024, 1, 1), date(2024, 2, 1))),
    ("tsrange", "(2024-01-01 00:00,2024-01-02 00:00)", Range(datetime(2024, 1, 1), datetime(2024, 1, 2), "()")),
    ("tstzrange", "[2024-01-01 00:00+00,]", Range(datetime(2024, 1, 1, tzinfo=UTC))), ("point", "(1.5,-2)", P(1.5, -2.0)), ("line", "{1,2,3}", Line(1.0, 2.0, 3.0)),
    ("lseg", "[(0,0),(1,1)]", Segment(P(0, 0), P(1, 1))), ("box", "(2,3),(0,1)", Box(P(2, 3), P(0, 1))), ("path", "[(0,0),(1,1),(2,0)]", Path((P(0, 0), P(1, 1), P(2, 0)))),
    ("path", "((0,0),(1,1))", Path((P(0, 0), P(1, 1)), closed=True)), ("polygon", "((0,0),(1,1),(2,0))", Polygon((P(0, 0), P(1, 1), P(2, 0)))), ("circle", "<(1,2),3>", Circle(P(1, 2), 3.0)),
    ("jsonpath", "$.\"a\"", '$."a"'), ("pg_lsn", "16/B374D848", "16/B374D848"), ("tid", "(7,3)", (7, 3)), ("xid8", "18446744073709551615", 2**64 - 1), ("regclass", "pg_type", 1247),
    ("int2vector", "1 2", [1, 2]), ("oidvector", "1 2", [1, 2]), ("xml", "<a/>", "<a/>"), ("refcursor", "c", "c"),
]  # fmt: skip
# Only read.
READ = [
    ("tsvector", "a fat cat:3A,4", "'a' 'cat':3A,4 'fat'"), ("tsquery", "fat & !(cat:*A | rat) <2> dog", "'fat' & !( 'cat':*A | 'rat' ) <2> 'dog'"),
]  # fmt: skip


Rows = Callable[..., tuple[Any, ...]]


async def has_xml(database: Database) -> bool:
    try:
        await database.fetch_val("SELECT '<a/>'::xml")
    except Exception as error:
        assert "unsupported XML" in str(error)
        return False
    return True


@pytest.mark.parametrize(("kind", "text", "value"), VALUES, ids=[f"{k}-{t}" for k, t, _ in VALUES])
async def test_there_and_back(postgres_dsn: str, kind: str, text: str, value: Any) -> None:
    async with Database(postgres_dsn, max_connections=2) as database:
        if kind == "xml" and not await has_xml(database):
            return
        found = await database.fetch_val(f"SELECT '{text}'::{kind}")
        assert (found, type(found)) == (value, type(value))
        assert await database.fetch_val(f"SELECT $1::{kind}::text = '{text}'::{kind}::text", value)
        assert await database.fetch_val(f"SELECT $1::{kind}", value) == value


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [v for v in VALUES if v[0] not in ("int2vector", "oidvector", "xml")],
    ids=lambda v: str(v),
)
async def test_in_arrays(postgres_dsn: str, kind: str, text: str, value: Any) -> None:
    async with Database(postgres_dsn, max_connections=2) as database:
        assert await database.fetch_val(f"SELECT ARRAY['{text}'::{kind}, NULL]") == [value, None]
        assert await database.fetch_val(f"SELECT $1::{kind}[]", [value, None]) == [value, None]
        assert await database.fetch_val(f"SELECT $1::{kind}[]", [[value], [value]]) == [[value], [value]]


@pytest.mark.parametrize(("kind", "text", "value"), READ, ids=lambda v: str(v))
async def test_read_as_the_server_prints_it(postgres_dsn: str, kind: str, text: str, value: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as database:
        assert await database.fetch_val(f"SELECT '{text}'::{kind}") == value
        assert await database.fetch_val(f"SELECT '{text}'::{kind}::text") == value
        with pytest.raises(EncodeError, match=rf"\$1 \({kind}\): {kind} is sent as text"):
            await database.fetch_val(f"SELECT $1::{kind}", value)
        assert await database.fetch_val(f"SELECT $1::text::{kind}", value) == value


QUERIES = st.recursive(
    st.sampled_from(["a", "b:*", "'it''s':AB", "'x y'"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["&", "|", "<->", "<3>"]), inner, inner).map(lambda t: f"({t[1]} {t[0]} {t[2]})"),
        inner.map(lambda q: f"!({q})"),
    ),
    max_leaves=12,
)


def test_any_tsquery_reads_as_the_server_prints_it(rows: Rows) -> None:
    @given(QUERIES)
    @settings(max_examples=150, deadline=None)
    def law(query: str) -> None:
        found, printed = rows("SELECT q, q::text FROM (SELECT $1::text::tsquery AS q) s", query)
        assert found == printed

    law()


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("inet", "10.0.0.256", "not an address"), ("inet", 5, "address or network of the ipaddress module, got int"), ("cidr", "10.0.0.1/8", "no bits set behind its prefix"),
        ("macaddr", "08:00:2b", "no MAC address of 6 bytes"), ("bit(3)", "12", "text of 0 and 1"), ("varbit", 5, "expected str, got int"), ("timetz", time(1), "aware time"),
        ("int4range", Range("a", "b"), "expected int"), ("int4range", 5, "expected Range, got int"), ("int4range", Range(2**40), "outside"), ("point", (1,), r"expected Point \(x, y\)"),
        ("path", Path(()), "expected Path"), ("xid8", -1, "outside"), ("pg_lsn", "x", "position in the log"), ("tid", (1, 70_000), "block, offset"), ("\"char\"", "xy", "one character"), ("\"char\"", "Ā", "one character"), ("\"char\"", "\0", "one character"), ("pg_snapshot", "10", "not a snapshot"), ("pg_snapshot", "1:2:x", "not a snapshot"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_refused(postgres_dsn: str, kind: str, value: Any, why: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as database:
        before = database.pool_stats()
        with pytest.raises(EncodeError, match=why):
            await database.fetch_val(f"SELECT $1::{kind}", value)
        assert database.pool_stats().used == before.used == 0


async def test_money_says_what_to_do(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as database:
        with pytest.raises(DecodeError, match="no decoder for money; cast the column"):
            await database.fetch_val("SELECT 5::money")


async def test_composites_are_dicts_and_rows_are_tuples(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as database:
        await database.execute_script("""
            DROP TYPE IF EXISTS house; DROP TYPE IF EXISTS place; DROP DOMAIN IF EXISTS zip;
            CREATE DOMAIN zip AS text CHECK (value <> '');
            CREATE TYPE place AS (street text, "zip code" zip, spot point);
            CREATE TYPE house AS (id int, place place, tags text[])
        """)
        place = {"street": "Main", "zip code": "123", "spot": P(1, 2)}
        house = {"id": 1, "place": place, "tags": ["a", None]}
        assert await database.fetch_val("SELECT (1, ('Main', '123', '(1,2)'), '{a,NULL}')::house") == house
        assert await database.fetch_val("SELECT $1::house", house) == house
        assert await database.fetch_val("SELECT $1::house", (1, None, None)) == {"id": 1, "place": None, "tags": None}
        assert await database.fetch_val("SELECT $1::place[]", [place, ("x", None, None)]) == [
            place,
            {"street": "x", "zip code": None, "spot": None},
        ]
        assert await database.fetch_val("SELECT (1, 'x'::text, NULL, ARRAY[1.5])") == (1, "x", None, [Decimal("1.5")])
        with pytest.raises(EncodeError, match="the value has no place; the fields of the type are id, place, tags"):
            await database.fetch_val("SELECT $1::house", {"id": 1, "where": None, "tags": None})
        with pytest.raises(EncodeError, match="id: expected int"):
            await database.fetch_val("SELECT $1::house", ("x", None, None))
        with pytest.raises(EncodeError, match="the value has 2 items"):
            await database.fetch_val("SELECT $1::house", (1, None))
        with pytest.raises(DecodeError, match=r"the type with OID \d+ inside a row"):
            await database.fetch_val("SELECT (1, ('Main', '123', '(1,2)')::place)")


async def test_own_ranges(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as database:
        await database.execute_script(
            "DROP TYPE IF EXISTS floatrange; CREATE TYPE floatrange AS RANGE (subtype = float8)"
        )
        assert await database.fetch_val("SELECT $1::floatrange", Range(1.5, 2.5)) == Range(1.5, 2.5)


@pytest.fixture
def _hstore(extension: Callable[[str], None]) -> None:
    extension("hstore")


@pytest.mark.usefixtures("_hstore")
async def test_extensions(postgres_dsn: str) -> None:
    async with Database(postgres_dsn, max_connections=2) as database:
        await database.execute_script("CREATE EXTENSION IF NOT EXISTS ltree")
        pairs = {"a": "1", "b": None, "ü": 'q"'}
        assert await database.fetch_val("SELECT $1::hstore", pairs) == pairs
        assert await database.fetch_val("SELECT 'x=>1'::hstore") == {"x": "1"}
        assert await database.fetch_val("SELECT ARRAY[$1::hstore, NULL]", {}) == [{}, None]
        assert await database.fetch_val("SELECT $1::ltree", "Top.Science") == "Top.Science"
        assert await database.fetch_val("SELECT 'Top.*'::lquery") == "Top.*"
        with pytest.raises(EncodeError, match="dict of str to str or None, got dict"):
            await database.fetch_val("SELECT $1::hstore", {"a": 1})


class Mood(Enum):
    SAD = "sad"
    GLAD = "glad"


@dataclass
class Place:
    street: str
    mood: Mood | None


class Pair(NamedTuple):
    street: str
    mood: Mood | None


async def test_python_classes_stand_for_enums_and_composites(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as one, Database(postgres_dsn) as other:
        await one.execute_script("""
            DROP TYPE IF EXISTS home; DROP TYPE IF EXISTS feeling;
            CREATE TYPE feeling AS ENUM ('sad', 'glad'); CREATE TYPE home AS (street text, mood feeling)
        """)
        sql = "SELECT $1::feeling AS mood, ARRAY['glad'::feeling] AS moods, ('x', 'sad')::home AS home"
        plain = {"mood": "sad", "moods": ["glad"], "home": {"street": "x", "mood": "sad"}}
        assert await one.fetch_one(sql, "sad") == plain
        assert await other.fetch_one(sql, Mood.SAD) == plain
        register_type("feeling", python_type=Mood, using=one)
        register_type("home", python_type=Place, using=one)
        assert await one.fetch_one(sql, Mood.SAD) == {
            "mood": Mood.SAD,
            "moods": [Mood.GLAD],
            "home": Place("x", Mood.SAD),
        }
        assert await one.fetch_val("SELECT $1::home", Place("y", Mood.GLAD)) == Place("y", Mood.GLAD)
        assert await one.fetch_val("SELECT $1::home[]", [Place("y", None), None]) == [Place("y", None), None]
        assert await other.fetch_one(sql, "sad") == plain
        register_type("home", python_type=Pair, using=one)
        assert await one.fetch_val("SELECT $1::home", Pair("z", Mood.SAD)) == Pair("z", Mood.SAD)
        with pytest.raises(EncodeError, match=r"\$1 \(home\): expected Pair, got Place"):
            await one.fetch_val("SELECT $1::home", Place("y", None))


async def test_registered_codecs(postgres_dsn: str) -> None:
    """A type of its own: text on the wire, and one whose bytes this library knows otherwise."""
    async with Database(postgres_dsn) as database:
        await database.execute_script("DROP TYPE IF EXISTS shade; CREATE TYPE shade AS ENUM ('red', 'blue'); SELECT 1")
        seen: list[bytes] = []

        def decode(b: bytes) -> str:
            seen.append(b)
            return b.decode().upper()

        register_type("shade", encode=lambda v: v.lower(), decode=decode, python_type=str, using=database)
        assert await database.fetch_val("SELECT $1::shade", "RED") == "RED"
        assert seen == [b"red"]
        with pytest.raises(EncodeError, match="expected str, got int"):
            await database.fetch_val("SELECT $1::shade", 5)
        register_type("shade", encode=lambda v: 5, decode=decode, using=database)  # type: ignore[arg-type, return-value]
        with pytest.raises(EncodeError, match="must return bytes or str"):
            await database.fetch_val("SELECT $1::shade", "RED")
        register_type("shade", encode=lambda v: b"blue", decode=lambda b: 1 / 0, using=database)
        with pytest.raises(DecodeError, match=r"shade \(shade\): division by zero"):
            await database.fetch_val("SELECT $1::shade", "RED")
        assert await database.fetch_val("SELECT 1") == 1


async def test_registered_codecs_that_return_text(postgres_dsn: str) -> None:
    """The server makes the binary form of a type whose encoder returns the text of its input function."""

    def spelled(z: complex) -> str:
        return f"({z.real},{z.imag})"

    def decode(b: bytes) -> complex:  # the number of fields; then of each its type, its length and its value
        return complex(struct.unpack("!d", b[12:20])[0], struct.unpack("!d", b[28:36])[0])

    async with Database(postgres_dsn, max_connections=1) as database:
        await database.execute_script(
            "DROP SCHEMA IF EXISTS spelled CASCADE; CREATE SCHEMA spelled;"
            'CREATE TYPE spelled."Complex" AS (r float8, i float8);'
            'CREATE TABLE spelled.numbers (id int, z spelled."Complex", zs spelled."Complex"[])'
        )
        try:
            register_type("spelled.Complex", encode=spelled, decode=decode, python_type=complex, using=database)
            for number in (3 + 4j, complex("-1e300+0.1j"), complex("infj")):
                for _ in range(2):
                    assert await database.fetch_val('SELECT $1::spelled."Complex"', number) == number
            assert await database.fetch_val('SELECT $1::spelled."Complex" IS NULL', None) is True
            # Beside values of other types, in a write, a script of two calls and a stream.
            async with database.transaction() as tx:
                await tx.execute("INSERT INTO spelled.numbers (id, z) VALUES ($1, $2)", 1, 1 + 2j)
                found = await tx.fetch(
                    'SELECT id, z FROM spelled.numbers WHERE z = $2::spelled."Complex" AND id = $1', 1, 1 + 2j
                )
                assert found == [{"id": 1, "z": 1 + 2j}]
                async with tx.stream('SELECT $1::spelled."Complex" AS z', 5j) as rows:
                    assert [row async for row in rows] == [{"z": 5j}]
            # A part of a value has to be binary; nothing is sent.
            whole = "must return bytes, the type's binary form"
            with pytest.raises(EncodeError, match=whole):
                await database.execute("UPDATE spelled.numbers SET zs = $1", [1j])
            with pytest.raises(EncodeError, match=whole):
                await database.copy_in("spelled.numbers", [(2, 1j)], columns=["id", "z"])
            assert await database.fetch_val("SELECT count(*) FROM spelled.numbers") == 1
            # What the input function refuses is an error of the statement.
            register_type("spelled.Complex", encode=lambda z: "4111", decode=decode, using=database)
            with pytest.raises(DatabaseError) as caught:
                await database.fetch_val('SELECT $1::spelled."Complex"', 1)
            assert caught.value.sqlstate == "22P02" and "4111" not in str(caught.value)
            # The type may get another name.
            register_type("spelled.Complex", encode=spelled, decode=decode, using=database)
            await database.execute('ALTER TYPE spelled."Complex" RENAME TO pair')
            register_type("spelled.pair", encode=spelled, decode=decode, using=database)
            assert await database.fetch_val("SELECT $1::spelled.pair", 7j) == 7j
        finally:
            await database.execute("DROP SCHEMA spelled CASCADE")


@pytest.mark.parametrize("options", [{}, {"encode": str}, {"decode": str}])
def test_register_type_says_what_is_missing(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"register_type\('x'\) takes"):
        register_type("x", **options)


def test_ranges_are_values() -> None:
    assert Range(1, 5) == Range(1, 5, "[)")
    assert hash(Range(1)) == hash(Range(1))
    assert Range(None, 5, "[]") == Range(None, 5, "(]")
    assert Range(1, None, "[]") == Range(1)
    assert Range() == Range(None, None, "[]")
    assert Range(1, 5) != (1, 5)
    assert 5 in Range(1, 5, "(]") and 1 not in Range(1, 5, "(]") and 3 not in Range.empty()
    assert pickle.loads(pickle.dumps(Range(1, 5, "[]"))) == Range(1, 5, "[]")
    with pytest.raises(ValueError, match="above the upper one"):
        Range(5, 1)
    with pytest.raises(ValueError, match="bounds is one of"):
        Range(1, 2, "x")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="does not change"):
        Range(1, 2).lower = 5


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
ROUND = {
    "inet": st.one_of(st.ip_addresses(), st.builds(lambda a, p: ip_interface((a, p)), st.ip_addresses(v=4), st.integers(0, 31))),
    "varbit": st.text("01", max_size=70),
    "int8range": st.builds(lambda a, b: Range(min(a, b), max(a, b) + 1), st.integers(-9, 9), st.integers(-9, 9)),
    "numrange": st.builds(
        lambda a, b, o: Range(min(a, b), max(a, b) + 1, o),
        st.decimals(-9, 9, places=2), st.decimals(-9, 9, places=2), st.sampled_from(["[]", "[)", "(]", "()"]),
    ),
    "point[]": st.lists(st.builds(Point, finite, finite), min_size=1, max_size=5),
    "timetz": st.times(timezones=st.integers(-15 * 60, 15 * 60).map(lambda m: timezone(timedelta(minutes=m)))),
    "macaddr": st.binary(min_size=6, max_size=6).map(lambda b: b.hex(":")),
}  # fmt: skip


@pytest.mark.parametrize("kind", ROUND)
def test_encoding_then_decoding_gives_the_value(rows: Rows, kind: str) -> None:
    @given(ROUND[kind])
    @settings(max_examples=60, deadline=None)
    def law(value: Any) -> None:
        assert rows(f"SELECT $1::{kind}", value) == (value,)

    law()


@pytest.mark.usefixtures("_hstore")
async def test_copy_takes_what_statements_take(postgres_dsn: str) -> None:
    async with Database(postgres_dsn) as database:
        await database.execute_script("""
            DROP TABLE IF EXISTS copied_types; DROP TYPE IF EXISTS tune; DROP TYPE IF EXISTS tone; DROP DOMAIN IF EXISTS pace, step;
            CREATE TYPE tone AS ENUM ('low', 'high'); CREATE DOMAIN step AS int; CREATE DOMAIN pace AS step;
            CREATE TYPE tune AS (tone tone, paces pace[]);
            CREATE TABLE copied_types (tone tone, tones tone[], pace pace, pairs hstore, at inet, span int4range, spot point[], tunes tune[])
        """)
        rows = [
            (
                "low",
                ["high", None],
                5,
                {"a": None},
                IPv4Address("10.0.0.1"),
                Range(1, 3),
                [Point(1, 2)],
                [{"tone": "low", "paces": [5]}],
            ),
            (None,) * 8,
        ]
        assert await database.copy_in("copied_types", rows) == 2
        assert await database.fetch("SELECT * FROM copied_types", as_=tuple) == rows
        await database.execute_script("ALTER TABLE copied_types ADD price money")
        with pytest.raises(EncodeError, match=r"price \(money\): COPY has no encoder for this type"):
            await database.copy_in("copied_types", [(1,)], columns=["price"])


async def test_types_without_a_binary_form(postgres_dsn: str) -> None:
    """Own types with a category of their own and no function that sends them: advice, and the connection goes on."""
    async with Database(postgres_dsn, max_connections=1) as database:
        await database.execute_script("""
            DROP TYPE IF EXISTS label CASCADE; CREATE TYPE label;
            CREATE FUNCTION label_in(cstring) RETURNS label LANGUAGE internal IMMUTABLE STRICT AS 'textin';
            CREATE FUNCTION label_out(label) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
            CREATE TYPE label (INPUT = label_in, OUTPUT = label_out, LIKE = text, CATEGORY = 'l')
        """)
        session = await database.fetch_val("SELECT pg_backend_pid()")
        for sql, params, error in [
            ("SELECT 'a'::label AS v", (), SyntaxOrAccessError),
            ("SELECT $1::int, 'a'::label AS v", (1,), SyntaxOrAccessError),
            ("SELECT ARRAY['a'::label] AS v", (), SyntaxOrAccessError),
            ("SELECT $1::label::text", ("a",), EncodeError),
        ]:
            for _ in range(2):
                with pytest.raises(error, match=r"label.*cast|no binary output.*label(.|\n)*cast the column"):
                    await database.fetch(sql, *params)
        assert await database.fetch_val("SELECT $1::text::label::text", "a") == "a"
        assert await database.fetch_val("SELECT pg_backend_pid()") == session
        assert database.pool_stats().closed_broken == 0
        await database.execute_script("DROP TYPE label CASCADE")


async def test_statistics_have_arrays_of_any_type(postgres_dsn: str) -> None:
    """`anyarray`: the header of the value says what its elements are."""
    async with Database(postgres_dsn, max_connections=1) as db:
        async with db.transaction() as tx:
            await tx.execute_script(
                "CREATE TABLE measured (n int, t text, d date); "
                "INSERT INTO measured SELECT g % 50, 'x' || g % 5, date '2024-01-01' + g % 40 FROM generate_series(1, 5000) g; "
                "ANALYZE measured"
            )
            rows = await tx.fetch(
                "SELECT attname, most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'measured'"
            )
            found = {row["attname"]: row["most_common_vals"] or row["histogram_bounds"] for row in rows}
            assert sorted(found["t"]) == ["x0", "x1", "x2", "x3", "x4"]
            assert set(map(type, found["n"])) == {int} and set(map(type, found["d"])) == {date}
            tx.set_rollback_only()
