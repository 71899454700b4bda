"""A route class: the status decides, conflicts are run again, dependencies have options."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from orm_web import Member, NewMember, client_of, prepared

from data_bridge.postgres import (
    Database,
    Transaction,
    current_transaction,
    execute,
)
from data_bridge.postgres.fastapi import (
    Tx,
    add_exception_handlers,
    transaction,
    transactional,
)


def routed(**options: Any) -> FastAPI:
    app = FastAPI()
    add_exception_handlers(app)
    router = APIRouter(route_class=transactional(**options))
    calls: list[int] = []
    app.state.calls = calls

    @router.post("/returned/{status}")
    async def returned(status: int) -> JSONResponse:
        await Member(email="x@x.org").save()
        return JSONResponse({}, status)

    @router.post("/conflict/{failures}")
    async def conflict(failures: int, body: NewMember, tx: Tx) -> dict[str, int]:
        assert current_transaction() is tx
        calls.append(1)
        await Member(email=body.email).save()
        if len(calls) <= failures:
            await execute("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$")
        return {"calls": len(calls)}

    @router.post("/late")
    async def late() -> dict[str, int]:
        calls.append(1)
        await execute("SELECT fail_at_commit()")
        return {}

    app.include_router(router)
    return app


@pytest.mark.parametrize(("status", "kept"), [(200, 1), (204, 1), (302, 1), (400, 0), (409, 0), (500, 0)])
async def test_a_returned_status_decides(isolated_db: Database, status: int, kept: int) -> None:
    await prepared(isolated_db)
    async with client_of(routed()) as client:
        assert (await client.post(f"/returned/{status}")).status_code == status
    assert await Member.count() == kept
    await Member.find_all().delete()
    async with client_of(routed(rolls_back=lambda status: status >= 500)) as client:
        await client.post(f"/returned/{status}")
    assert await Member.count() == (status < 500)


async def test_a_request_is_run_again(isolated_db: Database) -> None:
    await prepared(isolated_db)
    app = routed(retries=2)
    async with client_of(app) as client:
        assert (await client.post("/conflict/2", json={"email": "a@x.org"})).json() == {"calls": 3}
        app.state.calls.clear()
        assert (await client.post("/conflict/9", json={"email": "b@x.org"})).status_code == 503
        assert len(app.state.calls) == 3
        app.state.calls.clear()
        assert (await client.post("/late")).status_code == 503
        assert len(app.state.calls) == 3
    assert [m.email for m in await Member.find()] == ["a@x.org"]


Reading = Annotated[Transaction, transaction("REPEATABLE READ", read_only=True)]


async def test_options_of_a_dependency(isolated_db: Database) -> None:
    await prepared(isolated_db)
    app = FastAPI()

    @app.get("/")
    async def read(tx: Reading) -> str:
        return str(
            await tx.fetch_val(
                "SELECT current_setting('transaction_isolation') || current_setting('transaction_read_only')"
            )
        )  # type: ignore[attr-defined]

    async with client_of(app) as client:
        assert (await client.get("/")).json() == "repeatable readon"
