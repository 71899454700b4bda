"""A request is a transaction, and its errors are problems."""

from __future__ import annotations

from typing import Any

import pytest
from orm_web import Member, application, at_rest, client_of, prepared

from data_bridge.postgres import (
    Database,
    EncodeError,
    aliased,
)
from data_bridge.postgres.asgi.fields import field_names


async def test_a_request_is_a_transaction(isolated_db: Database) -> None:
    tables = await prepared(isolated_db)
    async with client_of(application()) as client:
        made = await client.post("/members", json={"email": "a@x.org", "age": 3})
        assert (made.status_code, made.json()) == (201, {"id": 1, "email": "a@x.org", "age": 3})
        assert (await client.post("/members/1/fail?how=http")).status_code == 418
        assert (await client.post("/members/2/fail?how=bug")).status_code == 500
        assert (await client.post("/members/3/fail?how=no")).json() == {"returned": 3}
    assert sorted(m.email for m in await Member.find()) == ["a@x.org", "lost3@x.org"]
    await at_rest(tables)


async def test_a_commit_that_fails_is_never_a_success(isolated_db: Database) -> None:
    await prepared(isolated_db)
    app = application()
    async with client_of(app) as client:
        answer = await client.post("/deferred")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert answer.json() == {
        "type": "urn:data-bridge:serialization_failure",
        "title": "The transaction conflicted with another one",
        "status": 503,
    }
    assert app.state.ran == [], "what follows the response ran although the transaction failed"


@pytest.mark.parametrize(
    ("request_", "status", "code", "fields"),
    [
        (("GET", "/members/99", None), 404, "row_not_found", []),
        (("GET", "/members/99999999999999999999999", None), 422, "encode_error", ["id"]),
        (("POST", "/members", {"email": "taken@x.org"}), 409, "unique_violation", ["eMail"]),
        (("POST", "/members", {"email": "b@x.org", "team_id": 4711}), 409, "foreign_key_violation", ["team_id"]),
        (("POST", "/members", {"email": "b@x.org", "age": 200}), 422, "check_violation", []),
        (("POST", "/members", {"email": "nul\0@x.org"}), 422, "encode_error", ["email"]),
        (("GET", "/cursors?after=rubbish", None), 400, "invalid_cursor", []),
        (("GET", "/unfetched", None), 500, None, None),
    ],
)
async def test_errors_are_problems(
    isolated_db: Database, request_: tuple[str, str, Any], status: int, code: str | None, fields: list[str] | None
) -> None:
    tables = await prepared(isolated_db)
    await Member(email="taken@x.org").save()
    method, url, body = request_
    async with client_of(application()) as client:
        answer = await client.request(method, url, json=body)
    assert answer.status_code == status, answer.text
    if code is None:
        return
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:data-bridge:{code}"
    assert [e["field"] for e in problem.get("errors", [])] == fields
    for secret in ("taken@x.org", "b@x.org", "4711", "99999999", "200", "nul"):
        assert secret not in answer.text
    await at_rest(tables)


async def test_a_lost_database_is_unavailable(isolated_db: Database) -> None:
    tables = await prepared(isolated_db)
    from data_bridge.postgres import use_database

    async with Database(tables.dsn, max_connections=1, acquire_timeout=0.2, connect_timeout=1) as other:  # type: ignore[attr-defined]
        held = other.lease()
        await held.take()
        async with client_of(application()) as client, use_database(other):
            answer = await client.get("/members/1")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["type"] == "urn:data-bridge:pool_timeout"
        await held.give_back()


async def test_a_condition_names_the_field_of_the_api(isolated_db: Database) -> None:
    """Not the column, which is called otherwise, and nothing of a table under another name."""
    await prepared(isolated_db)
    other = aliased(Member, "other")
    for query, names in (
        (Member.find(Member.email == "nul\0"), ("eMail",)),
        (Member.find().join(other, other.id == Member.id).where(other.email == "nul\0"), ()),
    ):
        with pytest.raises(EncodeError) as caught:
            await query
        assert field_names(caught.value)[0] == names
